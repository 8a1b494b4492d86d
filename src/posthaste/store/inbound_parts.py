"""The table of parts of long texts that people write: what has come of each text, and whether it was given out.

Whoever changes the parts of a text holds the lock of its device.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from posthaste.core.signals import InboundPart
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class TextKey:
    """What the parts of one long text have in common."""

    device_id: str
    address: str
    sent_to: str
    reference: int
    total: int


@dataclass(frozen=True, slots=True)
class LongText:
    """What has come of a long text, by number."""

    key: TextKey
    began_at: int
    is_given_out: bool
    parts: Mapping[int, InboundPart]

    @property
    def is_whole(self) -> bool:
        return len(self.parts) == self.key.total


def key_of(device_id: str, part: InboundPart) -> TextKey:
    return TextKey(device_id, part.address, part.to, part.reference, part.total)


def add(tx: Transaction, key: TextKey, part: InboundPart, began_at: int) -> None:
    tx.run(
        """
        INSERT INTO inbound_parts (
            device_id, address, sent_to, reference, total, number, fingerprint, text, came_at, began_at)
        VALUES (:device_id, :address, :sent_to, :reference, :total, :number, :fingerprint, :text, :came_at, :began_at)
        """,
        {
            **asdict(key),
            "number": part.number,
            "fingerprint": part.fingerprint,
            "text": part.text,
            "came_at": part.at,
            "began_at": began_at,
        },
    )


def find(tx: Transaction, key: TextKey) -> LongText | None:
    """Return what has come of a text; served by the primary key."""
    rows = tx.rows(
        """
        SELECT number, fingerprint, text, came_at, began_at, given_at
        FROM inbound_parts
        WHERE device_id = :device_id AND address = :address AND sent_to = :sent_to
            AND reference = :reference AND total = :total
        ORDER BY number
        """,
        asdict(key),
    )
    if not rows:
        return None
    parts = {
        row[0]: InboundPart(row[1], key.address, key.sent_to, row[2], row[3], key.reference, key.total, row[0]) for row in rows
    }
    return LongText(key, rows[0][4], rows[0][5] is not None, parts)


def note_given_out(tx: Transaction, key: TextKey) -> None:
    tx.run(
        """
        UPDATE inbound_parts SET given_at = :now
        WHERE device_id = :device_id AND address = :address AND sent_to = :sent_to
            AND reference = :reference AND total = :total
        """,
        {**asdict(key), "now": tx.now},
    )


def forget(tx: Transaction, key: TextKey) -> None:
    tx.run(
        """
        DELETE FROM inbound_parts
        WHERE device_id = :device_id AND address = :address AND sent_to = :sent_to
            AND reference = :reference AND total = :total
        """,
        asdict(key),
    )


def overdue(tx: Transaction, began_before: int, most_open: int, limit: int) -> list[TextKey]:
    """Return the open texts that began before, and of each device those above the bound, oldest first; device by device.

    Reads inbound_parts_open as a whole, which holds what a few minutes bring.
    """
    rows = tx.rows(
        """
        WITH open_texts AS (
            SELECT device_id, address, sent_to, reference, total, min(began_at) AS began_at
            FROM inbound_parts
            WHERE given_at IS NULL
            GROUP BY device_id, address, sent_to, reference, total
        ), in_order AS (
            SELECT device_id, address, sent_to, reference, total, began_at,
                row_number() OVER (PARTITION BY device_id ORDER BY began_at DESC, address, sent_to, reference, total) AS place
            FROM open_texts
        )
        SELECT device_id, address, sent_to, reference, total
        FROM in_order
        WHERE began_at < :began_before OR place > :most_open
        ORDER BY device_id, place DESC
        LIMIT :limit
        """,
        {"began_before": began_before, "most_open": most_open, "limit": limit},
    )
    return [TextKey(*row) for row in rows]


def sweep(tx: Transaction, given_before: int, limit: int) -> int:
    """Forget the parts of texts that were given out before; served by inbound_parts_given.

    Passes over what others hold, so that it waits for nobody.
    """
    return tx.run(
        """
        DELETE FROM inbound_parts
        WHERE given_at < :given_before
            AND (device_id, address, sent_to, reference, total, number) IN (
                SELECT device_id, address, sent_to, reference, total, number
                FROM inbound_parts
                WHERE given_at < :given_before
                LIMIT :limit
                /*pg FOR UPDATE SKIP LOCKED */
            )
        """,
        {"given_before": given_before, "limit": limit},
    )
