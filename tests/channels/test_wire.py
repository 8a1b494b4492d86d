"""The script itself: it must fail the cases that it is there to fail."""

import asyncio
import contextlib

import pytest
from wire import Step, Wire, says

ONE = Step("GET", "/one", says(200, {"a": 1}), query={"b": "c"})


async def play(*urls: str, steps: tuple[Step, ...] = (ONE,)) -> None:
    async with Wire(*steps) as wire:
        for url in urls:
            await wire.client.get(f"http://there{url}")


def test_a_script_that_is_followed_passes() -> None:
    asyncio.run(play("/one?b=c"))


@pytest.mark.parametrize("urls", [(), ("/one",), ("/two?b=c",), ("/one?b=d",), ("/one?b=c", "/one?b=c")])
def test_any_departure_from_the_script_fails(urls: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        asyncio.run(play(*urls))


def test_a_body_is_compared() -> None:
    async def main(sent: object) -> None:
        async with Wire(Step("POST", "/one", says(200), body={"a": [1]})) as wire:
            await wire.client.post("http://there/one", json=sent)

    asyncio.run(main({"a": [1]}))
    with pytest.raises(AssertionError, match="body"):
        asyncio.run(main({"a": [2]}))


def test_a_departure_counts_even_if_somebody_swallows_it() -> None:
    async def main() -> None:
        async with Wire() as wire:
            with contextlib.suppress(AssertionError):
                await wire.client.get("http://there/one")

    with pytest.raises(AssertionError, match="unexpected"):
        asyncio.run(main())
