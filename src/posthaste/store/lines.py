"""The table of lines.

A line's counts change only with the lock of its device held, or, for `chosen_*`, by whoever accepts. A deleted line is not
active, so nothing that looks for active lines finds it.
"""

from collections.abc import Collection, Sequence

from posthaste.core.lines import Line
from posthaste.store.transaction import Row, Transaction

_NAMES = Line.__struct_fields__
_COLUMNS = ", ".join(_NAMES)
_QUALIFIED = ", ".join(f"l.{name}" for name in _NAMES)


def _line(row: Row) -> Line:
    return Line(*row[:8], bool(row[8]), *row[9:])  # type: ignore[call-arg]  # mypy cannot count starred slices


def add(tx: Transaction, line: Line) -> None:
    values = ", ".join(f":{name}" for name in _NAMES)
    tx.run(f"INSERT INTO lines ({_COLUMNS}) VALUES ({values})", {name: getattr(line, name) for name in _NAMES})


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Line]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM lines WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _line(row) for row in rows}


def find(tx: Transaction, workspace_id: str, line_id: str) -> Line | None:
    """Return a line of a workspace that was not deleted."""
    line = by_ids(tx, [line_id]).get(line_id)
    return None if line is None or line.workspace_id != workspace_id or line.deleted_at is not None else line


def of_devices(tx: Transaction, device_ids: Collection[str]) -> list[Line]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM lines WHERE device_id IN EACH(:ids) ORDER BY id", {"ids": list(device_ids)})
    return [_line(row) for row in rows]


def of_workspace(tx: Transaction, workspace_id: str) -> list[Line]:
    """Return a workspace's lines, those for iMessage first, in order of creation."""
    rows = tx.rows(
        f"""
        SELECT {_COLUMNS} FROM lines
        WHERE workspace_id = :workspace_id AND deleted_at IS NULL
        ORDER BY CASE WHEN message_type = 'imessage' THEN 0 ELSE 1 END, created_at, id
        """,
        {"workspace_id": workspace_id},
    )
    return [_line(row) for row in rows]


def by_turn(tx: Transaction, workspace_id: str, message_type: str, limit: int) -> list[Line]:
    """Return healthy, active lines in order of their turn. Served by lines_by_turn."""
    rows = tx.rows(
        f"""
        SELECT {_QUALIFIED}
        FROM lines AS l
        JOIN devices AS d ON d.id = l.device_id
        WHERE l.workspace_id = :workspace_id AND l.message_type = :message_type AND l.is_active = 1 AND d.state = 'up'
        ORDER BY l.chosen_at, l.id
        LIMIT :limit
        """,
        {"workspace_id": workspace_id, "message_type": message_type, "limit": limit},
    )
    return [_line(row) for row in rows]


def active_in_turn(tx: Transaction, workspace_id: str, message_type: str, limit: int) -> list[Line]:
    """Return active lines in order of their turn, healthy or not."""
    rows = tx.rows(
        f"""
        SELECT {_COLUMNS}
        FROM lines
        WHERE workspace_id = :workspace_id AND message_type = :message_type AND is_active = 1
        ORDER BY chosen_at, id
        LIMIT :limit
        """,
        {"workspace_id": workspace_id, "message_type": message_type, "limit": limit},
    )
    return [_line(row) for row in rows]


def best_in_turn(tx: Transaction, workspace_id: str, message_type: str, limit: int) -> list[Line]:
    """Return healthy, active lines in order of their turn, or where none is healthy the others."""
    return by_turn(tx, workspace_id, message_type, limit) or active_in_turn(tx, workspace_id, message_type, limit)


def save_counts(tx: Transaction, lines: Sequence[Line]) -> None:
    """Write the day's counts and the contact gap; the caller holds the lock of the device."""
    tx.many(
        """
        UPDATE lines
        SET usage_until = :usage_until, usage_total = :usage_total, usage_new = :usage_new, usage_checks = :usage_checks,
            chosen_at = :chosen_at, chosen_total = :chosen_total, chosen_new = :chosen_new, contact_free_at = :contact_free_at
        WHERE id = :id
        """,
        [
            {
                "id": one.id,
                "usage_until": one.usage_until,
                "usage_total": one.usage_total,
                "usage_new": one.usage_new,
                "usage_checks": one.usage_checks,
                "chosen_at": one.chosen_at,
                "chosen_total": one.chosen_total,
                "chosen_new": one.chosen_new,
                "contact_free_at": one.contact_free_at,
            }
            for one in lines
        ],
    )


def save_limits(tx: Transaction, line: Line) -> None:
    """Write what a person may change about a line; what follows for its counts and clocks is `save_counts`'s."""
    tx.run(
        """
        UPDATE lines
        SET is_active = :is_active, timezone = :timezone, messages_per_day = :messages_per_day, new_per_day = :new_per_day,
            checks_per_day = :checks_per_day, first_name = :first_name, last_name = :last_name,
            contact_gap_ms = :contact_gap_ms, updated_at = :updated_at
        WHERE id = :id
        """,
        {
            "id": line.id,
            "is_active": line.is_active,
            "timezone": line.timezone,
            "messages_per_day": line.messages_per_day,
            "new_per_day": line.new_per_day,
            "checks_per_day": line.checks_per_day,
            "first_name": line.first_name,
            "last_name": line.last_name,
            "contact_gap_ms": line.contact_gap_ms,
            "updated_at": line.updated_at,
        },
    )
