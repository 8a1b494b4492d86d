"""The table of what came in from devices, so that a report that comes again is known."""

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
