"""Write down that attempts are handed over now: the last step before the provider is called, and the last chance not to.

Whatever was true at the claim is asked once more, because an hour may have closed, a message may have been cancelled, its
person may have opted out, its line may have been closed, or an earlier attempt may have turned out to have arrived.
After this commit the attempt may have been sent, whatever happens to us.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from posthaste.actions.settle import Ruling, settle
from posthaste.core.dispatch import BLOCKED_SENTENCE, DO_NOT_CONTACT, expiry_code
from posthaste.core.lifecycle import Status, Step
from posthaste.core.lines import Device
from posthaste.core.messages import Message
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.core.verdicts import Finish, Retry, Verdict
from posthaste.settings import Settings
from posthaste.store import attempts, devices, do_not_contact, lines, messages, timeline
from posthaste.store.attempts import Attempt
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Handing:
    """An attempt that is ready to go: where to, and with which words."""

    attempt_id: str
    owner: str
    address: str
    target: str
    text: str


def hand(tx: Transaction, settings: Settings, handings: Sequence[Handing]) -> list[bool]:
    """Hand attempts over; return for each whether the provider may be called.

    Where it may not, the attempt is settled here.
    """
    found = attempts.by_ids(tx, [one.attempt_id for one in handings])
    locked = devices.lock(tx, {attempt.device_id for attempt in found.values()})
    asked = messages.lock(tx, {attempt.message_id for attempt in found.values()})
    # Read again under the locks: while we waited for them an attempt may have been rescued, and its message claimed anew.
    found = attempts.by_ids(tx, found)
    bars = _bars(tx, found.values(), asked.values())
    handed: list[tuple[Handing, Attempt]] = []
    refused: dict[str, Verdict] = {}
    for handing in handings:
        attempt = found[handing.attempt_id]
        if attempt.state != "claimed" or attempt.owner != handing.owner or attempt.lease_until <= tx.now:
            continue  # The lease is lost; whoever rescues the attempt settles it.
        verdict = _objection(asked[attempt.message_id], attempt, bars, tx.now)
        if verdict is None:
            handed.append((handing, attempt))
        else:
            refused[attempt.id] = verdict
    if handed:
        attempts.hand(tx, [_row(tx, settings, one, it, locked[it.device_id], asked[it.message_id]) for one, it in handed])
        _move_clocks(tx, settings, [attempt for _, attempt in handed], locked)
        timeline.add(tx, [_entry(*one) for one in handed])
    if refused:
        settle(tx, settings, [found[one] for one in refused], lambda one, _: Ruling(refused[one.id], "before the hand-over"))
    may_go = {handing.attempt_id for handing, _ in handed}
    return [one.attempt_id in may_go for one in handings]


def hand_again(tx: Transaction, settings: Settings, attempt_id: str, owner: str, last_at: int | None) -> int | None:
    """Hand an attempt over once more, to a provider that takes a repeat for what it is; return when, None if it may not go.

    `last_at` is when this was done last (None: never yet). The first request may have been lost, and then it is this one that
    arrives: what was asked before the hand-over is asked again, and gaps and doubts are counted anew.
    """
    found = attempts.by_ids(tx, [attempt_id])[attempt_id]
    device = devices.lock(tx, [found.device_id])[found.device_id]
    message = messages.lock(tx, [found.message_id])[found.message_id]
    attempt = attempts.by_ids(tx, [attempt_id])[attempt_id]
    if attempt.state != "handed" or attempt.owner != owner or attempt.lease_until <= tx.now:
        return None
    if _objection(message, attempt, _bars(tx, [attempt], [message]), tx.now) is not None:
        return None
    if _is_overtaken(tx, settings, device, attempt, last_at or attempt.handed_at or 0):
        return None
    attempts.prolong(tx, attempt.id, _arrives_until(tx, settings, device, message))
    _move_clocks(tx, settings, [attempt], {device.id: device})
    return tx.now


def _is_overtaken(tx: Transaction, settings: Settings, device: Device, attempt: Attempt, last_at: int) -> bool:
    """Tell whether another text went since, and its gap is still running: a clock stands as this attempt did not set it."""
    line = lines.by_ids(tx, [attempt.line_id])[attempt.line_id]
    clocks = [(device.free_at, device.gap_ms)] if device.gap_ms else []
    if attempt.opened and line.contact_gap_ms:
        clocks.append((line.contact_free_at, line.contact_gap_ms))
    return any(tx.now < free_at != last_at + settings.start_within_ms + gap_ms for free_at, gap_ms in clocks)


@dataclass(frozen=True, slots=True)
class _Bars:
    """What rules a hand-over out: people who opted out, as (workspace, address), and lines that are closed."""

    blocked: AbstractSet[tuple[str, str]]
    closed: AbstractSet[str]


def _bars(tx: Transaction, found: Iterable[Attempt], asked: Iterable[Message]) -> _Bars:
    """Read under the locks of the devices, so that an opt-out or a closing that has committed before is seen."""
    used = lines.by_ids(tx, {attempt.line_id for attempt in found})
    return _Bars(
        do_not_contact.among(tx, [(one.workspace_id, address) for one in asked for address in one.addresses]),
        {line.id for line in used.values() if not line.is_active},
    )


def _objection(message: Message, attempt: Attempt, bars: _Bars, now: int) -> Verdict | None:
    if message.status != Status.SENDING:
        return Finish(Step.CANCEL, detail=f"the message is {message.status}", never_left=True)
    if any((message.workspace_id, address) in bars.blocked for address in message.addresses):
        return Finish(Step.BLOCK, DO_NOT_CONTACT, BLOCKED_SENTENCE, never_left=True)
    if attempt.line_id in bars.closed:
        return Retry(now, "its line was closed", counts=False, hold=None)
    if now >= message.expires_at:
        return Finish(Step.EXPIRE, expiry_code(message), "it expired before the hand-over", never_left=True)
    if message.window is not None and not message.window.is_open(now):
        opens_at = message.window.next_open(now)
        if opens_at is None or opens_at >= message.expires_at:
            return Finish(Step.EXPIRE, expiry_code(message), "its window closed for the last time", never_left=True)
        return Retry(opens_at, "its window closed", counts=False, hold=None)
    return None


def _row(
    tx: Transaction, settings: Settings, handing: Handing, attempt: Attempt, device: Device, message: Message
) -> dict[str, object]:
    return {
        "id": attempt.id,
        "handed_at": tx.now,
        "arrives_until": _arrives_until(tx, settings, device, message),
        "lease_until": tx.now + settings.lease_ms,
        "address": handing.address,
        "target": handing.target,
        "text": handing.text,
        "cursor": device.cursor,
    }


def _arrives_until(tx: Transaction, settings: Settings, device: Device, message: Message) -> int:
    return tx.now + settings.start_within_ms + device.arrives_within_ms(has_files=bool(message.attachments))


def _entry(handing: Handing, attempt: Attempt) -> NewEntry:
    facts = {"attempt": attempt.number, "address": handing.address}
    return NewEntry(attempt.workspace_id, attempt.message_id, Code.HANDED, facts)


def _move_clocks(tx: Transaction, settings: Settings, handed: Sequence[Attempt], locked: Mapping[str, Device]) -> None:
    """Start the gaps anew: the call may begin as late as `start_within_ms` from now, and gaps are counted from there."""
    latest_start = tx.now + settings.start_within_ms
    gapped = {a.device_id: locked[a.device_id] for a in handed if locked[a.device_id].gap_ms}
    if gapped:
        devices.save_clocks(tx, [replace(one, free_at=latest_start + one.gap_ms) for one in gapped.values()])
    opened = {attempt.line_id for attempt in handed if attempt.opened}
    spaced = [line for line in lines.by_ids(tx, opened).values() if line.contact_gap_ms] if opened else []
    if spaced:
        lines.save_counts(tx, [replace(one, contact_free_at=latest_start + one.contact_gap_ms) for one in spaced])
