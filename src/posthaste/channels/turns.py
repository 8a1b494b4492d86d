"""Whose receipts are asked for next, where the receipt of each message is a question of its own.

So that not all are asked for at once, each poll goes on where the last one ended, or behind the message that it broke at:
one that the provider stumbles over holds up no other.
"""

from collections.abc import Awaitable, Callable, Sequence

from posthaste.channels.base import Unreachable
from posthaste.core.signals import Signal

_PER_POLL = 50


class Turns:
    """The turns of every device of a channel."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    async def receipts(
        self, device_id: str, open_ids: Sequence[str], ask: Callable[[str], Awaitable[Sequence[Signal]]], *, must_tell: bool
    ) -> Sequence[Signal]:
        """Return what became of the messages whose turn it is, as far as `ask` gets.

        What stopped it is raised only where nothing was told, and `must_tell` says that the device has not answered otherwise.
        """
        start = self._next.get(device_id, 0) % max(1, len(open_ids))
        found: list[Signal] = []
        for place, one in enumerate([*open_ids[start:], *open_ids[:start]][:_PER_POLL], start + 1):
            self._next[device_id] = place
            try:
                found += await ask(one)
            except Unreachable:
                if must_tell and not found:
                    raise
                break
        return found

    def forget(self, device_id: str) -> None:
        self._next.pop(device_id, None)
