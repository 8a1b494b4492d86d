"""What a loop waits on: a wake, a time, or the end, whichever is first."""

import asyncio

from posthaste.store.base import Store


class Alarm:
    """Rings when a topic is woken or when a time is over; a wake between two waits is not lost."""

    def __init__(self, store: Store, topic: str) -> None:
        self._woken = asyncio.Event()
        store.on_wake(topic, lambda _: self._woken.set())

    def ring(self) -> None:
        self._woken.set()

    async def wait(self, at_most_ms: float) -> None:
        """Return at the next wake, or after `at_most_ms`."""
        try:
            async with asyncio.timeout(max(0.0, at_most_ms) / 1000):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()
