"""Take free devices that have due work, and write an attempt for the message of each that may go now.

The device's row is the lock: two workers cannot hold one device, so caps, gaps and order are exact without locking
messages. What may go is `core.dispatch`'s to say; this file reads, asks and writes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posthaste.actions.availability import known_availability
from posthaste.actions.ready import set_ready
from posthaste.core.dispatch import Circumstances, Decision, Drop, Relane, Send, Wait, choose, dropped
from posthaste.core.leads import Lead
from posthaste.core.lifecycle import Step, advance
from posthaste.core.lines import Device, Line
from posthaste.core.messages import EarlierMail, Lane, Message, MessageType
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.settings import Settings
from posthaste.store import attempts, conversations, devices, leads, lines, messages, timeline, waiting
from posthaste.store.attempts import Attempt
from posthaste.store.devices import Access
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

#: The most due messages of one lane that are looked at in one claim. What is parked makes room for the next claim.
_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is ours, with all that sending it needs.

    `available` is what is freshly known of the addresses, `earlier` the e-mails of the conversation so far.
    """

    attempt: Attempt
    message: Message
    line: Line
    lead: Lead | None
    access: Access
    available: Mapping[str, bool]
    earlier: Sequence[EarlierMail] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim took, and in how many ms there is more to take (None: when somebody wakes us)."""

    claimed: Sequence[Claimed]
    next_in_ms: int | None


def claim(tx: Transaction, settings: Settings, owner: str, limit: int) -> Claim:
    """Claim the work of up to `limit` devices for `owner`."""
    ready = devices.take_ready(tx, limit)
    claimed = _claim(tx, settings, owner, ready) if ready else []
    next_at = devices.next_ready_at(tx)
    return Claim(claimed, None if next_at is None else next_at - tx.now)


def _claim(tx: Transaction, settings: Settings, owner: str, ready: dict[str, Device]) -> list[Claimed]:
    every = lines.of_devices(tx, ready)
    by_id = {line.id: line for line in every}
    due = _due(tx, ready, every)
    decisions = _decide(tx, settings, ready, by_id, due)
    begun = _begin(tx, settings, owner, [one for one in decisions if isinstance(one, Send)])
    _set_aside(tx, decisions)
    _save(tx, ready, every, begun)
    return _with_all_it_needs(tx, settings, begun)


def _decide(
    tx: Transaction, settings: Settings, ready: Mapping[str, Device], by_id: Mapping[str, Line], due: Sequence[Message]
) -> list[Decision]:
    """Choose for one device after the other; what one of them sends is under way for the next, so that nobody is overtaken."""
    known, under_way = _circumstances(tx, due)
    about = Circumstances(known, under_way)
    due_through: dict[str, list[Message]] = defaultdict(list)
    for message in due:
        due_through[by_id[message.line_id].device_id].append(message)
    decisions: list[Decision] = []
    for device_id, of_device in sorted(due_through.items()):
        chosen = choose(ready[device_id], by_id, of_device, about, tx.now)
        for one in chosen:
            if isinstance(one, Send):
                under_way[one.message.workspace_id, one.message.address] = tx.now + settings.lease_ms
        decisions += chosen
    return decisions


def _due(tx: Transaction, ready: Mapping[str, Device], every: Sequence[Line]) -> list[Message]:
    """Return the due messages that may be looked at: of free devices, and of lanes whose clock has come."""
    free = [line for line in every if line.is_active and _is_free(ready[line.device_id], tx.now)]
    # One more than can go: usually the first may, and looking at more costs more than coming back.
    slots = max((ready[line.device_id].max_in_flight - ready[line.device_id].in_flight for line in free), default=0)
    ids: list[str] = []
    for lane in Lane:
        open_lines = [line.id for line in free if line.lane_opens_at(lane) <= tx.now]
        if open_lines:
            ids += waiting.heads(tx, lane, open_lines, min(slots + 1, _CANDIDATES))
    return list(messages.by_ids(tx, ids).values()) if ids else []


def _is_free(device: Device, now: int) -> bool:
    return device.is_up and device.free_at <= now and device.in_flight < device.max_in_flight


def _circumstances(tx: Transaction, due: Sequence[Message]) -> tuple[set[tuple[str, str]], dict[tuple[str, str], int]]:
    """Return whom we know, and for whom a send is under way or in doubt."""
    people: dict[str, set[str]] = defaultdict(set)
    for message in due:
        people[message.workspace_id].add(message.address)
    known = {
        (workspace_id, talk.address)
        for workspace_id in sorted(people)
        for talk in conversations.by_addresses(tx, workspace_id, people[workspace_id]).values()
        if talk.opened_at is not None
    }
    return known, attempts.in_doubt_for(tx, people) if people else {}


@dataclass(frozen=True, slots=True)
class _Begun:
    attempt: Attempt
    message: Message
    line: Line


def _begin(tx: Transaction, settings: Settings, owner: str, sends: Sequence[Send]) -> list[_Begun]:
    """Write the attempts and take the messages. Who is new is what the conversations say once they are opened."""
    ids = {send.message.id: tx.new_id() for send in sends}
    new = [send for send in sends if send.is_new]
    opened: set[str] = set()
    if new:
        people = [(send.message.workspace_id, send.message.address) for send in new]
        conversations.open_many(
            tx, [(one.message.workspace_id, one.message.address, one.line.id, ids[one.message.id]) for one in new]
        )
        opened = conversations.opened_by(tx, ids.values(), people)
    begun = [_begun(tx, settings, owner, send, ids[send.message.id], opened) for send in sends]
    if begun:
        attempts.add(tx, [one.attempt for one in begun])
        messages.save_taken(tx, [one.message for one in begun])
        # Afterwards, or it would also move the messages that are just being taken.
        waiting.relane_person(tx, [(send.message.workspace_id, send.message.address) for send in new], Lane.KNOWN)
        timeline.add(tx, [_claimed_entry(one) for one in begun])
    return begun


def _begun(tx: Transaction, settings: Settings, owner: str, send: Send, attempt_id: str, opened: set[str]) -> _Begun:
    message, line = send.message, send.line.on_day_of(tx.now)
    taken = replace(
        message, status=advance(message.status, Step.CLAIM), attempts=message.attempts + 1, hold=None, updated_at=tx.now
    )
    attempt = Attempt(
        id=attempt_id,
        workspace_id=message.workspace_id,
        message_id=message.id,
        device_id=line.device_id,
        line_id=line.id,
        number=taken.attempts,
        state="claimed",
        outcome=None,
        detail=None,
        owner=owner,
        lease_until=tx.now + settings.lease_ms,
        occupies=True,
        opened=attempt_id in opened,
        usage_until=line.usage_until,
        address=message.address,
        target=None,
        text=None,
        cursor=None,
        external_id=None,
        arrives_until=None,
        looks=0,
        claimed_at=tx.now,
        handed_at=None,
        started_at=None,
        finished_at=None,
    )
    return _Begun(attempt, taken, line)


def _claimed_entry(one: _Begun) -> NewEntry:
    facts = {"attempt": one.attempt.number, "line": one.line.id, "newConversation": one.attempt.opened}
    return NewEntry(one.message.workspace_id, one.message.id, Code.CLAIMED, facts)


def _set_aside(tx: Transaction, decisions: Sequence[Decision]) -> None:
    """Write what became of the due messages that may not go."""
    waits = [one for one in decisions if isinstance(one, Wait)]
    drops = [one for one in decisions if isinstance(one, Drop)]
    moves = [one for one in decisions if isinstance(one, Relane)]
    if waits:
        waiting.park(tx, [(w.message.id, w.until, w.reason if w.reason == "outcome_unknown" else None) for w in waits])
        timeline.add(tx, [_held_entry(one) for one in waits if one.reason != one.message.hold])
    if moves:
        waiting.relane(tx, [(one.message.id, one.lane) for one in moves])
    if drops:
        messages.save_steps(tx, [dropped(one.message, one.step, one.code, tx.now) for one in drops])
        timeline.add(tx, [_dropped_entry(one) for one in drops])
    for message in [one.message for one in waits] + [one.message for one in drops]:
        tx.wake(f"message:{message.id}")


def _dropped_entry(drop: Drop) -> NewEntry:
    message = drop.message
    return NewEntry(message.workspace_id, message.id, Code(advance(message.status, drop.step)), {"code": drop.code})


def _held_entry(wait: Wait) -> NewEntry:
    return NewEntry(wait.message.workspace_id, wait.message.id, Code.HELD, {"until": wait.until, "reason": wait.reason})


def _save(tx: Transaction, ready: dict[str, Device], every: Sequence[Line], begun: Sequence[_Begun]) -> None:
    """Count what is about to leave, and set when each device is to be looked at again."""
    by_id = {line.id: line for line in every}
    used: set[str] = set()
    for one in begun:
        by_id[one.line.id] = by_id[one.line.id].after_claim(tx.now, is_new=one.attempt.opened)
        used.add(one.line.id)
        device = ready[one.attempt.device_id]
        free_at = tx.now + device.gap_ms if device.gap_ms else device.free_at
        ready[device.id] = replace(device, in_flight=device.in_flight + 1, free_at=free_at)
    if used:
        lines.save_counts(tx, [by_id[line_id] for line_id in sorted(used)])
    set_ready(tx, ready, list(by_id.values()))


def _with_all_it_needs(tx: Transaction, settings: Settings, begun: Sequence[_Begun]) -> list[Claimed]:
    if not begun:
        return []
    access = devices.access(tx, {one.attempt.device_id for one in begun})
    people = leads.by_ids(tx, {one.message.lead_id for one in begun})
    known: dict[str, dict[str, bool]] = {}
    for workspace_id in sorted({one.message.workspace_id for one in begun}):
        wanted = {a for one in begun if one.message.workspace_id == workspace_id for a in one.message.addresses}
        known[workspace_id] = known_availability(tx, settings, workspace_id, wanted)
    return [
        Claimed(
            one.attempt,
            one.message,
            one.line,
            people.get(one.message.lead_id),
            access[one.attempt.device_id],
            known[one.message.workspace_id],
            messages.earlier_mails(tx, one.message) if one.message.message_type == MessageType.EMAIL else (),
        )
        for one in begun
    ]
