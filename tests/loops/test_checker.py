"""The answers to callers' questions, through the protocol of channels: what is asked, what is remembered, and when it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from api.house import House, house, run
from posthaste.actions.health import take_due_for_health
from posthaste.channels.base import Availability, Channel, Connection, Health
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.core.errors import NotFound
from posthaste.core.reachability import LineHealth, Reachability, Reachable
from posthaste.loops import checker
from posthaste.loops.checker import Checker
from posthaste.loops.reach import Reach
from posthaste.vault import Vault

ANN, BOB, CAROL = "+12025550101", "+12025550102", "carol@example.com"


@dataclass
class Mac:
    """A channel that answers what it is told, and notes what it was asked."""

    kind = BlueBubbles.kind
    on: set[str] = field(default_factory=set)
    why_not: str = ""
    is_up: bool = True
    hangs: asyncio.Event | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def check(self, device: Connection, address: str) -> Availability:
        self.asked.append((device.device_id, address))
        if self.hangs is not None:
            await self.hangs.wait()
        return Availability(None, self.why_not) if self.why_not else Availability(address in self.on, "")

    async def ping(self, device: Connection) -> Health:
        if self.hangs is not None:
            await self.hangs.wait()
        return Health(self.is_up, "macOS 26" if self.is_up else "it refused the password", device.options)


@dataclass
class Office:
    """A house, and the checker of its lines."""

    house: House
    checker: Checker

    async def check(self, *people: Sequence[str]) -> list[Reachability]:
        return await self.checker.check(self.house.workspace.id, people)

    async def ping(self) -> LineHealth:
        return await self.checker.ping(self.house.workspace.id, self.house.lines[0].line.id)

    async def due_for_ping(self) -> list[str]:
        return [one.device_id for one in await self.house.store.write(take_due_for_health, self.house.settings, 9)]


@asynccontextmanager
async def asking(mac: Mac, **changes: Any) -> AsyncIterator[Office]:
    async with house(**changes) as it:
        reach = Reach(Vault(["test"]), lambda access: "")
        yield Office(it, Checker(it.store, it.settings, it.clock, {"bluebubbles": cast(Channel, mac)}, reach))


def test_it_stops_at_the_first_address_that_is_on_imessage() -> None:
    async def main() -> None:
        mac = Mac(on={BOB, CAROL})
        async with asking(mac, lines=3) as office:
            assert await office.check([ANN, BOB, CAROL]) == [Reachability(Reachable.AVAILABLE, f"{BOB} is on iMessage", BOB)]
            assert [address for _, address in mac.asked] == [ANN, BOB]
            assert len({device for device, _ in mac.asked}) == 2, "each by another device"

    run(main)


def test_what_was_learnt_is_not_asked_again() -> None:
    async def main() -> None:
        mac = Mac(on={BOB})
        async with asking(mac, lines=3) as office:
            first = await office.check([ANN, BOB])
            assert await office.check([ANN, BOB]) == first
            assert len(mac.asked) == 2

    run(main)


def test_a_no_needs_the_no_of_every_address() -> None:
    async def main() -> None:
        async with asking(Mac(), lines=3) as office:
            [found] = await office.check([ANN, BOB])
            assert (found.status, found.is_available) == (Reachable.UNAVAILABLE, False)

    run(main)


def test_a_check_that_fails_is_no_no_and_is_asked_again() -> None:
    async def main() -> None:
        mac = Mac(why_not="only the Private API can tell")
        async with asking(mac, lines=3) as office:
            [found] = await office.check([ANN])
            assert found == Reachability(Reachable.ERROR, "only the Private API can tell")
            mac.why_not, mac.on = "", {ANN}
            [found] = await office.check([ANN])
            assert found.is_available

    run(main)


def test_a_yes_is_a_yes_even_after_an_address_that_could_not_be_checked() -> None:
    async def main() -> None:
        mac = Mac(on={BOB})
        async with asking(mac, lines=3) as office:
            await office.check([BOB])
            mac.why_not = "away"
            [found] = await office.check([ANN, BOB])
            assert found.address == BOB

    run(main)


def test_a_device_that_does_not_answer_is_not_waited_for() -> None:
    async def main() -> None:
        mac = Mac(hangs=asyncio.Event())
        async with asking(mac, question_timeout_ms=1) as office:
            [found] = await office.check([ANN])
            assert (found.status, found.reason) == (Reachable.ERROR, "the device did not answer in time")
            health = await office.ping()
            assert health.failures == ("it did not answer in time",)

    run(main)


def test_without_a_line_that_can_nobody_could_say() -> None:
    async def main() -> None:
        async with asking(Mac(), lines=0) as office:
            [found] = await office.check([ANN])
            assert (found.status, found.is_exhausted) == (Reachable.ERROR, False)
            [nobody] = await office.check([])
            assert nobody.status is Reachable.ERROR

    run(main)


def test_used_up_checks_are_told_apart_and_what_is_known_is_still_answered() -> None:
    async def main() -> None:
        mac = Mac(on={ANN})
        async with asking(mac, line_checks_per_day=1) as office:
            assert (await office.check([ANN]))[0].is_available
            known, unknown = await office.check([ANN], [BOB])
            assert known.is_available
            assert (unknown.status, unknown.is_exhausted) == (Reachable.ERROR, True)
            assert len(mac.asked) == 1

    run(main)


def test_what_there_was_no_time_for_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        mac = Mac(on={ANN})
        async with asking(mac) as office:
            await office.check([ANN])
            mac.hangs = asyncio.Event()
            monkeypatch.setattr(checker, "_CALL_S", 0.01)
            known, late = await office.check([ANN], [BOB])
            assert known.is_available
            assert late.status is Reachable.ERROR

    run(main)


def test_a_line_is_asked_now_and_what_does_not_fit_is_looked_into() -> None:
    async def main() -> None:
        mac = Mac()
        async with asking(mac) as office:
            await office.due_for_ping()
            assert (await office.ping()).failures == ()
            assert await office.due_for_ping() == []
            mac.is_up = False
            health = await office.ping()
            assert (health.failures, health.checked_at) == (("it refused the password",), office.house.clock.now)
            assert await office.due_for_ping() == [office.house.lines[0].device.id]

    run(main)


def test_a_line_of_somebody_else_is_not_asked() -> None:
    async def main() -> None:
        async with asking(Mac()) as office:
            other, _ = await office.house.another()
            with pytest.raises(NotFound, match="Line not found"):
                await office.checker.ping(other.id, office.house.lines[0].line.id)

    run(main)


def test_a_channel_that_cannot_check_is_not_asked() -> None:
    async def main() -> None:
        mac = Mac()
        mac.kind = replace(BlueBubbles.kind, promises=replace(BlueBubbles.kind.promises, can_check=False))  # type: ignore[misc]
        async with asking(mac) as office:
            assert (await office.check([ANN]))[0].reason == "no line that is up can check"
            assert mac.asked == []

    run(main)
