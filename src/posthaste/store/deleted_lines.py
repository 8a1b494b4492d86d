"""What is left to do for lines that were deleted: messages that wait on them, and devices that have no other line."""

from collections.abc import Collection

from posthaste.core.lines import NEVER_AT
from posthaste.store.transaction import Transaction


def delete(tx: Transaction, line_id: str) -> None:
    """Close a line for good; the caller holds the lock of its device."""
    tx.run(
        "UPDATE lines SET is_active = 0, deleted_at = :now, updated_at = :now WHERE id = :id",
        {"id": line_id, "now": tx.now},
    )


def waiting(tx: Transaction, limit: int) -> list[tuple[str, str]]:
    """Return messages that wait on deleted lines, as (id, workspace id).

    Runs every minute; a few look-ups in messages_due for each deleted line. CROSS is SQLite's word for going through the lines
    first, or it would read all that waits anywhere.
    """
    rows = tx.rows(
        """
        SELECT m.id, m.workspace_id
        FROM lines AS l
        CROSS JOIN messages AS m
        WHERE l.deleted_at IS NOT NULL AND m.line_id = l.id AND m.status = 'waiting'
        LIMIT :limit
        """,
        {"limit": limit},
    )
    return [(row[0], row[1]) for row in rows]


def abandoned_devices(tx: Transaction) -> list[str]:
    """Return devices whose lines were all deleted, and through which nothing is under way or in doubt any more."""
    rows = tx.rows(
        """
        SELECT d.id
        FROM devices AS d
        WHERE d.health_due_at < :never
            AND EXISTS (SELECT 1 FROM lines AS l WHERE l.device_id = d.id AND l.deleted_at IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM lines AS l WHERE l.device_id = d.id AND l.deleted_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.device_id = d.id AND a.state <> 'done')
        ORDER BY d.id
        """,
        {"never": NEVER_AT},
    )
    return [row[0] for row in rows]


def has_lines(tx: Transaction, device_id: str) -> bool:
    row = tx.one("SELECT 1 FROM lines WHERE device_id = :id AND deleted_at IS NULL LIMIT 1", {"id": device_id})
    return row is not None


def let_go(tx: Transaction, device_ids: Collection[str]) -> None:
    """Forget how devices are reached and what they report under, and neither ping nor poll them again."""
    tx.many(
        """
        UPDATE devices
        SET url = '', secret = '', config = '{}', options = '{}', hook_token = :token, state = 'down',
            state_reason = 'its last line was deleted', state_at = :now, ready_at = NULL,
            health_due_at = :never, poll_due_at = :never
        WHERE id = :id
        """,
        [{"id": one, "token": tx.secret(), "now": tx.now, "never": NEVER_AT} for one in sorted(device_ids)],
    )
