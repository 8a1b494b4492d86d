"""A database is brought to this program's schema, whole or not at all, and one that is further along is refused."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from stores import StoppedClock

from fixtures.postgres_server import PostgresServer
from posthaste.ids import Ids
from posthaste.store.errors import SchemaMismatch
from posthaste.store.migrating import Migration, Schema, SqliteSchema, fresh_image, known_migrations, statements, update
from posthaste.store.opening import migrate, open_store
from posthaste.store.postgres_schema import postgres_schema

LATER = Migration("9998-later", "ALTER TABLE lists ADD COLUMN colour TEXT; -- a 'remark'\nCREATE TABLE c (id BIGINT);\n")
BROKEN = Migration("9999-broken", "CREATE TABLE d (id BIGINT);\nINSERT INTO nowhere VALUES (1);\n")

OpenSchema = Callable[[], AbstractContextManager[Schema]]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database's URL."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path}/posthaste.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.empty_database() as empty:
        yield empty


@contextmanager
def schema_of(url: str) -> Iterator[Schema]:
    if url.startswith("postgresql"):
        with postgres_schema(url) as schema:
            yield schema
        return
    connection = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
    try:
        yield SqliteSchema(connection)
    finally:
        connection.close()


def dump(url: str) -> list[tuple[object, ...]]:
    """Everything that the database knows of its schema, in order."""
    if not url.startswith("postgresql"):
        connection = sqlite3.connect(url.removeprefix("sqlite://"))
        try:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        finally:
            connection.close()
    with psycopg.connect(url) as connection:
        return connection.execute("""
            SELECT 'column', c.table_name, c.column_name, c.data_type, c.is_nullable, c.column_default
            FROM information_schema.columns c WHERE c.table_schema = 'public'
            UNION ALL
            SELECT 'index', tablename, indexname, indexdef, NULL, NULL FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT 'rule', conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            ORDER BY 1, 2, 3
        """).fetchall()


def apply(url: str, *migrations: Migration) -> list[str]:
    with schema_of(url) as schema:
        return update(schema, migrations)


def everything(url: str) -> list[tuple[object, ...]]:
    apply(url, *known_migrations(), LATER)
    return dump(url)


def test_one_by_one_is_the_same_as_all_at_once(
    url: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    every = [*known_migrations(), LATER]
    for number, migration in enumerate(every, start=1):
        assert apply(url, *every[:number]) == [migration.id]
    if url.startswith("sqlite"):
        at_once = everything(f"sqlite://{tmp_path_factory.mktemp('fresh')}/posthaste.db")
    else:
        with request.getfixturevalue("postgres_server").empty_database() as other:
            at_once = everything(other)
    assert dump(url) == at_once
    assert len(at_once) > 20


def test_what_is_applied_is_told_once(url: str) -> None:
    assert migrate(url) == [each.id for each in known_migrations()]
    assert migrate(url) == []


def test_a_migration_that_fails_leaves_nothing(url: str) -> None:
    migrate(url)
    before = dump(url)
    with pytest.raises((sqlite3.OperationalError, psycopg.ProgrammingError)):
        apply(url, *known_migrations(), LATER, BROKEN)
    assert dump(url) == before
    assert apply(url, *known_migrations(), LATER) == [LATER.id]


def test_a_database_from_a_later_version_is_refused(url: str) -> None:
    apply(url, *known_migrations(), LATER)
    with pytest.raises(SchemaMismatch, match="9998-later, which this version"):
        migrate(url)
    for apply_missing in (True, False):
        with pytest.raises(SchemaMismatch, match="9998-later"):
            asyncio.run(open_store(url, StoppedClock(), Ids(), migrate=apply_missing))


def test_a_store_is_not_opened_on_an_older_schema_unless_it_may_change_it(url: str) -> None:
    async def main() -> None:
        with pytest.raises(SchemaMismatch, match="posthaste migrate"):
            await open_store(url, StoppedClock(), Ids(), migrate=False)
        store = await open_store(url, StoppedClock(), Ids())
        await store.close()
        store = await open_store(url, StoppedClock(), Ids(), migrate=False)
        await store.close()

    asyncio.run(main())


def test_of_nodes_that_start_together_one_migrates(url: str) -> None:
    applied: list[str] = []
    errors: list[BaseException] = []
    together = threading.Barrier(6)

    def start() -> None:
        try:
            together.wait(20)
            applied.extend(migrate(url))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert applied == [each.id for each in known_migrations()]


def test_rows_that_refer_to_nothing_stop_a_migration() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema = SqliteSchema(connection)
    update(schema, known_migrations())
    orphan = "INSERT INTO api_keys VALUES ('k', 'no workspace', 'd', 'h', 'n', 0, NULL);"
    with pytest.raises(SchemaMismatch, match="refer to nothing"):
        update(schema, [*known_migrations(), Migration("9999-orphan", orphan)])
    assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
    connection.close()


def test_a_script_is_cut_where_its_statements_end() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b; -- ';'\n  DELETE FROM c;\nEND;\n"
    script = f"-- first; second\nCREATE TABLE a (x TEXT DEFAULT ';');\n{trigger}\n-- the end\n"
    assert list(statements(script)) == ["-- first; second\nCREATE TABLE a (x TEXT DEFAULT ';');\n", trigger]


def test_the_simulations_image_is_the_same_schema(tmp_path: Path) -> None:
    migrate(f"sqlite://{tmp_path}/posthaste.db")
    connection = sqlite3.connect(":memory:")
    connection.deserialize(fresh_image())
    image = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    assert image == dump(f"sqlite://{tmp_path}/posthaste.db")
