"""The table of idempotency keys: what each was first used for, and what that was answered with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class KeptKey:
    """An idempotency key with what it was first used for; `answer` is JSON."""

    workspace_id: str
    key: str
    body_digest: str
    message_id: str
    answer: str
    keep_until: int


def kept(tx: Transaction, workspace_id: str, keys: Collection[str]) -> dict[str, KeptKey]:
    rows = tx.rows(
        """
        SELECT workspace_id, key, body_digest, message_id, answer, keep_until
        FROM idempotency_keys
        WHERE workspace_id = :workspace_id AND key IN EACH(:keys)
        """,
        {"workspace_id": workspace_id, "keys": list(keys)},
    )
    return {row[1]: KeptKey(*row) for row in rows}


def reserve(tx: Transaction, workspace_id: str, digests: Mapping[str, str]) -> set[str]:
    """Take keys that nobody has, as key → body digest, and return those taken. Waits for a concurrent use to commit."""
    taken = tx.many_rows(
        """
        INSERT INTO idempotency_keys (workspace_id, key, body_digest, message_id, answer, created_at, keep_until)
        VALUES (:workspace_id, :key, :body_digest, '', '', :created_at, :created_at)
        ON CONFLICT DO NOTHING
        RETURNING key
        """,
        [
            {"workspace_id": workspace_id, "key": key, "body_digest": digests[key], "created_at": tx.now}
            for key in sorted(digests)
        ],
    )
    return {row[0] for row in taken}


def fill(tx: Transaction, keys: Sequence[KeptKey]) -> None:
    tx.many(
        """
        UPDATE idempotency_keys SET message_id = :message_id, answer = :answer, keep_until = :keep_until
        WHERE workspace_id = :workspace_id AND key = :key
        """,
        [
            {
                "workspace_id": k.workspace_id,
                "key": k.key,
                "message_id": k.message_id,
                "answer": k.answer,
                "keep_until": k.keep_until,
            }
            for k in keys
        ],
    )


def drop(tx: Transaction, workspace_id: str, keys: Collection[str]) -> None:
    """Give keys back: the request was refused, and a refusal uses no key up."""
    tx.run(
        "DELETE FROM idempotency_keys WHERE workspace_id = :workspace_id AND key IN EACH(:keys)",
        {"workspace_id": workspace_id, "keys": list(keys)},
    )


def sweep(tx: Transaction, after_end_ms: int, limit: int) -> int:
    """Forget keys that are past their time and whose message ended long enough ago."""
    return tx.run(
        """
        DELETE FROM idempotency_keys
        WHERE (workspace_id, key) IN (
            SELECT k.workspace_id, k.key
            FROM idempotency_keys AS k
            LEFT JOIN messages AS m ON m.id = k.message_id
            WHERE k.keep_until < :now
                AND (m.id IS NULL OR (m.status NOT IN ('waiting', 'sending') AND m.updated_at < :ended_before))
            LIMIT :limit
        )
        """,
        {"now": tx.now, "ended_before": tx.now - after_end_ms, "limit": limit},
    )
