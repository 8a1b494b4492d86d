"""Record what providers answered: the second transaction of a send."""

from collections.abc import Sequence
from dataclasses import dataclass

from posthaste.actions.settle import Case, settle
from posthaste.core.outcomes import Accepted, Outcome
from posthaste.core.verdicts import Doubt, Finish, RetryRules, Verdict, judge
from posthaste.settings import Settings
from posthaste.store import attempts, messages
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an attempt; `started_after_ms` is how long after the hand-over the call began, if it was made.

    `off_channel` are the addresses that were found not to be on the channel on the way.
    """

    attempt_id: str
    outcome: Outcome
    started_after_ms: int | None = None
    off_channel: frozenset[str] = frozenset()


def retry_rules(settings: Settings) -> RetryRules:
    return RetryRules(settings.attempts_max, settings.retry_first_ms, settings.retry_longest_ms)


def record(tx: Transaction, settings: Settings, reports: Sequence[Report]) -> None:
    """Record a batch of outcomes."""
    found = attempts.by_ids(tx, [one.attempt_id for one in reports])
    asked = messages.by_ids(tx, {one.message_id for one in found.values()})
    cases = []
    for report in reports:
        attempt = found[report.attempt_id]
        message = asked[attempt.message_id]
        off = report.off_channel | set(message.checked_addresses) | {attempt.address}
        verdict = judge(
            report.outcome,
            tried=message.attempts,
            other_addresses=[one for one in message.addresses if one not in off],
            rules=retry_rules(settings),
            now=tx.now,
        )
        started_at = None
        if attempt.handed_at is not None and report.started_after_ms is not None:
            started_at = attempt.handed_at + report.started_after_ms
        cases.append(Case(attempt, _bound_elsewhere(tx, attempt, verdict), "the provider's answer", started_at))
    settle(tx, settings, cases)


def _bound_elsewhere(tx: Transaction, attempt: attempts.Attempt, verdict: Verdict) -> Verdict:
    """A provider's id that belongs to another attempt already cannot be this one's: then nobody knows what became of it."""
    if isinstance(verdict, Finish) and isinstance(verdict.accepted, Accepted):
        holder = attempts.by_external_id(tx, attempt.device_id, verdict.accepted.external_id)
        if holder is not None and holder.id != attempt.id:
            return Doubt("the provider's answer named the send of another attempt")
    return verdict
