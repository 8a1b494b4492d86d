"""What stands between us and one device of a carrier: its link, what came in by it, and the texts that are under way."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from posthaste.channels.smpp.ids import Receipts
from posthaste.channels.smpp.link import Link
from posthaste.channels.smpp.taking import Taking

Settings = tuple[tuple[str, str], ...]
"""What a device is set up with, in a way that can be compared."""


@dataclass(slots=True, eq=False)
class Desk:
    """One desk; `free_at` is when the next text may leave, by the loop's clock."""

    setup: Settings
    receipts: Receipts
    taking: Taking
    link: Link
    free_at: float = 0.0
    _sends: set[asyncio.Future[None]] = field(default_factory=set)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Have whoever lets go of the desk wait for the block."""
        over = asyncio.get_running_loop().create_future()
        self._sends.add(over)
        try:
            yield
        finally:
            self._sends.discard(over)
            over.set_result(None)

    async def turn(self, per_second: int, messages: int) -> None:
        """Keep to the carrier's rate; the turns are given out in order."""
        if per_second > 0:
            now = asyncio.get_running_loop().time()
            starts_at = max(now, self.free_at)
            self.free_at = starts_at + messages / per_second
            await asyncio.sleep(starts_at - now)

    async def leave(self, patience_ms: int) -> None:
        """Let go, after what is under way: a text that goes in parts would be cut in the middle, its fate unknown for good."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=patience_ms / 1000)
        await self.link.close()
