"""Keep house, every minute: end or give out what has waited too long, and forget what has served its time."""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from posthaste.actions.delete_line import clear_deleted_lines
from posthaste.actions.expire import expire
from posthaste.actions.files import sweep_files
from posthaste.actions.parts import give_out_incomplete
from posthaste.actions.sweep import sweep
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

P = ParamSpec("P")

_EVERY_S = 60.0
_ROUNDS = 100


class Janitor:
    """The sweeping loop of one process."""

    def __init__(self, store: Store, settings: Settings, tidy: Callable[[], None]) -> None:
        """`tidy` cleans up this machine's disk."""
        self._store, self._settings, self._tidy = store, settings, tidy

    async def run(self) -> None:
        while True:
            await self._exhaust(expire)
            await self._exhaust(clear_deleted_lines)
            await self._exhaust(give_out_incomplete, self._settings)
            await self._exhaust(sweep, self._settings)
            await self._exhaust(sweep_files, self._settings)
            self._tidy()
            await asyncio.sleep(_EVERY_S)

    async def _exhaust(self, duty: Callable[Concatenate[Transaction, P], bool], *args: P.args, **kwargs: P.kwargs) -> None:
        """Repeat a duty while there is more of it, a bounded number of times."""
        for _ in range(_ROUNDS):
            if not await self._store.write(duty, *args, **kwargs):
                return
