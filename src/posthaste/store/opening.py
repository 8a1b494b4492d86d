"""Open the store that a database URL names.

`sqlite:///absolute/path/posthaste.db`, or what libpq takes: `postgresql://user@host/name`,
`postgresql://user@/name?host=/socket/folder`. PostgreSQL's driver is loaded only for its URLs: it costs a tenth of
a second and memory that an embedded store does not need.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from posthaste.clock import Clock
from posthaste.core.errors import SettingError
from posthaste.ids import Ids
from posthaste.store import migrating
from posthaste.store.base import Store
from posthaste.store.sqlite import SqliteStore
from posthaste.store.sqlite_transaction import connect_writer

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


async def open_store(
    url: str,
    clock: Clock,
    ids: Ids,
    *,
    migrate: bool = True,
    writers: int = 4,
    readers: int = 2,
    database_clock: bool = True,
) -> Store:
    """Open a database and return its store, bringing its schema up to date first if asked to.

    `writers` and `readers` are connections, each with a thread; SQLite has one writer, whatever is asked for.
    `database_clock` says whether `now` is PostgreSQL's clock or, as tests want, the injected one; SQLite has only that.
    """
    await asyncio.to_thread(_bring_up, url, apply=migrate)
    if is_postgres(url):
        from posthaste.store.postgres import PostgresStore

        return await PostgresStore.open(url, clock, ids, writers=writers, readers=readers, database_clock=database_clock)
    return SqliteStore(sqlite_path(url), clock, ids, readers=readers)


def migrate(url: str) -> list[str]:
    """Bring a database's schema up to date; return the ids of the migrations that were applied now."""
    with _schema(url) as schema:
        return migrating.update(schema, migrating.known_migrations())


def is_postgres(url: str) -> bool:
    """Tell whether a URL names a PostgreSQL database."""
    return url.startswith(_POSTGRES)


def sqlite_path(url: str) -> Path:
    """Return the file that a SQLite URL names."""
    path = Path("/" + unquote(url.removeprefix(_SQLITE)).lstrip("/"))
    if not url.startswith(_SQLITE) or path == Path("/"):
        raise SettingError(f"not a database URL: it must begin with {_SQLITE}/ or {_POSTGRES[0]}")
    return path


def _bring_up(url: str, *, apply: bool) -> None:
    with _schema(url) as schema:
        if apply:
            migrating.update(schema, migrating.known_migrations())
        else:
            migrating.require_current(schema, migrating.known_migrations())


@contextmanager
def _schema(url: str) -> Iterator[migrating.Schema]:
    if is_postgres(url):
        from posthaste.store.postgres_schema import postgres_schema

        with postgres_schema(url) as schema:
            yield schema
    else:
        with _sqlite_schema(sqlite_path(url)) as schema:
            yield schema


@contextmanager
def _sqlite_schema(path: Path) -> Iterator[migrating.Schema]:
    try:
        connection = connect_writer(path)
    except (OSError, sqlite3.Error) as error:
        raise SettingError(f"cannot open {path}: {error}") from error
    try:
        yield migrating.SqliteSchema(connection)
    finally:
        connection.close()
