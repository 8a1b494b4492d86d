"""Choose the line of each draft: the one asked for, the one that already talks with the person, or the next in turn.

A choice is remembered in the conversation, so that accepted messages count and not only sent ones.
"""

from collections.abc import Iterable, Mapping

from posthaste.actions.draft import Draft, Why, standing
from posthaste.core.errors import NotFound, PosthasteError, Refused
from posthaste.core.lines import Line, take_turn
from posthaste.core.messages import Lane, MessageType
from posthaste.settings import Settings
from posthaste.store import conversations
from posthaste.store import lines as table
from posthaste.store.conversations import Conversation, First
from posthaste.store.transaction import Transaction

NO_LINES = "No active lines in workspace. Add and activate a line, or provide fromLineId."

#: More lines than a batch has messages are read, so that some without room do not make the choice.
_SPARE = 32
_EVERY = 100_000


def check_lines(tx: Transaction, workspace_id: str, message_type: MessageType | None, from_line_id: str | None) -> None:
    """Refuse what no line could carry; asked before the parser's later complaints, which stand behind it in the contract."""
    kind = message_type or MessageType.IMESSAGE
    if from_line_id is not None:
        error = _complaint(table.by_ids(tx, [from_line_id]).get(from_line_id), workspace_id, kind, from_line_id)
        if error is not None:
            raise error
    elif not table.active_in_turn(tx, workspace_id, kind, 1):
        raise Refused(NO_LINES, code="NO_ACTIVE_LINES")


def refuse_without_line(tx: Transaction, workspace_id: str, drafts: list[Draft]) -> None:
    """Set the error of each draft that no line could carry, before anything is written for it.

    The line that carries the others is kept as theirs: it may be closed a moment later, and then the message waits for it.
    """
    named = {d.sending.from_line_id for d in drafts if d.sending.from_line_id}
    asked = table.by_ids(tx, named) if named else {}
    carried: dict[MessageType, list[Line]] = {}
    for draft in drafts:
        kind, from_line_id = draft.sending.message_type, draft.sending.from_line_id
        if from_line_id is not None:
            draft.line = asked.get(from_line_id)
            draft.error = _complaint(draft.line, workspace_id, kind, from_line_id)
            continue
        if kind not in carried:
            carried[kind] = table.active_in_turn(tx, workspace_id, kind, 1)
        if carried[kind]:
            draft.line = carried[kind][0]
        else:
            draft.error = Refused(NO_LINES, code="NO_ACTIVE_LINES")


def _complaint(line: Line | None, workspace_id: str, message_type: MessageType, line_id: str) -> PosthasteError | None:
    if line is None or line.workspace_id != workspace_id or line.deleted_at is not None:
        return NotFound(f"fromLineId {line_id} was not found or is not yours", code="LINE_NOT_FOUND")
    if not line.is_active:
        return Refused(f"fromLineId {line_id} is not active", code="LINE_INACTIVE")
    if line.message_type != message_type:
        return Refused(f"fromLineId {line_id} cannot carry messageType {message_type}", code="LINE_TYPE_MISMATCH")
    return None


def assign_lines(tx: Transaction, settings: Settings, workspace_id: str, drafts: list[Draft]) -> Mapping[str, Conversation]:
    """Set line, why and lane of each draft, and remember the choice in the conversations.

    Return the conversations that were begun before, by their addresses.
    """
    if not drafts:
        return {}
    first = [draft.addresses[0] for draft in drafts]
    talks = conversations.by_addresses(tx, workspace_id, first)
    usable = _usable_lines(tx, workspace_id, drafts, talks.values())
    turns = _Turns(tx, workspace_id, len(drafts))
    begun: dict[str, Draft] = {}
    for draft in drafts:
        _assign(tx, settings, draft, talks, usable, turns, begun)
    return talks | _remember(tx, settings, workspace_id, drafts, talks, usable, begun) if begun else talks


def _usable_lines(tx: Transaction, workspace_id: str, drafts: list[Draft], talks: Iterable[Conversation]) -> dict[str, Line]:
    ids = {d.sending.from_line_id for d in drafts if d.sending.from_line_id} | {t.line_id for t in talks if t.line_id}
    lines = table.by_ids(tx, ids) if ids else {}
    return {line.id: line for line in lines.values() if line.is_active and line.workspace_id == workspace_id}


class _Turns:
    """The round of lines of each type, read once for a batch and turned as lines are chosen."""

    def __init__(self, tx: Transaction, workspace_id: str, drafts: int) -> None:
        self._tx, self._workspace_id, self._limit = tx, workspace_id, drafts + _SPARE
        self._rounds: dict[str, list[Line]] = {}

    def take(self, draft: Draft, now: int) -> tuple[Line, Why]:
        """Take the line whose turn it is; the one that the draft has already is for when the last one has just been closed."""
        assert draft.line is not None
        message_type, is_new = draft.sending.message_type, draft.lane == Lane.NEW
        lines = self._rounds.get(message_type)
        if lines is None:
            lines = self._rounds[message_type] = self._read(message_type, self._limit) or [draft.line]
        line, has_room = take_turn(lines, now, is_new=is_new)
        if not has_room and len(lines) == self._limit:
            lines = self._rounds[message_type] = self._read(message_type, _EVERY) or lines
            line, has_room = take_turn(lines, now, is_new=is_new)
        lines.remove(line)
        lines.append(line.after_acceptance(now, draft.due_at, is_new=is_new))
        return line, Why.TURN if has_room else Why.NO_ROOM

    def _read(self, message_type: str, limit: int) -> list[Line]:
        return table.best_in_turn(self._tx, self._workspace_id, message_type, limit)


def _assign(
    tx: Transaction,
    settings: Settings,
    draft: Draft,
    talks: dict[str, Conversation],
    usable: dict[str, Line],
    turns: _Turns,
    begun: dict[str, Draft],
) -> None:
    address, kind = draft.addresses[0], draft.sending.message_type
    talk = talks.get(address)
    assert draft.line is not None
    draft.lane = lane_of(talk)
    first = begun.get(address)
    stuck = first.line.id if first and first.line else (talk.line_id if talk else None)
    if draft.sending.from_line_id is not None:
        draft.why = Why.ASKED_FOR
    elif settings.sticky_lines and stuck in usable and usable[stuck].message_type == kind:
        draft.line, draft.why = usable[stuck], Why.STICKY
    else:
        draft.line, draft.why = turns.take(draft, tx.now)
        usable[draft.line.id] = draft.line
    if talk is None or talk.line_id is None or (draft.why in (Why.TURN, Why.NO_ROOM) and talk.line_id not in usable):
        begun.setdefault(address, draft)


def refresh_lanes(tx: Transaction, workspace_id: str, drafts: list[Draft]) -> None:
    """Set the lanes as they are once the devices are locked: a claim may have opened a conversation while we waited for
    its lock. It cannot have seen one that we began.
    """
    begun = {draft.addresses[0] for draft in drafts if draft.begins}
    older = [draft for draft in drafts if draft.addresses[0] not in begun]
    talks = conversations.by_addresses(tx, workspace_id, {draft.addresses[0] for draft in older}) if older else {}
    for draft in older:
        draft.lane = lane_of(talks.get(draft.addresses[0]))


def lane_of(talk: Conversation | None) -> Lane:
    """Return the queue of a message to somebody, from what passed between us so far."""
    if talk is None or talk.opened_at is None:
        return Lane.NEW
    return Lane.KNOWN if talk.written_at is None else Lane.REPLY


def _remember(
    tx: Transaction,
    settings: Settings,
    workspace_id: str,
    drafts: list[Draft],
    talks: dict[str, Conversation],
    usable: dict[str, Line],
    begun: dict[str, Draft],
) -> dict[str, Conversation]:
    """Begin conversations, and return those that were there; one that somebody else has begun meanwhile has its line."""
    ours = conversations.begin(tx, workspace_id, [_first(one, begun[one]) for one in sorted(begun.keys() - talks.keys())])
    for address in ours:
        begun[address].begins = True
    if ours == begun.keys():
        return {}
    unplaced = [(address, draft.line.id) for address, draft in begun.items() if address in talks and draft.line]
    if unplaced:
        conversations.move(tx, workspace_id, unplaced)
    now_held = conversations.by_addresses(tx, workspace_id, begun)
    if settings.sticky_lines:
        _follow(tx, standing(drafts), now_held, usable)
    return {address: talk for address, talk in now_held.items() if address not in ours}


def _follow(tx: Transaction, drafts: list[Draft], talks: Mapping[str, Conversation], usable: dict[str, Line]) -> None:
    """Have drafts go by the line with which somebody else has begun their conversation meanwhile."""
    others = {t.line_id for t in talks.values() if t.line_id and t.line_id not in usable}
    usable.update({line.id: line for line in table.by_ids(tx, others).values() if line.is_active} if others else {})
    for draft in drafts:
        talk = talks.get(draft.addresses[0])
        theirs = usable.get(talk.line_id) if talk and talk.line_id else None
        if theirs is None or draft.line is None or draft.why not in (Why.TURN, Why.NO_ROOM):
            continue
        if theirs.id != draft.line.id and theirs.message_type == draft.line.message_type:
            draft.line, draft.why = theirs, Why.STICKY


def _first(address: str, draft: Draft) -> First:
    assert draft.line is not None
    return First(address, draft.line.id, draft.message_id, draft.fingerprint)
