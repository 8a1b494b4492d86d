"""A call as the routes see it, and the answer that they give: plain values between the edge and the routes.

Bodies are read here because only the call knows its stream; what a body may contain is `bodies.py`'s.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from posthaste.core.errors import TooLarge
from posthaste.core.row import Value
from posthaste.core.workspaces import Workspace


class ClientGone(Exception):  # noqa: N818 - it says what happened
    """The client hung up before its body was here; there is nobody to answer."""


class Access(Enum):
    """What a verb asks of its caller: nothing, a key, a key that may write, or one that may send."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    SEND = "send"


class Answer(Value, frozen=True):
    """What goes back: `body` is bytes as they are, or else is rendered as JSON."""

    status: int
    body: object
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: bytes = b"application/json"


Headers = Mapping[bytes, str]


@dataclass(slots=True)
class Call:
    """One request. `workspace` is known as soon as its key was checked, which is before any route sees it."""

    scope: Scope
    headers: Headers
    receive: Receive
    request_id: str
    workspace: Workspace

    def header(self, name: bytes) -> str:
        """Return a header, several of one name joined by commas; empty when it is not there."""
        return self.headers.get(name, "")

    def path(self, name: str) -> str:
        return str(self.scope["path_params"][name])

    def query(self) -> Mapping[str, str]:
        """Return the query's fields; of repeated ones the last counts."""
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def body(self, most_bytes: int) -> bytes:
        """Read the body, and refuse it as soon as it is known to be larger than `most_bytes`."""
        announced = self.header(b"content-length")
        if announced.isdigit() and int(announced[:20]) > most_bytes:
            raise TooLarge
        chunks: list[bytes] = []
        total_bytes = 0
        while True:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise ClientGone
            chunk = event.get("body", b"")
            total_bytes += len(chunk)
            if total_bytes > most_bytes:
                raise TooLarge
            chunks.append(chunk)
            if not event.get("more_body", False):
                return b"".join(chunks)


Endpoint = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One method of one path."""

    method: str
    path: str
    endpoint: Endpoint
    access: Access


def headers_of(scope: Scope) -> Headers:
    """Return the headers of a request by their names, several of one name joined by commas."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found
