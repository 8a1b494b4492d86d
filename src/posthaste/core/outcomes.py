"""What a provider can have said about a hand-over, as values.

A channel returns one of these and decides nothing else; `core.verdicts` turns it into the next status of the message.
The difference that matters is between *surely not sent* (`Rejected`, `Deferred`) and *perhaps sent* (`Ambiguous`):
only the first is ever sent again.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message and named it."""

    external_id: str
    delivered_at: int | None = None
    read_at: int | None = None


class Refusal(StrEnum):
    """Why a provider will never take this message to this address."""

    NOT_ON_CHANNEL = "not_on_channel"
    BAD_ADDRESS = "bad_address"
    BAD_CONTENT = "bad_content"
    BLOCKED = "blocked"
    UNAUTHORIZED = "unauthorized"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Surely not sent, and sending the same again would be refused again."""

    refusal: Refusal
    detail: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Surely not sent, but it may go later: the provider is away, busy or throttling."""

    detail: str
    retry_after_ms: int | None = None
    device_is_down: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Perhaps sent: the connection died or timed out after the request had left."""

    detail: str


Outcome = Accepted | Rejected | Deferred | Ambiguous


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up found the send at the provider; `error` is the provider's word that it failed there."""

    accepted: Accepted
    error: Rejected | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider answered, and the send is not there (yet)."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider did not answer, or its answer does not decide."""

    detail: str


Finding = Found | Absent | CannotTell
