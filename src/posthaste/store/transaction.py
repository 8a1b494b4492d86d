"""What an action may do with the database: the one seam between SQL and everything above it.

A transaction runs on a database thread, holds no lock across an `await` (there is none), and knows the one `now` that
all of its rows share. SQL is written once for both databases: named parameters `:name`; `IN EACH(:ids)` for a list;
and what stands in `/*pg … */` is a comment to SQLite and text to PostgreSQL (row locks live there).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

Row = tuple[Any, ...]
Params = Mapping[str, object]


class Transaction(Protocol):
    """One open transaction."""

    @property
    def now(self) -> int:
        """The instant of this transaction, milliseconds; on PostgreSQL the database's clock."""
        ...

    def new_id(self) -> str:
        """Return a fresh id, later than all that this process made before."""
        ...

    def secret(self) -> str:
        """Return a fresh secret."""
        ...

    def rows(self, sql: str, params: Params = ...) -> list[Row]:
        """Run a statement and return all its rows as tuples."""
        ...

    def one(self, sql: str, params: Params = ...) -> Row | None:
        """Run a statement that gives at most one row."""
        ...

    def run(self, sql: str, params: Params = ...) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    def many(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for each set of parameters, in one go. No two may be for the same row of the table."""
        ...

    def many_rows(self, sql: str, rows: Iterable[Params]) -> list[Row]:
        """Do the same with a statement that returns rows, and return those of all."""
        ...

    def wake(self, topic: str) -> None:
        """Announce `topic` to every process once this transaction has committed; see `store.base.Store.on_wake`."""
        ...
