"""Each difference between the databases' texts, as a table."""

import pytest

from posthaste.store.dialect import (
    for_postgres,
    for_sqlite,
    postgres_params,
    script_for_postgres,
    sqlite_params,
    steps,
)

SAME = None

TEXTS = [
    ("SELECT 1", SAME, "SELECT 1"),
    ("WHERE a = :a AND b_2=:b_2", SAME, "WHERE a = %(a)s AND b_2=%(b_2)s"),
    ("VALUES (:a,:b)", SAME, "VALUES (%(a)s,%(b)s)"),
    ("SELECT ':a', 'it''s :b', \":c\" FROM t", SAME, "SELECT ':a', 'it''s :b', \":c\" FROM t"),
    ("SELECT 1 -- not :this, isn't it\n, :a", SAME, "SELECT 1 -- not :this, isn't it\n, %(a)s"),
    ("SELECT /* nor :this */ :a", SAME, "SELECT /* nor :this */ %(a)s"),
    ("WHERE x LIKE '50%' AND y % 2 = :a", SAME, "WHERE x LIKE '50%%' AND y %% 2 = %(a)s"),
    ("-- 100 %\nSELECT 1", SAME, "-- 100 %%\nSELECT 1"),
    ("SELECT 1 /*pg FOR UPDATE SKIP LOCKED */", SAME, "SELECT 1  FOR UPDATE SKIP LOCKED "),
    ("SELECT 1 /*pg WHERE a = :a AND b % 2 = 1 */", SAME, "SELECT 1  WHERE a = %(a)s AND b %% 2 = 1 "),
    ("SELECT 1 /*pgx */", SAME, "SELECT 1 /*pgx */"),
    (
        "WHERE id IN EACH(:ids)",
        "WHERE id IN (SELECT value FROM json_each(:ids))",
        "WHERE id = ANY(%(ids)s)",
    ),
    (
        "WHERE id in\n  each ( :ids ) AND a = :a",
        "WHERE id IN (SELECT value FROM json_each(:ids)) AND a = :a",
        "WHERE id = ANY(%(ids)s) AND a = %(a)s",
    ),
    (
        "WHERE id NOT IN EACH(:ids)",
        "WHERE id NOT IN (SELECT value FROM json_each(:ids))",
        "WHERE id <> ALL(%(ids)s)",
    ),
    ("WHERE a = 'IN EACH(:ids)'", SAME, "WHERE a = 'IN EACH(:ids)'"),
    ("WHERE a IN ('each', :a)", SAME, "WHERE a IN ('each', %(a)s)"),
]


@pytest.mark.parametrize(("text", "sqlite", "postgres"), TEXTS)
def test_a_statement_as_each_database_reads_it(text: str, sqlite: str | None, postgres: str) -> None:
    assert for_sqlite(text).text == (sqlite or text)
    assert for_postgres(text).text == postgres


def test_lists_are_given_as_each_database_takes_them() -> None:
    text = "SELECT 1 WHERE a IN EACH(:ids) OR b IN EACH(:ids) OR c NOT IN EACH(:others) OR d = :d"
    params = {"ids": ("a", 'b"'), "others": iter([1, 2]), "d": "d"}
    assert sqlite_params(for_sqlite(text), params) == {"ids": '["a","b\\""]', "others": "[1,2]", "d": "d"}
    params = {"ids": ("a", "ü,{}", "c"), "others": {1}, "d": "d"}
    assert postgres_params(for_postgres(text), params) == {"ids": '{"a","ü,{}","c"}', "others": [1], "d": "d"}
    params = {"ids": (), "others": ("a", 'b"'), "d": "d"}
    assert postgres_params(for_postgres(text), params) == {"ids": "{}", "others": ["a", 'b"'], "d": "d"}


def test_a_statement_without_lists_keeps_its_parameters() -> None:
    params = {"a": 1}
    assert sqlite_params(for_sqlite("SELECT :a"), params) is params
    assert postgres_params(for_postgres("SELECT :a"), params) is params


def test_a_script_keeps_its_percent_signs() -> None:
    assert script_for_postgres("SELECT 5 % 2 /*pg + 1 */; -- 3 %") == "SELECT 5 % 2  + 1 ; -- 3 %"


def test_translations_are_kept() -> None:
    assert for_sqlite("SELECT :kept") is for_sqlite("SELECT :kept")


def test_an_insert_of_one_row_is_written_for_many() -> None:
    text = "INSERT INTO t (a, b, c)\nVALUES (:a, 'x:y%', :c)\nON CONFLICT DO NOTHING"
    rows = [{"c": 10 * number, "a": number} for number in range(9)]
    in_sqlite = for_sqlite(text).rows
    assert in_sqlite is not None
    eight, one = steps(in_sqlite, rows)
    assert one == ("INSERT INTO t (a, b, c) VALUES (?, 'x:y%', ?)\nON CONFLICT DO NOTHING", [8, 80])
    assert eight[0].count("(?, 'x:y%', ?)") == 8 and eight[1] == [v for n in range(8) for v in (n, 10 * n)]
    assert not list(steps(in_sqlite, []))


def test_a_column_that_no_row_fills_is_left_out() -> None:
    in_sqlite = for_sqlite("INSERT INTO t (a, b, c, d) VALUES (:a, :b, NULL, :d)").rows
    assert in_sqlite is not None
    assert list(steps(in_sqlite, [{"a": 1, "b": None, "d": 0}])) == [("INSERT INTO t (a, c, d) VALUES (?, NULL, ?)", [1, 0])]
    assert list(steps(in_sqlite, [{"a": None, "b": None, "d": None}])) == [("INSERT INTO t (a, c) VALUES (?, NULL)", [None])]
    some = [{"a": number, "b": number or None, "d": None} for number in range(8)]
    text, values = next(steps(in_sqlite, some))
    assert text.startswith("INSERT INTO t (a, b, c) VALUES (?, ?, NULL), (?, ?, NULL), ")
    assert values == [value for row in some for value in (row["a"], row["b"])]


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE t SET a = :a WHERE id = :id",
        "INSERT INTO t (a) SELECT :a",
        "INSERT INTO t (a) VALUES (CAST(:a AS TEXT))",
        "INSERT INTO t (a, b) VALUES (:a, 'x, y')",
        "INSERT INTO t (a) VALUES (NULL)",
        "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET b = :b",
    ],
)
def test_what_cannot_be_written_for_many_rows_is_run_row_by_row(text: str) -> None:
    assert for_sqlite(text).rows is None
