"""Bring a database's schema up to this program's version.

Each file in `migrations/` is applied once, in the order of their names. All that are missing are applied in one
transaction together with the notes of it, under a lock that dies with its holder: a process killed half-way leaves
the old schema, not something between. A database that knows migrations which this program does not know is refused.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Protocol

from posthaste.store.errors import SchemaMismatch
from posthaste.store.sqlite_transaction import prepare


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; its id is its file's name without the ending."""

    id: str
    sql: str


class Schema(Protocol):
    """A database while it is brought up to date."""

    def applied(self) -> list[str]:
        """Return the ids of what was applied; nothing if it is a fresh database. Changes nothing."""
        ...

    def apply(self, migrations: Sequence[Migration]) -> list[str]:
        """Apply those that are still missing, all or none, alone among all processes; return their ids."""
        ...


NOTES = "CREATE TABLE IF NOT EXISTS schema_migrations (id TEXT PRIMARY KEY)"
NOTE = "INSERT INTO schema_migrations (id) VALUES (:id)"


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Read this program's migrations."""
    files = (resources.files("posthaste.store") / "migrations").iterdir()
    texts = {file.name.removesuffix(".sql"): file.read_text("utf-8") for file in files if file.name.endswith(".sql")}
    return tuple(Migration(id, texts[id]) for id in sorted(texts))


def update(schema: Schema, migrations: Sequence[Migration]) -> list[str]:
    """Apply what is missing. When nothing is, this only reads."""
    if missing(schema, migrations):
        return schema.apply(migrations)
    return []


def require_current(schema: Schema, migrations: Sequence[Migration]) -> None:
    """Refuse a database that has not got all migrations."""
    if first := missing(schema, migrations):
        raise SchemaMismatch(f"the database lacks migration {first[0].id}: run `posthaste migrate` first")


def missing(schema: Schema, migrations: Sequence[Migration]) -> list[Migration]:
    """Return what was not applied yet, and refuse a database from a later version."""
    return not_applied(schema.applied(), migrations)


def not_applied(applied: Sequence[str], migrations: Sequence[Migration]) -> list[Migration]:
    """Return the migrations whose ids are not among those applied; an applied one that is unknown is an error."""
    unknown = sorted(set(applied) - {each.id for each in migrations})
    if unknown:
        raise SchemaMismatch(f"the database has migration {unknown[-1]}, which this version of Posthaste does not know")
    return [each for each in migrations if each.id not in applied]


class SqliteSchema:
    """The schema of an open SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def applied(self) -> list[str]:
        table = "SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'"
        if self._connection.execute(table).fetchone() is None:
            return []
        return [id for (id,) in self._connection.execute("SELECT id FROM schema_migrations")]

    def apply(self, migrations: Sequence[Migration]) -> list[str]:
        # A rebuilt table is dropped for a moment; what refers to it is checked as a whole before the commit.
        self._connection.execute("PRAGMA foreign_keys = OFF")
        self._connection.execute("BEGIN EXCLUSIVE")
        try:
            done = self._apply_missing(migrations)
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("PRAGMA foreign_keys = ON")
        return done

    def _apply_missing(self, migrations: Sequence[Migration]) -> list[str]:
        self._connection.execute(NOTES)
        todo = not_applied(self.applied(), migrations)
        for migration in todo:
            for statement in statements(migration.sql):
                self._connection.execute(statement)
            self._connection.execute(NOTE, {"id": migration.id})
        if broken := self._connection.execute("PRAGMA foreign_key_check").fetchall():
            raise SchemaMismatch(f"a migration leaves {len(broken)} rows that refer to nothing")
        return [each.id for each in todo]


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements; each ends at the end of a line. (`executescript` would commit first.)"""
    begun = ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""


@cache
def fresh_image() -> bytes:
    """Return an empty, migrated SQLite database as bytes, to be copied by those who need many."""
    connection = prepare(sqlite3.connect(":memory:", isolation_level=None))
    try:
        update(SqliteSchema(connection), known_migrations())
        return connection.serialize()
    finally:
        connection.close()
