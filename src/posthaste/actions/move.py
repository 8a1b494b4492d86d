"""Move what waits on lines that cannot send to others that can, where nobody would notice.

A message keeps its line if its caller named it, or if somebody has talked to the person already: they would hear from a stranger.
Devices are locked first, all in order of their ids; what a sender holds at that moment stays where it is.
"""

from collections.abc import Mapping, Sequence

from posthaste.actions.ready import look_again
from posthaste.core.lifecycle import Status
from posthaste.core.lines import Line, take_turn
from posthaste.core.messages import Lane, Message
from posthaste.core.timeline import Code
from posthaste.store import conversations, devices, messages, timeline, waiting
from posthaste.store import lines as table
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

_ROWS = 200
_TARGETS = 64


def move_off_device(tx: Transaction, device_id: str) -> bool:
    """Move what may move off the lines of a device that is down, a bounded number; True if there may be more."""
    device = devices.by_ids(tx, [device_id]).get(device_id)
    if device is None or device.is_up:
        return False
    sources = [line for line in table.of_devices(tx, [device_id]) if line.is_active]
    moved = [move_off(tx, line, "its own is down", lanes=(Lane.NEW,)) for line in sources]
    return any(count >= _ROWS for count in moved)


def move_off(tx: Transaction, source: Line, why: str, *, lanes: Sequence[Lane] = tuple(Lane)) -> int:
    """Move messages of these lanes off one line, as far as others have room; return how many."""
    seen = waiting.movable(tx, source.id, lanes, _ROWS)
    targets = [
        line
        for line in table.by_turn(tx, source.workspace_id, source.message_type, _TARGETS)
        if line.device_id != source.device_id and line.id != source.id
    ]
    if not seen or not targets:
        return 0
    devices.lock(tx, {source.device_id, *(line.device_id for line in targets)})
    locked = [one for one in messages.lock(tx, seen).values() if one.status == Status.WAITING and one.line_id == source.id]
    # Read again under their locks: counts change with every claim.
    fresh = table.by_ids(tx, [line.id for line in targets])
    placed = _place(tx, locked, [fresh[line.id] for line in targets if fresh[line.id].is_active])
    _write(tx, placed, why)
    look_again(tx, sorted({source.device_id, *(line.device_id for line in targets)}))
    return len(placed)


def _place(tx: Transaction, moving: Sequence[Message], lines: list[Line]) -> list[tuple[Message, Line]]:
    """Give each message the line whose turn it is, while any has room for it."""
    placed: list[tuple[Message, Line]] = []
    for message in sorted(moving, key=lambda one: (one.due_at, one.id)):
        if not lines:
            break
        is_new = message.lane == Lane.NEW
        line, has_room = take_turn(lines, tx.now, is_new=is_new)
        if not has_room:
            continue
        lines.remove(line)
        lines.append(line.after_acceptance(tx.now, message.due_at, is_new=is_new))
        placed.append((message, lines[-1]))
    return placed


def _write(tx: Transaction, placed: Sequence[tuple[Message, Line]], why: str) -> None:
    latest: Mapping[str, Line] = {line.id: line for _, line in placed}
    waiting.move(tx, [(message.id, line.id) for message, line in placed])
    table.save_counts(tx, list(latest.values()))
    for workspace_id in sorted({message.workspace_id for message, _ in placed}):
        moved = [(one.address, line.id) for one, line in placed if one.workspace_id == workspace_id]
        conversations.move(tx, workspace_id, moved)
    facts = [(message, {"line": line.id, "why": why}) for message, line in placed]
    timeline.add(tx, [NewEntry(one.workspace_id, one.id, Code.LINE_MOVED, told) for one, told in facts])
