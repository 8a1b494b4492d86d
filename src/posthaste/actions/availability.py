"""Availability checks that callers ask for: what is known, and which line may make the next check.

They are spread over the healthy iMessage lines of a workspace and keep the same two rules as the checks of sends: so many a
line and day, so long apart on one device.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from posthaste.core.errors import NotFound
from posthaste.core.leads import Lead
from posthaste.core.lines import Device, Line
from posthaste.core.messages import MessageType
from posthaste.core.row import replace
from posthaste.settings import Settings
from posthaste.store import availability, devices, leads, lines
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction

_LINES = 256


@dataclass(frozen=True, slots=True)
class Reservation:
    """A check may start on this device in `wait_ms`, and was counted."""

    access: Access
    wait_ms: int


@dataclass(frozen=True, slots=True)
class NoCheck:
    """No check can be made now; `is_exhausted`: not today."""

    why: str
    is_exhausted: bool = False


EXHAUSTED = NoCheck("the availability checks of all lines are used up for today", is_exhausted=True)
NO_LINE = NoCheck("no line that is up can check")
BUSY = NoCheck("too many checks are waiting, ask again in a moment")


def known_availability(tx: Transaction, settings: Settings, workspace_id: str, addresses: Collection[str]) -> dict[str, bool]:
    """Return which addresses are known, and believed still, to be on iMessage or not."""
    found = availability.known(tx, workspace_id, addresses)
    return {one: yes for one, (yes, at) in found.items() if at > tx.now - _believed_ms(settings, is_available=yes)}


def _believed_ms(settings: Settings, *, is_available: bool) -> int:
    return settings.available_for_ms if is_available else settings.unavailable_for_ms


def reserve_any_check(
    tx: Transaction, settings: Settings, workspace_id: str, able: Collection[str], patience_ms: int
) -> Reservation | NoCheck:
    """Count one check on the line that can make it first; `able` are the channels that can check."""
    healthy = [line.on_day_of(tx.now) for line in lines.by_turn(tx, workspace_id, MessageType.IMESSAGE, _LINES)]
    by_id = devices.by_ids(tx, {line.device_id for line in healthy})
    able_lines = [line for line in healthy if by_id[line.device_id].channel in able]
    if not able_lines:
        return NO_LINE
    for line in sorted(able_lines, key=lambda line: (by_id[line.device_id].check_free_at, line.usage_checks, line.id)):
        if line.usage_checks < line.checks_per_day:
            reserved = _reserve(tx, line.id, line.device_id, patience_ms)
            if reserved is not None:
                return reserved
    return EXHAUSTED


def _reserve(tx: Transaction, line_id: str, device_id: str, patience_ms: int) -> Reservation | NoCheck | None:
    """Reserve on one line under the lock of its device; None if its day was used up meanwhile."""
    device: Device = devices.lock(tx, [device_id])[device_id]
    line: Line = lines.by_ids(tx, [line_id])[line_id].on_day_of(tx.now)
    start_at = max(tx.now, device.check_free_at)
    if line.usage_checks >= line.checks_per_day:
        return None
    if start_at - tx.now > patience_ms:
        return BUSY  # The others are not free any sooner.
    devices.reserve_check(tx, device.id, start_at + device.check_gap_ms)
    lines.save_counts(tx, [replace(line, usage_checks=line.usage_checks + 1)])
    return Reservation(devices.access(tx, [device.id])[device.id], start_at - tx.now)


def people(tx: Transaction, workspace_id: str, lead_ids: Sequence[str]) -> list[Lead]:
    """Return the leads of a workspace among these, in the order in which they are named."""
    found = leads.by_ids(tx, lead_ids)
    return [found[one] for one in dict.fromkeys(lead_ids) if one in found and found[one].workspace_id == workspace_id]


def device_of_line(tx: Transaction, workspace_id: str, line_id: str) -> tuple[Access, bool]:
    """Return how a line's device is reached, and whether it counts as up."""
    line = lines.by_ids(tx, [line_id]).get(line_id)
    if line is None or line.workspace_id != workspace_id or line.deleted_at is not None:
        raise NotFound("Line not found", code="LINE_NOT_FOUND")
    return devices.access(tx, [line.device_id])[line.device_id], devices.by_ids(tx, [line.device_id])[line.device_id].is_up
