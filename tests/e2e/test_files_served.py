"""Files through a server as a person runs it: uploaded and fetched ones on a phone of the sandbox, and one that comes back."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from programs import Server, running

from fixtures.tiny_files import TINY
from posthaste.core import files

PERSON = "+16285550101"
PNG, PDF, MOV = TINY[files.PNG], TINY[files.PDF], TINY[files.MOV]
SOON_S = 30


class _Web(BaseHTTPRequestHandler):
    """A web server with one film, which it calls a page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(MOV)))
        self.end_headers()
        self.wfile.write(MOV)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def upload(server: Server, name: str, content: bytes) -> str:
    headers = {"Authorization": f"Bearer {server.sandbox['apiKey']}"}
    answer = httpx2.post(f"{server.url}/api/attachments", files={"file": (name, content)}, headers=headers, trust_env=False)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["attachment"]["url"])


def send(server: Server, *urls: str, text: str = "", names: tuple[str, ...] = ()) -> dict[str, Any]:
    body = {"message": text, "recipientPhone": PERSON, "attachmentUrls": urls, "attachmentNames": names}
    answer = server.call("POST", "/api/messages", body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()["message"]
    return found


def on_the_phone(server: Server) -> list[tuple[str, str]]:
    """Return the names and digests of the files that the person got, in order."""
    answer = httpx2.get(f"{server.sandbox['sandboxUrl']}/received", params={"to": PERSON}, trust_env=False)
    return [(file["name"], file["sha256"]) for one in answer.json() for file in one.get("attachments", ())]


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_files_reach_a_phone_whether_uploaded_or_fetched(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--device-gap-ms", 0, POSTHASTE_ATTACHMENT_ALLOW_PRIVATE="on") as server, web() as site:
        assert server.send("Hello", PERSON).json()["status"] == "sent"
        sent = send(server, upload(server, "offer", PDF), f"{site}/film.html", text="Two files", names=("", "Our house"))
        assert sent["status"] == "sent", sent
        assert on_the_phone(server) == [("offer.pdf", digest(PDF)), ("Our house.mov", digest(MOV))]
        assert send(server, f"{site}/", text="Not a film")["status"] == "sent"
        codes = [one["code"] for one in server.call("GET", f"/api/messages/{sent['_id']}/timeline").json()["timeline"]]
        assert codes.count("file_fetched") == 2
        assert (tmp_path / "data" / "attachments").stat().st_mode & 0o077 == 0


def test_a_server_is_not_led_into_its_own_network(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--device-gap-ms", 0) as server, web() as site:
        server.send("Hello", PERSON)
        for url in (site, f"{server.url}/openapi.json", site.replace("127.0.0.1", "2130706433"), "http://[::1]/"):
            failed = send(server, f"{url}/x", text=f"See {url}")
            assert (failed["status"], failed["code"]) == ("failed", "BAD_CONTENT")
            assert failed["errorMessage"] == "attachment 1 cannot be sent: its server is in a private network"
        assert on_the_phone(server) == []


def test_a_file_that_somebody_sends_us_can_be_had_and_sent_back(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--device-gap-ms", 0) as server:
        server.send("Hello", PERSON)
        writing = {
            "to": server.sandbox["lines"][0]["phone"],
            "text": "Look",
            "attachments": [{"name": "IMG_0001.PNG", "contentBase64": base64.b64encode(PNG).decode()}],
        }
        answer = httpx2.post(f"{server.sandbox['sandboxUrl']}/phones/{PERSON}/send", json=writing, trust_env=False)
        assert answer.status_code == 201, answer.text
        received = _with_files(server)
        assert (received["message"], received["attachmentNames"]) == ("Look", ["IMG_0001.PNG"])
        (url,) = received["attachmentUrls"]
        assert server.call("GET", url.removeprefix(server.url)).content == PNG
        assert send(server, url)["status"] == "sent"
        assert on_the_phone(server) == [("IMG_0001.PNG", digest(PNG))]


def _with_files(server: Server) -> dict[str, Any]:
    """Ask until a message with files has come in."""
    until = time.monotonic() + SOON_S
    while True:
        for message in server.call("GET", "/api/messages").json()["messages"]:
            if message["direction"] == "received" and "attachmentUrls" in message:
                return dict(message)
        assert time.monotonic() < until, (server.folder.parent / "data.stderr").read_text()
