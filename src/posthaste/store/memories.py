"""Small tables that remember for a while: idempotency keys, the double-send guard, availability, and signals that came in."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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


def kept_keys(tx: Transaction, workspace_id: str, keys: Collection[str]) -> dict[str, KeptKey]:
    rows = tx.rows(
        """
        SELECT workspace_id, key, body_digest, message_id, answer, keep_until
        FROM idempotency_keys
        WHERE workspace_id = :workspace_id AND key IN EACH(:keys)
        """,
        {"workspace_id": workspace_id, "keys": list(keys)},
    )
    return {row[1]: KeptKey(*row) for row in rows}


def reserve_keys(tx: Transaction, workspace_id: str, digests: Mapping[str, str]) -> set[str]:
    """Take keys that nobody has, as key → body digest, and return those taken. Waits for a concurrent use to commit."""
    taken: set[str] = set()
    for key in sorted(digests):
        taken.update(
            row[0]
            for row in tx.rows(
                """
                INSERT INTO idempotency_keys (workspace_id, key, body_digest, message_id, answer, created_at, keep_until)
                VALUES (:workspace_id, :key, :digest, '', '', :now, :now)
                ON CONFLICT DO NOTHING
                RETURNING key
                """,
                {"workspace_id": workspace_id, "key": key, "digest": digests[key], "now": tx.now},
            )
        )
    return taken


def fill_keys(tx: Transaction, keys: Sequence[KeptKey]) -> None:
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


def drop_keys(tx: Transaction, workspace_id: str, keys: Collection[str]) -> None:
    """Give keys back: the request was refused, and a refusal uses no key up."""
    tx.run(
        "DELETE FROM idempotency_keys WHERE workspace_id = :workspace_id AND key IN EACH(:keys)",
        {"workspace_id": workspace_id, "keys": list(keys)},
    )


def sweep_keys(tx: Transaction, after_end_ms: int, limit: int) -> int:
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


@dataclass(frozen=True, slots=True)
class RecentSend:
    """The last message with a fingerprint, and what became of it."""

    fingerprint: str
    message_id: str
    created_at: int
    status: str | None
    lead_id: str | None


def recent_sends(tx: Transaction, workspace_id: str, fingerprints: Collection[str]) -> dict[str, RecentSend]:
    """Return and lock what is remembered of fingerprints. A row whose message is not there yet is our own reservation."""
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


def reserve_sends(tx: Transaction, workspace_id: str, fingerprints: Iterable[str]) -> None:
    """Have a row, and so a lock, for each fingerprint. Waits for a concurrent send of the same to commit."""
    tx.many(
        """
        INSERT INTO recent_sends (workspace_id, fingerprint, message_id, created_at) VALUES (:workspace_id, :fingerprint, '', 0)
        ON CONFLICT DO NOTHING
        """,
        [{"workspace_id": workspace_id, "fingerprint": one} for one in sorted(fingerprints)],
    )


def remember_sends(tx: Transaction, workspace_id: str, sends: Mapping[str, str]) -> None:
    """Remember messages by their fingerprints, as fingerprint → message id."""
    tx.many(
        """
        UPDATE recent_sends SET message_id = :message_id, created_at = :now
        WHERE workspace_id = :workspace_id AND fingerprint = :fingerprint
        """,
        [{"workspace_id": workspace_id, "fingerprint": one, "message_id": sends[one], "now": tx.now} for one in sorted(sends)],
    )


def sweep_sends(tx: Transaction, created_before: int, limit: int) -> int:
    return tx.run(
        """
        DELETE FROM recent_sends
        WHERE (workspace_id, fingerprint) IN (
            SELECT workspace_id, fingerprint FROM recent_sends WHERE created_at < :before ORDER BY created_at LIMIT :limit
        )
        """,
        {"before": created_before, "limit": limit},
    )


def availability(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> dict[str, tuple[bool, int]]:
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


def note_availability(tx: Transaction, workspace_id: str, address: str, *, is_available: bool) -> None:
    tx.run(
        """
        INSERT INTO availability (workspace_id, address, is_available, checked_at)
        VALUES (:workspace_id, :address, :is_available, :now)
        ON CONFLICT (workspace_id, address) DO UPDATE SET is_available = :is_available, checked_at = :now
        """,
        {"workspace_id": workspace_id, "address": address, "is_available": is_available, "now": tx.now},
    )


def first_seen(tx: Transaction, device_id: str, external_id: str) -> bool:
    """Note a message that came in; False if it was reported before."""
    return bool(
        tx.run(
            """
            INSERT INTO signals_seen (device_id, external_id, seen_at) VALUES (:device_id, :external_id, :now)
            ON CONFLICT DO NOTHING
            """,
            {"device_id": device_id, "external_id": external_id, "now": tx.now},
        )
    )
