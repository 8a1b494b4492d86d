"""The table of what came in from devices, so that a report that comes again is known."""

from posthaste.core.lines import NEVER_AT
from posthaste.store.transaction import Transaction

# Half of what is remembered at the least, and rare enough for a report that every poll repeats.
_FRESH_MS = 12 * 3_600_000


def first_seen(tx: Transaction, device_id: str, external_id: str) -> bool:
    """Note a message that came in; False if it was reported before.

    What is still being reported is not forgotten: a poll asks for what came since the newest, and on a quiet line that stays the
    same for months.
    """
    report = {"device_id": device_id, "external_id": external_id, "now": tx.now}
    is_new = tx.run(
        """
        INSERT INTO signals_seen (device_id, external_id, seen_at) VALUES (:device_id, :external_id, :now)
        ON CONFLICT DO NOTHING
        """,
        report,
    )
    if not is_new:
        tx.run(
            """
            UPDATE signals_seen SET seen_at = :now
            WHERE device_id = :device_id AND external_id = :external_id AND seen_at < :stale
            """,
            {**report, "stale": tx.now - _FRESH_MS},
        )
    return bool(is_new)


def sweep(tx: Transaction, seen_before: int, up_before: int, limit: int) -> int:
    """Forget old reports of devices that have been up for a while, or were let go of.

    One that was down is asked, once it is up, for all that came meanwhile, which webhooks may have brought long before. A few
    look-ups in signals_seen_oldest for each device; CROSS is SQLite's word for going through the devices first.
    """
    return tx.run(
        """
        DELETE FROM signals_seen
        WHERE (device_id, external_id) IN (
            SELECT s.device_id, s.external_id
            FROM devices AS d
            CROSS JOIN signals_seen AS s
            WHERE s.device_id = d.id
                AND s.seen_at < :seen_before
                AND ((d.state = 'up' AND d.state_at < :up_before) OR d.health_due_at >= :never)
            LIMIT :limit
        )
        """,
        {"seen_before": seen_before, "up_before": up_before, "never": NEVER_AT, "limit": limit},
    )
