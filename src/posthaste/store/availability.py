"""The table of availability: whether an address is on iMessage, as the provider last said."""

from collections.abc import Collection

from posthaste.store.transaction import Transaction


def known(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> dict[str, tuple[bool, int]]:
    """Return what is known of addresses, as address → (is available, checked at)."""
    rows = tx.rows(
        """
        SELECT address, is_available, checked_at
        FROM availability
        WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)
        """,
        {"workspace_id": workspace_id, "addresses": list(addresses)},
    )
    return {row[0]: (bool(row[1]), row[2]) for row in rows}


def note(tx: Transaction, workspace_id: str, address: str, *, is_available: bool) -> None:
    tx.run(
        """
        INSERT INTO availability (workspace_id, address, is_available, checked_at)
        VALUES (:workspace_id, :address, :is_available, :now)
        ON CONFLICT (workspace_id, address) DO UPDATE SET is_available = :is_available, checked_at = :now
        """,
        {"workspace_id": workspace_id, "address": address, "is_available": is_available, "now": tx.now},
    )


def sweep(tx: Transaction, checked_before: int, limit: int) -> int:
    """Forget what was found out long ago, unless it is found out anew meanwhile. Served by availability_oldest."""
    return tx.run(
        """
        DELETE FROM availability
        WHERE checked_at < :before AND (workspace_id, address) IN (
            SELECT workspace_id, address FROM availability WHERE checked_at < :before ORDER BY checked_at LIMIT :limit
        )
        """,
        {"before": checked_before, "limit": limit},
    )
