"""How many calls a workspace may make in a minute: off unless set, counted in memory, per process.

It protects this process from a loop gone wild and is no cap of any line; those are exact and live in the database. With
several API processes each counts for itself.
"""

from dataclasses import dataclass

from posthaste.api.calls import Access
from posthaste.clock import Clock
from posthaste.core.errors import TooManyRequests
from posthaste.settings import Settings

_MINUTE_MS = 60_000

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a limit in the minute that runs."""

    limit: int
    left: int
    resets_in_s: int

    def headers(self) -> Headers:
        return (
            (b"ratelimit-limit", str(self.limit).encode()),
            (b"ratelimit-remaining", str(max(0, self.left)).encode()),
            (b"ratelimit-reset", str(self.resets_in_s).encode()),
        )


class Quotas:
    """The counts of the minute that runs."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._messages = settings.messages_per_minute
        self._requests = settings.requests_per_minute
        self._clock = clock
        self._minute = 0
        self._counts: dict[tuple[str, bool], int] = {}

    def take(self, workspace_id: str, access: Access) -> Standing | None:
        """Count a call and return how the workspace stands; None where there is no limit."""
        is_send = access is Access.SEND
        limit = self._messages if is_send else self._requests
        if not limit:
            return None
        now = self._clock.now_ms()
        self._turn_to(now // _MINUTE_MS)
        used = self._counts.get((workspace_id, is_send), 0) + 1
        self._counts[workspace_id, is_send] = used
        return Standing(limit, limit - used, -(-(_MINUTE_MS - now % _MINUTE_MS) // 1000))

    def _turn_to(self, minute: int) -> None:
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()


def too_many(standing: Standing) -> TooManyRequests:
    """Return the refusal in the hosted product's words; how many are allowed stands in the headers."""
    return TooManyRequests("Rate limit exceeded", retry_after_s=standing.resets_in_s)
