"""The attempts that this process works on, and the beat that keeps them its own.

A task that ends in any way gives its attempt up here; if it ended without a record, the lease runs out and the
rescuer takes over.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from posthaste.actions.lease import renew_leases
from posthaste.settings import Settings
from posthaste.store.base import Store


class Leases:
    """What one owner holds."""

    def __init__(self, store: Store, settings: Settings, owner: str) -> None:
        self.owner = owner
        self._store, self._settings = store, settings
        self._held: set[str] = set()

    @contextmanager
    def hold(self, attempt_id: str) -> Iterator[None]:
        self._held.add(attempt_id)
        try:
            yield
        finally:
            self._held.discard(attempt_id)

    async def run(self) -> None:
        """Renew what is held, three times a lease."""
        while True:
            await asyncio.sleep(self._settings.lease_ms / 3000)
            if self._held:
                await self._store.write(renew_leases, self._settings, self.owner, sorted(self._held))
