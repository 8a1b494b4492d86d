"""Put an SMS in the place of an iMessage that could not be had: a message of its own, linked both ways.

Called by `settle` in the transaction that ends the iMessage, so that there is never one without the other. Whether a
message falls back is `core.fallback`'s to say.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from posthaste.actions.assign import lane_of
from posthaste.core.fallback import Skip, fallback_of, phone_of
from posthaste.core.lifecycle import Status
from posthaste.core.lines import Line
from posthaste.core.messages import Lane, Message
from posthaste.core.timeline import Code
from posthaste.core.workspaces import Workspace
from posthaste.settings import Settings
from posthaste.store import conversations, lines, messages, timeline, workspaces
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

_WHY: Mapping[str, str] = {
    Status.FALLBACK: "found none of the person's addresses on iMessage",
    Status.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the workspaces of some messages fall back to: the workspace, and its line for it if it has one."""

    workspace: Workspace
    line: Line | None


def stands(tx: Transaction, workspace_ids: Collection[str]) -> dict[str, Stand]:
    """Return where workspaces fall back to; those that do not are left out."""
    found = [workspaces.find(tx, one) for one in sorted(workspace_ids)]
    wanting = [one for one in found if one is not None and one.fallback.is_configured]
    at = lines.by_ids(tx, {one.fallback.line_id for one in wanting if one.fallback.line_id}) if wanting else {}
    return {one.id: Stand(one, at.get(one.fallback.line_id or "")) for one in wanting}


def begin_fallback(tx: Transaction, settings: Settings, ended: Message, line: Line | None) -> Line | None:
    """Accept the SMS for a message that has just ended, and say so in both stories; return its line as it then counts.

    The caller holds the lock of the line's device and looks at it again; None if there is no SMS.
    """
    sms = _sms(tx, settings, ended, line)
    if isinstance(sms, Skip) or line is None:
        timeline.add(tx, [NewEntry(ended.workspace_id, ended.id, Code.FALLBACK_SKIPPED, {"why": sms})])
        return None
    messages.add(tx, [sms])
    messages.link_fallback(tx, ended.id, sms.id)
    _tell(tx, ended, sms)
    counted = line.on_day_of(tx.now).after_acceptance(tx.now, sms.due_at, is_new=sms.lane == Lane.NEW)
    lines.save_counts(tx, [counted])
    return counted


def _sms(tx: Transaction, settings: Settings, ended: Message, line: Line | None) -> Message | Skip:
    if line is None or not line.is_active:
        return Skip.NO_LINE
    phone = phone_of(ended)
    if phone is None:
        return Skip.NO_PHONE
    talk = conversations.by_addresses(tx, ended.workspace_id, [phone]).get(phone)
    sms = fallback_of(ended, line, phone, tx.new_id(), lane_of(talk), tx.now, settings.stale_after_ms)
    return sms or Skip.TOO_LATE


def _tell(tx: Transaction, ended: Message, sms: Message) -> None:
    timeline.add(
        tx,
        [
            NewEntry(ended.workspace_id, ended.id, Code.FALLBACK_SENT, {"message": sms.id, "line": sms.line_id}),
            NewEntry(sms.workspace_id, sms.id, Code.ACCEPTED, {"type": sms.message_type}),
            NewEntry(sms.workspace_id, sms.id, Code.FALLS_BACK, {"message": ended.id, "why": _WHY[ended.status]}),
            NewEntry(sms.workspace_id, sms.id, Code.LINE_CHOSEN, {"line": sms.line_id, "why": "it is the fallback line"}),
        ],
    )
