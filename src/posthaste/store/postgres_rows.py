"""Many rows in one statement on PostgreSQL, given as one JSON text.

psycopg looks at every parameter of every row in Python, which costs more than the database does. So an INSERT or
UPDATE that is run for many rows is written as one that reads them from `json_populate_recordset`, which knows the
types of the columns. That works where each parameter is named like the column it is for; any other statement is run
row by row. What would surprise: no two rows of one call may be for the same row of the table.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from posthaste.store.transaction import Params

_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_INSERT = re.compile(
    r"\s* INSERT\s+INTO\s+ (?P<table>\w+) \s* \( (?P<columns>[^()]*) \)"
    r"\s* VALUES\s* \( (?P<values>(?:[^()']|'[^':]*')*) \) (?P<tail>[^:]*)",
    re.VERBOSE,
)
_UPDATE = re.compile(r"\s* UPDATE\s+ (?P<table>\w+) \s+ SET\s+ (?P<sets>.*) \s WHERE\s+ (?P<where>.*)", re.VERBOSE | re.DOTALL)
_SPECIAL = re.compile(r"/\*|--|%|\bEACH\b")
"""Comments, lists and what psycopg would take for a placeholder."""

_OF_ROW = r"r.\1"
_NEW = r"r.new_\1"
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=512)
def together(sql: str) -> str | None:
    """Return the statement that does for a JSON array of rows what `sql` does for one; None if there is none."""
    if _SPECIAL.search(sql):
        return None
    if parts := _INSERT.fullmatch(sql):
        return _insert(parts)
    if parts := _UPDATE.fullmatch(sql):
        return _update(parts)
    return None


def as_json(rows: Iterable[Params]) -> str:
    """Return rows as a JSON array, without the nulls, which the server reads into what is missing faster; truth values as
    the numbers that their columns hold.
    """
    rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
    text = _encode(rows)
    # A text may say so as well, and then this is done for nothing; hot statements are given numbers in the first place.
    if b":true" in text or b":false" in text:
        text = _encode([_with_numbers(row) for row in rows])
    return text.decode()


def _with_numbers(row: Params) -> Params:
    flags = [name for name, value in row.items() if value is True or value is False]
    return {**row, **{name: int(bool(row[name])) for name in flags}} if flags else row


def _insert(parts: re.Match[str]) -> str | None:
    columns = {name.strip() for name in parts["columns"].split(",")}
    if not set(_PARAMETER.findall(parts["values"])) <= columns:
        return None
    return (
        f"INSERT INTO {parts['table']} ({parts['columns']}) SELECT {_PARAMETER.sub(_OF_ROW, parts['values'])}"
        f" FROM json_populate_recordset(NULL::{parts['table']}, %s) AS r {parts['tail']}"
    )


def _update(parts: re.Match[str]) -> str | None:
    sets, where = parts["sets"], parts["where"]
    names = list(dict.fromkeys(_PARAMETER.findall(sets + " " + where)))
    if not all(re.search(rf"\b{name}\s*=\s*:{name}\b", sets + " " + where) for name in names):
        return None
    # Named apart from the table's own columns, which stand in the statement without its name.
    rows = ", ".join(f"{name} AS new_{name}" for name in names)
    return (
        f"UPDATE {parts['table']} SET {_PARAMETER.sub(_NEW, sets)}"
        f" FROM (SELECT {rows} FROM json_populate_recordset(NULL::{parts['table']}, %s)) AS r WHERE {_PARAMETER.sub(_NEW, where)}"
    )
