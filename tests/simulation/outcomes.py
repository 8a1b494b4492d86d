"""Judge what became of each message: nothing lost, nothing twice, nothing claimed that is not so."""

import itertools
from collections.abc import Iterator

from posthaste.actions.show import MessageView
from posthaste.core.lifecycle import NOT_SENT, SETTLED, Status

from .evidence import Evidence

_WITH_END = frozenset(
    {"scheduled", "outside_window", "daily_limit", "new_conversation_limit", "device_gap", "contact_gap", "provider_retry"}
)
_LIMITS = frozenset({"daily_limit", "new_conversation_limit"})
_STILL = frozenset({"line_down", "line_inactive"})
_DOUBLE_SEND_MS = 60_000
_SWEPT_WITHIN_MS = 120_000


def judge_outcomes(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    yield from _nothing_lost(evidence)
    for view in evidence.views.values():
        yield from _ends_or_waits(evidence, view)
        yield from _tells_the_end(evidence, view)
        yield from _one_hand_over(evidence, view)
        yield from _unknown_for_a_reason(evidence, view)
    yield from _honest(evidence)
    yield from _cancelled_stays(evidence)
    yield from _one_key_one_message(evidence)
    yield from _guarded(evidence)
    for sent in evidence.unwritten:
        yield f"{sent.text!r} left for {sent.device_id} at {sent.left_at} without having been written down as handed over"


def _nothing_lost(evidence: Evidence) -> Iterator[str]:
    for answer in evidence.town.callers.answers:
        if answer.status < 300 and answer.message_id not in evidence.views:
            yield f"message {answer.message_id} was promised with {answer.status} and is not there"
    for mark in evidence.on_phones:
        if mark not in evidence.by_mark:
            yield f"{mark} is on a phone and no message has that text"


def _ends_or_waits(evidence: Evidence, view: MessageView) -> Iterator[str]:
    message, hold = view.message, view.hold
    if message.status in SETTLED:
        return
    if message.status == Status.SENDING:
        yield f"{_name(view)} is still sending"
    elif evidence.now > message.expires_at + _SWEPT_WITHIN_MS:
        yield f"{_name(view)} should have expired at {message.expires_at}"
    elif hold is None or hold.reason is None:
        yield f"{_name(view)} may go, and nobody sends it"
    elif hold.until is None and hold.reason in _LIMITS and 0 in _limits_of(evidence, view):
        return  # A line that is allowed nothing is closed for good.
    elif hold.reason in _WITH_END and (hold.until is None or hold.until <= evidence.now):
        yield f"{_name(view)} waits for {hold.reason} until {hold.until}, which is no time to come"
    elif hold.reason not in _WITH_END | _STILL:
        yield f"{_name(view)} waits for {hold.reason}"
    elif hold.reason == "line_down":
        yield f"{_name(view)} waits for a line that is well"


def _limits_of(evidence: Evidence, view: MessageView) -> tuple[int, int]:
    return view.line.messages_per_day, view.line.new_per_day


def _tells_the_end(evidence: Evidence, view: MessageView) -> Iterator[str]:
    status = view.message.status
    if status == Status.WAITING:
        return
    told = [(entry.at, entry.code) for entry in evidence.timelines[view.message.id] if entry.code in set(SETTLED)]
    # Two processes may write in one millisecond; their entries are then in no order.
    if status not in {code for at, code in told if at == told[-1][0]}:
        yield f"{_name(view)} and its timeline ends with {told}"


def _one_hand_over(evidence: Evidence, view: MessageView) -> Iterator[str]:
    """Only one hand-over at a time is open; only the last may have put anything on a phone, unless a repeat is known as one."""
    handed = [one for one in evidence.attempts[view.message.id] if one.handed_at is not None]
    for earlier, later in itertools.pairwise(handed):
        assert later.handed_at is not None
        if evidence.arrived(earlier) and not (evidence.knows_repeats(earlier) and earlier.address == later.address):
            yield f"{_name(view)} was handed over again although attempt {earlier.number} had put it on the phone"
        if earlier.finished_at is not None and earlier.finished_at > later.claimed_at:
            yield f"{_name(view)}: attempt {later.number} began before attempt {earlier.number} had ended"


def _unknown_for_a_reason(evidence: Evidence, view: MessageView) -> Iterator[str]:
    """Only a device that was hard to reach while it was asked leaves anything unknown."""
    if view.message.status != Status.UNKNOWN:
        return
    last = evidence.attempts[view.message.id][-1]
    troubles = evidence.town.network.troubles.get(last.device_id, [])
    if last.handed_at is None or not any(at >= last.handed_at for at in troubles):
        yield f"{_name(view)} although its device could always be asked"


def _honest(evidence: Evidence) -> Iterator[str]:
    """Count by text: as many copies on phones as messages that say so, and of each unknown one at most one more."""
    for mark, views in evidence.by_mark.items():
        copies = len(evidence.on_phones.get(mark, ()))
        gone = sum(view.message.status in (Status.SENT, Status.DELIVERED) for view in views)
        unknown = sum(view.message.status == Status.UNKNOWN for view in views)
        statuses = [str(view.message.status) for view in views]
        if copies > len(views):
            yield f"{mark} is on phones {copies} times, and was asked for {len(views)} times: {statuses}"
        elif copies > gone + unknown:
            yield f"{mark} is on phones {copies} times although its messages are {statuses}"
        elif copies < gone:
            yield f"{mark} is on phones only {copies} times although its messages are {statuses}"


def _cancelled_stays(evidence: Evidence) -> Iterator[str]:
    for cancelled in evidence.town.callers.cancelled:
        view = evidence.views[cancelled.message_id]
        if view.message.status != Status.CANCELLED:
            yield f"{_name(view)} although it was cancelled"
        for attempt in evidence.attempts[cancelled.message_id]:
            if attempt.handed_at is not None and attempt.handed_at > cancelled.at:
                yield f"{_name(view)} was handed over after it was cancelled"


def _one_key_one_message(evidence: Evidence) -> Iterator[str]:
    told: dict[str, set[str | None]] = {}
    for answer in evidence.town.callers.answers:
        if answer.request.key and answer.status < 300:
            told.setdefault(answer.request.key, set()).add(answer.message_id)
    for key, ids in told.items():
        if len(ids) > 1:
            yield f"{key} was answered with messages {sorted(map(str, ids))}"
        if key in evidence.keys and ids != {evidence.keys[key]}:
            yield f"{key} is kept for {evidence.keys[key]} and was answered with {sorted(map(str, ids))}"


def _guarded(evidence: Evidence) -> Iterator[str]:
    """Of two messages for the same text and address within a minute, the second has a key of its own, or the first was not
    sent.
    """
    if evidence.town.plan.settings.idempotency_ms < evidence.town.plan.last_at_ms:
        return  # The keys were swept meanwhile.
    keyed = set(evidence.keys.values())
    for mark, views in evidence.by_mark.items():
        # What takes the place of another is nobody's request.
        asked = [view for view in views if view.message.fallback_of is None]
        ordered = sorted(asked, key=lambda view: view.message.created_at)
        for first, second in itertools.pairwise(ordered):
            is_soon = second.message.created_at - first.message.created_at < _DOUBLE_SEND_MS
            # Another request may have given the person a better first address meanwhile.
            is_same = first.message.addresses[0] == second.message.addresses[0]
            if is_soon and is_same and second.message.id not in keyed and first.message.status not in NOT_SENT:
                yield f"{mark} was accepted twice within a minute, the second time without a key"


def _name(view: MessageView) -> str:
    return f"message {view.message.id} ({view.message.text[:4]}, {view.message.status})"
