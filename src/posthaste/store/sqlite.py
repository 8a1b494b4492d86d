"""The store on SQLite: one writer thread with group commit, and a few reading threads with a snapshot for each read.

What a batch is and how it fails stands in `sqlite_runner`; how jobs travel between the loop and the threads in
`lane`.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.store.jobs import report_to
from posthaste.store.lane import Lane
from posthaste.store.sqlite_runner import SqliteRunner
from posthaste.store.sqlite_transaction import connect_reader, connect_writer
from posthaste.store.transaction import Transaction
from posthaste.store.wakes import Wakes

P = ParamSpec("P")
T = TypeVar("T")

BATCH = 128
"""Most actions in one commit."""
READERS = 2


class SqliteStore:
    """A database file that this process alone writes."""

    def __init__(self, path: Path, clock: Clock, ids: Ids, *, readers: int = READERS) -> None:
        self._wakes = Wakes(report_to(asyncio.get_running_loop()))
        self._writer = SqliteRunner(connect_writer(path), clock, ids, begin="BEGIN IMMEDIATE")
        self._writes = Lane("sqlite-writer", [self._writer], self._wakes, batch=BATCH)
        self._reads = Lane(
            "sqlite-reader", [SqliteRunner(connect_reader(path), clock, ids, begin="BEGIN") for _ in range(readers)], self._wakes
        )

    @property
    def commits(self) -> int:
        """How many commits were made, for tests and measurements of group commit."""
        return self._writer.commits

    async def write(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._writes.put(action, args, kwargs)
        return result

    async def read(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._reads.put(action, args, kwargs)
        return result

    def on_wake(self, topic: str, call: Callable[[str], None]) -> Callable[[], None]:
        return self._wakes.add(topic, call)

    async def close(self) -> None:
        # The writer last: a connection that only reads cannot fold the write-ahead log into the file.
        await self._reads.close()
        await self._writes.close()
