"""Take up attempts that nobody holds any more: their worker died, or their outcome is in doubt.

What was only claimed surely never left and is tried again. What was handed over is looked up with the provider, for as long as
it may still arrive, and is never simply sent again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from posthaste.actions.record import retry_rules
from posthaste.actions.settle import Case, settle
from posthaste.core.lifecycle import Status, Step
from posthaste.core.outcomes import Finding, Found
from posthaste.core.verdicts import Finish, Look, LookAgain, Retry, Verdict, judge_finding
from posthaste.settings import Settings
from posthaste.store import attempts, devices, messages
from posthaste.store.attempts import Attempt
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Lookup:
    """An attempt that is ours to look up, with what its channel needs."""

    attempt: Attempt
    access: Access
    target: dict[str, str]
    bound: frozenset[str]


def rescue(tx: Transaction, settings: Settings, owner: str, limit: int) -> list[Lookup]:
    """Free the devices of abandoned attempts, settle those that surely never left, and take the others to look them up."""
    found = attempts.abandoned(tx, limit)
    if not found:
        return []
    locked = devices.lock(tx, {one.device_id for one in found})
    # Read again under the lock: an answer may have been recorded while we waited for it.
    current = attempts.by_ids(tx, [one.id for one in found])
    still = [one for one in current.values() if one.state != "done" and one.lease_until <= tx.now]
    statuses = messages.statuses(tx, {one.message_id for one in still})
    gone = Retry(tx.now, "its worker ended before the hand-over", counts=False)
    settled = [Case(one, gone, "rescue") for one in still if one.state == "claimed"]
    settled += [
        Case(one, Finish(Step.CANCEL, detail=f"the message is {statuses[one.message_id]}"), "rescue")
        for one in still
        if one.state == "handed" and statuses[one.message_id] not in (Status.SENDING, Status.UNKNOWN)
    ]
    if settled:
        settle(tx, settings, settled)
    doubtful = [one for one in still if all(case.attempt.id != one.id for case in settled)]
    return _take(tx, settings, owner, doubtful, locked.keys())


def _take(tx: Transaction, settings: Settings, owner: str, doubtful: Sequence[Attempt], device_ids: object) -> list[Lookup]:
    if not doubtful:
        return []
    freed = [Case(one, LookAgain(tx.now, "its worker ended during the call"), "rescue") for one in doubtful if one.occupies]
    if freed:
        settle(tx, settings, freed)
    taken = [
        replace(one, owner=owner, lease_until=tx.now + settings.lease_ms, occupies=False)
        for one in attempts.by_ids(tx, [one.id for one in doubtful]).values()
    ]
    attempts.save(tx, taken)
    access = devices.access(tx, {one.device_id for one in taken})
    return [
        Lookup(
            one, access[one.device_id], json.loads(one.target or "{}"), attempts.bound_ids(tx, one.device_id, one.id, one.address)
        )
        for one in taken
    ]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look-up found; `asked_at` is when the provider was asked."""

    attempt_id: str
    finding: Finding
    can_find: bool
    asked_at: int


def conclude(tx: Transaction, settings: Settings, owner: str, sightings: Sequence[Sighting]) -> None:
    """Settle what was looked up, where it is still ours."""
    found = attempts.by_ids(tx, [one.attempt_id for one in sightings])
    asked = messages.by_ids(tx, {one.message_id for one in found.values()})
    cases = []
    for sighting in sightings:
        attempt = found[sighting.attempt_id]
        if attempt.state != "handed" or attempt.owner != owner:
            continue
        message = asked[attempt.message_id]
        look = Look(sighting.can_find, sighting.asked_at, attempt.arrives_until or 0, attempt.looks, message.attempts)
        verdict = judge_finding(sighting.finding, look, retry_rules(settings), settings.look_every_ms)
        cases.append(Case(attempt, _checked(tx, attempt, sighting.finding, _of_lost(verdict, message.status)), "a look-up"))
    if cases:
        settle(tx, settings, cases)


def _of_lost(verdict: Verdict | LookAgain, status: str) -> Verdict | LookAgain:
    """A message that is `unknown` is never sent again by us, even if its provider now says that it is not there."""
    if status == Status.UNKNOWN and isinstance(verdict, Retry):
        return Finish(Step.LOSE, "OUTCOME_UNKNOWN", verdict.detail)
    return verdict


def _checked(tx: Transaction, attempt: Attempt, finding: Finding, verdict: Verdict | LookAgain) -> Verdict | LookAgain:
    """What was found may have been given to another attempt while we were looking: look again, and it is passed over."""
    if isinstance(finding, Found):
        holder = attempts.by_external_id(tx, attempt.device_id, finding.accepted.external_id)
        if holder is not None and holder.id != attempt.id:
            return LookAgain(tx.now + 1, "what was found belongs to another attempt")
    return verdict
