"""Fetch one file from a stranger's URL, trusting nothing that its server says.

The size is counted while the file comes, whatever its headers announce; the type is told from what is inside; redirects are
followed by hand, a few, each judged anew; the whole has one deadline, so that a server that drips gains nothing. What will
never work is `Rejected` with a sentence for the caller, what may work later is `Deferred`. Neither names the URL, which may
hold a secret.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpcore2
import httpx2

from posthaste.channels.fetch.guard import Denied, Unresolved
from posthaste.channels.http import Answer, default_tls, retry_after_ms
from posthaste.core.files import (
    HEAD_BYTES,
    FileType,
    in_megabytes,
    list_of_types,
    name_in_disposition,
    name_in_url,
    sniff,
)
from posthaste.core.outcomes import Deferred, Refusal, Rejected

REDIRECTS_AT_MOST = 3
AT_ONCE = 16
"""So many files are fetched at the same time; the others wait for their turn."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of the errors that say "you", those that may be gone a moment later: too slow, too early, too many.
_PASSING = frozenset({408, 425, 429})
_HEADERS: Mapping[bytes | str, bytes | str] = {"User-Agent": "Posthaste", "Accept": "*/*", "Accept-Encoding": "identity"}
_RETRY_AFTER_MS_AT_MOST = 3_600_000
_PORTS = range(1, 65_536)

Write = Callable[[bytes], object]
"""Takes the next piece of a file."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has come whole; `name` is what its server calls it."""

    size: int
    kind: FileType
    name: str | None


class Fetcher(Protocol):
    """What fetches files."""

    async def fetch(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        """Fetch a file piece by piece; what was written is worth nothing unless `Fetched` comes back."""
        ...


@dataclass(frozen=True, slots=True)
class _Moved:
    url: str


class WebFetcher:
    """Fetches over HTTP, through a guard that says where a connection may go."""

    def __init__(
        self,
        guard: httpcore2.AsyncNetworkBackend,
        *,
        most_bytes: int,
        timeout_ms: int,
        tls: Callable[[], ssl.SSLContext] | None = None,
        type_of: Callable[[bytes], FileType | None] = sniff,
    ) -> None:
        """`type_of` tells the type from how a file begins; None: it is not one that is taken."""
        self._guard, self._most_bytes, self._timeout_ms = guard, most_bytes, timeout_ms
        self._tls, self._type_of = tls or default_tls, type_of
        self._places = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        """Fetch a file; nothing of a connection is kept, so that the next fetch is judged anew."""
        try:
            # The time begins with the place: what others' servers took of it is no fault of this one.
            async with self._places, asyncio.timeout(self._timeout_ms / 1000):
                return await self._follow(url, write)
        except Denied as error:
            return _never(str(error))
        except Unresolved as error:
            return Deferred(str(error))
        except (TimeoutError, httpcore2.TimeoutException):
            return Deferred(f"it did not come within {self._timeout_ms / 1000:g} seconds")
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            return Deferred("its server could not be reached, or broke off")

    async def _follow(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        for _ in range(REDIRECTS_AT_MOST + 1):
            result = await self._get(_target(url), write)
            if not isinstance(result, _Moved):
                return result
            url = result.url
        return _never(f"it was redirected more than {REDIRECTS_AT_MOST} times")

    async def _get(self, url: httpx2.URL, write: Write) -> Fetched | Deferred | Rejected | _Moved:
        where = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        tls = self._tls() if url.scheme == "https" else None
        async with (
            httpcore2.AsyncConnectionPool(tls, max_connections=1, network_backend=self._guard) as pool,
            pool.stream("GET", where, headers=_HEADERS) as response,
        ):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status in _REDIRECTS:
                return _moved(url, headers.get("location", ""))
            return _refusal(response.status, headers, self._most_bytes) or await self._read(response, url, headers, write)

    async def _read(
        self, response: httpcore2.Response, url: httpx2.URL, headers: dict[str, str], write: Write
    ) -> Fetched | Rejected:
        head, size, kind = b"", 0, None
        async for piece in response.aiter_stream():
            size += len(piece)
            if size > self._most_bytes:
                return _too_large(self._most_bytes)
            if kind is None:
                head += piece
                if len(head) >= HEAD_BYTES and (kind := self._type_of(head)) is None:
                    return _wrong_type()
            write(piece)
        kind = kind or self._type_of(head)
        if kind is None:
            return _wrong_type() if size else _never("it is empty")
        return Fetched(size, kind, name_in_disposition(headers.get("content-disposition", "")) or name_in_url(str(url)))


def _target(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise Denied("its address cannot be read") from None
    if parsed.port is not None and parsed.port not in _PORTS:
        raise Denied("its address cannot be read")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Denied("its address is not on the web")
    if parsed.userinfo:
        raise Denied("its address holds a password")
    return parsed


def _moved(url: httpx2.URL, location: str) -> _Moved | Rejected:
    try:
        return _Moved(str(url.join(location))) if location else _never("it was redirected to nowhere")
    except httpx2.InvalidURL:
        return _never("it was redirected to an address that cannot be read")


def _refusal(status: int, headers: dict[str, str], most_bytes: int) -> Deferred | Rejected | None:
    """Return why an answer is not read at all; None if it is."""
    if status >= 500 or status in _PASSING:
        wait_ms = retry_after_ms(Answer(status, headers, b""))
        return Deferred(f"its server answered {status}", wait_ms and min(wait_ms, _RETRY_AFTER_MS_AT_MOST))
    if status != 200:
        return _never(f"its server answered {status}")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        # Unpacked, a small file could be a huge one.
        return _never("it came compressed, which was not asked for")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most_bytes:
        return _too_large(most_bytes)
    return None


def _never(why: str) -> Rejected:
    return Rejected(Refusal.BAD_CONTENT, why)


def _too_large(most_bytes: int) -> Rejected:
    return _never(f"it is larger than {in_megabytes(most_bytes)}")


def _wrong_type() -> Rejected:
    return _never(f"it is not {list_of_types()}")
