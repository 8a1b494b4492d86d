"""Whether somebody is on iMessage, and whether a line can send: what is answered to callers who ask for nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reachable(StrEnum):
    """The answer; an error is not a no."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Reachability:
    """What is known of one person: `address` is the first on iMessage, `reason` says in words how it stands.

    `is_exhausted`: nobody could be asked because the day's checks are used up.
    """

    status: Reachable
    reason: str
    address: str | None = None
    is_exhausted: bool = False

    @property
    def is_available(self) -> bool:
        return self.status is Reachable.AVAILABLE


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found out about one address: whether it is on iMessage, or None and why nobody can say."""

    address: str
    is_available: bool | None
    why: str = ""
    is_exhausted: bool = False


def conclude(looked: Sequence[Looked]) -> Reachability:
    """Return what single addresses mean for the person: one yes is a yes, and a no needs every address's no."""
    for one in looked:
        if one.is_available:
            return Reachability(Reachable.AVAILABLE, f"{one.address} is on iMessage", one.address)
    unclear = [one for one in looked if one.is_available is None]
    if unclear:
        return Reachability(Reachable.ERROR, unclear[0].why, is_exhausted=any(one.is_exhausted for one in unclear))
    if not looked:
        return Reachability(Reachable.ERROR, "there is no address to check")
    return Reachability(Reachable.UNAVAILABLE, f"not on iMessage: {', '.join(one.address for one in looked)}")


@dataclass(frozen=True, slots=True)
class LineHealth:
    """What a line's device said when it was asked at `checked_at`; `failures` is empty when it can send."""

    failures: Sequence[str]
    checked_at: int
