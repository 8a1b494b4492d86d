"""One exchange over real sockets: what is certain when a call fails in each way that a network has."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from blue import MAC, ORDER, SECRET
from certificates import certificate

from posthaste.channels import http
from posthaste.channels.base import Connection
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange, knock, open_client, retry_after_ms
from posthaste.core.outcomes import Ambiguous, Deferred

LIMITS = Limits(connect_ms=2_000, answer_ms=2_000, answer_bytes=1_000)
HASTY = Limits(connect_ms=2_000, answer_ms=50, answer_bytes=1_000)
WITHIN_A_SECOND = Limits(connect_ms=300, answer_ms=50, answer_bytes=1_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve raw sockets; each connection is handed to `talk`, and is dropped when that returns."""
    conversations: list[asyncio.Task[None]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(converse(reader, writer)))

    listening = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*conversations)


def answers(raw: bytes) -> Talk:
    """Read a request without a body, say this, and close."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return talk


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, each soon enough, and never come to an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while not reader.at_eof():
        writer.write(b".")
        await writer.drain()
        try:
            async with asyncio.timeout(0.01):
                await reader.read(4096)
        except TimeoutError:
            continue


def call(talk: Talk, limits: Limits = LIMITS) -> Answer | NeverLeft | NoAnswer:
    async def main() -> Answer | NeverLeft | NoAnswer:
        async with server(talk) as url, open_client() as client:
            return await exchange(client, "GET", url, query={}, content=None, limits=limits)

    return asyncio.run(main())


def call_nobody(url: str) -> Answer | NeverLeft | NoAnswer:
    async def main() -> Answer | NeverLeft | NoAnswer:
        async with open_client() as client:
            return await exchange(client, "POST", url, query={"a": "b"}, content=b"{}", limits=LIMITS)

    return asyncio.run(main())


async def deserted() -> str:
    """Return an address at which nobody listens any more."""
    async with server(say_nothing) as url:
        return url


def test_an_answer_is_an_answer() -> None:
    answer = call(answers(b"HTTP/1.1 418 Teapot\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno"))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (418, "3", b"no")


def test_a_refused_connection_never_left() -> None:
    assert isinstance(call_nobody(asyncio.run(deserted())), NeverLeft)


@pytest.mark.parametrize(
    "url", ["", "mac.test", "ftp://mac.test", "http://mac.test:99999", "http://", "http://" + "a" * 64 + ".test"]
)
def test_an_address_that_is_none_never_left(url: str) -> None:
    assert isinstance(call_nobody(url), NeverLeft)


@pytest.mark.parametrize("talk", [say_nothing, answers(OK)])
def test_a_server_that_speaks_no_tls_never_got_the_request(talk: Talk) -> None:
    async def main() -> Answer | NeverLeft | NoAnswer:
        async with server(talk) as url, open_client() as client:
            there = url.replace("http:", "https:")
            return await exchange(client, "GET", there, query={}, content=None, limits=WITHIN_A_SECOND)

    assert isinstance(asyncio.run(main()), NeverLeft)


@pytest.mark.parametrize(
    "talk",
    [
        hang_up,
        answers(b"HTTP/1.1 200"),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"),
        answers(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"." * 1_001),
        answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    ],
)
def test_an_answer_that_is_not_whole_is_none(talk: Talk) -> None:
    assert isinstance(call(talk), NoAnswer)


@pytest.mark.parametrize(("talk", "limits"), [(say_nothing, HASTY), (drip, WITHIN_A_SECOND)])
def test_a_slow_answer_is_none(talk: Talk, limits: Limits) -> None:
    assert isinstance(call(talk, limits), NoAnswer)


def test_a_full_pool_is_a_crowd_of_our_own() -> None:
    async def main() -> Answer | NeverLeft | NoAnswer:
        arrived = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await reader.read()

        async with server(hold) as url, open_client(max_connections=1, max_idle=1) as client:
            first = asyncio.create_task(exchange(client, "GET", url, query={}, content=None, limits=LIMITS))
            await arrived.wait()
            hasty = Limits(connect_ms=20, answer_ms=2_000, answer_bytes=1_000)
            second = await exchange(client, "GET", url, query={}, content=None, limits=hasty)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            return second

    result = asyncio.run(main())
    assert isinstance(result, NeverLeft)
    assert result.is_crowded


def test_a_redirect_is_not_followed() -> None:
    answer = call(answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"))
    assert isinstance(answer, Answer)
    assert answer.status == 302


def test_the_machines_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert isinstance(call(answers(OK)), Answer)


def test_no_cookie_is_kept() -> None:
    async def main() -> list[bytes]:
        heard: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

        async with server(talk) as url, open_client() as client:
            for _ in range(2):
                await exchange(client, "GET", url, query={}, content=None, limits=LIMITS)
        return heard

    assert not any(b"cookie" in request.lower() for request in asyncio.run(main()))


# Whether anybody is there at all


def knocked(url: str, limits: Limits = LIMITS) -> str:
    return asyncio.run(knock(url, limits))


def knock_at(talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", scheme: str = "http") -> str:
    async def main() -> str:
        async with server(talk, tls) as url:
            port = url.rpartition(":")[2]
            why = await knock(f"{scheme}://{host}:{port}/send?to={{to}}", WITHIN_A_SECOND)
            return why.replace(port, "PORT")

    return asyncio.run(main())


def test_whoever_knocks_says_nothing() -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    assert knock_at(listen) == ""
    assert heard == [b""]


def test_where_nobody_listens_nobody_answers_a_knock() -> None:
    url = asyncio.run(deserted())
    assert knocked(f"{url}/send?to={{to}}") == f"nothing answers at {url.removeprefix('http://')}"
    nobody = "a" * 64 + ".test"
    assert knocked(f"http://{nobody}/send") == f"there is no server called {nobody}"


def test_a_knock_at_no_address_says_so() -> None:
    assert knocked("http://[::g]/") == "the address is not one that can be called"


def test_a_knock_finds_whoever_speaks_no_tls() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()

    assert knock_at(greet, scheme="https") == "127.0.0.1:PORT does not speak TLS"
    assert knock_at(say_nothing, scheme="https") == "127.0.0.1:PORT did not answer in time"


@pytest.mark.parametrize(
    ("host", "is_trusted", "why"), [("localhost", True, ""), ("127.0.0.1", True, "mismatch"), ("localhost", False, "self-signed")]
)
def test_a_knock_wants_to_know_who_is_there(
    host: str, is_trusted: bool, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = certificate(tmp_path, "localhost")
    if is_trusted:
        monkeypatch.setattr(http, "default_tls", lambda: ours)
    said = knock_at(say_nothing, theirs, host, "https")
    assert why in said
    assert bool(why) is said.startswith(f"{host}:PORT could not prove who it is: ")


# When to come again

THEN, NOW = "Thu, 09 Oct 2025 08:55:00 GMT", "Thu, 09 Oct 2025 08:53:20 GMT"


@pytest.mark.parametrize(
    ("headers", "ms"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7_000),
        ({"retry-after": " 7 "}, 7_000),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "\u0667"}, None),
        ({"retry-after": "9" * 30}, None),
        ({"retry-after": "soon", "date": NOW}, None),
        ({"retry-after": THEN, "date": NOW}, 100_000),
        ({"retry-after": NOW, "date": THEN}, 0),
        ({"retry-after": THEN}, None),
        ({"retry-after": THEN, "date": "today"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": NOW}, None),
    ],
)
def test_a_server_says_when_to_come_again_by_seconds_or_by_its_own_clock(headers: dict[str, str], ms: int | None) -> None:
    assert retry_after_ms(Answer(429, headers, b"")) == ms


# The same through the channel, where it decides whether a text is sent again


def send(talk: Talk) -> object:
    async def main() -> object:
        async with server(talk) as url, open_client() as client:
            channel = BlueBubbles(client, lambda: 0, answer_timeout_ms=100)
            return await channel.send(Connection("d", url, {"password": SECRET}, MAC.options), ORDER)

    return asyncio.run(main())


@pytest.mark.parametrize("talk", [hang_up, say_nothing, answers(b"HTTP/1.1 200 OK\r\n")])
def test_a_send_whose_answer_is_lost_is_ambiguous(talk: Talk) -> None:
    assert isinstance(send(talk), Ambiguous)


def test_a_send_to_nobody_is_deferred() -> None:
    async def main() -> object:
        url = await deserted()
        async with open_client() as client:
            return await BlueBubbles(client, lambda: 0).send(Connection("d", url, {"password": SECRET}, MAC.options), ORDER)

    outcome = asyncio.run(main())
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down


def test_the_password_is_in_no_log_of_any_library(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "httpx2", "httpcore2", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    send(hang_up)
    send(answers(OK))
    assert caplog.records
    for spelling in (SECRET, "p%2Bw", "p+w", "guid="):
        assert spelling not in caplog.text
