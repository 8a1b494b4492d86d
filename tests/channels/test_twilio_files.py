"""Files that came in with an MMS: fetched from Twilio, and from wherever it keeps them, without telling anybody our token."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import httpx2
import pytest
from twil import BASE, FOLDER, LINE, MESSAGE, bad, now
from wire import Step, Wire, breaks, says

from posthaste.channels.base import Unreachable
from posthaste.channels.twilio.channel import Twilio

REF = f"{FOLDER}/Messages/{MESSAGE}/Media/ME1"


def download(*steps: Step, ref: str = REF, most: int = 100) -> tuple[bytes, Sequence[httpx2.Request]]:
    asked: list[httpx2.Request] = []

    def noted(step: Step) -> Step:
        def answer(request: httpx2.Request) -> httpx2.Response:
            asked.append(request)
            return step.answer(request)

        return replace(step, answer=answer)

    async def main() -> bytes:
        async with Wire(*map(noted, steps)) as wire:
            return await Twilio(wire.client, now).download(LINE, ref, most)

    return asyncio.run(main()), asked


def moved(to: str, path: str = REF) -> Step:
    return Step("GET", path, says(307, "", location=to))


def test_a_file_is_fetched_where_twilio_keeps_it_without_the_credentials() -> None:
    there = Step("GET", "/file", says(200, "PNG"), query={"sig": "a/b"})
    content, asked = download(moved("https://cdn.test/file?sig=a%2Fb"), there)
    assert content == b"PNG"
    assert [request.headers.get("authorization") is not None for request in asked] == [True, False]
    assert [request.url.host for request in asked] == [httpx2.URL(BASE).host, "cdn.test"]


def test_a_file_that_is_there_is_taken_at_once() -> None:
    assert download(Step("GET", REF, says(200, "PNG")))[0] == b"PNG"


@pytest.mark.parametrize(
    "steps",
    [
        [moved("http://cdn.test/file")],
        [moved("file:///etc/passwd")],
        [moved("")] * 3,
        [moved("https://a.test/1"), moved("https://a.test/2", "/1"), moved("https://a.test/3", "/2")],
        [Step("GET", REF, says(404, bad(20404, 404)))],
        [Step("GET", REF, says(200, "x" * 101))],
        [Step("GET", REF, breaks(httpx2.ReadTimeout))],
    ],
)
def test_a_file_that_cannot_be_had_is_unreachable(steps: Sequence[Step]) -> None:
    with pytest.raises(Unreachable):
        download(*steps)


@pytest.mark.parametrize("ref", ["https://evil.test/x", "/2010-04-01/Accounts/AC9/Messages/x", "@evil.test/x", ""])
def test_nothing_but_a_file_of_this_account_is_asked_for(ref: str) -> None:
    with pytest.raises(Unreachable):
        download(ref=ref)
