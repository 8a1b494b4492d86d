"""Availability checks: whether one may be made now, and what came of it. A send never waits long for one."""

from dataclasses import dataclass

from posthaste.core.row import replace
from posthaste.settings import Settings
from posthaste.store import availability, devices, lines
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class NoCheck:
    """No check can be made now; `is_exhausted`: not today."""

    why: str
    is_exhausted: bool = False


EXHAUSTED = NoCheck("the availability checks of all lines are used up for today", is_exhausted=True)
BUSY = NoCheck("too many checks are waiting, ask again in a moment")


def reserve_check(tx: Transaction, settings: Settings, line_id: str) -> int | None:
    """Count one check of a line for a send, and return in how many ms it may start; None: not now."""
    reserved = reserve(tx, line_id, settings.check_wait_ms)
    return None if isinstance(reserved, NoCheck) else reserved


def reserve(tx: Transaction, line_id: str, patience_ms: int) -> int | NoCheck:
    """Count one check of a line and return in how many ms it may start, which is within `patience_ms`."""
    device_id = lines.by_ids(tx, [line_id])[line_id].device_id
    device = devices.lock(tx, [device_id])[device_id]
    line = lines.by_ids(tx, [line_id])[line_id].on_day_of(tx.now)
    start_at = max(tx.now, device.check_free_at)
    if line.usage_checks >= line.checks_per_day:
        return EXHAUSTED
    if start_at - tx.now > patience_ms:
        return BUSY
    devices.reserve_check(tx, device.id, start_at + device.check_gap_ms)
    lines.save_counts(tx, [replace(line, usage_checks=line.usage_checks + 1)])
    return start_at - tx.now


def note_check(tx: Transaction, workspace_id: str, address: str, is_available: bool) -> None:
    """Remember what a check said; one that failed says nothing and is not noted."""
    availability.note(tx, workspace_id, address, is_available=is_available)
