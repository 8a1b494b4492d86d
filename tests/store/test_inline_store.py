"""The simulation's store: where it lets a test stop the world."""

import asyncio

import pytest
from stores import StoppedClock, add, ids, make_table

from posthaste.ids import Ids
from posthaste.store.inline import Hooks, InlineStore
from posthaste.store.transaction import Transaction


class DeathError(Exception):
    """The process died here."""


class Doom:
    """Raises when armed."""

    def __init__(self) -> None:
        self.is_armed = False

    def strike(self) -> None:
        if self.is_armed:
            raise DeathError


def add_and_wake(tx: Transaction, id: int) -> None:
    add(tx, id)
    tx.wake("notes")


@pytest.mark.parametrize(("moment", "stored"), [("before_commit", []), ("after_commit", [1])])
def test_a_death_around_the_commit(moment: str, stored: list[int]) -> None:
    told: list[object] = []
    doom = Doom()

    async def main() -> None:
        store = InlineStore(StoppedClock(), Ids(), hooks=Hooks(**{moment: doom.strike}))
        await store.write(make_table)
        store.on_wake("notes", told.append)
        doom.is_armed = True
        with pytest.raises(DeathError):
            await store.write(add_and_wake, 1)
        assert told == []
        doom.is_armed = False
        assert await store.read(ids) == stored
        await store.write(add_and_wake, 2)
        assert told == ["notes"]
        await store.close()

    asyncio.run(main())


def test_a_store_opened_on_an_image_has_what_was_committed() -> None:
    async def main() -> None:
        store = InlineStore(StoppedClock(), Ids())
        await store.write(make_table)
        await store.write(add, 1)
        copy = InlineStore(StoppedClock(), Ids(), store.image())
        await store.write(add, 2)
        assert await copy.read(ids) == [1]
        assert await store.read(ids) == [1, 2]
        await copy.close()
        await store.close()

    asyncio.run(main())


def test_others_may_run_before_a_write_begins() -> None:
    order: list[str] = []

    async def step_aside() -> None:
        order.append("aside")
        await asyncio.sleep(0)

    async def main() -> None:
        store = InlineStore(StoppedClock(), Ids(), hooks=Hooks(before_begin=step_aside))
        await asyncio.gather(*[store.write(lambda tx, n=n: order.append(n)) for n in "ab"])
        assert order == ["aside", "aside", "a", "b"]
        await store.close()

    asyncio.run(main())
