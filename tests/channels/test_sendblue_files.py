"""Files that people send through Sendblue: fetched where it keeps them, and nowhere inside."""

import asyncio

import httpx2
import pytest
from sendblue_cases import DEVICE, NOW_MS, Depot
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Unreachable
from posthaste.channels.fetch.fetcher import Fetcher, WebFetcher
from posthaste.channels.fetch.guard import Guard
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.core.outcomes import Deferred, Refusal, Rejected


def download(ref: str, *steps: Step, depot: Fetcher | None = None, most: int = 100) -> bytes:
    async def main() -> bytes:
        async with Wire(*steps) as wire:
            return await Sendblue(wire.client, lambda: NOW_MS, depot or Depot()).download(DEVICE, ref, most)

    return asyncio.run(main())


def test_a_file_is_fetched_where_sendblue_keeps_it() -> None:
    depot = Depot(b"picture")
    assert download("https://files.test/a.png", depot=depot) == b"picture"
    assert depot.asked == ["https://files.test/a.png"]


def test_a_file_of_the_apis_own_host_is_fetched_without_our_key() -> None:
    def open_to_all(request: httpx2.Request) -> httpx2.Response:
        assert "sb-api-key-id" not in request.headers
        assert "sb-api-secret-key" not in request.headers
        return httpx2.Response(200, content=b"picture")

    assert download("http://blue.test/a.png", Step("GET", "/a.png", open_to_all)) == b"picture"


@pytest.mark.parametrize("ref", ["http://files.test/a.png", "file:///etc/passwd", "ftp://files.test/a", "", "a.png"])
def test_a_file_in_clear_or_of_another_kind_is_not_fetched(ref: str) -> None:
    depot = Depot(b"picture")
    with pytest.raises(Unreachable):
        download(ref, depot=depot)
    assert depot.asked == []


async def inside(host: str, port: int) -> list[str]:
    return ["192.168.1.20"]


@pytest.mark.parametrize("host", ["192.168.1.20", "[::1]", "0x7f000001", "files.test"])
def test_a_file_in_a_private_network_is_not_fetched(host: str) -> None:
    fetcher = WebFetcher(Guard(resolve=inside), most_bytes=100, timeout_ms=1_000)
    with pytest.raises(Unreachable, match="its server is in a private network"):
        download(f"https://{host}/a.png", depot=fetcher)


@pytest.mark.parametrize("content", [Rejected(Refusal.BAD_CONTENT, "404"), Deferred("503"), b"x" * 101])
def test_a_file_that_cannot_be_had_is_unreachable(content: bytes | Deferred | Rejected) -> None:
    with pytest.raises(Unreachable):
        download("https://files.test/a.png", depot=Depot(content))


@pytest.mark.parametrize("answer", [says(404), says(302, ""), breaks(httpx2.ReadError), says(200, "x" * 101)])
def test_a_file_that_the_apis_own_host_does_not_give_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable):
        download("http://blue.test/a.png", Step("GET", "/a.png", answer))
