"""Many rows in one statement: which statements are written so, and that the rows arrive as they were given."""

import asyncio

import psycopg
import pytest
from stores import NOON, StoppedClock, opened

from posthaste.ids import Ids
from posthaste.store.opening import open_store
from posthaste.store.postgres_rows import as_json, together
from posthaste.store.postgres_runner import Plans
from posthaste.store.transaction import Transaction

TEXTS = [
    (
        "INSERT INTO t (a, b, c)\nVALUES (:a, 'x', :a)\nON CONFLICT DO NOTHING",
        "INSERT INTO t (a, b, c) SELECT r.a, 'x', r.a FROM json_populate_recordset(NULL::t, %s) AS r \nON CONFLICT DO NOTHING",
    ),
    (
        "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET a = excluded.a RETURNING a",
        "INSERT INTO t (a) SELECT r.a FROM json_populate_recordset(NULL::t, %s) AS r"
        "  ON CONFLICT (a) DO UPDATE SET a = excluded.a RETURNING a",
    ),
    (
        "UPDATE t SET a = :a, b = NULL WHERE id = :id AND b = 'x' AND c > :a",
        "UPDATE t SET a = r.new_a, b = NULL FROM (SELECT a AS new_a, id AS new_id FROM"
        " json_populate_recordset(NULL::t, %s)) AS r WHERE id = r.new_id AND b = 'x' AND c > r.new_a",
    ),
]

ROW_BY_ROW = [
    "INSERT INTO t (a) VALUES (:other)",
    "INSERT INTO t (a) VALUES (':a')",
    "INSERT INTO t (a) VALUES (CAST(:a AS TEXT))",
    "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET b = :a",
    "INSERT INTO t (a) SELECT :a",
    "UPDATE t SET a = :other WHERE id = :id",
    "UPDATE t SET a = :a WHERE id IN EACH(:ids)",
    "UPDATE t SET a = :a WHERE id = :id /*pg AND xmin = 1 */",
    "UPDATE t SET a = :a WHERE id = :id AND b LIKE '%'",
    "DELETE FROM t WHERE a = :a",
]

ODD = ["", "plain", 'it\'s "so"', "back\\slash\n\t\r", "{curly}, %s :a", "naïve 😀 \u2028", None, "\\u0041"]


@pytest.mark.parametrize(("text", "postgres"), TEXTS)
def test_a_statement_for_one_row_as_one_for_many(text: str, postgres: str) -> None:
    assert together(text) == postgres


@pytest.mark.parametrize("text", ROW_BY_ROW)
def test_what_cannot_be_written_so_is_run_row_by_row(text: str) -> None:
    assert together(text) is None


def test_truth_values_are_numbers_and_nulls_are_missing() -> None:
    assert as_json([{"a": True, "b": False, "c": None, "d": "true"}, {"a": 0}]) == '[{"a":1,"b":0,"d":"true"},{"a":0}]'


def insert(tx: Transaction, texts: list[str | None]) -> None:
    tx.run("CREATE TABLE odd (id INTEGER PRIMARY KEY, text TEXT, flag INTEGER, at BIGINT)")
    tx.many(
        "INSERT INTO odd (id, text, flag, at) VALUES (:id, :text, :flag, :at)",
        [{"id": n, "text": one, "flag": n % 2 == 0, "at": NOON + 2**40 * n} for n, one in enumerate(texts)],
    )


def change(tx: Transaction) -> None:
    tx.many(
        "UPDATE odd SET text = :text, flag = :flag WHERE id = :id AND at > 0",
        [{"id": n, "text": f"{n}\\", "flag": n == 1, "at": 1} for n in (3, 1)],
    )
    tx.many("UPDATE odd SET text = :text WHERE id = :id", [])


def everything(tx: Transaction) -> list[tuple[object, ...]]:
    return tx.rows("SELECT text, flag, at FROM odd ORDER BY id")


def test_rows_arrive_as_they_were_given(postgres_url: str) -> None:
    async def main() -> None:
        async with opened(await open_store(postgres_url, StoppedClock(), Ids(), database_clock=False)) as store:
            await store.write(insert, ODD)
            given = [(one, int(n % 2 == 0), NOON + 2**40 * n) for n, one in enumerate(ODD)]
            assert await store.read(everything) == given
            await store.write(change)
            given[1], given[3] = ("1\\", 1, given[1][2]), ("3\\", 0, given[3][2])
            assert await store.read(everything) == given
            with pytest.raises(psycopg.DataError):
                await store.write(lambda tx: tx.many("UPDATE odd SET text = :text WHERE id = :id", [{"id": 1, "text": "a\0b"}]))

    asyncio.run(main())


def test_lists_find_odd_texts(postgres_url: str) -> None:
    def found(tx: Transaction, texts: list[str | None]) -> int:
        return len(tx.rows("SELECT id FROM odd WHERE text IN EACH(:texts)", {"texts": texts}))

    async def main() -> None:
        async with opened(await open_store(postgres_url, StoppedClock(), Ids(), database_clock=False)) as store:
            await store.write(insert, ODD)
            assert [await store.read(found, [one]) for one in ODD] == [int(one is not None) for one in ODD]
            assert await store.read(found, ODD) == len(ODD) - 1
            assert await store.read(found, []) == 0

    asyncio.run(main())


def test_plans_are_made_anew_soon_and_then_less_often() -> None:
    class Clock(StoppedClock):
        at_ms = 0.0

        def monotonic_ms(self) -> float:
            return self.at_ms

    clock = Clock()
    plans = Plans(clock)
    renewed = []
    for second in range(2_500):
        clock.at_ms = second * 1000.0
        if plans.are_old():
            renewed.append(second)
    assert renewed == [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1623, 2223]
