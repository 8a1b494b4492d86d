"""One HTTP exchange for every channel: how the client is made, what is certain when a call fails, and whether anybody is there.

An exchange ends in one of three values. `Answer` is whatever the other side said, error pages included. `NeverLeft`
means that no byte of the request left this machine, so calling again is safe. `NoAnswer` is everything else: the
request may have been acted on. What an answer means belongs to the channels; what none means is the same for all. Texts of
exceptions are never passed on, and the library's own log of requests is silenced, because several providers want their
password in the URL.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpcore2
import httpx2

from posthaste.channels.reading import instant_of_mail
from posthaste.core.outcomes import Ambiguous, Deferred


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; the names of `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NeverLeft:
    """The request surely stayed here; `is_crowded` if only because too many of ours were under way."""

    why: str
    is_crowded: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have arrived, and nothing readable came back."""

    why: str


# Eleven days: what says more knows no better than our own pauses.
_RETRY_AFTER_S_AT_MOST = 999_999
CROWDED_RETRY_MS: Final = 1_000
"""After so long it is tried again when only our own requests were too many."""

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each step towards a connection may take, how long the answer, and how much of it is read."""

    connect_ms: int
    answer_ms: int
    answer_bytes: int


def unanswered(result: NeverLeft | NoAnswer) -> Deferred | Ambiguous:
    """Say what a request that sends has come to without an answer."""
    match result:
        case NeverLeft(why, is_crowded=True):
            return Deferred(why, CROWDED_RETRY_MS)
        case NeverLeft(why):
            return Deferred(why, device_is_down=True)
        case NoAnswer(why):
            return Ambiguous(why)


def retry_after_ms(answer: Answer) -> int | None:
    """Return how long the other side wants to be left alone; a date is read by its own clock, which may not agree with ours."""
    written = answer.headers.get("retry-after", "").strip()
    if written.isascii() and written.isdecimal():
        seconds = int(written[:20])
    else:
        until, now = instant_of_mail(written), instant_of_mail(answer.headers.get("date", ""))
        if until is None or now is None:
            return None
        seconds = max(0, until - now) // 1000
    return seconds * 1000 if seconds <= _RETRY_AFTER_S_AT_MOST else None


def open_client(
    *,
    max_connections: int = 1_000,
    max_idle: int = 100,
    idle_ms: int = 2_000,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> httpx2.AsyncClient:
    """Make the client that all channels share.

    An idle connection is dropped after `idle_ms`, which must stay below the five seconds after which a Node server
    closes it: a request that meets a closing connection looks as if it had been sent.
    """
    logging.getLogger("httpx2").addFilter(_drop)
    return httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"Accept-Encoding": "identity"},
        limits=httpx2.Limits(
            max_connections=max_connections, max_keepalive_connections=max_idle, keepalive_expiry=idle_ms / 1000
        ),
        transport=transport,
    )


@cache
def default_tls() -> ssl.SSLContext:
    """Return what our clients trust; reading it from the disk takes a while."""
    return httpx2.create_ssl_context(trust_env=False)


async def exchange(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    *,
    query: Mapping[str, str],
    content: bytes | None,
    limits: Limits,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Answer | NeverLeft | NoAnswer:
    """Make one request, once, and say what came of it; a body is JSON unless `headers` say otherwise.

    A `query` takes the place of the one that `url` has; an empty one leaves it.
    """
    try:
        request = client.build_request(
            method, url, params=query or None, content=content, headers={**_headers(content), **headers}, timeout=_timeout(limits)
        )
        async with asyncio.timeout(_deadline_s(limits)):
            return await _converse(client, request, limits.answer_bytes)
    except httpx2.PoolTimeout:
        return NeverLeft("no connection was free", is_crowded=True)
    except httpx2.ConnectTimeout:
        return NeverLeft("no connection could be made in time")
    except httpx2.ConnectError:
        return NeverLeft("no connection could be made")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return NeverLeft("the address is not one that can be called")
    except (TimeoutError, httpx2.TimeoutException):
        return NoAnswer("no answer came in time")
    except httpx2.RequestError:
        return NoAnswer("the connection broke before the answer was complete")


async def knock(url: str, limits: Limits) -> str:
    """Connect to where a URL leads, TLS included, say nothing, and return what is wrong there, or an empty text."""
    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "the address is not one that can be called"
    tls = default_tls() if parts.scheme == "https" else None
    return await _connect(parts.raw_host.decode(), parts.port or (443 if tls else 80), tls, limits.connect_ms)


async def _connect(host: str, port: int, tls: ssl.SSLContext | None, connect_ms: int) -> str:
    """Connect as the client does, which tries a second address of a name before the first has timed out."""
    where, within_s = f"{host}:{port}", connect_ms / 1000
    try:
        stream = await httpcore2.AnyIOBackend().connect_tcp(host, port, timeout=within_s)
        if tls is not None:
            stream = await stream.start_tls(tls, host, timeout=within_s)
    except httpcore2.ConnectTimeout:
        return f"{where} did not answer in time"
    except (httpcore2.ConnectError, UnicodeError) as error:
        return _trouble(host, where, error.__cause__ or error)
    await stream.aclose()
    return ""


def _trouble(host: str, where: str, cause: BaseException) -> str:
    match cause:
        case socket.gaierror() | UnicodeError():
            return f"there is no server called {host}"
        case ssl.SSLCertVerificationError():
            return f"{where} could not prove who it is: {cause.verify_message}"
        case ssl.SSLError():
            return f"{where} does not speak TLS"
        case _:
            return f"nothing answers at {where}"


async def _converse(client: httpx2.AsyncClient, request: httpx2.Request, answer_bytes: int) -> Answer | NoAnswer:
    response = await client.send(request, stream=True)
    try:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > answer_bytes:
                return NoAnswer("the answer was too long to read")
        return Answer(response.status_code, _lower(response.headers), bytes(body))
    finally:
        await response.aclose()


def _headers(content: bytes | None) -> dict[str, str]:
    return {} if content is None else {"Content-Type": "application/json"}


def _timeout(limits: Limits) -> httpx2.Timeout:
    connect, answer = limits.connect_ms / 1000, limits.answer_ms / 1000
    return httpx2.Timeout(connect=connect, pool=connect, write=answer, read=answer)


def _deadline_s(limits: Limits) -> float:
    """Return when even an answer that drips in byte by byte is given up.

    It must not strike while the three steps towards a connection (a free place, TCP, TLS) still have time: what
    surely never left would look as if it had, and the library leaves a socket behind whose handshake is cancelled.
    """
    return (3 * limits.connect_ms + limits.answer_ms) / 1000


def _lower(headers: httpx2.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _drop(record: logging.LogRecord) -> bool:
    return False
