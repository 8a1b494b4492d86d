"""Keep house: forget, every minute, what has served its time."""

import asyncio

from posthaste.actions.sweep import sweep
from posthaste.settings import Settings
from posthaste.store.base import Store

_EVERY_S = 60.0
_ROUNDS = 100


class Janitor:
    """The sweeping loop of one process."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings

    async def run(self) -> None:
        while True:
            for _ in range(_ROUNDS):
                if not await self._store.write(sweep, self._settings):
                    break
            await asyncio.sleep(_EVERY_S)
