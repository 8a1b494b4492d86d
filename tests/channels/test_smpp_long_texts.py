"""Long replies that two message centres hand over part by part: one text, whichever session and process each part comes to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import pytest
from smpp_centres import CENTRES, Centre, Handing, centre_of
from smpp_desk import LINE, PERSON, Desk, Stored, desk_at

from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.receive import receive
from posthaste.actions.workspaces import make_workspace
from posthaste.clock import SystemClock
from posthaste.core.signals import Signal
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store import messages
from posthaste.store.base import Store
from posthaste.store.inline import InlineStore
from posthaste.store.message_lists import MessageFilters, page
from posthaste.store.transaction import Transaction

T = TypeVar("T")

every_centre = pytest.mark.parametrize("name", CENTRES)
TAKEN, TRY_AGAIN = 0x00, 0x64
WITH_HEADER = 0x40


@dataclass
class Engine:
    """A store with the line that people write to."""

    store: Store
    workspace_id: str
    device_id: str

    async def replies(self) -> list[tuple[str, str]]:
        """Return from whom replies came, and what they say, in their order."""
        return await self.store.read(_replies, self.workspace_id)


def _replies(tx: Transaction, workspace_id: str) -> list[tuple[str, str]]:
    found = messages.by_ids(tx, page(tx, workspace_id, MessageFilters(), 0, 200))
    return [(one.address, one.text) for one in sorted(found.values(), key=lambda one: one.id)]


@dataclass
class Kept(Stored):
    """The inbox of one process, which puts what it takes into the engine's store."""

    engine: Engine | None = None

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        await super().put(device_id, signals)
        assert self.engine is not None
        await self.engine.store.write(receive, Settings(), self.engine.device_id, signals, "its connection")


@asynccontextmanager
async def an_engine() -> AsyncIterator[Engine]:
    store = InlineStore(SystemClock(), Ids())
    try:
        workspace = await store.write(make_workspace, "Test")
        line = NewLine(channel="smpp", message_type="sms", phone=LINE, device_gap_ms=0, contact_gap_ms=0)
        view = await store.write(add_line, Settings(), workspace.id, line)
        yield Engine(store, workspace.id, view.device.id)
    finally:
        await store.close()


def at(name: str, story: Callable[[Centre, Desk], Awaitable[T]]) -> tuple[T, list[tuple[str, str]]]:
    """Return what a story comes to, and the replies that are stored then."""

    async def main() -> tuple[T, list[tuple[str, str]]]:
        async with an_engine() as engine, centre_of(name) as centre, desk_at(centre, inbox=Kept(engine=engine)) as desk:
            return await story(centre, desk), await engine.replies()

    return asyncio.run(main())


def part(number: int, total: int, text: bytes, *, is_wide: bool = False, source: str = PERSON[1:]) -> Handing:
    reference = b"\x06\x08\x04\x01\x02" if is_wide else b"\x05\x00\x03\x2a"
    return Handing(reference + bytes([total, number]) + text, esm_class=WITH_HEADER, source=source)


def sar(number: int, total: int, text: bytes) -> Handing:
    return Handing(text, params={0x020C: b"\x00\x07", 0x020E: bytes([total]), 0x020F: bytes([number])})


@every_centre
@pytest.mark.parametrize(
    "parts",
    [
        [part(1, 3, b"One. "), part(2, 3, b"Two. "), part(3, 3, b"Three.")],
        [part(3, 3, b"Three."), part(1, 3, b"One. "), part(2, 3, b"Two. ")],
        [part(1, 3, b"One. ", is_wide=True), part(2, 3, b"Two. ", is_wide=True), part(3, 3, b"Three.", is_wide=True)],
        [sar(2, 3, b"Two. "), sar(1, 3, b"One. "), sar(3, 3, b"Three.")],
    ],
    ids=["in order", "out of order", "a wide reference", "by parameters"],
)
def test_a_long_reply_is_one_text(name: str, parts: list[Handing]) -> None:
    async def story(centre: Centre, desk: Desk) -> list[int]:
        return [await centre.hand(one) for one in parts]

    assert at(name, story) == ([TAKEN] * 3, [(PERSON, "One. Two. Three.")])


@every_centre
def test_a_long_reply_is_one_text_though_its_first_part_came_to_a_process_that_is_gone(name: str) -> None:
    async def main() -> list[tuple[str, str]]:
        async with an_engine() as engine, centre_of(name) as centre:
            async with desk_at(centre, inbox=Kept(engine=engine)):
                assert await centre.hand(part(1, 3, b"One. ")) == TAKEN
                assert await centre.hand(part(3, 3, b"Three.")) == TAKEN
            assert await engine.replies() == []
            async with desk_at(centre, inbox=Kept(engine=engine)):
                assert await centre.hand(part(2, 3, b"Two. ")) == TAKEN
                return await engine.replies()

    assert asyncio.run(main()) == [(PERSON, "One. Two. Three.")]


@every_centre
def test_more_than_nine_parts_stay_in_order(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> None:
        for number in range(1, 13):
            await centre.hand(part(number, 12, b"%d " % number))

    assert at(name, story)[1] == [(PERSON, " ".join(str(number) for number in range(1, 13)) + " ")]


@every_centre
def test_parts_of_two_people_with_one_reference_are_not_mixed(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> None:
        await centre.hand(part(1, 2, b"Ana: "))
        await centre.hand(part(1, 2, b"Bob: ", source="12025550144"))
        await centre.hand(part(2, 2, b"yes"))

    assert at(name, story)[1] == [(PERSON, "Ana: yes")]


@every_centre
def test_a_part_that_cannot_be_stored_is_not_acknowledged_and_can_be_at_the_second_try(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[int]:
        await centre.hand(part(1, 2, b"One. "))
        desk.inbox.refuses = 1
        return [await centre.hand(part(2, 2, b"Two.")) for _ in range(2)]

    assert at(name, story) == ([TRY_AGAIN, TAKEN], [(PERSON, "One. Two.")])


@every_centre
def test_parts_that_come_again_after_the_connection_died_are_no_other_text(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> None:
        for number in (1, 2):
            await centre.hand(part(number, 2, b"%d " % number))
        await centre.restart()
        await centre.bound()
        await desk.is_up()
        for number in (1, 2):
            await centre.hand(part(number, 2, b"%d " % number))

    assert at(name, story)[1] == [(PERSON, "1 2 ")]
