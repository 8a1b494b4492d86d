"""Rescue: take up what nobody works on any more, and look up with the providers what became of it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from posthaste.actions.lease import next_rescue_in_ms
from posthaste.actions.rescue import Lookup, Sighting, conclude, rescue
from posthaste.channels.base import Channel, Target, Trace
from posthaste.core.outcomes import CannotTell
from posthaste.loops.alarm import Alarm
from posthaste.loops.leases import Leases
from posthaste.loops.orders import key_of, sender_of
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

_log = logging.getLogger(__name__)
_AT_ONCE = 64


class Rescuer:
    """The rescuing loop of one process."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel], leases: Leases, reach: Reach) -> None:
        self._store, self._settings, self._channels, self._leases, self._reach = store, settings, channels, leases, reach
        self._alarm = Alarm(store, "doubt")
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look whenever an attempt is due to be looked at. A device that is slow to answer holds up nobody else's."""
        try:
            while True:
                if len(self._tasks) >= _AT_ONCE:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                found = await self._store.write(rescue, self._settings, self._leases.owner, _AT_ONCE - len(self._tasks))
                for one in found:
                    self._begin(one)
                in_ms = await self._store.read(next_rescue_in_ms)
                await self._alarm.wait(self._settings.sweep_ms if in_ms is None else min(max(1, in_ms), self._settings.sweep_ms))
        finally:
            for task in self._tasks:
                task.cancel()

    def _begin(self, one: Lookup) -> None:
        task = asyncio.get_running_loop().create_task(self._look_up(one))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # What it found says when to look next.
        self._alarm.ring()

    async def _look_up(self, one: Lookup) -> None:
        with self._leases.hold(one.attempt.id):
            try:
                sighting = await self._sighting(one)
                await self._store.write(conclude, self._settings, self._leases.owner, sighting)
            except Exception:
                # Its lease ends, and it is looked at again.
                _log.exception("look-up failed: message=%s attempt=%s", one.attempt.message_id, one.attempt.id)

    async def _sighting(self, one: Lookup) -> Sighting:
        channel = self._channels[one.access.channel]
        asked_at = await self._store.read(_now)
        if not channel.kind.promises.can_find:
            return Sighting(one.attempt, CannotTell("the provider cannot be asked"), can_find=False, asked_at=asked_at)
        finding = await channel.find(self._reach(one.access), _trace(one))
        return Sighting(one.attempt, finding, can_find=True, asked_at=asked_at)


def _now(tx: Transaction) -> int:
    return tx.now


def _trace(one: Lookup) -> Trace:
    attempt = one.attempt
    return Trace(
        address=attempt.address,
        text=attempt.text or "",
        marker=attempt.marker,
        target=_target(one.target),
        cursor=attempt.cursor or 0,
        handed_at=attempt.handed_at or attempt.claimed_at,
        bound=one.bound,
        key=key_of(one.message, attempt.address),
        sender=sender_of(one.line),
        files=len(one.message.attachments),
    )


def _target(kept: Mapping[str, Any]) -> Target:
    return Target(kept.get("kind", ""), kept.get("chat", ""), tuple(kept.get("files", ())))
