"""Which of a device's due messages goes now, and what becomes of those that may not.

`choose` is asked by the claim with the device's lock held; what it says about a message is a value. It sees at most a
few messages a line and lane, best first, so a message that may not go is parked (its `due_at` moves) or else it would
hide those behind it.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import assert_never

from posthaste.core.holds import Reason
from posthaste.core.lifecycle import Step, advance
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Lane, Message
from posthaste.core.row import replace

_ASK_AGAIN_MS = 1_000


@dataclass(frozen=True, slots=True)
class Send:
    """Hand it over; `is_new` when nobody in the workspace ever exchanged a message with the address."""

    message: Message
    line: Line
    is_new: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Park it: it is due again at `until`."""

    message: Message
    until: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Relane:
    """It stands in the wrong queue of its line: move it to where its clock is the right one."""

    message: Message
    lane: Lane


@dataclass(frozen=True, slots=True)
class Drop:
    """It will never go: end it by `step`."""

    message: Message
    step: Step
    code: str


Decision = Send | Wait | Relane | Drop


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the messages: who is new, and for whom an earlier send is in doubt (until when to ask again)."""

    known: AbstractSet[tuple[str, str]]
    in_doubt: Mapping[tuple[str, str], int]


def choose(device: Device, lines: Mapping[str, Line], due: Sequence[Message], about: Circumstances, now: int) -> list[Decision]:
    """Decide on due messages, best first, until the device has no slot left; the rest is not decided on.

    A device with a gap sends one at a time whatever its number of slots, because the next may go only after the gap.
    """
    slots = device.max_in_flight - device.in_flight if device.gap_ms == 0 else min(1, device.max_in_flight - device.in_flight)
    decisions: list[Decision] = []
    taken: set[tuple[str, str]] = set()
    claimed: dict[str, Line] = {}
    for message in sorted(due, key=lambda one: (one.lane, one.due_at, one.id)):
        if slots <= 0:
            break
        if (message.workspace_id, message.address) in taken:
            continue  # One at a time to one person, so that two texts never overtake each other.
        line = claimed.get(message.line_id) or lines[message.line_id]
        decision = _consider(message, line, about, now)
        match decision:
            case None:
                continue
            case Send(is_new=is_new):
                slots -= 1
                taken.add((message.workspace_id, message.address))
                claimed[line.id] = line.after_claim(now, is_new=is_new)
            case Wait() | Relane() | Drop():
                pass
            case _:
                assert_never(decision)
        decisions.append(decision)
    return decisions


def _consider(message: Message, line: Line, about: Circumstances, now: int) -> Decision | None:
    if now >= message.expires_at:
        return Drop(message, Step.EXPIRE, expiry_code(message))
    if message.window is not None and not message.window.is_open(now):
        opens_at = message.window.next_open(now)
        if opens_at is None or opens_at >= message.expires_at:
            return Drop(message, Step.EXPIRE, expiry_code(message))
        return Wait(message, opens_at, Reason.OUTSIDE_WINDOW)
    person = (message.workspace_id, message.address)
    if person in about.in_doubt:
        # The outcome itself lets it go; asking again is only for safety, and often would keep the database busy.
        return Wait(message, max(about.in_doubt[person], now + _ASK_AGAIN_MS), Reason.OUTCOME_UNKNOWN)
    return _consider_line(message, line, person not in about.known, now)


def _consider_line(message: Message, line: Line, is_new: bool, now: int) -> Decision | None:
    if line.opens_at > now:
        return None  # The line's clock holds its whole queue; nothing is moved message by message.
    if is_new and line.new_opens_at > now:
        return None if message.lane == Lane.NEW else Relane(message, Lane.NEW)
    return Send(message, line, is_new)


def expiry_code(message: Message) -> str:
    """Say why a message expires: its caller's `validUntil`, or because it is too long past due."""
    return (
        "VALID_UNTIL_PASSED"
        if message.valid_until is not None and message.expires_at >= message.valid_until
        else "TOO_LONG_PAST_DUE"
    )


DO_NOT_CONTACT = "DO_NOT_CONTACT"
BLOCKED_SENTENCE = "the address is on the do-not-contact list"

_SENTENCES = {
    DO_NOT_CONTACT: BLOCKED_SENTENCE,
    "VALID_UNTIL_PASSED": "validUntil passed before the message could go",
    "TOO_LONG_PAST_DUE": "the message was too long past due",
}


def dropped(message: Message, step: Step, code: str, now: int) -> Message:
    """Return a message that ends without having been sent."""
    return replace(message, status=advance(message.status, step), code=code, error_message=_SENTENCES.get(code), updated_at=now)


def ready_at(device: Device, lines: Sequence[Line], first_due: Mapping[tuple[str, int], int]) -> int | None:
    """Return when the device can next have work, from the first due message of each line and lane; None: nothing to wait
    for.

    A device that is down, full, or has nothing waiting is not looked at until an action that changes that says so.
    """
    if not device.is_up or device.in_flight >= device.max_in_flight:
        return None
    starts = [
        max(line.lane_opens_at(lane), first_due[line.id, lane])
        for line in lines
        if line.is_active
        for lane in Lane
        if (line.id, lane) in first_due
    ]
    return max(device.free_at, min(starts)) if starts else None
