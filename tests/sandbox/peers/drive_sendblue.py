"""Drive a Sendblue account with the official SDK, and print what the SDK made of it as one line of JSON.

Runs in the peer's own environment, so nothing of ours is imported here. It registers webhooks at a listener of its own,
asks who is on iMessage, sends a text with a file, waits until it is delivered and the person's answer came, looks into the
list of messages, and tidies up.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

from sendblue_api import APIStatusError, SendblueAPI

WITHIN_S = 15
PICTURE = b"\x89PNG\r\n\x1a\n a picture"


class Listener(HTTPServer):
    """Keeps what is posted to it, and gives out one picture."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.posts: Queue[tuple[str, str | None, dict[str, Any]]] = Queue()


class Taking(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.put((self.path, self.headers.get("sb-signing-secret"), body))
        self._say(b"")

    def do_GET(self) -> None:
        self._say(PICTURE)

    def _say(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return None


def refusal(call: Any) -> int:
    """Return the status with which a call is refused."""
    try:
        call()
    except APIStatusError as error:
        return error.status_code
    return 200


def main(url: str, key: str, secret: str, line: str, person: str, android_owner: str) -> dict[str, Any]:
    listener = Listener()
    Thread(target=listener.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{listener.server_port}"
    api = SendblueAPI(api_key=key, api_secret=secret, base_url=url, max_retries=0, timeout=WITHIN_S)
    api.webhooks.create(webhooks=[{"url": f"{here}/in", "secret": "hush"}], type="receive")
    api.webhooks.create(webhooks=[f"{here}/out"], type="outbound")
    hooks = api.webhooks.list().webhooks
    sent = api.messages.send(
        number=person, from_number=line, content="Hello", media_url=f"{here}/picture.png", status_callback=f"{here}/status"
    )
    posts = [listener.posts.get(timeout=WITHIN_S) for _ in range(5)]
    status = api.messages.get_status(handle=sent.message_handle or "")
    found = api.messages.retrieve(sent.message_handle or "").data
    listed = api.messages.list(number=person, order_by="createdAt", order_direction="asc", limit=10)
    inbound = api.messages.list(is_outbound="false", sendblue_number=line)
    api.webhooks.delete(webhooks=[f"{here}/in"], type="receive")
    api.webhooks.delete(webhooks=[f"{here}/out"], type="outbound")
    left = api.webhooks.list().webhooks
    stranger = SendblueAPI(api_key=key, api_secret="wrong", base_url=url, max_retries=0)
    told = {
        "services": [api.lookups.lookup_number(number=one).service for one in (person, android_owner)],
        "hooks": [str(getattr(one, "url", one)).removeprefix(here) for one in [*(hooks.receive or []), *(hooks.outbound or [])]],
        "secret": getattr((hooks.receive or [None])[0], "secret", None),
        "sent": [sent.status, sent.is_outbound, sent.number, sent.from_number, sent.content],
        "posts": sorted([path, given, post["status"], post["is_outbound"], post["number"]] for path, given, post in posts),
        "state": [status.status, status.message_handle == sent.message_handle],
        "found": [found.status, found.service, found.was_downgraded] if found else None,
        "listed": [[one.is_outbound, one.content] for one in listed.data or []],
        "more": listed.pagination.has_more if listed.pagination else None,
        "inbound": [[one.from_number, one.to_number, one.content] for one in inbound.data or []],
        "typing": api.typing_indicators.send(number=person, from_number=line).status,
        "left": [left.receive, left.outbound],
        "stranger": refusal(lambda: stranger.messages.list()),
        "nonsense": refusal(lambda: api.messages.send(number="nobody", from_number=line, content="x")),
        "unknown": refusal(lambda: api.messages.get_status(handle="none")),
    }
    listener.shutdown()
    return told


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
