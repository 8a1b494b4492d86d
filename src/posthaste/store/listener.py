"""Hear what other processes committed: PostgreSQL's NOTIFY, on a connection of its own on the event loop.

A connection can die silently and take wake-ups with it. So it is tried now and then, and whenever it had to be opened
again everybody is woken once: to look in vain is cheap, to sleep on work is not.
"""

import asyncio
import logging
from collections.abc import Callable

import psycopg
from psycopg import sql

from posthaste.store.postgres_connection import AsyncConnection, connect_async
from posthaste.store.postgres_runner import CHANNEL
from posthaste.store.wakes import Wakes

_TRY_AFTER_S = 20.0
_PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

_log = logging.getLogger(__name__)


class Listener:
    """A task that listens until it is stopped."""

    def __init__(self, url: str, wakes: Wakes, is_ours: Callable[[int], bool]) -> None:
        self._url = url
        self._wakes = wakes
        self._is_ours = is_ours
        self._listening = asyncio.Event()
        self._was_lost = False
        self._failures = 0
        self._task = asyncio.create_task(self._run(), name="listener")

    async def begun(self) -> None:
        """Wait until it listens for the first time."""
        await self._listening.wait()

    async def stop(self) -> None:
        """End the task and its connection."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                async with await connect_async(self._url) as connection:
                    await self._listen(connection)
            except (psycopg.Error, TimeoutError) as error:
                _log.warning("wakes.lost error=%s", type(error).__name__)
            self._was_lost = True
            pause = _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
            self._failures += 1
            await asyncio.sleep(pause)

    async def _listen(self, connection: AsyncConnection) -> None:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        self._failures = 0
        self._listening.set()
        if self._was_lost:
            self._wakes.dispatch_all()
        while True:
            async for notice in connection.notifies(timeout=_TRY_AFTER_S):
                if not self._is_ours(notice.pid):
                    self._wakes.dispatch([notice.payload])
            async with asyncio.timeout(_TRY_AFTER_S):
                await connection.execute("SELECT 1")
