"""Translate one SQL text into each database's own.

Three things differ: how a parameter is written, how a list is given (`IN EACH(:ids)`), and `/*pg … */`, a comment
to SQLite and text to PostgreSQL. String literals, quoted names and other comments stay as they are. Translations
are kept, so a statement costs a look-up each time but the first. Nothing here builds SQL from values.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import cast

import msgspec

from posthaste.store.transaction import Params

_TOKEN = re.compile(
    r"""
    (?P<verbatim> '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* )
    | /\*pg\b (?P<postgres> .*? ) \*/
    | (?P<comment> /\*.*?\*/ )
    | \b (?P<negated> NOT\s+ )? IN\s+EACH\s*\(\s* : (?P<list> \w+ ) \s*\)
    | (?<! [:\w] ) : (?P<name> [A-Za-z_]\w* )
    | (?P<percent> % )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

_encode = msgspec.json.Encoder().encode

_ONE_ROW = re.compile(
    r"(?P<head> \s* INSERT\b [^()]* ) \( (?P<columns> [^()]* ) \) \s* VALUES\s* \( (?P<values> [^()]* ) \) (?P<tail> [^:]* )",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Rows:
    """An INSERT of one row, in the parts from which one of many rows is made.

    `places` are the columns, each with `?` or a literal; `pick` gives what a row has for each `?`.
    """

    head: str
    places: tuple[tuple[str, str], ...]
    tail: str
    pick: Callable[[Params], tuple[object, ...]]


#: How many rows go into one statement; few different numbers, so that the statements are prepared once and kept.
_ROWS_A_STEP = (32, 8, 1)


def steps(rows: Rows, params: Iterable[Params]) -> Iterator[tuple[str, list[object]]]:
    """Return the statements, each with its positional parameters, that together insert all rows in order.

    A column that is empty in all of them is left out: half of a new message's are filled in later or never, and each costs.
    """
    columns = list(zip(*map(rows.pick, params), strict=True))
    # The first one stays in any case, so that a row is a row.
    empty = frozenset(number for number, column in enumerate(columns) if number and _is_empty(column))
    values = list(zip(*(column for number, column in enumerate(columns) if number not in empty), strict=True))
    start = 0
    for count in _ROWS_A_STEP:
        while len(values) - start >= count:
            yield _for_many(rows, empty, count), list(chain.from_iterable(values[start : start + count]))
            start += count


def _is_empty(column: tuple[object, ...]) -> bool:
    return column[0] is None and column.count(None) == len(column)


@lru_cache(maxsize=512)
def _for_many(rows: Rows, empty: frozenset[int], count: int) -> str:
    numbers = iter(range(len(rows.places)))
    left = [(column, value) for column, value in rows.places if value != "?" or next(numbers) not in empty]
    columns, row = ", ".join(column for column, _ in left), ", ".join(value for _, value in left)
    return f"{rows.head}({columns}) VALUES {', '.join([f'({row})'] * count)}{rows.tail}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A translated text, and which of its parameters are lists; `rows` if it could as well insert many (SQLite only).

    psycopg sends `executemany` in one go and keeps short statements parsed; there one long statement costs more.
    """

    text: str
    lists: tuple[str, ...]
    rows: Rows | None = None


@lru_cache(maxsize=2048)
def for_sqlite(sql: str) -> Statement:
    """Write a statement as SQLite reads it."""
    return Statement(_TOKEN.sub(_sqlite_token, sql), _lists(sql), _rows(sql))


@lru_cache(maxsize=2048)
def for_postgres(sql: str) -> Statement:
    """Write a statement as psycopg and PostgreSQL read it."""
    return Statement(_postgres_text(sql), _lists(sql))


def script_for_postgres(sql: str) -> str:
    """Write a script without parameters as PostgreSQL reads it: psycopg leaves `%` alone there."""
    return _TOKEN.sub(lambda token: token["postgres"] or token[0], sql)


def sqlite_params(statement: Statement, params: Params) -> Params:
    """Give each list as a JSON text, which is what `json_each` takes."""
    if not statement.lists:
        return params
    lists = {name: _encode(_values(params, name)).decode() for name in statement.lists}
    return {**params, **lists}


def postgres_params(statement: Statement, params: Params) -> Params:
    """Give each list as an array."""
    if not statement.lists:
        return params
    return {**params, **{name: _array(_values(params, name)) for name in statement.lists}}


def _array(values: list[object]) -> object:
    """Return PostgreSQL's own writing of an array of plain texts; psycopg needs ten times as long for it.

    It is JSON's but for the brackets, as long as nothing in it is escaped. All else goes as a list.
    """
    text = _encode(values).decode()
    is_plain = "\\" not in text and all(type(value) is str for value in values)
    return f"{{{text[1:-1]}}}" if is_plain else values


def _rows(sql: str) -> Rows | None:
    parts = _ONE_ROW.fullmatch(sql)
    if parts is None:
        return None
    names = [token["name"] for token in _TOKEN.finditer(parts["values"]) if token["name"]]
    row = _TOKEN.sub(lambda token: "?" if token["name"] else token[0], parts["values"])
    columns, values = _listed(parts["columns"]), _listed(row)
    # A comma in a literal would make more of the values.
    if not names or len(columns) != len(values):
        return None
    return Rows(parts["head"], tuple(zip(columns, values, strict=True)), parts["tail"], _picker(names))


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",")]


def _picker(names: list[str]) -> Callable[[Params], tuple[object, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: tuple(params[name] for name in names)


def _values(params: Params, name: str) -> list[object]:
    return list(cast("Iterable[object]", params[name]))


def _lists(sql: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(token["list"] for token in _TOKEN.finditer(sql) if token["list"]))


def _sqlite_token(token: re.Match[str]) -> str:
    if name := token["list"]:
        return f"{token['negated'] or ''}IN (SELECT value FROM json_each(:{name}))"
    return token[0]


def _postgres_text(sql: str) -> str:
    return _TOKEN.sub(_postgres_token, sql)


def _postgres_token(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "list" if token["negated"]:
            return f"<> ALL(%({token['list']})s)"
        case "list":
            return f"= ANY(%({token['list']})s)"
        case "name":
            return f"%({token['name']})s"
        case "postgres":
            return _postgres_text(token["postgres"])
        case _:
            # psycopg looks for placeholders everywhere, in literals and comments too.
            return token[0].replace("%", "%%")
