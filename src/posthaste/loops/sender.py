"""Send: claim what may go, prepare it, write the hand-over down, call the provider, record what it said.

The order is the promise. Everything before `hand` can be repeated at will; after it the provider is called once, and
an answer that never comes is left for the rescuer to look up. This loop decides nothing about messages.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from posthaste.actions.claim import Claim, Claimed, claim
from posthaste.actions.hand import Handing, hand, hand_again
from posthaste.actions.health import suspect
from posthaste.actions.record import Report, record
from posthaste.channels.base import Channel, Connection, Order
from posthaste.clock import Clock
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Rejected
from posthaste.links import Links
from posthaste.loops.addressing import Addressing
from posthaste.loops.alarm import Alarm
from posthaste.loops.attaching import Attaching, unable
from posthaste.loops.leases import Leases
from posthaste.loops.orders import order_of
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.gather import Gatherer

_log = logging.getLogger(__name__)
_RECORD_TRIES = 8
#: Pauses before the same hand-over is made again with a provider that knows it by its key.
_REPEATS_AFTER_S = (0.5, 2.0)


class Sender:
    """The sending loop of one process."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        channels: Mapping[str, Channel],
        leases: Leases,
        reach: Reach,
        links: Links,
        attaching: Attaching,
    ) -> None:
        self._store, self._settings, self._clock, self._channels, self._leases = store, settings, clock, channels, leases
        self._reach, self._links, self._attaching = reach, links, attaching
        self._alarm = Alarm(store, "ready")
        self._addressing = Addressing(store, settings, channels, reach)
        self._hands: Gatherer[Handing, bool] = Gatherer(self._hand_all, settings.batch_max)
        self._records: Gatherer[Report, None] = Gatherer(self._record_all, settings.batch_max)
        self._tasks: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._stopping = False

    async def run(self) -> None:
        """Claim whenever there may be work, until stopped."""
        while not self._stopping:
            room = min(self._settings.claim_batch, self._settings.sends_max - len(self._tasks))
            if room <= 0:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            async with self._claiming:
                taken: Claim = await self._store.write(claim, self._settings, self._leases.owner, room)
                for one in taken.claimed:
                    self._begin(one)
            if not taken.claimed:
                in_ms = self._settings.sweep_ms if taken.next_in_ms is None else taken.next_in_ms
                await self._alarm.wait(min(max(1, in_ms), self._settings.sweep_ms))

    async def drain(self) -> None:
        """Stop claiming and wait for the sends in hand, up to `drain_ms`; the rest stays handed over and is looked up
        later.
        """
        self._stopping = True
        self._alarm.ring()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_ms / 1000):
                await self._sends_end()
        for task in self._tasks:
            task.cancel()

    async def _sends_end(self) -> None:
        async with self._claiming:
            pass  # A claim that is under way still commits, and what it takes is in hand too.
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, one: Claimed) -> None:
        task = asyncio.get_running_loop().create_task(self._send(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, one: Claimed) -> None:
        with self._leases.hold(one.attempt.id):
            try:
                report = await self._deliver(one)
                if report is not None:
                    await self._record(report)
            except Exception:
                # The attempt stays as it is written down; when its lease ends the rescuer settles it.
                _log.exception("send failed: message=%s attempt=%s", one.message.id, one.attempt.id)

    async def _deliver(self, one: Claimed) -> Report | None:
        """Return what is to be recorded; None if the hand-over was not made."""
        channel = self._channels[one.access.channel]
        if refusal := unable(one.message, channel.kind):
            return await self._reported(one, refusal)
        found = await self._addressing.resolve(one)
        if isinstance(found, Report):
            return found
        attached = await self._attaching.files_of(one)
        if isinstance(attached, Deferred | Rejected):
            return await self._reported(one, attached)
        with attached as files:
            return await self._prepare(one, channel, order_of(one, found, files, self._links))

    async def _prepare(self, one: Claimed, channel: Channel, order: Order) -> Report | None:
        device = self._reach(one.access)
        target = await channel.prepare(device, order)
        if isinstance(target, Deferred | Rejected):
            return await self._reported(one, target)
        return await self._hand_over(one, channel, device, replace(order, target=target))

    async def _hand_over(self, one: Claimed, channel: Channel, device: Connection, order: Order) -> Report | None:
        asked_at = self._clock.monotonic_ms()
        target = json.dumps(asdict(order.target))
        if not await self._hands.ask(Handing(one.attempt.id, self._leases.owner, order.address, target, order.text)):
            return None
        started_after_ms = self._clock.monotonic_ms() - asked_at
        if not self._is_in_time(asked_at):
            # Somebody may hold the attempt for dead by now: the call is not made.
            return Report(one.attempt, Deferred("the call could not start in time"), 0)
        outcome = await channel.send(device, order)
        if isinstance(outcome, Ambiguous) and channel.kind.promises.repeats_safely:
            outcome = await self._repeat(one, channel, device, order) or outcome
        return await self._reported(one, outcome, int(started_after_ms) + 1)

    def _is_in_time(self, asked_at: float) -> bool:
        return self._clock.monotonic_ms() - asked_at < self._settings.start_within_ms

    async def _repeat(self, one: Claimed, channel: Channel, device: Connection, order: Order) -> Accepted | None:
        """Make the same request again, where nobody can tell what became of it and the provider knows it by its key.

        A refusal now says nothing about the one before, so only that it was taken is an answer.
        """
        handed_at: int | None = None
        for pause_s in _REPEATS_AFTER_S:
            await asyncio.sleep(pause_s)
            asked_at = self._clock.monotonic_ms()
            handed_at = await self._store.write(hand_again, self._settings, one.attempt.id, self._leases.owner, handed_at)
            if handed_at is None or not self._is_in_time(asked_at):
                break
            again = await channel.send(device, order)
            if isinstance(again, Accepted):
                return again
        return None

    async def _reported(self, one: Claimed, outcome: Outcome, started_after_ms: int | None = None) -> Report:
        if isinstance(outcome, Deferred) and outcome.device_is_down:
            await self._store.write(suspect, one.access.device_id)
        return Report(one.attempt, outcome, started_after_ms)

    async def _record(self, report: Report) -> None:
        """Record, again and again for a while if the database is away: what the provider said is known only here."""
        for tried in range(_RECORD_TRIES):
            try:
                await self._records.ask(report)
                return
            except Exception:
                if tried == _RECORD_TRIES - 1:
                    raise
                await asyncio.sleep(min(0.1 * 2**tried, 5.0))

    async def _hand_all(self, handings: Sequence[Handing]) -> Sequence[bool]:
        return await self._store.write(hand, self._settings, handings)

    async def _record_all(self, reports: Sequence[Report]) -> Sequence[None]:
        await self._store.write(record, self._settings, reports)
        return [None] * len(reports)
