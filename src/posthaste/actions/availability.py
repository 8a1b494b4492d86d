"""Availability checks that callers ask for: what is known, and which line may make the next check.

They are spread over the healthy iMessage lines of a workspace and keep the same two rules as the checks of sends: so many a
line and day, so long apart on one device.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from posthaste.actions.check import EXHAUSTED, NoCheck, reserve
from posthaste.core.leads import Lead
from posthaste.core.messages import MessageType
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


NO_LINE = NoCheck("no line that is up can check")


def known_availability(tx: Transaction, settings: Settings, workspace_id: str, addresses: Collection[str]) -> dict[str, bool]:
    """Return which addresses are known, and believed still, to be on iMessage or not."""
    found = availability.known(tx, workspace_id, addresses)
    return {one: yes for one, (yes, at) in found.items() if at > tx.now - _believed_ms(settings, is_available=yes)}


def _believed_ms(settings: Settings, *, is_available: bool) -> int:
    return settings.available_for_ms if is_available else settings.unavailable_for_ms


def reserve_any_check(tx: Transaction, workspace_id: str, able: Collection[str], patience_ms: int) -> Reservation | NoCheck:
    """Count one check on the line that can make it first; `able` are the channels that can check."""
    healthy = [line.on_day_of(tx.now) for line in lines.by_turn(tx, workspace_id, MessageType.IMESSAGE, _LINES)]
    by_id = devices.by_ids(tx, {line.device_id for line in healthy})
    able_lines = [line for line in healthy if by_id[line.device_id].channel in able]
    if not able_lines:
        return NO_LINE
    for line in sorted(able_lines, key=lambda line: (by_id[line.device_id].check_free_at, line.usage_checks, line.id)):
        reserved = EXHAUSTED if line.usage_checks >= line.checks_per_day else reserve(tx, line.id, patience_ms)
        if not isinstance(reserved, NoCheck):
            return Reservation(devices.access(tx, [line.device_id])[line.device_id], reserved)
        if not reserved.is_exhausted:
            return reserved  # The others are not free any sooner.
    return EXHAUSTED


def people(tx: Transaction, workspace_id: str, lead_ids: Sequence[str]) -> list[Lead]:
    """Return the leads of a workspace among these, in the order in which they are named."""
    found = leads.by_ids(tx, lead_ids)
    return [found[one] for one in dict.fromkeys(lead_ids) if one in found and found[one].workspace_id == workspace_id]
