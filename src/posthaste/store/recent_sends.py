"""The table behind the double-send guard: the last message with each fingerprint, for as long as the guard looks back.

A message that began a conversation stands there and not here, until another one with its fingerprint was accepted.
"""

from collections.abc import Collection, Mapping

from posthaste.core.row import Value
from posthaste.store.transaction import Transaction


class RecentSend(Value, frozen=True):
    """The last message with a fingerprint, and what became of it."""

    fingerprint: str
    message_id: str
    created_at: int
    status: str | None
    lead_id: str | None


def known(tx: Transaction, workspace_id: str, fingerprints: Collection[str]) -> dict[str, RecentSend]:
    """Return and lock what is remembered of fingerprints."""
    rows = tx.rows(
        """
        SELECT r.fingerprint, r.message_id, r.created_at, m.status, m.lead_id
        FROM recent_sends AS r
        LEFT JOIN messages AS m ON m.id = r.message_id
        WHERE r.workspace_id = :workspace_id AND r.fingerprint IN EACH(:fingerprints)
        ORDER BY r.fingerprint
        /*pg FOR UPDATE OF r */
        """,
        {"workspace_id": workspace_id, "fingerprints": list(fingerprints)},
    )
    return {row[0]: RecentSend(*row) for row in rows}


def reserve(tx: Transaction, workspace_id: str, sends: Mapping[str, str]) -> set[str]:
    """Remember messages, as fingerprint → message id, where nothing is remembered yet, and return those fingerprints.

    Waits for a concurrent send of the same to commit.
    """
    reserved = tx.many_rows(
        """
        INSERT INTO recent_sends (workspace_id, fingerprint, message_id, created_at)
        VALUES (:workspace_id, :fingerprint, :message_id, :created_at)
        ON CONFLICT DO NOTHING
        RETURNING fingerprint
        """,
        [
            {"workspace_id": workspace_id, "fingerprint": one, "message_id": sends[one], "created_at": tx.now}
            for one in sorted(sends)
        ],
    )
    return {row[0] for row in reserved}


def remember(tx: Transaction, workspace_id: str, sends: Mapping[str, str]) -> None:
    """Remember messages by their fingerprints, as fingerprint → message id."""
    tx.many(
        """
        INSERT INTO recent_sends (workspace_id, fingerprint, message_id, created_at)
        VALUES (:workspace_id, :fingerprint, :message_id, :created_at)
        ON CONFLICT (workspace_id, fingerprint) DO UPDATE
        SET message_id = excluded.message_id, created_at = excluded.created_at
        """,
        [
            {"workspace_id": workspace_id, "fingerprint": one, "message_id": sends[one], "created_at": tx.now}
            for one in sorted(sends)
        ],
    )


def sweep(tx: Transaction, created_before: int, limit: int) -> int:
    return tx.run(
        """
        DELETE FROM recent_sends
        WHERE (workspace_id, fingerprint) IN (
            SELECT workspace_id, fingerprint FROM recent_sends WHERE created_at < :before ORDER BY created_at LIMIT :limit
        )
        """,
        {"before": created_before, "limit": limit},
    )
