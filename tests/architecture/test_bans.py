"""What no linter knows: time and chance are read in two files, and SQL stands in one folder."""

import ast
import re
from collections.abc import Iterator

import pytest

from .sources import Source, product, texts

CLOCKS = ("clock.py", "ids.py")
BANNED_MODULES = frozenset({"time", "random", "secrets", "uuid"})
BANNED_CALLS = frozenset({"now", "utcnow", "today"})
SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|WITH|PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT)\s")


def test_only_two_files_read_time_and_draw_random_values() -> None:
    assert not [found for source in product() if source.path.name not in CLOCKS for found in _readings(source)]


def test_sql_stands_in_the_store_alone() -> None:
    found = [
        source.at(node) for source in product() for node, text in texts(source) if SQL.match(text) and not source.is_in("store")
    ]
    assert not found


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from secrets import token_hex",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import date\ndate.today()",
    ],
)
def test_a_forbidden_reading_is_seen(code: str) -> None:
    source = product()[0]
    assert list(_readings(Source(source.path, code, ast.parse(code))))


@pytest.mark.parametrize("code", ['x = "SELECT 1"', 'x = f"UPDATE devices SET {y}"', 'x = """\n  INSERT INTO leads\n"""'])
def test_sql_is_seen(code: str) -> None:
    source = product()[0]
    assert any(SQL.match(text) for _, text in texts(Source(source.path, code, ast.parse(code))))


def _readings(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names) if BANNED_MODULES & {name.name.partition(".")[0] for name in names}:
                yield source.at(node)
            case ast.ImportFrom(module=str(module), level=0) if module.partition(".")[0] in BANNED_MODULES:
                yield source.at(node)
            case ast.Call(func=ast.Attribute(attr=attr, value=owner)) if attr in BANNED_CALLS:
                if ast.unparse(owner).rpartition(".")[2] in ("datetime", "date"):
                    yield source.at(node)
