"""Fetching from a real server on the loopback that lies, drips, redirects, packs and breaks off."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from certificates import certificate
from webserver import HANG, Outside, Web, chunked, names, ok, status, webserver

from fixtures.tiny_files import NONE_OF_THEM, TINY, png
from posthaste.channels.fetch.fetcher import AT_ONCE, Fetched, WebFetcher
from posthaste.channels.fetch.guard import Guard
from posthaste.core import files
from posthaste.core.files import FileType
from posthaste.core.outcomes import Deferred, Refusal, Rejected

MOST_BYTES = 10_000
PNG = TINY[files.PNG]

Result = Fetched | Deferred | Rejected


class Fetching:
    """One fetch: what came of it, what was written, and where we connected."""

    def __init__(self, outside: Outside) -> None:
        self.outside, self.written = outside, bytearray()

    def write(self, piece: bytes) -> None:
        self.written += piece


def fetch(
    *pieces: bytes, path: str = "/a", timeout_ms: int = 20_000, url: str | None = None, **others: Sequence[bytes]
) -> tuple[Result, Fetching, Web]:
    """Fetch `/a`, which is answered with the pieces; `url` may say where instead, with `{port}` in it."""

    async def main() -> tuple[Result, Fetching, Web]:
        async with webserver(a=pieces, **others) as web:
            fetching = Fetching(Outside())
            guard = Guard(backend=fetching.outside, resolve=names)
            fetcher = WebFetcher(guard, most_bytes=MOST_BYTES, timeout_ms=timeout_ms)
            where = url.format(port=web.port) if url else web.url(path)
            for name, answer in others.items():
                web.answers[f"/{name}"] = [one.replace(b"{port}", str(web.port).encode()) for one in answer]
            web.answers["/a"] = [one.replace(b"{port}", str(web.port).encode()) for one in pieces]
            return await fetcher.fetch(where, fetching.write), fetching, web

    return asyncio.run(main())


def rejected(result: Result) -> str:
    assert isinstance(result, Rejected), result
    assert result.refusal == Refusal.BAD_CONTENT
    return result.detail


def deferred(result: Result) -> str:
    assert isinstance(result, Deferred), result
    assert not result.device_is_down
    return result.detail


@pytest.mark.parametrize(("kind", "content"), TINY.items())
def test_a_file_of_each_type_comes_whole_whatever_its_server_calls_it(kind: FileType, content: bytes) -> None:
    result, fetching, web = fetch(ok(content, "Content-Type: text/html"))
    assert result == Fetched(len(content), kind, "a")
    assert bytes(fetching.written) == content
    assert web.asked == ["/a"]


def test_a_request_carries_nothing_of_ours() -> None:
    _, _, web = fetch(ok(PNG))
    headers = dict(line.split(": ", 1) for line in web.requests[0].strip().split("\r\n")[1:])
    assert headers == {
        "Host": f"files.test:{web.port}",
        "User-Agent": "Posthaste",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert isinstance(fetch(ok(PNG))[0], Fetched)


@pytest.mark.parametrize("what", [name for name in NONE_OF_THEM if name != "nothing"])
def test_what_is_no_type_of_ours_is_refused_though_its_server_calls_it_a_picture(what: str) -> None:
    result, _, _ = fetch(ok(NONE_OF_THEM[what], "Content-Type: image/png"))
    assert rejected(result) == "it is not PNG, JPG, GIF, WebP, HEIC, MP4, MOV, CAF or PDF"


def test_a_wrong_type_is_refused_before_all_of_it_has_come() -> None:
    result, fetching, _ = fetch(ok(b"x" * 1_000, length=5_000), HANG)
    assert "it is not PNG" in rejected(result)
    assert not fetching.written


def test_an_empty_file_is_none() -> None:
    assert rejected(fetch(ok(b""))[0]) == "it is empty"


def test_a_name_comes_from_the_server_before_the_address() -> None:
    result, _, _ = fetch(ok(PNG, 'Content-Disposition: attachment; filename="logo.png"'))
    assert isinstance(result, Fetched) and result.name == "logo.png"


@pytest.mark.parametrize("named", ["filename*=undefined''a", "filename*=punycode''%ff", f"filename*{'9' * 5_000}=a"])
def test_a_name_that_cannot_be_read_is_none_and_the_file_comes(named: str) -> None:
    assert fetch(ok(PNG, f"Content-Disposition: attachment; {named}"))[0] == Fetched(len(PNG), files.PNG, "a")


# Size


def test_a_file_of_the_largest_size_comes_and_one_byte_more_does_not() -> None:
    largest = png(MOST_BYTES - len(png(1)) + 1)
    assert len(largest) == MOST_BYTES
    assert isinstance(fetch(ok(largest))[0], Fetched)
    assert rejected(fetch(ok(largest + b"x"))[0]).startswith("it is larger than ")


def test_what_announces_that_it_is_too_large_is_not_read() -> None:
    result, fetching, _ = fetch(ok(PNG, length=MOST_BYTES + 1), HANG)
    assert rejected(result) == "it is larger than 0.009537 MB"
    assert not fetching.written


def test_without_a_length_the_size_is_counted_as_it_comes() -> None:
    pieces = [PNG, *(b"x" * 1_000 for _ in range(20))]
    result, fetching, _ = fetch(chunked(*pieces), HANG)
    assert rejected(result).startswith("it is larger than ")
    assert len(fetching.written) <= MOST_BYTES


def test_a_length_that_is_too_small_ends_the_file_there() -> None:
    result, fetching, _ = fetch(ok(PNG + b"x" * 50_000, length=len(PNG)))
    assert result == Fetched(len(PNG), files.PNG, "a")
    assert bytes(fetching.written) == PNG


def test_a_file_that_ends_before_its_length_may_come_whole_the_next_time() -> None:
    assert deferred(fetch(ok(PNG, length=len(PNG) + 1))[0]) == "its server could not be reached, or broke off"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_what_comes_packed_is_refused_unopened(encoding: str) -> None:
    bomb = gzip.compress(PNG + b"\0" * 5_000_000)
    result, fetching, _ = fetch(ok(bomb, f"Content-Encoding: {encoding}", length=len(bomb)))
    assert rejected(result) == "it came compressed, which was not asked for"
    assert not fetching.written


def test_what_says_that_it_is_not_packed_is_taken() -> None:
    assert isinstance(fetch(ok(PNG, "Content-Encoding: identity"))[0], Fetched)


# Time


@pytest.mark.parametrize("pieces", [(HANG,), (b"HTTP/1.1 200 OK\r\n", HANG), (ok(PNG[:10], length=len(PNG)), HANG)])
def test_a_server_that_drips_is_given_up_in_the_end(pieces: Sequence[bytes]) -> None:
    assert deferred(fetch(*pieces, timeout_ms=150)[0]) == "it did not come within 0.15 seconds"


def test_waiting_for_the_drips_of_others_costs_a_file_nothing_of_its_own_time() -> None:
    async def main() -> list[Result]:
        async with webserver(a=[ok(PNG)], slow=[HANG]) as web:
            fetcher = WebFetcher(Guard(backend=Outside(), resolve=names), most_bytes=MOST_BYTES, timeout_ms=150)
            drips = [fetcher.fetch(web.url("/slow"), lambda piece: None) for _ in range(AT_ONCE)]
            return await asyncio.gather(*drips, fetcher.fetch(web.url(), lambda piece: None))

    *drips, last = asyncio.run(main())
    assert all(isinstance(one, Deferred) for one in drips)
    assert isinstance(last, Fetched)


# What its server says


@pytest.mark.parametrize("number", [204, 400, 401, 403, 404, 405, 410, 416, 451])
def test_what_is_not_there_will_not_be(number: int) -> None:
    assert rejected(fetch(status(number))[0]) == f"its server answered {number}"


@pytest.mark.parametrize("number", [408, 425, 429, 500, 502, 503, 504])
def test_what_is_not_there_now_may_be_later(number: int) -> None:
    assert deferred(fetch(status(number))[0]) == f"its server answered {number}"


@pytest.mark.parametrize(
    ("written", "ms"), [("7", 7_000), ("99999", 3_600_000), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("²", None)]
)
def test_when_later_is_what_the_server_says_within_reason(written: str, ms: int | None) -> None:
    result, _, _ = fetch(status(503, "Retry-After: ").replace(b"After: ", b"After: " + written.encode("latin-1")))
    assert isinstance(result, Deferred) and result.retry_after_ms == ms


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nBroken\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n"]
)
def test_what_is_no_http_may_be_a_server_that_is_not_well(answer: bytes) -> None:
    assert deferred(fetch(answer)[0]) == "its server could not be reached, or broke off"


# Redirects


def moved(to: str) -> bytes:
    return status(302, f"Location: {to}")


@pytest.mark.parametrize("to", ["/b", "b", "http://files.test:{port}/b", "//other.test:{port}/b"])
def test_a_redirect_is_followed(to: str) -> None:
    result, _, web = fetch(moved(to), b=[ok(PNG)])
    assert result == Fetched(len(PNG), files.PNG, "b")
    assert web.asked == ["/a", "/b"]


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    assert isinstance(fetch(moved("/b"), b=[moved("/c")], c=[moved("/d")], d=[ok(PNG)])[0], Fetched)
    result, _, web = fetch(moved("/b"), b=[moved("/c")], c=[moved("/d")], d=[moved("/e")], e=[ok(PNG)])
    assert rejected(result) == "it was redirected more than 3 times"
    assert web.asked == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize(
    "to",
    [
        *("http://127.0.0.1:{port}/b", "http://inside.test:{port}/b", "http://[::1]:{port}/b", "http://2130706433:{port}/b"),
        *("http://0x7f.1:{port}/b", "http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]/b", "http://0/b"),
    ],
)
def test_a_redirect_leads_no_further_inside_than_the_address_itself(to: str) -> None:
    result, fetching, web = fetch(moved(to), b=[ok(PNG)])
    assert rejected(result) == "its server is in a private network"
    assert web.asked == ["/a"] and set(fetching.outside.called) == {"93.184.216.34"}


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("ftp://files.test/b", "its address is not on the web"),
        ("file:///etc/passwd", "its address is not on the web"),
        ("http://ada:secret@files.test/b", "its address holds a password"),
        ("http://[::g]/b", "it was redirected to an address that cannot be read"),
        ("http://files.test:65536/b", "its address cannot be read"),
        ("", "it was redirected to nowhere"),
    ],
)
def test_a_redirect_to_what_cannot_be_fetched_is_refused(to: str, why: str) -> None:
    assert rejected(fetch(moved(to))[0]) == why


# Where to


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{port}/a", "its server is in a private network"),
        ("http://inside.test:{port}/a", "its server is in a private network"),
        ("http://127。0。0。1:{port}/a", "its server is in a private network"),
        ("http://017700000001:{port}/a", "its server is in a private network"),
        ("http://ada:secret@files.test:{port}/a", "its address holds a password"),
        ("http://ada@files.test:{port}/a", "its address holds a password"),
        ("gopher://files.test:{port}/a", "its address is not on the web"),
        ("http://[::g]:{port}/a", "its address cannot be read"),
        *((f"http://files.test:{port}/a", "its address cannot be read") for port in ("0", "-1", "65536", "9" * 30)),
        ("http:///a", "its address is not on the web"),
    ],
)
def test_some_addresses_are_never_called_and_never_told(url: str, why: str) -> None:
    result, fetching, web = fetch(ok(PNG), url=url)
    assert rejected(result) == why
    assert fetching.outside.called == [] and web.asked == []


def test_a_server_that_is_away_may_come_back() -> None:
    async def main() -> Result:
        async with webserver() as web:
            gone = web.url()
        guard = Guard(backend=Outside(), resolve=names)
        return await WebFetcher(guard, most_bytes=MOST_BYTES, timeout_ms=20_000).fetch(gone, lambda piece: None)

    assert deferred(asyncio.run(main())) == "its server could not be reached, or broke off"


# TLS


@pytest.mark.parametrize(("host", "is_fine"), [("files.test", True), ("other.test", False)])
def test_a_certificate_is_held_against_the_name_though_a_number_is_called(host: str, is_fine: bool, tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "files.test")

    async def main() -> Result:
        async with webserver(theirs, a=[ok(PNG)]) as web:
            guard = Guard(backend=Outside(), resolve=names)
            fetcher = WebFetcher(guard, most_bytes=MOST_BYTES, timeout_ms=20_000, tls=lambda: ours)
            return await fetcher.fetch(web.url(host=host, scheme="https"), lambda piece: None)

    result = asyncio.run(main())
    assert isinstance(result, Fetched) if is_fine else deferred(result)
