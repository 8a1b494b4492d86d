"""The table of reactions: what people put on messages of ours without writing.

What was taken off again stays as a row, so that the reaction itself, heard of only later, does not stand.
"""

from collections.abc import Collection
from dataclasses import dataclass

from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredReaction:
    """What stands on a message; `kind` as in `core.signals.Reaction`."""

    message_id: str
    address: str
    kind: str
    created_at: int


def note(tx: Transaction, workspace_id: str, reaction: StoredReaction, *, is_removed: bool) -> bool:
    """Note that a person put something on a message, or took it off; False if they have done the other since."""
    return bool(
        tx.run(
            """
            INSERT INTO reactions (message_id, address, workspace_id, kind, created_at, is_removed)
            VALUES (:message_id, :address, :workspace_id, :kind, :created_at, :is_removed)
            ON CONFLICT (message_id, address, kind) DO UPDATE
            SET created_at = excluded.created_at, is_removed = excluded.is_removed
            WHERE reactions.created_at <= excluded.created_at
            """,
            {
                "message_id": reaction.message_id,
                "address": reaction.address,
                "workspace_id": workspace_id,
                "kind": reaction.kind,
                "created_at": reaction.created_at,
                "is_removed": is_removed,
            },
        )
    )


def of_messages(tx: Transaction, message_ids: Collection[str]) -> list[StoredReaction]:
    """Return what stands on messages, oldest first."""
    rows = tx.rows(
        """
        SELECT message_id, address, kind, created_at FROM reactions
        WHERE message_id IN EACH(:ids) AND is_removed = 0
        ORDER BY created_at, kind
        """,
        {"ids": list(message_ids)},
    )
    return [StoredReaction(*row) for row in rows]
