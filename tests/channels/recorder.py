"""A loopback server that writes down each request and answers what it is told to, for peers that need a real address."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, order=True)
class Recorded:
    """One request; `form` is a form's fields, `query` the address's, both sorted."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...]
    authorization: str
    body: bytes = field(compare=False, default=b"")
    target: str = field(compare=False, default="")


@dataclass
class Recorder:
    url: str
    requests: list[Recorded] = field(default_factory=list)

    def taken(self) -> list[Recorded]:
        """Return what came since the last time."""
        taken, self.requests = self.requests, []
        return taken


@contextmanager
def recorder(answer: Callable[[Recorded], tuple[int, object]]) -> Iterator[Recorder]:
    """Serve until left, on a free port; `answer` returns a status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            request = Recorded(self.command, parts.path, _pairs(parts.query), _pairs(body.decode(errors="replace")),
                               self.headers.get("Authorization") or "", body, self.path)  # fmt: skip
            made.requests.append(request)
            status, said = answer(request)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _take  # noqa: N815 - the library calls them so

        def log_message(self, format: str, *args: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Recorder(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parse_qsl(text, keep_blank_values=True)))
