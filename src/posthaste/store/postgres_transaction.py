"""One open transaction on PostgreSQL; who begins and commits is the runner's business."""

from collections.abc import Iterable
from typing import Any

import psycopg

from posthaste.ids import Ids
from posthaste.store.dialect import for_postgres, postgres_params
from posthaste.store.postgres_rows import as_json, together
from posthaste.store.sqlite_transaction import only
from posthaste.store.transaction import Params, Row

_NOTHING: Params = {}


class PostgresTransaction:
    """One action's transaction."""

    __slots__ = ("_cursor", "_ids", "_now", "topics")

    def __init__(self, cursor: psycopg.Cursor[Row], ids: Ids, now: int) -> None:
        self._cursor = cursor
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
        return only(self._execute(sql, params).fetchall())

    def run(self, sql: str, params: Params = _NOTHING) -> int:
        return self._execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Params]) -> None:
        if text := together(sql):
            self._cursor.execute(text, (as_json(rows),))
            return
        statement = for_postgres(sql)
        self._cursor.executemany(statement.text, [postgres_params(statement, row) for row in rows])

    def many_rows(self, sql: str, rows: Iterable[Params]) -> list[Row]:
        if text := together(sql):
            return self._cursor.execute(text, (as_json(rows),)).fetchall()
        return [found for row in rows for found in self.rows(sql, row)]

    def wake(self, topic: str) -> None:
        self.topics[topic] = None

    def _execute(self, sql: str, params: Params) -> psycopg.Cursor[Any]:
        statement = for_postgres(sql)
        return self._cursor.execute(statement.text, postgres_params(statement, params))
