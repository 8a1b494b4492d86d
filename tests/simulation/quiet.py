"""When nothing can happen for a while: how far time may leap, whether all is quiet, and what must be true whenever it is.

A leap never passes over anything that the system itself has planned (a device ready, a look-up), nor over what the town has.
What the system forgot to plan it does pass over; the judgement then finds a message that may go and does not.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from posthaste.core.dispatch import ready_at
from posthaste.store import devices, lines, waiting
from posthaste.store.transaction import Transaction

from .plan import Event

if TYPE_CHECKING:
    from .town import Town

_NEVER = float("inf")
_POLLS_FOR_RECEIPT = 2


class Outlook:
    """What is to come."""

    def __init__(self, town: "Town") -> None:
        self._town = town
        asks = [Event(one.at_ms, "ask", (number,)) for number, one in enumerate(town.plan.requests)]
        self._events = sorted([*asks, *town.plan.events], key=lambda event: event.at_ms)
        self._done = 0
        self._seen_commit = -1
        self._planned_s: float | None = None

    def upcoming(self) -> Iterator[Event]:
        for event in self._events:
            yield event
            self._done += 1

    def leap(self, now_s: float, wakes_s: float) -> float:
        """Return where time may go, given when the next timer rings."""
        town = self._town
        if town.network.under_way or town.callers.busy or now_s * 1000 < town.plan.steady_for_ms:
            return wakes_s
        planned_s = self._planned()
        if planned_s is None:
            return wakes_s
        next_s = min(planned_s, self._next_in_town_s())
        # Nothing at all to come: the story is over as soon as the town looks.
        return wakes_s if next_s == _NEVER else max(wakes_s, min(next_s, town.plan.last_at_ms / 1000))

    def look_anew(self) -> None:
        """Forget what was planned: something changed of which the database does not know."""
        self._seen_commit = -1

    def is_quiet(self) -> bool:
        """Tell whether nothing is under way and nothing will be."""
        town = self._town
        is_busy = town.network.under_way or town.callers.busy
        return not is_busy and min(self._planned() or 0.0, self._next_in_town_s()) == _NEVER

    def _planned(self) -> float | None:
        """Return what the system has planned next; None: somebody works."""
        disk = self._town.disk
        if disk.commits != self._seen_commit:
            self._seen_commit = disk.commits
            self._planned_s = self._read_plan()
        return self._planned_s

    def _read_plan(self) -> float | None:
        ask = self._town.disk.store._connection.execute
        held, look_at = ask("SELECT count(owner), min(lease_until) FROM attempts WHERE state <> 'done'").fetchone()
        if held:
            return None
        (ready,) = ask("SELECT min(ready_at) FROM devices WHERE ready_at IS NOT NULL").fetchone()
        ailing = ask("SELECT id, health_due_at FROM devices WHERE state <> 'up'")
        # A device that is really down is pinged in vain until it is up again, which is an event of the town.
        world = self._town.world
        pings = [due for device_id, due in ailing if (world.macs.get(device_id) or world.androids[device_id]).is_up]
        at = min((one for one in (look_at, ready, self._next_receipt(), *pings) if one is not None), default=None)
        return _NEVER if at is None else self._town.clock.seconds_at(at)

    def _next_receipt(self) -> int | None:
        """Return when a device is polled next that has just sent and may have nobody to report to: how it went is asked for."""
        ask = self._town.disk.store._connection.execute
        since = self._town.clock.now_ms() - _POLLS_FOR_RECEIPT * self._town.plan.settings.poll_every_ms
        (due,) = ask(
            """
            SELECT min(d.poll_due_at)
            FROM messages AS m JOIN lines AS l ON l.id = m.line_id JOIN devices AS d ON d.id = l.device_id
            WHERE m.status = 'sent' AND m.sent_at > ? AND d.channel = 'smsgate'
            """,
            [since],
        ).fetchone()
        return due

    def _next_in_town_s(self) -> float:
        return min(self._next_event_s(), self._next_boot_s(), self._next_in_world_s(), self._town.callers.next_at_s())

    def _next_event_s(self) -> float:
        return self._events[self._done].at_ms / 1000 if self._done < len(self._events) else _NEVER

    def _next_boot_s(self) -> float:
        return min((node.boots_at_s for node in self._town.nodes if node.boots_at_s is not None), default=_NEVER)

    def _next_in_world_s(self) -> float:
        return min((handle.when() for handle in self._town.world._due), default=_NEVER)


def late_devices(tx: Transaction) -> list[str]:
    """Return the devices that are not looked at when they should be: their clock is unset or late."""
    every = devices.by_ids(tx, [row[0] for row in tx.rows("SELECT id FROM devices ORDER BY id")])
    first_due = waiting.first_due(tx, list(every))
    late = []
    for device in every.values():
        truth = ready_at(device, lines.of_devices(tx, [device.id]), first_due)
        if truth is not None and (device.ready_at is None or device.ready_at > max(truth, tx.now)):
            late.append(f"device {device.id} has work at {truth} and is ready at {device.ready_at}")
    return late
