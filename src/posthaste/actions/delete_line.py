"""Delete a line: it is gone from lists and choice at once, and sends nothing from then on.

What waits on it goes to other lines, or ends, a bounded number of messages a transaction: whoever deletes begins with that,
and the janitor ends it. How its device is reached is forgotten as soon as nothing is in doubt there any more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from posthaste.actions.lines import own_line
from posthaste.actions.ready import look_again
from posthaste.actions.withdraw import withdraw_messages
from posthaste.core.lifecycle import Status, Step
from posthaste.core.lines import Line, take_turn
from posthaste.core.messages import Lane, Message
from posthaste.core.timeline import Code
from posthaste.core.workspaces import NO_FALLBACK
from posthaste.store import conversations, deleted_lines, devices, lines, messages, timeline, waiting, workspaces
from posthaste.store.conversations import Conversation
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

LINE_DELETED = "LINE_DELETED"
_ROWS = 200
_LINES = 256
_WHY = "the line on which it waited was deleted"


def delete_line(tx: Transaction, workspace_id: str, line_id: str) -> None:
    """Close a line for good; a fallback that used it is switched off."""
    devices.lock(tx, [own_line(tx, workspace_id, line_id).device_id])
    line = own_line(tx, workspace_id, line_id)
    deleted_lines.delete(tx, line.id)
    workspace = workspaces.find(tx, workspace_id)
    if workspace is not None and workspace.fallback.line_id == line.id:
        workspaces.save_fallback(tx, workspace_id, NO_FALLBACK)
    look_again(tx, [line.device_id])


def clear_deleted_lines(tx: Transaction) -> bool:
    """Find other lines for what waits on deleted ones, a bounded number; True if there may be more."""
    seen = deleted_lines.waiting(tx, _ROWS)
    for workspace_id in sorted({workspace_id for _, workspace_id in seen}):
        _clear(tx, workspace_id, [message_id for message_id, owner in seen if owner == workspace_id])
    if not seen:
        _let_devices_go(tx)
    return bool(seen)


def _clear(tx: Transaction, workspace_id: str, message_ids: Sequence[str]) -> None:
    found = messages.by_ids(tx, message_ids)
    seen = {
        kind: lines.best_in_turn(tx, workspace_id, kind, _LINES) for kind in sorted({one.message_type for one in found.values()})
    }
    moving = {one.id for one in found.values() if not one.line_asked and seen[one.message_type]}
    ending = [one for one in message_ids if one not in moving]
    old_lines = lines.by_ids(tx, {one.line_id for one in found.values()})
    locked = devices.lock(tx, {line.device_id for every in (*seen.values(), old_lines.values()) for line in every})
    if ending:
        withdraw_messages(tx, ending, step=Step.CANCEL, code=LINE_DELETED, why=_WHY)
    if moving:
        rounds = {kind: _as_they_are(tx, of_type) for kind, of_type in seen.items()}
        waiting_still = [one for one in messages.lock(tx, moving).values() if one.status == Status.WAITING]
        held = [one for one in waiting_still if one.line_id in old_lines and rounds[one.message_type]]
        _move(tx, workspace_id, held, rounds, old_lines)
    look_again(tx, sorted(locked))


def _as_they_are(tx: Transaction, seen: Sequence[Line]) -> list[Line]:
    """Read lines again now that their devices are locked: their counts change with every claim, and some may be closed."""
    fresh = lines.by_ids(tx, [line.id for line in seen])
    return [fresh[line.id] for line in seen if fresh[line.id].is_active]


def _move(
    tx: Transaction,
    workspace_id: str,
    held: Sequence[Message],
    rounds: Mapping[str, list[Line]],
    old_lines: Collection[str],
) -> None:
    talks = conversations.by_addresses(tx, workspace_id, {one.address for one in held})
    choice = _choose(held, talks, rounds, tx.now)
    waiting.move(tx, [(one.id, choice.of(one)) for one in held])
    homeless = {address for address, talk in talks.items() if talk.line_id in old_lines}
    homes = {one.address: choice.of(one) for one in held if one.address in homeless}
    conversations.move(tx, workspace_id, list(homes.items()))
    lines.save_counts(tx, [choice.lines[one] for one in sorted(set(choice.taken.values()))])
    timeline.add(tx, [_entry(one, choice.of(one)) for one in held])
    for message in held:
        tx.wake(f"message:{message.id}")


@dataclass(slots=True)
class _Choice:
    """Which line each person's messages go to, and the lines as they then count."""

    lines: dict[str, Line]
    taken: dict[tuple[str, str], str]

    def of(self, message: Message) -> str:
        return self.taken[message.address, message.message_type]


def _choose(held: Sequence[Message], talks: Mapping[str, Conversation], rounds: Mapping[str, list[Line]], now: int) -> _Choice:
    """Choose the line that talks with each person, or else the next in turn; a person's messages stay together."""
    choice = _Choice({line.id: line for of_type in rounds.values() for line in of_type}, {})
    for message in sorted(held, key=lambda one: (one.due_at, one.id)):
        of_type, is_new = rounds[message.message_type], message.lane == Lane.NEW
        talk = talks.get(message.address)
        sticky = next((line.id for line in of_type if talk is not None and line.id == talk.line_id), None)
        place = message.address, message.message_type
        line_id = choice.taken.get(place) or sticky or take_turn(of_type, now, is_new=is_new)[0].id
        line = choice.lines[line_id].after_acceptance(now, message.due_at, is_new=is_new)
        choice.taken[place], choice.lines[line_id] = line_id, line
        of_type[:] = [one for one in of_type if one.id != line_id] + [line]
    return choice


def _entry(message: Message, line_id: str) -> NewEntry:
    return NewEntry(message.workspace_id, message.id, Code.LINE_MOVED, {"line": line_id, "why": _WHY, "from": message.line_id})


def _let_devices_go(tx: Transaction) -> None:
    idle = devices.lock(tx, deleted_lines.abandoned_devices(tx))
    gone = [one for one in idle if not deleted_lines.has_lines(tx, one)]
    deleted_lines.let_go(tx, gone)
    for device_id in gone:
        tx.wake(f"device:{device_id}")
