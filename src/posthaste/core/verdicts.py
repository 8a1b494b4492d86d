"""What an outcome means for the message: the next step, another try, another address, or doubt.

A line that is down costs a message no try: it waits for the line. Every other retry has an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from posthaste.core.holds import Reason
from posthaste.core.lifecycle import Step
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Found,
    Outcome,
    Refusal,
    Rejected,
)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often and how soon a message is tried again."""

    attempts_max: int
    first_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The message takes this step, for this reason.

    `never_left`: nothing of it can be at the provider, so counts are given back.
    """

    step: Step
    code: str | None = None
    detail: str | None = None
    accepted: Accepted | None = None
    never_left: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Surely not sent: it waits until `at`.

    `counts` is false when the fault was the line's and no try is used up; `hold` is what holds it, None its own window.
    """

    at: int
    detail: str
    counts: bool
    hold: Reason | None = Reason.PROVIDER_RETRY


@dataclass(frozen=True, slots=True)
class NextAddress:
    """Surely not sent, because the address is not on the channel: try this one."""

    address: str
    detail: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Perhaps sent: it is to be looked up at the provider."""

    detail: str


Verdict = Finish | Retry | NextAddress | Doubt


def judge(outcome: Outcome, *, tried: int, other_addresses: Sequence[str], rules: RetryRules, now: int) -> Verdict:
    """Judge the outcome of the `tried`-th try; `other_addresses` are those that are not known to be off the channel."""
    match outcome:
        case Accepted():
            return _taken(outcome)
        case Ambiguous(detail=detail):
            return Doubt(detail)
        case Deferred():
            return _judge_deferred(outcome, tried, rules, now)
        case Rejected(refusal=Refusal.NOT_ON_CHANNEL, detail=detail):
            return off_channel(detail, other_addresses)
        case Rejected(refusal=refusal, detail=detail):
            return Finish(Step.FAIL, refusal.name, detail, never_left=True)
        case _:
            assert_never(outcome)


def _taken(accepted: Accepted) -> Finish:
    has_arrived = accepted.delivered_at is not None or accepted.read_at is not None  # What was read has arrived.
    return Finish(Step.DELIVER if has_arrived else Step.ACCEPT, accepted=accepted)


def off_channel(detail: str, other_addresses: Sequence[str], accepted: Accepted | None = None) -> NextAddress | Finish:
    """Move on to the next address, or fall back if there is none; `accepted` names the send that failed at the provider."""
    if other_addresses:
        return NextAddress(other_addresses[0], detail)
    return Finish(Step.FALL_BACK, "NOT_ON_IMESSAGE", detail, accepted, never_left=True)


def _judge_deferred(outcome: Deferred, tried: int, rules: RetryRules, now: int) -> Verdict:
    counts = not outcome.device_is_down
    if counts and tried >= rules.attempts_max:
        return Finish(Step.FAIL, "RETRIES_USED_UP", outcome.detail, never_left=True)
    wait_ms = max(outcome.retry_after_ms or 0, backoff_ms(tried if counts else 1, rules))
    return Retry(now + wait_ms, outcome.detail, counts)


def backoff_ms(tried: int, rules: RetryRules) -> int:
    """Return the wait after the `tried`-th try: four times longer each time, up to the longest."""
    doublings = 2 * min(max(tried, 1) - 1, 16)
    return min(rules.first_ms << doublings, rules.longest_ms)


@dataclass(frozen=True, slots=True)
class LookAgain:
    """It may still arrive, or nobody answered yet: look again at `at`."""

    at: int
    detail: str


@dataclass(frozen=True, slots=True)
class Look:
    """One look-up of an attempt that was handed over and not answered; `asked_at` is when the provider was asked.

    `other_addresses` may be tried if this one is not on the channel; None: nothing may, the message was called unknown.
    """

    can_find: bool
    asked_at: int
    arrives_until: int
    looks: int
    tried: int
    other_addresses: Sequence[str] | None = None


def judge_finding(finding: Finding, look: Look, rules: RetryRules, every_ms: int) -> Verdict | LookAgain:
    """Judge what a look-up found.

    Absence counts only once the text can no longer arrive. Until then everything is looked at again; afterwards a
    provider that does not answer leaves it unknown, because a retry could be a second text.
    """
    is_late = look.asked_at > look.arrives_until
    match finding:
        case Found(accepted=accepted, error=None):
            return _taken(accepted)
        case Found(accepted=accepted, error=Rejected() as error):
            if error.refusal is Refusal.NOT_ON_CHANNEL and look.other_addresses is not None:
                return off_channel(error.detail, look.other_addresses, accepted)
            return Finish(Step.FAIL, error.refusal.name, error.detail, accepted)
        case Absent():
            detail = "the provider does not have it"
            if is_late and look.tried >= rules.attempts_max:
                return Finish(Step.FAIL, "RETRIES_USED_UP", detail, never_left=True)
            if is_late:
                return Retry(look.asked_at, detail, counts=True)
        case CannotTell(detail=detail):
            if is_late or not look.can_find:
                return Finish(Step.LOSE, "OUTCOME_UNKNOWN", detail)
    return LookAgain(_next_look(look, every_ms), detail)


def _next_look(look: Look, every_ms: int) -> int:
    """Look soon at first and then less often, but not later than right after the last moment it can arrive."""
    at = look.asked_at + (every_ms << min(look.looks, 5))
    return max(look.asked_at + 1, min(at, look.arrives_until + 1))
