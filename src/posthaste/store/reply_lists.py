"""Lists of replies: of each lead that has written, the last reply, and what surrounds it.

A page is read newest first from messages_received, and what is not its lead's last reply is passed over by a look into
messages_replied. So a page costs what lies between its replies, not what lies in the table.
"""

from collections.abc import Collection

from posthaste.store.messages import LATEST
from posthaste.store.transaction import Row, Transaction


def page(tx: Transaction, workspace_id: str, offset: int, limit: int) -> list[str]:
    """Return the ids of the last replies, one for each lead, newest first."""
    rows = tx.rows(
        """
        SELECT m.id
        FROM messages AS m
        WHERE m.workspace_id = :workspace_id AND m.direction = 'received'
            AND NOT EXISTS (
                SELECT 1 FROM messages AS later
                WHERE later.workspace_id = :workspace_id AND later.lead_id = m.lead_id AND later.direction = 'received'
                    AND (later.created_at, later.id) > (m.created_at, m.id)
            )
        ORDER BY m.created_at DESC, m.id DESC
        LIMIT :limit OFFSET :offset
        """,
        {"workspace_id": workspace_id, "limit": limit, "offset": offset},
    )
    return [row[0] for row in rows]


def count(tx: Transaction, workspace_id: str) -> int:
    """Return how many leads have replied. Reads the workspace's part of messages_replied and nothing else."""
    row = tx.one(
        "SELECT count(DISTINCT lead_id) FROM messages WHERE workspace_id = :workspace_id AND direction = 'received'",
        {"workspace_id": workspace_id},
    )
    return int(row[0]) if row else 0


def last_of(tx: Transaction, workspace_id: str, lead_id: str) -> str | None:
    """Return the id of a lead's last reply."""
    row = tx.one(
        """
        SELECT id FROM messages
        WHERE workspace_id = :workspace_id AND lead_id = :lead_id AND direction = 'received'
        ORDER BY created_at DESC, id DESC
        LIMIT 1
        """,
        {"workspace_id": workspace_id, "lead_id": lead_id},
    )
    return row[0] if row else None


def recent(tx: Transaction, workspace_id: str, lead_ids: Collection[str], each: int) -> dict[str, list[str]]:
    """Return the ids of the last replies of each of these leads, newest first. Served by messages_replied."""
    rows = tx.rows(
        """
        SELECT l.id, (
            SELECT string_agg(one.id, ',')
            FROM (
                SELECT m.id
                FROM messages AS m
                WHERE m.workspace_id = :workspace_id AND m.lead_id = l.id AND m.direction = 'received'
                ORDER BY m.created_at DESC, m.id DESC
                LIMIT :each
            ) AS one
        )
        FROM leads AS l
        WHERE l.id IN EACH(:lead_ids)
        """,
        {"workspace_id": workspace_id, "lead_ids": list(lead_ids), "each": each},
    )
    return _ids_of(rows)


def sent_to(tx: Transaction, lead_ids: Collection[str], each: int) -> dict[str, list[str]]:
    """Return the ids of the last messages that went out to each of these leads, the last one first.

    Served by messages_of_lead, among the latest that were written: one may have waited for its date while others went.
    """
    rows = tx.rows(
        """
        SELECT l.id, (
            SELECT string_agg(one.id, ',')
            FROM (
                SELECT late.id
                FROM (
                    SELECT m.id, m.sent_at
                    FROM messages AS m
                    WHERE m.lead_id = l.id AND m.direction = 'sent' AND m.sent_at IS NOT NULL
                    ORDER BY m.created_at DESC, m.id DESC
                    LIMIT :among
                ) AS late
                ORDER BY late.sent_at DESC, late.id DESC
                LIMIT :each
            ) AS one
        )
        FROM leads AS l
        WHERE l.id IN EACH(:lead_ids)
        """,
        {"lead_ids": list(lead_ids), "each": each, "among": LATEST},
    )
    return _ids_of(rows)


def _ids_of(rows: list[Row]) -> dict[str, list[str]]:
    return {lead_id: ids.split(",") if ids else [] for lead_id, ids in rows}
