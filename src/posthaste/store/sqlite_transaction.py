"""SQLite's connection and transaction, shared by the threaded store and the inline one.

Connections are opened here with all their settings, because durability is one of them. Who begins and commits is
the stores' business.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from posthaste.core.errors import SettingError
from posthaste.ids import Ids
from posthaste.store.dialect import for_sqlite, sqlite_params, steps
from posthaste.store.errors import StoreUnavailable, TransactionLost
from posthaste.store.transaction import Params, Row

_NOTHING: Params = {}
_STATEMENTS_KEPT = 512
_WAL_TRIES = 20

_LEAST_VERSION = (3, 35, 0)
"""RETURNING came with 3.35."""


class SqliteTransaction:
    """One action's part of an open transaction."""

    __slots__ = ("_connection", "_ids", "_now", "topics")

    def __init__(self, connection: sqlite3.Connection, ids: Ids, now: int) -> None:
        self._connection = connection
        self._ids = ids
        self._now = now
        self.topics: dict[str, None] = {}

    @property
    def now(self) -> int:
        return self._now

    def new_id(self) -> str:
        return self._ids.new(self._now)

    def secret(self) -> str:
        return self._ids.secret()

    def rows(self, sql: str, params: Params = _NOTHING) -> list[Row]:
        return self._execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = _NOTHING) -> Row | None:
        rows = self._execute(sql, params).fetchall()
        return only(rows)

    def run(self, sql: str, params: Params = _NOTHING) -> int:
        changed = self._execute(sql, params).rowcount
        if changed >= 0:
            return changed
        # Python counts for statements that begin with INSERT, UPDATE or DELETE, not for those that begin with WITH.
        row: tuple[int] = self._connection.execute("SELECT changes()").fetchone()
        return row[0]

    def many(self, sql: str, rows: Iterable[Params]) -> None:
        self._check_open()
        statement = for_sqlite(sql)
        if statement.rows is None:
            self._connection.executemany(statement.text, [sqlite_params(statement, row) for row in rows])
            return
        # Many rows a step, because each step lets go of the interpreter's lock and has to wait for it again.
        for text, values in steps(statement.rows, rows):
            self._connection.execute(text, values)

    def many_rows(self, sql: str, rows: Iterable[Params]) -> list[Row]:
        statement = for_sqlite(sql)
        if statement.rows is None:
            return [found for row in rows for found in self.rows(sql, row)]
        self._check_open()
        return [
            found for text, values in steps(statement.rows, rows) for found in self._connection.execute(text, values).fetchall()
        ]

    def wake(self, topic: str) -> None:
        self.topics[topic] = None

    def _execute(self, sql: str, params: Params) -> sqlite3.Cursor:
        self._check_open()
        statement = for_sqlite(sql)
        return self._connection.execute(statement.text, sqlite_params(statement, params))

    def _check_open(self) -> None:
        # A full disk may end the transaction; had the action swallowed that, its next statement would commit by itself.
        if not self._connection.in_transaction:
            raise TransactionLost


_OUT_OF_ORDER = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def as_ours(error: BaseException) -> BaseException:
    """Make of SQLite's errors that are the machine's fault our own; all others stay what they are."""
    if isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _OUT_OF_ORDER:
        ours = StoreUnavailable(f"the database cannot work now: {error}")
        ours.__cause__ = error
        return ours
    return error


def only(rows: list[Row]) -> Row | None:
    """Return the one row of a result that has at most one."""
    if len(rows) > 1:
        raise ValueError(f"at most one row was expected and {len(rows)} came")
    return rows[0] if rows else None


class StringAgg:
    """PostgreSQL's `string_agg(text, separator)`, which SQLite has only from 3.44 on."""

    __slots__ = ("_parts", "_separator")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._separator = ""

    def step(self, text: object, separator: object) -> None:
        if text is not None:
            self._parts.append(str(text))
            self._separator = str(separator)

    def finalize(self) -> str | None:
        return self._separator.join(self._parts) if self._parts else None


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open a database file for writing, so that what was committed outlives a power cut."""
    require_version()
    # Keys and people's addresses are inside: nobody else on the machine may read it. WAL and index take the same mode.
    path.touch(mode=0o600, exist_ok=True)
    connection = prepare(_connect(f"file:{quote(str(path))}?mode=rw"))
    try:
        _make_durable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_durable(connection: sqlite3.Connection) -> None:
    if _set_wal(connection) != "wal":
        raise SettingError("this file system does not carry SQLite's write-ahead log")
    connection.execute("PRAGMA synchronous = FULL")
    # macOS leaves an fsync in the disk's own cache unless told not to; elsewhere this changes nothing.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def _set_wal(connection: sqlite3.Connection) -> str:
    """Ask for the write-ahead log and return the mode that there is then.

    SQLite does not wait with this while others open the same new file, whatever its time-out. For a transaction it does, and
    when it has had one the others have had theirs.
    """
    for _ in range(_WAL_TRIES):
        with suppress(sqlite3.OperationalError):
            return _journal_mode(connection)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    return _journal_mode(connection)


def _journal_mode(connection: sqlite3.Connection) -> str:
    mode: tuple[str] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    return mode[0]


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a database file that a writer has open, unable to change it."""
    connection = prepare(_connect(f"file:{quote(str(path))}?mode=ro"))
    connection.execute("PRAGMA cache_size = -4000")
    return connection


def connect_memory(image: bytes) -> sqlite3.Connection:
    """Open a copy of a database image in memory."""
    require_version()
    connection = prepare(_connect("file::memory:"))
    connection.deserialize(image)
    return connection


def prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Give a connection what every one of ours has."""
    # The type stubs know aggregates of one integer only.
    connection.create_aggregate("string_agg", 2, cast("Any", StringAgg))
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def require_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse a SQLite that lacks what the statements use."""
    if version < _LEAST_VERSION:
        raise SettingError(f"SQLite 3.35 or later is needed, this is {'.'.join(map(str, version))}")


def _connect(uri: str) -> sqlite3.Connection:
    # One thread uses a connection at a time, but the one that opens it is not the one that works with it.
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS_KEPT)
