"""The store of the simulation: SQLite in memory, each action run at once on the caller's own thread.

Same SQL and same transaction as the threaded store, without threads, files or batches, so that a run is repeatable.
Hooks let a test stop the world just before or after any commit. Each store starts from a copy of a migrated image,
which takes a fraction of a millisecond.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.store.errors import StoreClosed
from posthaste.store.migrating import fresh_image
from posthaste.store.sqlite_transaction import SqliteTransaction, connect_memory
from posthaste.store.transaction import Transaction
from posthaste.store.wakes import Wakes

P = ParamSpec("P")
T = TypeVar("T")


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a test steps in; each may raise, and its error goes to the caller of `write`.

    `before_begin` is awaited, so that others may run first. An error in `before_commit` rolls back: the process died
    before the commit. After one in `after_commit` the change stands but nobody hears of it: it died after the commit.
    """

    before_begin: Callable[[], Awaitable[None]] | None = None
    before_commit: Callable[[], None] = nothing
    after_commit: Callable[[], None] = nothing


NO_HOOKS = Hooks()


class InlineStore:
    """A database in memory, used from one thread."""

    def __init__(self, clock: Clock, ids: Ids, image: bytes | None = None, hooks: Hooks = NO_HOOKS) -> None:
        self._clock = clock
        self._ids = ids
        self._hooks = hooks
        self._connection = connect_memory(image or fresh_image())
        self._wakes = Wakes(_raise)
        self._is_closed = False

    async def write(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self._hooks.before_begin:
            await self._hooks.before_begin()
        transaction = self._open()
        self._connection.execute("BEGIN")
        try:
            result = action(transaction, *args, **kwargs)
            self._hooks.before_commit()
            self._connection.execute("COMMIT")
        finally:
            self._roll_back()
        self._hooks.after_commit()
        self._wakes.dispatch(transaction.topics)
        return result

    async def read(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        transaction = self._open()
        changes = self._connection.total_changes
        self._connection.execute("BEGIN")
        try:
            result = action(transaction, *args, **kwargs)
        finally:
            self._roll_back()
        # Not `PRAGMA query_only`: setting it has SQLite compile every statement anew, which is most of what a read costs.
        if self._connection.total_changes != changes:
            raise sqlite3.OperationalError("a reading action may not write: this is a read-only transaction")
        return result

    def on_wake(self, topic: str, call: Callable[[str], None]) -> Callable[[], None]:
        return self._wakes.add(topic, call)

    async def close(self) -> None:
        self._is_closed = True
        self._connection.close()

    def image(self) -> bytes:
        """Return all that was committed, as the disk would have it after a crash."""
        return self._connection.serialize()

    def _open(self) -> SqliteTransaction:
        if self._is_closed:
            raise StoreClosed
        return SqliteTransaction(self._connection, self._ids, self._clock.now_ms())

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _raise(error: Exception) -> None:
    raise error
