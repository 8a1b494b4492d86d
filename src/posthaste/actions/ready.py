"""Set when devices are to be looked at again: the one place where their clock is moved.

Whoever changes what a device may do (a claim, an outcome, a setting, a cancellation, a device that is up again) locks
it, writes the change, and calls `set_ready` in the same transaction. Idle devices then cost nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from posthaste.core.dispatch import ready_at
from posthaste.core.lines import Device, Line
from posthaste.core.row import replace
from posthaste.store import devices, lines, waiting
from posthaste.store.transaction import Transaction


def set_ready(tx: Transaction, locked: Mapping[str, Device], every: Sequence[Line]) -> None:
    """Write devices whose locks are held, each with the time at which it next has work; `every` holds all their lines."""
    looked_at = [device.id for device in locked.values() if device.is_up and device.in_flight < device.max_in_flight]
    first_due = waiting.first_due(tx, looked_at) if looked_at else {}
    lines_of: dict[str, list[Line]] = defaultdict(list)
    for line in every:
        lines_of[line.device_id].append(line)
    devices.save_clocks(
        tx, [replace(device, ready_at=ready_at(device, lines_of[device.id], first_due)) for device in locked.values()]
    )


def look_again(tx: Transaction, device_ids: Sequence[str]) -> None:
    """Lock devices and set when they have work, after something about their lines or messages has changed."""
    locked = devices.lock(tx, device_ids)
    set_ready(tx, locked, lines.of_devices(tx, locked))
    tx.wake("ready")
