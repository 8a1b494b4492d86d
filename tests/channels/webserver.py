"""A small server on the loopback that answers byte for byte what a test says, however wrong, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpcore2

OUTSIDE = "93.184.216.34"
"""A public address, behind which the test's server stands."""

#: At this point of an answer the server says nothing more and keeps the connection open.
HANG = b"<hang>"


@dataclass
class Web:
    """A server: `answers` by path, each the pieces in which it is sent."""

    answers: dict[str, Sequence[bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    port: int = 0
    _held: list[asyncio.StreamWriter] = field(default_factory=list)

    def url(self, path: str = "/a", host: str = "files.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = request.split()[1]
            self.asked.append(path)
            self.requests.append(request)
            for piece in self.answers[path]:
                if piece == HANG:
                    self._held.append(writer)
                    await asyncio.Event().wait()
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def webserver(tls: ssl.SSLContext | None = None, **answers: Sequence[bytes]) -> AsyncIterator[Web]:
    """Serve answers, each named by its path: `a=…` for `/a`."""
    web = Web({f"/{name}": pieces for name, pieces in answers.items()})
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(web.answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    try:
        yield web
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class Outside(httpcore2.AsyncNetworkBackend):
    """The network as if the loopback stood behind a public address; whatever else is called, is noted and does not answer."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.called.append(host)
        if host != OUTSIDE:
            raise httpcore2.ConnectError
        return await self._real.connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


async def names(host: str, port: int) -> Sequence[str]:
    """Resolve every name of the tests to the public address, but for those that say that they are inside."""
    return ["10.0.0.7"] if host.startswith("inside") else [OUTSIDE]


def ok(content: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a plain answer; its length may be a lie."""
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(content) if length is None else length}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


def status(number: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {number} Some", "Content-Length: 0", *headers, "", ""]).encode()


def chunked(*pieces: bytes) -> bytes:
    """Return an answer whose length is not announced."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
