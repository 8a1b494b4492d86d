"""Accept messages: lead, line, message, idempotency key and timeline in one transaction; from its commit on the database
is the queue.

A batch of calls that arrived together is accepted with one set of statements; a call that is refused takes none of
the others with it. All who accept take their locks in one order: keys, lead addresses, conversations, fingerprints,
devices. A claim or a reply holds its device before it touches a conversation; where it collides with us on one,
PostgreSQL stops one of the two and its store begins it again.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

from posthaste.actions.assign import assign_lines, check_lines, refresh_lanes, refuse_without_line
from posthaste.actions.draft import Draft, Submission, standing
from posthaste.actions.files import note_uses, refuse_foreign_files
from posthaste.actions.guard import Skipped, find_repeats, set_fingerprints
from posthaste.actions.match import match_leads
from posthaste.actions.show import MessageView, view_of
from posthaste.core import schedule
from posthaste.core.addresses import is_email
from posthaste.core.dispatch import BLOCKED_SENTENCE, DO_NOT_CONTACT
from posthaste.core.errors import Conflict, Mismatch, PosthasteError, Refused
from posthaste.core.leads import QUICK_SENDS
from posthaste.core.lifecycle import Status
from posthaste.core.messages import Lane, Message
from posthaste.core.row import Value, replace
from posthaste.core.timeline import Code
from posthaste.settings import Settings
from posthaste.store import devices, do_not_contact, idempotency, messages, timeline
from posthaste.store import lines as lines_table
from posthaste.store.idempotency import KeptKey
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

__all__ = ["Acceptance", "Skipped", "Submission", "accept", "check_lines"]

_SCHEDULED_KEY_MS = 72 * 3_600_000


class Acceptance(Value, frozen=True):
    """What a call is answered with: `message_id` names the message that it made, or the one that it repeats.

    `view` is a message that was made now, as it stands at the commit.
    """

    message_id: str
    lead_id: str
    http_status: int
    is_duplicate: bool
    is_replayed: bool = False
    skipped: Skipped | None = None
    view: MessageView | None = None


Result = Acceptance | PosthasteError


def accept(tx: Transaction, settings: Settings, submissions: Sequence[Submission]) -> list[Result]:
    """Accept a batch; return one result for each submission, in order."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, submission in enumerate(submissions):
        groups[submission.workspace.id].append(index)
    results: dict[int, Result] = {}
    for workspace_id in sorted(groups):
        indexes = groups[workspace_id]
        done = _accept_for(tx, settings, workspace_id, [submissions[index] for index in indexes])
        results.update(zip(indexes, done, strict=True))
    return [results[index] for index in range(len(submissions))]


def _accept_for(tx: Transaction, settings: Settings, workspace_id: str, submissions: list[Submission]) -> list[Result]:
    replayed = _replays(tx, workspace_id, submissions)
    drafts = {
        index: Draft(submission, tx.new_id())
        for index, submission in enumerate(submissions)
        if index not in replayed and _first_with_key(submissions, index)
    }
    made = dict(zip(drafts, _accept_drafts(tx, settings, workspace_id, list(drafts.values())), strict=True))
    results: dict[int, Result] = replayed | made
    again = [index for index in range(len(submissions)) if index not in results]
    for index in again:
        first = next(i for i, one in enumerate(submissions) if one.key == submissions[index].key)
        repeated = _repeat(results[first], submissions[first], submissions[index])
        if repeated is not None:
            results[index] = repeated
    left = [index for index in again if index not in results]
    if left:
        done = _accept_for(tx, settings, workspace_id, [submissions[index] for index in left])
        results.update(zip(left, done, strict=True))
    return [results[index] for index in range(len(submissions))]


def _first_with_key(submissions: list[Submission], index: int) -> bool:
    key = submissions[index].key
    return key is None or all(one.key != key for one in submissions[:index])


def _repeat(first: Result, original: Submission, repeat: Submission) -> Result | None:
    """Answer a call whose key came twice in one batch; None if the first was refused and so has used no key up."""
    if original.body_digest != repeat.body_digest:
        return None if isinstance(first, PosthasteError) else Mismatch()
    if isinstance(first, PosthasteError):
        return first
    return replace(first, is_replayed=True, view=None)


def _replays(tx: Transaction, workspace_id: str, submissions: list[Submission]) -> dict[int, Result]:
    """Reserve the keys of a batch, and answer those calls whose key was used before."""
    digests = {one.key: one.body_digest for one in reversed(submissions) if one.key is not None}
    if not digests:
        return {}
    taken = idempotency.reserve(tx, workspace_id, digests)
    kept = idempotency.kept(tx, workspace_id, digests.keys() - taken)
    return {
        index: _replay(kept.get(one.key), one)
        for index, one in enumerate(submissions)
        if one.key is not None and one.key not in taken
    }


def _replay(kept: KeptKey | None, submission: Submission) -> Result:
    if kept is None or not kept.answer:
        return Conflict("A request with this Idempotency-Key is being accepted", code="IDEMPOTENCY_IN_PROGRESS")
    if kept.body_digest != submission.body_digest:
        return Mismatch()
    answer = json.loads(kept.answer)
    skipped = Skipped(**answer["skipped"]) if answer["skipped"] else None
    return Acceptance(
        kept.message_id,
        answer["lead_id"],
        answer["http_status"],
        answer["is_duplicate"],
        is_replayed=True,
        skipped=skipped,
    )


def _accept_drafts(tx: Transaction, settings: Settings, workspace_id: str, drafts: list[Draft]) -> list[Result]:
    refuse_without_line(tx, workspace_id, drafts)
    for draft in standing(drafts):
        _set_due(tx.now, draft)
    refuse_foreign_files(tx, workspace_id, standing(drafts))
    match_leads(tx, workspace_id, drafts)
    _mark_blocked(tx, workspace_id, standing(drafts))
    set_fingerprints(standing(drafts))
    talks = assign_lines(tx, settings, workspace_id, standing(drafts))
    repeated = find_repeats(tx, settings, workspace_id, standing(drafts), talks)
    accepted = [draft for draft in standing(drafts) if draft.message_id not in repeated]
    views = _insert(tx, settings, workspace_id, accepted) if accepted else {}
    results = [_result(draft, repeated.get(draft.message_id), views.get(draft.message_id)) for draft in drafts]
    _keep_keys(tx, settings, workspace_id, drafts, results)
    return results


def _set_due(now: int, draft: Draft) -> None:
    due_at = schedule.due_at(now, draft.sending.scheduled_at, draft.sending.window)
    valid_until = draft.sending.valid_until
    if due_at is None:
        text = "Invalid timezone or time window settings. Please check your timezone and time format."
        draft.error = Refused(text, code="INVALID_TIME_WINDOW")
    elif valid_until is not None and due_at >= valid_until:
        text = f"validUntil {schedule.render_instant(valid_until)} is before the first moment at which the message may go"
        draft.error = Refused(text, code="INVALID_VALID_UNTIL")
    else:
        draft.due_at = due_at


def _mark_blocked(tx: Transaction, workspace_id: str, drafts: list[Draft]) -> None:
    """Mark what goes to a person who is not to be contacted: any of their addresses on the list is enough."""
    people = {draft.message_id: {*draft.addresses, *(draft.lead.addresses if draft.lead else ())} for draft in drafts}
    listed = do_not_contact.among(tx, [(workspace_id, address) for every in people.values() for address in every])
    if listed:
        blocked = {address for _, address in listed}
        for draft in drafts:
            draft.is_blocked = not blocked.isdisjoint(people[draft.message_id])


def _insert(tx: Transaction, settings: Settings, workspace_id: str, drafts: list[Draft]) -> dict[str, MessageView]:
    """Write messages and their story, and have their devices look at them.

    Messages first: a claim that does not see them has not yet set the clock that is lowered afterwards.
    """
    locked = devices.lock(tx, {draft.line.device_id for draft in drafts if draft.line})
    refresh_lanes(tx, workspace_id, drafts)
    made = [_message(tx, settings, draft) for draft in drafts]
    fresh = lines_table.by_ids(tx, {draft.line.id for draft in drafts if draft.line})
    messages.add(tx, made)
    note_uses(tx, workspace_id, made)
    timeline.add(tx, [entry for draft, message in zip(drafts, made, strict=True) for entry in _story(draft, message)])
    for message in made:
        if message.status == Status.BLOCKED:
            continue
        line = fresh[message.line_id].on_day_of(tx.now)
        device = locked[line.device_id]
        fresh[line.id] = line.after_acceptance(tx.now, message.due_at, is_new=message.lane == Lane.NEW)
        if device.is_up and line.is_active and device.in_flight < device.max_in_flight:
            locked[device.id] = device.ready_by(max(message.due_at, line.lane_opens_at(message.lane)))
    lines_table.save_counts(tx, list(fresh.values()))
    devices.save_clocks(tx, list(locked.values()))
    tx.wake("ready")
    return {
        one.id: view_of(one, fresh[one.line_id], locked[fresh[one.line_id].device_id], draft.lead, tx.now)
        for draft, one in zip(drafts, made, strict=True)
    }


def _message(tx: Transaction, settings: Settings, draft: Draft) -> Message:
    sending, lead, line, address = draft.sending, draft.lead, draft.line, draft.addresses[0]
    assert lead is not None and line is not None
    stale_at = draft.due_at + settings.stale_after_ms
    return Message(
        id=draft.message_id,
        workspace_id=lead.workspace_id,
        lead_id=lead.id,
        line_id=line.id,
        direction="sent",
        message_type=sending.message_type,
        status=Status.BLOCKED if draft.is_blocked else Status.WAITING,
        lane=draft.lane,
        due_at=draft.due_at,
        hold=None,
        expires_at=min(stale_at, sending.valid_until) if sending.valid_until is not None else stale_at,
        address=address,
        addresses=draft.addresses,
        checked_addresses=(),
        recipient_phone=sending.phone or (None if is_email(address) else address),
        recipient_email=sending.email or (address if is_email(address) else None),
        recipient_name=sending.name or lead.full_name,
        text=sending.text,
        attempts=0,
        external_id=None,
        code=DO_NOT_CONTACT if draft.is_blocked else None,
        error_message=BLOCKED_SENTENCE if draft.is_blocked else None,
        scheduled_at=sending.scheduled_at,
        valid_until=sending.valid_until,
        window=sending.window,
        batch_id=sending.batch_id,
        send_fallback=sending.send_fallback,
        fallback_of=None,
        fallback_message_id=None,
        attachments=sending.attachments,
        crm=lead.crm,
        sent_at=None,
        delivered_at=None,
        read_at=None,
        created_at=tx.now,
        updated_at=tx.now,
        line_asked=sending.from_line_id is not None,
        subject=sending.subject,
        html=sending.html,
    )


def _story(draft: Draft, message: Message) -> list[NewEntry]:
    steps: list[tuple[Code, dict[str, object]]] = [(Code.ACCEPTED, {"type": message.message_type})]
    if draft.sending.unknown_fields:
        steps.append((Code.UNKNOWN_FIELDS, {"fields": draft.sending.unknown_fields}))
    if draft.match is None:
        steps.append((Code.LEAD_CREATED, {"list": QUICK_SENDS, "lead": message.lead_id}))
    else:
        steps.append((Code.LEAD_MATCHED, {"by": draft.match.by, "lead": message.lead_id}))
        if draft.match.overruled:
            steps.append((Code.LEAD_CONFLICT, {"leads": draft.match.overruled, "by": draft.match.by}))
    steps.append((Code.LINE_CHOSEN, {"line": message.line_id, "why": draft.why}))
    if message.status == Status.BLOCKED:
        steps.append((Code.BLOCKED, {"code": DO_NOT_CONTACT}))
    elif message.due_at > message.created_at:
        has_date = message.scheduled_at is not None and message.scheduled_at > message.created_at
        wish = {"wish": message.scheduled_at} if has_date else {}
        steps.append((Code.HELD, {"until": message.due_at, "reason": "scheduled" if has_date else "outside_window", **wish}))
    return [NewEntry(message.workspace_id, message.id, code, facts) for code, facts in steps]


def _result(draft: Draft, skipped: Skipped | None, view: MessageView | None) -> Result:
    if draft.error is not None:
        return draft.error
    assert draft.lead is not None
    if skipped is not None:
        return Acceptance(skipped.original_message_id, skipped.lead_id, 200, draft.is_duplicate, skipped=skipped)
    return Acceptance(draft.message_id, draft.lead.id, 200 if draft.is_duplicate else 201, draft.is_duplicate, view=view)


def _keep_keys(tx: Transaction, settings: Settings, workspace_id: str, drafts: list[Draft], results: list[Result]) -> None:
    kept, refused = [], []
    for draft, result in zip(drafts, results, strict=True):
        key = draft.submission.key
        if key is None:
            continue
        if isinstance(result, PosthasteError):
            refused.append(key)
            continue
        keep_until = max(tx.now + settings.idempotency_ms, (draft.sending.scheduled_at or 0) + _SCHEDULED_KEY_MS)
        kept.append(KeptKey(workspace_id, key, draft.submission.body_digest, result.message_id, _answer(result), keep_until))
    if kept:
        idempotency.fill(tx, kept)
    if refused:
        idempotency.drop(tx, workspace_id, refused)


def _answer(result: Acceptance) -> str:
    return json.dumps(
        {
            "lead_id": result.lead_id,
            "http_status": result.http_status,
            "is_duplicate": result.is_duplicate,
            "skipped": asdict(result.skipped) if result.skipped else None,
        }
    )
