"""Drive an SMS Gate phone with its official client, and print what the client made of it as one line of JSON.

Runs in the peer's own environment, so nothing of ours is imported here. It registers webhooks at a listener of its own,
sends a text, sends it again under the same id, waits until it is delivered and the person's answer came, looks into the
inbox, and tidies up.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

from android_sms_gateway import client, domain, enums, errors, webhooks

WITHIN_S = 15
EVENTS = [enums.WebhookEvent.SMS_RECEIVED, enums.WebhookEvent.SMS_SENT, enums.WebhookEvent.SMS_DELIVERED]


class Listener(HTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.posts: Queue[dict[str, Any]] = Queue()


class Taking(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        self.server.posts.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return None


def drive(url: str, username: str, password: str, person: str) -> dict[str, Any]:
    listener = Listener()
    Thread(target=listener.serve_forever, daemon=True).start()
    hook_url = f"http://127.0.0.1:{listener.server_port}/hook"
    told: dict[str, Any] = {}
    with client.APIClient(username, password, base_url=url) as phone:
        told["health"] = phone.health_check().status.value
        told["devices"] = [device.id for device in phone.list_devices()]
        for event in EVENTS:
            phone.create_webhook(domain.Webhook(None, hook_url, event))
        told["hooks"] = sorted(hook.event.value for hook in phone.get_webhooks())
        text = domain.Message(phone_numbers=[person], text_message=domain.TextMessage("Hello"), id="official-1")
        told["sent"] = shown(phone.send(text))
        told["again"] = refusal(lambda: phone.send(text))
        told["nonsense"] = refusal(lambda: phone.send(domain.Message(phone_numbers=[])))
        posts = [listener.posts.get(timeout=WITHIN_S) for _ in EVENTS]
        told["posts"] = sorted(post["event"] for post in posts)
        told["state"] = shown(phone.get_state("official-1"))
        told["unknown"] = refusal(lambda: phone.get_state("nobody's"))
        told["listed"] = [one.id for one in phone.get_messages(pagination=domain.QueryPagination(limit=10))]
        reply = next(post["payload"] for post in posts if post["event"] == "sms:received")
        heard = webhooks.SmsReceivedPayload.from_dict(reply)
        told["reply"] = [heard.sender, heard.message]
        now = datetime.now(UTC)
        span = domain.InboxRefreshRequest(since=now - timedelta(hours=1), until=now + timedelta(hours=1))
        phone.refresh_inbox(span)
        recent = domain.InboxQueryFilter(message_type="SMS", from_=span.since, to=span.until)
        inbox = phone.list_inbox_messages(inbox_filter=recent)
        told["inbox"] = [[one.sender, one.content_preview, one.created_at == heard.received_at] for one in inbox]
        for hook in phone.get_webhooks():
            phone.delete_webhook(str(hook.id))
        told["left"] = len(phone.get_webhooks())
    with client.APIClient(username, "wrong", base_url=url) as stranger:
        told["stranger"] = refusal(stranger.get_webhooks)
    listener.shutdown()
    listener.server_close()
    return told


def shown(state: domain.MessageState) -> list[object]:
    return [state.id, state.state.value, [[one.phone_number, one.state.value] for one in state.recipients]]


def refusal(act: Any) -> object:
    try:
        act()
    except errors.APIError as error:
        return error.status_code
    return None


if __name__ == "__main__":
    print(json.dumps(drive(*sys.argv[1:])))
