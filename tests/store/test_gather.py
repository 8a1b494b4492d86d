"""Calls that arrive together: who goes into a batch, and who hears what when it fails."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from posthaste.core.errors import Unavailable
from posthaste.store.gather import Gatherer


def test_who_comes_before_the_transaction_looks_goes_along() -> None:
    sizes: list[int] = []

    async def run(asks: Sequence[int]) -> Sequence[int | Exception]:
        await asyncio.sleep(0.001)
        # As on a database thread: the batch is settled there, and stays what it is when the action is run again.
        first = await asyncio.to_thread(lambda: list(asks))
        await asyncio.sleep(0.001)
        assert list(asks) == first and len(asks) == len(first)
        sizes.append(len(first))
        return [2 * one for one in first]

    async def main() -> None:
        gatherer: Gatherer[int, int] = Gatherer(run, 8)
        early = [asyncio.ensure_future(gatherer.ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        late = [asyncio.ensure_future(gatherer.ask(number)) for number in range(3, 10)]
        assert await asyncio.gather(*early, *late) == [2 * number for number in range(10)]
        assert sizes == [8, 2]

    asyncio.run(main())


@pytest.mark.parametrize("looks_first", [True, False])
def test_a_database_that_is_away_is_away_for_all(looks_first: bool) -> None:
    async def run(asks: Sequence[int]) -> Sequence[int | Exception]:
        if looks_first:
            list(asks)
        raise Unavailable("away")

    async def main() -> None:
        gatherer: Gatherer[int, int] = Gatherer(run, 8)
        answers = await asyncio.gather(*(gatherer.ask(number) for number in range(20)), return_exceptions=True)
        assert len(answers) == 20 and all(isinstance(one, Unavailable) for one in answers)

    asyncio.run(main())


def test_a_mistake_is_met_by_one_alone() -> None:
    async def run(asks: Sequence[int]) -> Sequence[int | Exception]:
        if 3 in asks:
            raise ZeroDivisionError
        return [2 * one for one in asks]

    async def main() -> None:
        gatherer: Gatherer[int, int] = Gatherer(run, 8)
        answers = await asyncio.gather(*(gatherer.ask(number) for number in range(6)), return_exceptions=True)
        assert [one if isinstance(one, int) else None for one in answers] == [0, 2, 4, None, 8, 10]
        assert isinstance(answers[3], ZeroDivisionError)

    asyncio.run(main())


def test_nobody_waits_for_a_batch_that_was_given_up() -> None:
    has_begun, may_look = threading.Event(), threading.Event()

    async def run(asks: Sequence[int]) -> Sequence[int | Exception]:
        def look() -> list[int | Exception]:
            has_begun.set()
            may_look.wait(20)
            return list(asks)

        return await asyncio.to_thread(look)

    async def main() -> None:
        gatherer: Gatherer[int, int] = Gatherer(run, 2)
        asking = [asyncio.ensure_future(gatherer.ask(number)) for number in range(5)]
        await asyncio.to_thread(has_begun.wait, 20)
        (working,) = (task for task in asyncio.all_tasks() if "_work" in str(task.get_coro()))
        working.cancel()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        may_look.set()
        assert all(isinstance(one, asyncio.CancelledError) for one in answers)

    asyncio.run(main())
