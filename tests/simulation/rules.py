"""Judge the rules of sending by what left us and reached phones: caps, gaps, windows, dates, and clocks of devices.

A send is judged at the moment at which its request left. Between the last question to the database and that moment lie at most
`start_within_ms`; this is the only slack, and windows and dates are therefore judged at the hand-over that was written down.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from posthaste.core.windows import day_start_after
from posthaste.settings import DAY_MS
from posthaste.store.attempts import Attempt

from .evidence import Evidence
from .wire import Sent

_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Gone:
    """An attempt whose text is on a phone; `is_first` if nothing had passed before between us and the address."""

    attempt: Attempt
    sent: Sent
    line: int
    is_first: bool


def judge_rules(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    gone = _gone(evidence)
    for line in range(len(evidence.town.line_ids)):
        of_line = [one for one in gone if one.line == line]
        yield from _caps(evidence, line, of_line)
        yield from _contact_gap(evidence, line, of_line)
    for device_id in evidence.town.device_ids:
        yield from _device_gap(evidence, [one for one in gone if one.attempt.device_id == device_id])
    for attempt in evidence.all_attempts():
        yield from _in_time(evidence, attempt)
    yield from evidence.late_devices
    for device_id, (noted, counted) in evidence.in_flight.items():
        if noted != counted:
            yield f"device {device_id} has {counted} in flight and notes {noted}"


def _gone(evidence: Evidence) -> list[Gone]:
    arrived = [(one, sent) for one in evidence.all_attempts() if (sent := evidence.arrived(one))]
    in_order = sorted(arrived, key=lambda pair: (pair[1].left_at, pair[0].id))
    # Of a hand-over and its repeats, one text has come; it counts as the last of them.
    in_order = list({request.guid: (attempt, request) for attempt, request in in_order}.values())
    met = {wrote.sender: wrote.sent_at for wrote in reversed(evidence.town.world.wrote)}
    for one in evidence.all_attempts():
        if one.outcome == "unknown" and one.handed_at is not None:  # Nobody could tell, so it counted as the first.
            met[one.address] = min(met.get(one.address, _NEVER), one.handed_at)
    found = []
    for attempt, request in in_order:
        is_first = met.get(attempt.address, _NEVER) > request.left_at
        met[attempt.address] = min(met.get(attempt.address, _NEVER), request.left_at)
        found.append(Gone(attempt, request, evidence.town.line_ids.index(attempt.line_id), is_first))
    return found


def in_force(evidence: Evidence, lines: Sequence[int], name: str, since: int, until: int) -> list[Any]:
    """Return every value of a rule that may have been in force at some time between two instants."""
    changes = [one for one in evidence.town.changes if one.line in lines and name in one.rules]
    values = []
    for change in changes:
        applied_at = _NEVER if change.at is None else change.at
        later = [one.at for one in changes if one.at is not None and one is not change and one.asked_at >= applied_at]
        if change.asked_at <= until and min(later, default=_NEVER) >= since:
            values.append(change.rules[name])
    return values


def _caps(evidence: Evidence, line: int, gone: Sequence[Gone]) -> Iterator[str]:
    for one in gone:
        claimed_at = one.attempt.claimed_at
        zones = in_force(evidence, [line], "timezone", claimed_at - DAY_MS, claimed_at)
        if one.attempt.usage_until not in {day_start_after(claimed_at, zone) for zone in zones}:
            yield f"line {line}: attempt {one.attempt.id} was counted on a day that ends at {one.attempt.usage_until}"
    days = Counter(one.attempt.usage_until for one in gone)
    new_days = Counter(one.attempt.usage_until for one in gone if one.is_first)
    for name, counts in (("dailyTotalMessagesLimit", days), ("dailyNewConversationsLimit", new_days)):
        for day, count in counts.items():
            cap = max(in_force(evidence, [line], name, day - 2 * DAY_MS, day))
            if count > cap:
                yield f"line {line}: {count} sends on the day that ends at {day}, and {name} is {cap}"


def _contact_gap(evidence: Evidence, line: int, gone: Sequence[Gone]) -> Iterator[str]:
    for before, after in pairwise(one for one in gone if one.is_first):
        gap_ms = 1000 * min(in_force(evidence, [line], "contactGapSeconds", before.sent.left_at, after.sent.left_at))
        yield from _gap_kept("contact gap", before, after, gap_ms)


def _device_gap(evidence: Evidence, gone: Sequence[Gone]) -> Iterator[str]:
    for before, after in pairwise(gone):
        device = evidence.town.plan.lines[before.line].device
        lines = [number for number, line in enumerate(evidence.town.plan.lines) if line.device == device]
        gap_ms = 1000 * min(in_force(evidence, lines, "deviceGapSeconds", before.sent.left_at, after.sent.left_at))
        yield from _gap_kept("device gap", before, after, gap_ms)


def _gap_kept(name: str, before: Gone, after: Gone, gap_ms: int) -> Iterator[str]:
    apart_ms = after.sent.left_at - before.sent.left_at
    if apart_ms < gap_ms:
        yield f"{name}: {before.sent.text!r} and {after.sent.text!r} left {apart_ms} ms apart, and it is {gap_ms} ms"


def _in_time(evidence: Evidence, attempt: Attempt) -> Iterator[str]:
    sends = evidence.sends.get(attempt.id)
    if not sends or attempt.handed_at is None:
        return
    message, handed_at = evidence.views[attempt.message_id].message, attempt.handed_at
    name = f"attempt {attempt.number} of {message.text!r}"
    if not 0 <= sends[0].left_at - handed_at <= evidence.town.plan.settings.start_within_ms:
        yield f"{name} left {sends[0].left_at - handed_at} ms after its hand-over"
    if len(sends) > 1 and not evidence.knows_repeats(attempt):
        yield f"{name} left {len(sends)} times for a device that does not know a repeat"
    for at in (handed_at, *(sent.left_at - evidence.town.plan.settings.start_within_ms for sent in sends[1:])):
        if message.window is not None and not message.window.is_open(max(at, handed_at)):
            yield f"{name} was handed over at {at}, outside its window"
    if message.scheduled_at is not None and handed_at < message.scheduled_at:
        yield f"{name} was handed over before its date"
    if message.valid_until is not None and handed_at >= message.valid_until:
        yield f"{name} was handed over after its validity"
