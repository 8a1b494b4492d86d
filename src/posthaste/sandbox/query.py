"""Look messages up as `message/query` does: time, chat, order, page, and `where` statements in SQL's words.

Only the columns below are known; anything else is the database error that a mistyped column gives. From macOS 13 on the
text column is empty for what the Mac sent, so `message.text` finds such rows only through the Private API, whose search
means "contains" whatever the statement says.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from posthaste.sandbox.entries import Row
from posthaste.sandbox.envelope import unhandled
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.validation import ARRAY, NUMERIC, STRING, at_least, at_most, one_of

DEFAULT_LIMIT = 100

RULES = {
    "with": (ARRAY,),
    "where": (ARRAY,),
    "sort": (STRING, one_of("ASC", "DESC")),
    "after": (NUMERIC, at_least(0)),
    "before": (NUMERIC, at_least(1)),
    "chatGuid": (STRING,),
    "offset": (NUMERIC, at_least(0)),
    "limit": (NUMERIC, at_least(1), at_most(1000)),
}

Test = Callable[[Row], bool]

_STATEMENT = re.compile(
    r"message\.(?P<column>\w+)\s*"
    r"(?:(?P<null>IS (?:NOT )?NULL)|IN\s*\(\s*:\.\.\.(?P<list>\w+)\s*\)"
    r"|(?P<operator>=|!=|<>|<=|>=|<|>|LIKE|IS)\s*:(?P<name>\w+)(?:\s+COLLATE\s+NOCASE)?)",
    re.IGNORECASE,
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq, "IS": eq, "!=": ne, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_COLUMNS: dict[str, Callable[[Row], object]] = {
    "rowid": lambda row: row.rowid,
    "guid": lambda row: row.guid,
    "text": lambda row: None if row.is_from_me else row.text,
    "error": lambda row: row.error,
    "isfromme": lambda row: int(row.is_from_me),
    "is_from_me": lambda row: int(row.is_from_me),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    chat_guid: str | None = None
    after: float | None = None
    before: float | None = None
    tests: tuple[tuple[str, Mapping[str, object]], ...] = ()
    newest_first: bool = True
    offset: int = 0
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    total: int
    offset: int
    limit: int


@dataclass(slots=True)
class _Condition:
    """All `where` statements as one test, and the ROWID below which nothing can pass."""

    above_rowid: int = 0
    tests: list[Test] = field(default_factory=list)


def parse(body: Mapping[str, object]) -> Wanted:
    """Read a body that was found valid."""
    return Wanted(
        chat_guid=str(body["chatGuid"]) if body.get("chatGuid") else None,
        after=_number(body.get("after")),
        before=_number(body.get("before")),
        tests=tuple(_statements(body.get("where"))),
        newest_first=body.get("sort") != "ASC",
        offset=int(_number(body.get("offset")) or 0),
        limit=int(_number(body.get("limit")) or DEFAULT_LIMIT),
    )


def run(mac: Mac, wanted: Wanted) -> Page | None:
    """Return a page of messages, or nothing if the chat does not exist."""
    if wanted.chat_guid and wanted.chat_guid not in mac.chats:
        return None
    rows = matching(mac, wanted)
    rows.sort(key=lambda row: (row.created_at, row.rowid), reverse=wanted.newest_first)
    return Page(rows[wanted.offset : wanted.offset + wanted.limit], len(rows), wanted.offset, wanted.limit)


def matching(mac: Mac, wanted: Wanted) -> list[Row]:
    condition = _condition(mac, wanted)
    # ROWIDs leave no gap, so a poll for what is new need not walk through all that is old.
    return [row for row in mac.rows[condition.above_rowid :] if all(test(row) for test in condition.tests)]


def _condition(mac: Mac, wanted: Wanted) -> _Condition:
    condition = _Condition()
    chat_guid, after, before = wanted.chat_guid, wanted.after, wanted.before
    if chat_guid is not None:
        condition.tests.append(lambda row: row.chat_guid == chat_guid)
    if after is not None:
        condition.tests.append(lambda row: row.created_at >= after)
    if before is not None:
        condition.tests.append(lambda row: row.created_at < before)
    for statement, args in wanted.tests:
        _add(condition, mac, statement, args)
    return condition


def _add(condition: _Condition, mac: Mac, statement: str, args: Mapping[str, object]) -> None:
    for part in re.split(r"\s+AND\s+", statement.strip(), flags=re.IGNORECASE):
        matched = _STATEMENT.fullmatch(_without_brackets(part))
        column = matched["column"].lower() if matched else ""
        if matched is None or column not in _COLUMNS:
            raise unhandled(f"SQLITE_ERROR: cannot run: {part}")
        if column == "rowid" and matched["operator"] == ">":
            condition.above_rowid = max(condition.above_rowid, int(_number(_arg(args, matched["name"])) or 0))
        condition.tests.append(_test(mac, column, matched, args))


def _without_brackets(part: str) -> str:
    text = part.strip()
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text


def _test(mac: Mac, column: str, matched: re.Match[str], args: Mapping[str, object]) -> Test:
    read = _COLUMNS[column]
    if matched["null"]:
        wants_null = "NOT" not in matched["null"].upper()
        return lambda row: (read(row) is None) == wants_null
    if matched["list"]:
        wanted = _arg(args, matched["list"])
        return lambda row: isinstance(wanted, list) and read(row) in wanted
    value = _arg(args, matched["name"])
    if column == "text" and mac.settings.private_api:
        term = str(value).strip("%").lower()
        return lambda row: term in row.text.lower()
    return _comparison(read, matched["operator"].upper(), value)


def _comparison(read: Callable[[Row], object], operator: str, value: object) -> Test:
    if operator == "LIKE":
        pattern = re.compile(re.escape(str(value)).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL)
        return lambda row: read(row) is not None and pattern.fullmatch(str(read(row))) is not None
    compare = _OPERATORS[operator]

    def passes(row: Row) -> bool:
        own = read(row)
        other = _number(value) if isinstance(own, int) else str(value)
        return own is not None and other is not None and compare(own, other)

    return passes


def _statements(where: object) -> list[tuple[str, Mapping[str, object]]]:
    items = where if isinstance(where, list) else []
    return [_statement(item) for item in items]


def _statement(item: object) -> tuple[str, Mapping[str, object]]:
    if not isinstance(item, dict) or not item.get("statement"):
        raise unhandled("a where item needs a statement")
    args = item.get("args")
    return str(item["statement"]), args if isinstance(args, dict) else {}


def _arg(args: Mapping[str, object], name: str) -> object:
    if name not in args:
        raise unhandled(f"SQLITE_ERROR: no value for :{name}")
    return args[name]


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    return None
