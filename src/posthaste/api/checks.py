"""What the API asks of devices for its callers, beside sending: whoever can talk to providers answers."""

from collections.abc import Sequence
from typing import Protocol

from posthaste.core.reachability import LineHealth, Reachability


class Checks(Protocol):
    """Answers within a bounded time, whatever the devices do."""

    async def check(self, workspace_id: str, people: Sequence[Sequence[str]]) -> Sequence[Reachability]:
        """Return for each person, given by addresses in the order in which they are tried, whether one is on iMessage."""
        ...

    async def ping(self, workspace_id: str, line_id: str) -> LineHealth:
        """Ask a line's device whether it can send."""
        ...
