"""Take up attempts that nobody holds any more: their worker died, or their outcome is in doubt.

What was only claimed surely never left and is tried again. What was handed over is looked up with the provider, for
as long as it may still arrive, and is never simply sent again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posthaste.actions.record import other_addresses, retry_rules
from posthaste.actions.settle import Ruling, settle
from posthaste.core.lifecycle import Status, Step
from posthaste.core.lines import Line
from posthaste.core.messages import Message
from posthaste.core.outcomes import Finding, Found
from posthaste.core.row import replace
from posthaste.core.verdicts import Finish, Look, LookAgain, Retry, Verdict, judge_finding
from posthaste.settings import Settings
from posthaste.store import attempts, devices, lines, messages
from posthaste.store.attempts import Attempt
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction

_IN_QUESTION = (Status.SENDING, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Lookup:
    """An attempt that is ours to look up, with what its channel needs."""

    attempt: Attempt
    message: Message
    line: Line
    access: Access
    target: Mapping[str, Any]
    bound: frozenset[str]


def rescue(tx: Transaction, settings: Settings, owner: str, limit: int) -> list[Lookup]:
    """Free the devices of abandoned attempts, settle those that surely never left, and take the others to look them up."""
    found = attempts.abandoned(tx, limit)
    if not found:
        return []
    doubtful: list[str] = []

    def rule(attempt: Attempt, message: Message) -> Ruling | None:
        if attempt.state == "done" or attempt.lease_until > tx.now:
            return None  # It was recorded or renewed while we waited for its device.
        if attempt.state == "claimed":
            return Ruling(Retry(tx.now, "its worker ended before the hand-over", counts=False), "rescue")
        if message.status not in _IN_QUESTION:
            return Ruling(Finish(Step.CANCEL, detail=f"the message is {message.status}"), "rescue")
        doubtful.append(attempt.id)
        return Ruling(LookAgain(tx.now, "its worker ended during the call"), "rescue") if attempt.occupies else None

    settle(tx, settings, found, rule)
    return _take(tx, settings, owner, doubtful) if doubtful else []


def _take(tx: Transaction, settings: Settings, owner: str, doubtful: Sequence[str]) -> list[Lookup]:
    lease_until = tx.now + settings.lease_ms
    taken = [replace(one, owner=owner, lease_until=lease_until) for one in attempts.by_ids(tx, doubtful).values()]
    attempts.save(tx, taken)
    access = devices.access(tx, {one.device_id for one in taken})
    of_line = lines.by_ids(tx, {one.line_id for one in taken})
    about = messages.by_ids(tx, {one.message_id for one in taken})
    return [
        Lookup(
            one,
            about[one.message_id],
            of_line[one.line_id],
            access[one.device_id],
            json.loads(one.target or "{}"),
            attempts.bound_ids(tx, one.device_id, one.id, one.address),
        )
        for one in taken
    ]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look-up found; `asked_at` is when the provider was asked."""

    attempt: Attempt
    finding: Finding
    can_find: bool
    asked_at: int


def conclude(tx: Transaction, settings: Settings, owner: str, sighting: Sighting) -> None:
    """Settle what was looked up, if it is still ours."""
    finding = sighting.finding
    holders = attempts.holders(tx, [finding.accepted.external_id]) if isinstance(finding, Found) else {}

    def rule(attempt: Attempt, message: Message) -> Ruling | None:
        if attempt.state != "handed" or attempt.owner != owner:
            return None
        if any(holder != attempt.id for (device_id, _), holder in holders.items() if device_id == attempt.device_id):
            # It was given to another attempt while we were looking; the next look-up passes it over.
            return Ruling(LookAgain(tx.now + 1, "what was found belongs to another attempt"), _SOURCE)
        if message.status == Status.UNKNOWN and isinstance(finding, Found) and attempts.has_rival(tx, attempt):
            # It may be that one's, with the same words; taking it would make that one go out a second time.
            return Ruling(LookAgain(tx.now + settings.look_every_ms, "another send to the person is under way"), _SOURCE)
        look = Look(
            sighting.can_find,
            sighting.asked_at,
            attempt.arrives_until or 0,
            attempt.looks,
            message.attempts,
            other_addresses(attempt, message) if message.status == Status.SENDING else None,
        )
        verdict = judge_finding(finding, look, retry_rules(settings), settings.look_every_ms)
        return Ruling(_of_lost(verdict, message.status), _SOURCE)

    settle(tx, settings, [sighting.attempt], rule, may_fail=not (isinstance(finding, Found) and finding.error is None))


_SOURCE = "a look-up"


def _of_lost(verdict: Verdict | LookAgain, status: str) -> Verdict | LookAgain:
    """A message that is `unknown` is never sent again by us, even if its provider now says that it is not there."""
    if status == Status.UNKNOWN and isinstance(verdict, Retry):
        return Finish(Step.LOSE, "OUTCOME_UNKNOWN", verdict.detail)
    return verdict
