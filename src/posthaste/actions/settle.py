"""Write what became of attempts: the next status of each message, what is counted or given back, and when devices are
free again.

Everything that ends or changes an attempt comes through `settle`: answers of providers, look-ups, receipts, refusals
before the hand-over. It absorbs what comes late or twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from posthaste.actions.assign import lane_of
from posthaste.actions.fallback import Stand, begin_fallback, stands
from posthaste.actions.ready import set_ready
from posthaste.core.addresses import is_email
from posthaste.core.dispatch import dropped
from posthaste.core.fallback import falls_back
from posthaste.core.lifecycle import NOT_SENT, Status, Step, advance
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Message
from posthaste.core.outcomes import Accepted
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.core.verdicts import Doubt, Finish, LookAgain, NextAddress, Retry, Verdict
from posthaste.settings import Settings
from posthaste.store import attempts as attempts_table
from posthaste.store import conversations, devices, lines, messages, timeline, waiting
from posthaste.store.attempts import Attempt
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict on an attempt; `source` says in words where it comes from, `started_at` when the call began."""

    verdict: Verdict | LookAgain
    source: str
    started_at: int | None = None


#: Rules on an attempt and its message as they stand under the lock of their device; None leaves them as they are.
Rule = Callable[[Attempt, Message], Ruling | None]


def settle(tx: Transaction, settings: Settings, attempts: Sequence[Attempt], rule: Rule, *, may_fail: bool = False) -> None:
    """Settle attempts by a rule.

    They may have been read earlier: they are locked and read again before the rule is asked. `may_fail` says that a message may
    end in a way that an SMS takes its place; only then are the devices of fallback lines locked, too.
    """
    _Settling(tx, settings, attempts, stands(tx, {one.workspace_id for one in attempts}) if may_fail else {}).run(rule)


class _Settling:
    """One call of `settle`: rows are read and locked once, changed in memory, and written once."""

    def __init__(self, tx: Transaction, settings: Settings, attempts: Sequence[Attempt], fallbacks: Mapping[str, Stand]) -> None:
        self.tx, self.settings, self.fallbacks = tx, settings, fallbacks
        device_ids = {one.device_id for one in attempts} | waiting.devices_in_doubt_for(tx, {_person(one) for one in attempts})
        device_ids |= {stand.line.device_id for stand in fallbacks.values() if stand.line}
        self.devices: dict[str, Device] = devices.lock(tx, device_ids)
        self.lines: dict[str, Line] = {line.id: line for line in lines.of_devices(tx, device_ids)}
        self.messages: dict[str, Message] = messages.lock(tx, {one.message_id for one in attempts})
        self.attempts: dict[str, Attempt] = attempts_table.by_ids(tx, {one.id for one in attempts})
        self.entries: list[NewEntry] = []
        self.counted: set[str] = set()
        self.given_back: set[str] = set()
        self.released: set[tuple[str, str]] = set()

    def run(self, rule: Rule) -> None:
        attempts_before, messages_before = dict(self.attempts), dict(self.messages)
        for attempt in sorted(attempts_before.values(), key=lambda one: one.id):
            ruling = rule(attempt, self.messages[attempt.message_id])
            if ruling is not None:
                self._settle(attempt, ruling)
        self._write(
            [one for one in self.attempts.values() if one is not attempts_before[one.id]],
            [one for one in self.messages.values() if one is not messages_before[one.id]],
            messages_before,
        )

    def _write(self, attempts: Sequence[Attempt], changed: Sequence[Message], before: Mapping[str, Message]) -> None:
        if not attempts and not changed and not self.entries:
            return  # All of it was known before.
        attempts_table.save(self.tx, attempts)
        messages.save_steps(self.tx, changed)
        timeline.add(self.tx, self.entries)
        if self.counted:
            lines.save_counts(self.tx, [self.lines[one] for one in sorted(self.counted)])
        if self.released:
            waiting.release_doubt(self.tx, self.released)
        for message in changed:
            self._fall_back(before[message.id], message)
        set_ready(self.tx, self.devices, list(self.lines.values()))
        for message_id in self.messages:
            self.tx.wake(f"message:{message_id}")
        self.tx.wake("ready")

    def _fall_back(self, before: Message, after: Message) -> None:
        stand = self.fallbacks.get(after.workspace_id)
        if stand is None or not falls_back(before.status, after, stand.workspace.fallback):
            return
        line = self.lines.get(stand.line.id) if stand.line else None
        counted = begin_fallback(self.tx, self.settings, after, line)
        if counted is not None:
            self.lines[counted.id] = counted

    def _settle(self, attempt: Attempt, ruling: Ruling) -> None:
        verdict = ruling.verdict if attempt.state != "done" else self._of_ended(attempt, ruling)
        if verdict is None:
            return
        match verdict:
            case Finish():
                self._finish(attempt, verdict, ruling.source)
            case Retry():
                self._retry(attempt, verdict)
            case NextAddress():
                self._next_address(attempt, verdict)
            case Doubt(detail=detail):
                at = self.tx.now + self.settings.look_every_ms
                self._leave_open(attempt, at, 0, Code.IN_DOUBT, {"attempt": attempt.number, "detail": detail})
            case LookAgain(at=at, detail=detail):
                self._leave_open(attempt, at, attempt.looks + 1, Code.LOOKED_UP, {"detail": detail, "until": at})
            case _:
                assert_never(verdict)
        self._free_device(attempt.id, ruling.started_at)

    def _of_ended(self, attempt: Attempt, ruling: Ruling) -> Finish | None:
        """Return what may still change by a verdict on an attempt that has ended: evidence that it arrived, always; that
        it failed, if it had been taken for sent or unknown. Else its message has moved on, perhaps to another attempt.
        """
        match ruling.verdict:
            case Finish(step=Step.ACCEPT | Step.DELIVER) as arrived:
                return arrived
            case Finish(step=Step.FALL_BACK, detail=detail) | NextAddress(detail=detail):
                failed = Finish(Step.FAIL, "NOT_ON_IMESSAGE", detail)
            case Finish(step=Step.FAIL | Step.LOSE) as failed:
                pass
            case _:
                return None
        if attempt.outcome in _REVOCABLE:
            return failed
        message = self.messages[attempt.message_id]
        facts: dict[str, object] = {"step": failed.step, "status": message.status, "source": ruling.source}
        self._say(message, Code.RECEIPT_ABSORBED, facts)
        return None

    def _finish(self, attempt: Attempt, verdict: Finish, source: str) -> None:
        message = self.messages[attempt.message_id]
        accepted = verdict.accepted
        if verdict.never_left:
            self._give_back(attempt)
        bound = accepted.external_id if accepted else attempt.external_id
        self._end(attempt, "unknown" if verdict.step == Step.LOSE else verdict.step, verdict.detail, bound)
        self.released.add((message.workspace_id, message.address))
        if verdict.step == Step.CANCEL or (verdict.never_left and message.status in _OVER):
            self._say_released(attempt, verdict.detail)
            return
        after = self._after(message, verdict)
        if after.status in _GONE and attempt.text is not None:
            after = replace(after, text=attempt.text)  # From now on it reads as the person got it.
        self.messages[message.id] = after
        self._tell(message, after, verdict, source)

    def _after(self, message: Message, verdict: Finish) -> Message:
        """Return the message after a step, with the times that the evidence gives."""
        now, step, accepted = self.tx.now, verdict.step, verdict.accepted
        status = advance(message.status, step)
        if step in (Step.EXPIRE, Step.BLOCK):
            return dropped(message, step, verdict.code or "", now)
        if step in (Step.ACCEPT, Step.DELIVER) and accepted is not None:
            return _with_evidence(message, status, accepted, now)
        if status == message.status:
            return message
        checked = message.addresses if status == Status.FALLBACK else message.checked_addresses
        message = replace(message, checked_addresses=checked)
        return replace(message, status=status, code=verdict.code, error_message=verdict.detail, updated_at=now)

    def _tell(self, before: Message, after: Message, verdict: Finish, source: str) -> None:
        """Write the entries of what is news: a repeated report says nothing, a late one that it changed nothing."""
        if after.status != before.status:
            self._say(after, *_news(after, verdict, source))
        elif _is_late(before, after, verdict.step):
            self._say(after, Code.RECEIPT_ABSORBED, {"step": verdict.step, "status": after.status, "source": source})
        if after.read_at is not None and before.read_at is None:
            self._say(after, Code.READ, {"source": source})

    def _retry(self, attempt: Attempt, verdict: Retry) -> None:
        message = self.messages[attempt.message_id]
        self._give_back(attempt)
        self._end(attempt, "retry", verdict.detail, None)
        self.released.add((message.workspace_id, message.address))
        if message.status != Status.SENDING:
            self._say_released(attempt, verdict.detail)
            return  # Lost once already, or ended otherwise: it is not sent again.
        hold = verdict.hold if verdict.at > self.tx.now else None
        self.messages[message.id] = replace(
            message,
            status=advance(message.status, Step.RELEASE),
            due_at=max(verdict.at, message.due_at),
            hold=hold,
            lane=self._lane(message.workspace_id, message.address),
            attempts=message.attempts if verdict.counts else message.attempts - 1,
            updated_at=self.tx.now,
        )
        self._say(message, Code.RETRY, {"detail": verdict.detail, "until": verdict.at, "attempt": attempt.number})

    def _next_address(self, attempt: Attempt, verdict: NextAddress) -> None:
        message, address = self.messages[attempt.message_id], verdict.address
        self._give_back(attempt)
        self._end(attempt, "next_address", verdict.detail, None)
        self.released.add((message.workspace_id, message.address))
        if message.status != Status.SENDING:
            self._say_released(attempt, verdict.detail)
            return
        self.messages[message.id] = replace(
            message,
            status=advance(message.status, Step.RELEASE),
            address=address,
            checked_addresses=_checked(message, verdict.address),
            recipient_phone=message.recipient_phone if is_email(address) else address,
            recipient_email=address if is_email(address) else message.recipient_email,
            due_at=self.tx.now,
            lane=self._lane(message.workspace_id, address),
            attempts=message.attempts - 1,
            updated_at=self.tx.now,
        )
        self._say(message, Code.NEXT_ADDRESS, {"address": address, "detail": verdict.detail})

    def _leave_open(self, attempt: Attempt, at: int, looks: int, code: Code, facts: dict[str, object]) -> None:
        """Nobody holds the attempt now; the rescuer looks at it from `at` on."""
        self.attempts[attempt.id] = replace(attempt, owner=None, lease_until=at, looks=looks)
        self._say(self.messages[attempt.message_id], code, facts)

    def _end(self, attempt: Attempt, outcome: str, detail: str | None, external_id: str | None) -> None:
        if attempt.state == "done" and attempt.external_id is not None:
            return  # Its outcome is known already, and a provider's id stays with the attempt that it was given to.
        self.attempts[attempt.id] = replace(
            attempt, state="done", outcome=outcome, detail=detail, owner=None, external_id=external_id, finished_at=self.tx.now
        )

    def _give_back(self, attempt: Attempt) -> None:
        """Undo what the claim counted: the attempt surely never left."""
        if attempt.state == "done":
            return
        self.given_back.add(attempt.id)
        line = self.lines[attempt.line_id].after_return(attempt.usage_until, was_new=attempt.opened)
        if attempt.opened:
            conversations.close_again(self.tx, attempt.workspace_id, attempt.address, attempt.id)
            line = replace(line, contact_free_at=self._sooner(attempt, line.contact_free_at, line.contact_gap_ms, self.tx.now))
        self.lines[line.id] = line
        self.counted.add(line.id)
        device = self.devices[attempt.device_id]
        if device.gap_ms and attempt.occupies:
            free_at = self._sooner(attempt, device.free_at, device.gap_ms, self.tx.now)
            self.devices[device.id] = replace(device, free_at=free_at)

    def _sooner(self, attempt: Attempt, free_at: int, gap_ms: int, at: int) -> int:
        """Bring a clock forward that this attempt has set; one that a later send has set since runs on, or its gap were lost."""
        latest_start = attempt.claimed_at if attempt.handed_at is None else attempt.handed_at + self.settings.start_within_ms
        return min(free_at, at) if free_at <= latest_start + gap_ms else free_at

    def _free_device(self, attempt_id: str, started_at: int | None) -> None:
        """Give the device's slot back, and count its gap anew if a text may have left.

        It has left by now, but hardly when its call began: providers may sit on a call for minutes before the text goes.
        """
        attempt = self.attempts[attempt_id]
        if not attempt.occupies:
            return
        self.attempts[attempt.id] = replace(attempt, occupies=False, started_at=started_at)
        device, may_have_left = self.devices[attempt.device_id], attempt.id not in self.given_back
        left_at, free_at = max(self.tx.now, started_at or 0), device.free_at
        if device.gap_ms and may_have_left:
            free_at = self._moved(attempt, free_at, device.gap_ms, left_at)
        self.devices[device.id] = replace(device, in_flight=max(0, device.in_flight - 1), free_at=free_at)
        line = self.lines[attempt.line_id]
        if attempt.opened and may_have_left and line.contact_gap_ms:
            contact_free_at = self._moved(attempt, line.contact_free_at, line.contact_gap_ms, left_at)
            self.lines[line.id] = replace(line, contact_free_at=contact_free_at)
            self.counted.add(line.id)

    def _moved(self, attempt: Attempt, free_at: int, gap_ms: int, left_at: int) -> int:
        """Have a gap end so long after `left_at`, unless that of a later send ends later still."""
        return max(self._sooner(attempt, free_at, gap_ms, left_at + gap_ms), left_at + gap_ms)

    def _lane(self, workspace_id: str, address: str) -> int:
        return lane_of(conversations.by_addresses(self.tx, workspace_id, [address]).get(address))

    def _say_released(self, attempt: Attempt, detail: str | None) -> None:
        """Say that an attempt was given up whose message had ended before; one that was handed over was not given back."""
        if attempt.handed_at is None:
            facts: dict[str, object] = {"attempt": attempt.number, "detail": detail}
            self._say(self.messages[attempt.message_id], Code.RELEASED, facts)

    def _say(self, message: Message, code: Code, facts: dict[str, object]) -> None:
        self.entries.append(NewEntry(message.workspace_id, message.id, code, facts))


def _person(attempt: Attempt) -> tuple[str, str]:
    return attempt.workspace_id, attempt.address


def _with_evidence(message: Message, status: Status, accepted: Accepted, now: int) -> Message:
    has_gone = status in _GONE
    delivered_at, read_at = message.delivered_at, message.read_at
    if has_gone:
        # What was read had been delivered by then; of several instants the first counts.
        known = [at for at in (delivered_at, accepted.delivered_at, accepted.read_at) if at is not None]
        delivered_at, read_at = min(known, default=None), read_at or accepted.read_at
    if status == message.status and (delivered_at, read_at) == (message.delivered_at, message.read_at) and message.external_id:
        return message
    return replace(
        message,
        status=status,
        external_id=message.external_id or accepted.external_id,
        sent_at=message.sent_at or (now if has_gone else None),
        delivered_at=delivered_at,
        read_at=read_at,
        hold=None,
        code=None if has_gone else message.code,
        error_message=None if has_gone else message.error_message,
        updated_at=now,
    )


def _is_late(before: Message, after: Message, step: Step) -> bool:
    """Tell whether a report came for the first time and yet too late to change the status."""
    if step == Step.FAIL:
        return before.status != Status.FAILED
    return after.status in NOT_SENT and after is not before


_GONE = (Status.SENT, Status.DELIVERED)
_OVER = (Status.CANCELLED, Status.EXPIRED, Status.BLOCKED)

#: Outcomes of attempts whose failure is news.
_REVOCABLE = (Step.ACCEPT, Step.DELIVER, "unknown")

_NEWS = {
    Status.SENT: Code.SENT,
    Status.DELIVERED: Code.DELIVERED,
    Status.FAILED: Code.FAILED,
    Status.FALLBACK: Code.FALLBACK,
    Status.UNKNOWN: Code.UNKNOWN,
    Status.EXPIRED: Code.EXPIRED,
    Status.BLOCKED: Code.BLOCKED,
}


def _news(after: Message, verdict: Finish, source: str) -> tuple[Code, dict[str, object]]:
    facts: dict[str, object] = {"source": source, "detail": verdict.detail, "code": verdict.code}
    if verdict.accepted is not None:
        facts["externalId"] = verdict.accepted.external_id
    if verdict.step == Step.FALL_BACK:
        facts["checkedAddresses"] = list(after.addresses)
    return _NEWS[Status(after.status)], facts


def _checked(message: Message, next_address: str) -> tuple[str, ...]:
    """Return the addresses before the next one: all of them are known to be off the channel."""
    before = message.addresses[: message.addresses.index(next_address)]
    return tuple(dict.fromkeys((*message.checked_addresses, *before)))
