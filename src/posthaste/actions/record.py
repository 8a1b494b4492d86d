"""Record what providers answered: the second transaction of a send."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from posthaste.actions.settle import Ruling, settle
from posthaste.core.messages import Message
from posthaste.core.outcomes import Accepted, Outcome
from posthaste.core.verdicts import Doubt, RetryRules, judge
from posthaste.settings import Settings
from posthaste.store import attempts
from posthaste.store.attempts import Attempt
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an attempt; `started_after_ms` is how long after the hand-over the call began, if it was made.

    `off_channel` are the addresses that were found not to be on the channel on the way.
    """

    attempt: Attempt
    outcome: Outcome
    started_after_ms: int | None = None
    off_channel: frozenset[str] = frozenset()


def retry_rules(settings: Settings) -> RetryRules:
    return RetryRules(settings.attempts_max, settings.retry_first_ms, settings.retry_longest_ms)


def other_addresses(attempt: Attempt, message: Message, off: Set[str] = frozenset()) -> list[str]:
    """Return the addresses of a message that are not known to be off the channel, besides the one that was tried."""
    known = off | set(message.checked_addresses) | {attempt.address}
    return [one for one in message.addresses if one not in known]


def record(tx: Transaction, settings: Settings, reports: Sequence[Report]) -> None:
    """Record a batch of outcomes, each of another attempt."""
    by_attempt = {one.attempt.id: one for one in reports}
    named = {one.outcome.external_id for one in reports if isinstance(one.outcome, Accepted)}
    holders = attempts.holders(tx, named) if named else {}
    rules = retry_rules(settings)

    def rule(attempt: Attempt, message: Message) -> Ruling:
        report = by_attempt[attempt.id]
        started_at = None
        if attempt.handed_at is not None and report.started_after_ms is not None:
            started_at = attempt.handed_at + report.started_after_ms
        if _belongs_to_another(report, holders):
            return Ruling(Doubt("the provider's answer named the send of another attempt"), _SOURCE, started_at)
        others = other_addresses(attempt, message, report.off_channel)
        verdict = judge(report.outcome, tried=message.attempts, other_addresses=others, rules=rules, now=tx.now)
        return Ruling(verdict, _SOURCE, started_at)

    may_fail = any(not isinstance(one.outcome, Accepted) for one in reports)
    settle(tx, settings, [one.attempt for one in reports], rule, may_fail=may_fail)


_SOURCE = "the provider's answer"


def _belongs_to_another(report: Report, holders: dict[tuple[str, str], str]) -> bool:
    """Tell whether the provider named a send that is known to be another attempt's: then nobody knows what became of
    this one.
    """
    if not isinstance(report.outcome, Accepted):
        return False
    return holders.get((report.attempt.device_id, report.outcome.external_id), report.attempt.id) != report.attempt.id
