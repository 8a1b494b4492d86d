"""The schema of a PostgreSQL database, brought up to date under an advisory lock: several nodes may start at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from posthaste.core.errors import SettingError
from posthaste.store.dialect import script_for_postgres
from posthaste.store.migrating import NOTES, Migration, not_applied
from posthaste.store.postgres_connection import Connection, connect

_LOCK = 0x706F73746861
"""Any number that nobody else takes in this database."""


class PostgresSchema:
    """The schema behind an open connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def applied(self) -> list[str]:
        (exists,) = self._connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchall()[0]
        if not exists:
            return []
        return [id for (id,) in self._connection.execute("SELECT id FROM schema_migrations").fetchall()]

    def apply(self, migrations: Sequence[Migration]) -> list[str]:
        with self._connection.transaction():
            # Another node's migration may take its time, and so may ours.
            self._connection.execute("SET LOCAL lock_timeout = '10min'; SET LOCAL statement_timeout = 0")
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            self._connection.execute(NOTES)
            todo = not_applied(self.applied(), migrations)
            for migration in todo:
                self._connection.execute(script_for_postgres(migration.sql))
                self._connection.execute("INSERT INTO schema_migrations (id) VALUES (%s)", [migration.id])
        return [each.id for each in todo]


@contextmanager
def postgres_schema(url: str) -> Iterator[PostgresSchema]:
    """Connect to look after the schema."""
    try:
        connection = connect(url)
    except psycopg.OperationalError as error:
        raise SettingError(f"cannot connect to the database: {str(error).strip().splitlines()[0]}") from error
    with connection:
        yield PostgresSchema(connection)
