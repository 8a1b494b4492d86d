"""A device is told once where to report, and again when it is reached in another way or was away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from api.house import House, house, run
from posthaste.actions.delete_line import clear_deleted_lines, delete_line
from posthaste.actions.health import take_due_for_health
from posthaste.actions.lines import LineChange, Resetting, change_line, move_device
from posthaste.channels.base import Channel, Connection, Health
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.loops.reach import Reach
from posthaste.loops.watcher import Watcher
from posthaste.vault import Vault

VAULT = Vault(["test"])


@dataclass
class Mac:
    """A channel that answers every ping, and notes at which address it was told where to report."""

    kind = BlueBubbles.kind
    is_up: bool = True
    told: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    async def ping(self, device: Connection) -> Health:
        return Health(self.is_up, "", device.options)

    async def listen(self, device: Connection) -> None:
        self.told.append((device.url, device.secrets["password"]))

    def forget(self, device_id: str) -> None:
        self.forgotten.append(device_id)


@dataclass
class Watch:
    """A house whose one device is pinged when the test says so."""

    house: House
    watcher: Watcher

    async def ping(self, watcher: Watcher | None = None) -> None:
        self.house.clock.now += self.house.settings.health_every_ms + 1
        for access in await self.house.store.write(take_due_for_health, self.house.settings, 9):
            await (watcher or self.watcher)._ping(access)

    async def change(self, **given: str) -> None:
        change = LineChange(resetting=Resetting(BlueBubbles.kind, given, VAULT))
        await self.house.store.write(change_line, self.house.workspace.id, self.house.lines[0].line.id, change)


@asynccontextmanager
async def watching(mac: Mac) -> AsyncIterator[Watch]:
    async with house() as it:
        reach = Reach(VAULT, lambda access: "http://posthaste.test/hooks")
        yield Watch(it, Watcher(it.store, it.settings, {"bluebubbles": cast(Channel, mac)}, reach))


async def tidy(it: House, line_id: str) -> None:
    """Delete a line, and let go of its device."""
    await it.store.write(delete_line, it.workspace.id, line_id)
    assert not await it.store.write(clear_deleted_lines)


def test_a_device_is_told_once() -> None:
    async def main() -> None:
        mac = Mac()
        async with watching(mac) as it:
            for _ in range(3):
                await it.ping()
            assert mac.told == [("http://127.0.0.1:9000", "secret")]

    run(main)


def test_a_device_that_was_away_is_told_again() -> None:
    async def main() -> None:
        mac = Mac()
        async with watching(mac) as it:
            await it.ping()
            mac.is_up = False
            await it.ping()
            mac.is_up = True
            await it.ping()
            assert len(mac.told) == 2

    run(main)


def test_a_device_that_was_away_is_told_again_though_another_process_missed_it() -> None:
    async def main() -> None:
        mac = Mac()
        async with watching(mac) as it:
            reach = Reach(VAULT, lambda access: "http://posthaste.test/hooks")
            other = Watcher(it.house.store, it.house.settings, {"bluebubbles": cast(Channel, mac)}, reach)
            await it.ping()
            mac.is_up = False
            await it.ping(other)
            mac.is_up = True
            await it.ping()
            assert len(mac.told) == 2
            await it.ping()
            assert len(mac.told) == 2

    run(main)


def test_a_device_that_is_reached_in_another_way_is_told_there() -> None:
    async def main() -> None:
        mac = Mac()
        async with watching(mac) as it:
            await it.ping()
            await it.change(url="http://127.0.0.1:9999")
            await it.ping()
            await it.change(password="n3w")
            await it.ping()
            await it.ping()
            assert mac.told == [
                ("http://127.0.0.1:9000", "secret"),
                ("http://127.0.0.1:9999", "secret"),
                ("http://127.0.0.1:9999", "n3w"),
            ]

    run(main)


def test_a_device_that_is_reached_in_another_way_or_is_gone_is_forgotten_by_every_process() -> None:
    async def main() -> None:
        mac, elsewhere = Mac(), Mac()
        async with watching(mac) as it:
            reach = Reach(VAULT, lambda access: "")
            Watcher(it.house.store, it.house.settings, {"bluebubbles": cast(Channel, elsewhere)}, reach)
            line, device = it.house.lines[0].line, it.house.lines[0].device
            await it.ping()
            await it.house.store.write(change_line, it.house.workspace.id, line.id, LineChange(is_active=False))
            assert mac.forgotten == [], "a disabled line still hears what people answer"
            await it.change(url="http://127.0.0.1:9999")
            assert mac.forgotten == elsewhere.forgotten == [device.id]
            await it.house.store.write(move_device, device.id, "http://127.0.0.1:9998")
            assert mac.forgotten == elsewhere.forgotten == [device.id] * 2
            await tidy(it.house, line.id)
            assert mac.forgotten == elsewhere.forgotten == [device.id] * 3

    run(main)
