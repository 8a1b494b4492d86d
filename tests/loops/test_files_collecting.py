"""Files that came in, fetched from their devices: at once, again when the device was away, and no longer than is reasonable."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fixtures.tiny_files import TINY
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.receive import receive
from posthaste.actions.show import timeline_of
from posthaste.actions.workspaces import make_workspace
from posthaste.channels.base import Connection, Unreachable
from posthaste.core import files
from posthaste.core.signals import Inbound, InboundFile
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.loops.collector import Collector
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store import messages
from posthaste.store.inline import InlineStore
from posthaste.vault import Vault

LINKS = Links(Vault(["test"]), "https://posthaste.test")


@dataclass
class SetClock:
    now: int = 1_773_316_800_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> float:
        return float(self.now)


@dataclass
class Mac:
    """A channel that has files by their ref; it raises what is an error, and hangs where there is nothing."""

    has: dict[str, bytes | Exception] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        self.asked.append((device.secrets["password"], ref, most_bytes))
        found = self.has.get(ref)
        if found is None:
            await asyncio.Event().wait()
        if isinstance(found, Exception):
            raise found
        assert found is not None
        return found


@dataclass
class Room:
    """A device with a file for us, and the loop that fetches it."""

    store: InlineStore
    settings: Settings
    clock: SetClock
    mac: Mac
    device_id: str
    workspace_id: str

    async def write_in(self, *received: InboundFile, number: int = 1) -> str:
        signal = Inbound(f"in-{number}", number, "+12025550001", "Look", self.clock.now, files=received)
        await self.store.write(receive, self.settings, self.device_id, [signal], "a webhook")
        rows = await self.store.read(lambda tx: tx.rows("SELECT id FROM messages ORDER BY id"))
        return str(rows[-1][0])

    async def until(self, is_so: Callable[[], Any]) -> None:
        """Let the loop run until something is true."""
        channels: Any = {"mac": self.mac}
        collector = Collector(self.store, self.settings, channels, Reach(LINKS.vault, lambda _: ""), LINKS)
        running = asyncio.create_task(collector.run())
        try:
            async with asyncio.timeout(20):
                while not await is_so():
                    await others_turn()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def waiting(self) -> list[Any]:
        return await self.store.read(lambda tx: tx.rows("SELECT tries, next_at FROM inbound_files WHERE state = 'waiting'"))

    async def is_done(self) -> bool:
        return not await self.waiting()

    async def attachments(self, message_id: str) -> tuple[tuple[str, str | None], ...]:
        return (await self.store.read(messages.by_ids, [message_id]))[message_id].attachments


async def others_turn() -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def room(**changes: Any) -> AsyncIterator[Room]:
    settings, clock = replace(Settings(), **changes), SetClock()
    store = InlineStore(clock, Ids())
    workspace = await store.write(make_workspace, "Test")
    new = NewLine(channel="mac", message_type="imessage", phone="+16462230920", secret=LINKS.vault.seal({"password": "secret"}))
    view = await store.write(add_line, settings, workspace.id, new)
    try:
        yield Room(store, settings, clock, Mac(), view.device.id, workspace.id)
    finally:
        await store.close()


def run(body: Callable[[Room], Any], **changes: Any) -> None:
    async def main() -> None:
        async with room(**changes) as it:
            await body(it)

    asyncio.run(main())


def test_a_file_is_fetched_from_its_device_and_shown() -> None:
    async def body(it: Room) -> None:
        it.mac.has["ref"] = TINY[files.HEIC]
        message = await it.write_in(InboundFile("ref", "IMG_1.HEIC", "image/heic"))
        await it.until(it.is_done)
        ((url, name),) = await it.attachments(message)
        assert name == "IMG_1.HEIC"
        assert url.startswith("https://posthaste.test/api/attachments/") and url.endswith("/IMG_1.HEIC")
        assert it.mac.asked == [("secret", "ref", it.settings.attachment_max_bytes)]
        assert "file_stored" in [one.code for one in await it.store.read(timeline_of, it.workspace_id, message)]

    run(body)


@pytest.mark.parametrize("trouble", [Unreachable("the Mac is away"), None])
def test_what_cannot_be_had_now_is_tried_again_later(trouble: Exception | None) -> None:
    async def body(it: Room) -> None:
        if trouble:
            it.mac.has["ref"] = trouble
        message = await it.write_in(InboundFile("ref"))

        async def is_put_off() -> bool:
            return await it.waiting() == [(1, it.clock.now + 10_000)]

        await it.until(is_put_off)
        it.mac.has["ref"] = TINY[files.PNG]
        it.clock.now += 10_000
        await it.until(it.is_done)
        assert len(await it.attachments(message)) == 1
        assert len(it.mac.asked) == 2

    run(body, download_timeout_ms=50)


def test_what_is_too_large_is_given_up_in_the_end() -> None:
    async def body(it: Room) -> None:
        it.mac.has["ref"] = TINY[files.PNG] + b"x" * 2_000
        message = await it.write_in(InboundFile("ref"))
        for number in range(1, 13):

            async def was_tried(number: int = number) -> bool:
                rows = await it.store.read(lambda tx: tx.rows("SELECT tries, next_at, state FROM inbound_files"))
                return bool(rows[0][0] == number and (rows[0][1] - it.clock.now) < 3_700_000 and len(it.mac.asked) == number)

            await it.until(was_tried)
            it.clock.now += 7_200_000
        await it.until(it.is_done)
        (lost,) = [one for one in await it.store.read(timeline_of, it.workspace_id, message) if one.code == "file_lost"]
        assert "larger than attachments may be" in lost.says
        assert await it.attachments(message) == ()

    run(body, attachment_max_bytes=1_024)


def test_a_mistake_with_one_file_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def body(it: Room) -> None:
        it.mac.has = {"bad": RuntimeError("secret words"), "good": TINY[files.PNG]}
        message = await it.write_in(InboundFile("bad"), InboundFile("good"))

        async def is_there() -> bool:
            return len(await it.attachments(message)) == 1

        await it.until(is_there)
        assert [tries for tries, _ in await it.waiting()] == [1]

    with caplog.at_level(logging.ERROR):
        run(body)
    assert "file not fetched" in caplog.text


def test_many_files_are_fetched_a_few_at_a_time() -> None:
    async def body(it: Room) -> None:
        it.mac.has = {f"ref-{number}": TINY[files.PNG] for number in range(11)}
        message = await it.write_in(*(InboundFile(ref) for ref in it.mac.has))
        await it.until(it.is_done)
        assert len(await it.attachments(message)) == 11
        assert sorted(ref for _, ref, _ in it.mac.asked) == sorted(it.mac.has)

    run(body)
