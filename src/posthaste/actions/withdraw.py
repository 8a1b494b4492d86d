"""Take back what was not handed over yet: everything to a person, on all lines and addresses, or named messages.

An opt-out, a caller who cancels and a line that is deleted all come through here, each in one transaction. Devices are locked
first, in order of their ids: a hand-over that holds one commits before us or finds the message ended.
"""

from collections.abc import Collection, Sequence

from posthaste.actions.ready import look_again
from posthaste.core.dispatch import dropped
from posthaste.core.lifecycle import Status, Step, advance
from posthaste.core.messages import Message
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.store import attempts, devices, messages, timeline, waiting
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

BY_CALLER = "a caller asked for it"


def withdraw(
    tx: Transaction,
    workspace_id: str,
    *,
    lead_id: str | None,
    addresses: Collection[str] = (),
    step: Step = Step.CANCEL,
    code: str | None = None,
    why: str | None = BY_CALLER,
) -> list[str]:
    """End what waits for a lead, or for any of the addresses; return the ids of the messages that were ended.

    `why` is told in their stories, and with a `code` by the messages.
    """
    seen = waiting.open_for(tx, workspace_id, lead_id, addresses)
    return withdraw_messages(tx, seen, step=step, code=code, why=why)


def withdraw_messages(
    tx: Transaction, message_ids: Collection[str], *, step: Step, code: str | None, why: str | None
) -> list[str]:
    """End those of these messages that were not handed over yet; return their ids."""
    device_ids = _lock_devices(tx, message_ids)
    locked = messages.lock(tx, message_ids).values()
    handed = attempts.handed_of(tx, message_ids)
    ending = [one for one in locked if one.status in (Status.WAITING, Status.SENDING) and one.id not in handed]
    _end(tx, ending, step, code, why)
    look_again(tx, sorted(device_ids))
    return [one.id for one in ending]


def _lock_devices(tx: Transaction, message_ids: Collection[str]) -> set[str]:
    """Lock the devices of messages, those included to whose lines some were moved while we waited for a lock."""
    locked: set[str] = set()
    while not (wanted := waiting.devices_of(tx, message_ids)) <= locked:
        devices.lock(tx, wanted)
        locked |= wanted
    return locked


def _end(tx: Transaction, ending: Sequence[Message], step: Step, code: str | None, why: str | None) -> None:
    messages.save_steps(tx, [_ended(one, step, code, why, tx.now) for one in ending])
    entry = Code.BLOCKED if step == Step.BLOCK else Code.CANCELLED
    facts = {"code": code, "why": why}
    timeline.add(tx, [NewEntry(one.workspace_id, one.id, entry, facts) for one in ending])
    for one in ending:
        tx.wake(f"message:{one.id}")


def _ended(message: Message, step: Step, code: str | None, why: str | None, now: int) -> Message:
    if step == Step.BLOCK:
        return dropped(message, step, code or "", now)
    # Whoever cancels knows why: there is neither a code nor a sentence then.
    told = None if code is None else why
    return replace(message, status=advance(message.status, step), code=code, error_message=told, updated_at=now)
