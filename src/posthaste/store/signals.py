"""The table of what came in from devices, so that a report that comes again is known."""

from posthaste.core.lines import NEVER_AT
from posthaste.store.transaction import Transaction


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
