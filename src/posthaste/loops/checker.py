"""Ask devices what callers want to know now: whether a person is on iMessage, and whether a line can send.

Nothing is sent. Every question has its time, after which the answer is that nobody could tell; what a device says about a
person is remembered, so that it is not asked again soon.
"""

import asyncio
from collections.abc import Mapping, Sequence

from posthaste.actions.availability import known_availability, reserve_any_check
from posthaste.actions.check import NoCheck, note_check
from posthaste.actions.health import suspect
from posthaste.actions.lines import device_of_line
from posthaste.channels.base import Channel, Health
from posthaste.clock import Clock
from posthaste.core.reachability import LineHealth, Looked, Reachability, Reachable, conclude
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.devices import Access

#: How long a caller's check waits for the spacing of those before it, and all checks of one call together.
_PATIENCE_MS = 30_000
_CALL_S = 60.0
_AT_ONCE = 8


class Checker:
    """Answers the API's questions through the channels."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, channels: Mapping[str, Channel], reach: Reach) -> None:
        self._store, self._settings, self._clock, self._channels, self._reach = store, settings, clock, channels, reach
        self._able = sorted(name for name, channel in channels.items() if channel.kind.promises.can_check)

    async def check(self, workspace_id: str, people: Sequence[Sequence[str]]) -> list[Reachability]:
        """Return for each person, given by addresses in the order in which they are tried, whether one is on iMessage."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(addresses: Sequence[str]) -> Reachability:
            async with slots:
                return await self._person(workspace_id, addresses)

        tasks = [asyncio.create_task(one(addresses)) for addresses in people]
        try:
            await asyncio.wait(tasks, timeout=_CALL_S)
            return [task.result() if task.done() else _LATE for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _person(self, workspace_id: str, addresses: Sequence[str]) -> Reachability:
        """Look at one address after the other, and stop at the first that is on iMessage."""
        known = await self._store.read(known_availability, self._settings, workspace_id, addresses)
        looked: list[Looked] = []
        for address in addresses:
            found = Looked(address, known[address]) if address in known else await self._ask(workspace_id, address)
            looked.append(found)
            if found.is_available:
                break
        return conclude(looked)

    async def _ask(self, workspace_id: str, address: str) -> Looked:
        reserved = await self._store.write(reserve_any_check, workspace_id, self._able, _PATIENCE_MS)
        if isinstance(reserved, NoCheck):
            return Looked(address, None, reserved.why, reserved.is_exhausted)
        if reserved.wait_ms:
            await asyncio.sleep(reserved.wait_ms / 1000)
        channel = self._channels[reserved.access.channel]
        try:
            async with asyncio.timeout(self._settings.question_timeout_ms / 1000):
                found = await channel.check(self._reach(reserved.access), address)
        except TimeoutError:
            return Looked(address, None, "the device did not answer in time")
        if found.is_available is not None:
            await self._store.write(note_check, workspace_id, address, found.is_available)
        return Looked(address, found.is_available, found.detail)

    async def ping(self, workspace_id: str, line_id: str) -> LineHealth:
        """Ask a line's device whether it can send; what does not fit with what we believe makes the watcher look, too."""
        access, was_up = await self._store.read(device_of_line, workspace_id, line_id)
        health = await self._ping(access)
        if health.is_up != was_up:
            await self._store.write(suspect, access.device_id)
        return LineHealth(() if health.is_up else (health.detail,), self._clock.now_ms())

    async def _ping(self, access: Access) -> Health:
        try:
            async with asyncio.timeout(self._settings.question_timeout_ms / 1000):
                return await self._channels[access.channel].ping(self._reach(access))
        except TimeoutError:
            return Health(False, "it did not answer in time", access.options)


_LATE = Reachability(Reachable.ERROR, "there was no time left for this one, ask again")
