"""The life of a message as one table: which status follows when something happens.

Everything that changes a status asks `advance`; the check in the database and the diagram in docs/statuses.md are
drawn from the same table. Messages only move forward: a receipt that is late, repeated or overtaken by another is a
legal row that changes nothing. `waiting` is one stored status with three faces (scheduled, queued, pending); which
one a caller sees is derived in `holds.py`.
"""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The stored statuses of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    FALLBACK = "fallback"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    BLOCKED = "blocked"


class Step(StrEnum):
    """What can happen to a message."""

    CLAIM = "claim"
    RELEASE = "release"
    ACCEPT = "accept"
    DELIVER = "deliver"
    FAIL = "fail"
    FALL_BACK = "fall_back"
    LOSE = "lose"
    CANCEL = "cancel"
    EXPIRE = "expire"
    BLOCK = "block"


class IllegalStep(Exception):  # noqa: N818 - it says what happened
    """A step that the table does not know: a mistake of ours, never of a caller."""


_S, _E = Status, Step

TABLE: Final[dict[tuple[Status, Step], Status]] = {
    (_S.WAITING, _E.CLAIM): _S.SENDING,
    (_S.WAITING, _E.CANCEL): _S.CANCELLED,
    (_S.WAITING, _E.EXPIRE): _S.EXPIRED,
    (_S.WAITING, _E.BLOCK): _S.BLOCKED,
    # Evidence that an earlier attempt, taken for surely not sent, did arrive: what waits for its next try must not go.
    (_S.WAITING, _E.ACCEPT): _S.SENT,
    (_S.WAITING, _E.DELIVER): _S.DELIVERED,
    # An earlier attempt of a message that waits again has failed at the provider: the next try is still due.
    (_S.WAITING, _E.FAIL): _S.WAITING,
    (_S.SENDING, _E.RELEASE): _S.WAITING,
    (_S.SENDING, _E.ACCEPT): _S.SENT,
    # A receipt that overtook the provider's answer.
    (_S.SENDING, _E.DELIVER): _S.DELIVERED,
    (_S.SENDING, _E.FAIL): _S.FAILED,
    (_S.SENDING, _E.FALL_BACK): _S.FALLBACK,
    (_S.SENDING, _E.LOSE): _S.UNKNOWN,
    # Claimed and not yet handed over: the hand-over finds it cancelled and is not made.
    (_S.SENDING, _E.CANCEL): _S.CANCELLED,
    # Its lead opted out, or it expired, between the claim and the hand-over.
    (_S.SENDING, _E.BLOCK): _S.BLOCKED,
    (_S.SENDING, _E.EXPIRE): _S.EXPIRED,
    # The provider's answer after a webhook had already said so.
    (_S.SENT, _E.ACCEPT): _S.SENT,
    (_S.SENT, _E.DELIVER): _S.DELIVERED,
    # Taken, then refused further down the road.
    (_S.SENT, _E.FAIL): _S.FAILED,
    # The provider's answer, a second receipt, or an error report that a receipt had overtaken: it has arrived.
    (_S.DELIVERED, _E.ACCEPT): _S.DELIVERED,
    (_S.DELIVERED, _E.DELIVER): _S.DELIVERED,
    (_S.DELIVERED, _E.FAIL): _S.DELIVERED,
    # Only evidence leaves `unknown`.
    (_S.UNKNOWN, _E.ACCEPT): _S.SENT,
    (_S.UNKNOWN, _E.DELIVER): _S.DELIVERED,
    (_S.UNKNOWN, _E.FAIL): _S.FAILED,
    (_S.UNKNOWN, _E.LOSE): _S.UNKNOWN,
    # It failed and yet it arrived: what the phone says counts.
    (_S.FAILED, _E.DELIVER): _S.DELIVERED,
    # The answer after an error report, or the report twice: it stays failed until a receipt says otherwise.
    (_S.FAILED, _E.ACCEPT): _S.FAILED,
    (_S.FAILED, _E.FAIL): _S.FAILED,
    # Late reports on a message that has ended otherwise are kept in its timeline and change nothing.
    (_S.FALLBACK, _E.ACCEPT): _S.FALLBACK,
    (_S.FALLBACK, _E.DELIVER): _S.FALLBACK,
    (_S.FALLBACK, _E.FAIL): _S.FALLBACK,
    (_S.CANCELLED, _E.ACCEPT): _S.CANCELLED,
    (_S.CANCELLED, _E.DELIVER): _S.CANCELLED,
    (_S.CANCELLED, _E.FAIL): _S.CANCELLED,
    (_S.EXPIRED, _E.ACCEPT): _S.EXPIRED,
    (_S.EXPIRED, _E.DELIVER): _S.EXPIRED,
    (_S.EXPIRED, _E.FAIL): _S.EXPIRED,
    (_S.BLOCKED, _E.ACCEPT): _S.BLOCKED,
    (_S.BLOCKED, _E.DELIVER): _S.BLOCKED,
    (_S.BLOCKED, _E.FAIL): _S.BLOCKED,
}

#: Statuses in which a first message does not count for the double-send guard: it has surely not reached anybody.
NOT_SENT: Final = frozenset({_S.FAILED, _S.CANCELLED, _S.EXPIRED, _S.BLOCKED, _S.FALLBACK})

#: Statuses that are an outcome: a caller who waits for one is answered.
SETTLED: Final = NOT_SENT | {_S.SENT, _S.DELIVERED, _S.UNKNOWN}


def advance(status: str, step: Step) -> Status:
    """Return the status that follows; raise `IllegalStep` where the table has no row."""
    try:
        return TABLE[Status(status), step]
    except KeyError:
        raise IllegalStep(f"a message that is {status} cannot {step}") from None
