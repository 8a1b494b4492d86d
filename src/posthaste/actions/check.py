"""Availability checks: whether one may be made now, and what came of it. A send never waits long for one."""

from posthaste.core.row import replace
from posthaste.settings import Settings
from posthaste.store import availability, devices, lines
from posthaste.store.transaction import Transaction


def reserve_check(tx: Transaction, settings: Settings, line_id: str) -> int | None:
    """Count one check of a line and return in how many ms it may start; None: not now (the day is used up, or others are
    waiting).
    """
    line = lines.by_ids(tx, [line_id])[line_id]
    device = devices.lock(tx, [line.device_id])[line.device_id]
    line = lines.by_ids(tx, [line_id])[line_id].on_day_of(tx.now)
    start_at = max(tx.now, device.check_free_at)
    if line.usage_checks >= line.checks_per_day or start_at - tx.now > settings.check_wait_ms:
        return None
    devices.reserve_check(tx, device.id, start_at + device.check_gap_ms)
    lines.save_counts(tx, [replace(line, usage_checks=line.usage_checks + 1)])
    return start_at - tx.now


def note_check(tx: Transaction, workspace_id: str, address: str, is_available: bool) -> None:
    """Remember what a check said; one that failed says nothing and is not noted."""
    availability.note(tx, workspace_id, address, is_available=is_available)
