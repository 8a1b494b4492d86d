"""The table of reactions: what people put on messages of ours without writing."""

from collections.abc import Collection
from dataclasses import dataclass

from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredReaction:
    """A row; `kind` as in `core.signals.Reaction`."""

    message_id: str
    address: str
    kind: str
    created_at: int


def add(tx: Transaction, workspace_id: str, reaction: StoredReaction) -> None:
    tx.run(
        """
        INSERT INTO reactions (message_id, address, workspace_id, kind, created_at)
        VALUES (:message_id, :address, :workspace_id, :kind, :created_at)
        ON CONFLICT DO NOTHING
        """,
        {
            "message_id": reaction.message_id,
            "address": reaction.address,
            "workspace_id": workspace_id,
            "kind": reaction.kind,
            "created_at": reaction.created_at,
        },
    )


def remove(tx: Transaction, message_id: str, address: str, kind: str) -> None:
    tx.run(
        "DELETE FROM reactions WHERE message_id = :message_id AND address = :address AND kind = :kind",
        {"message_id": message_id, "address": address, "kind": kind},
    )


def of_messages(tx: Transaction, message_ids: Collection[str]) -> list[StoredReaction]:
    """Return what stands on messages, oldest first."""
    rows = tx.rows(
        """
        SELECT message_id, address, kind, created_at FROM reactions
        WHERE message_id IN EACH(:ids)
        ORDER BY created_at, kind
        """,
        {"ids": list(message_ids)},
    )
    return [StoredReaction(*row) for row in rows]
