"""Forget what has served its time, a bounded number of rows at once."""

from posthaste.settings import Settings
from posthaste.store import idempotency, recent_sends
from posthaste.store.transaction import Transaction

_ROWS = 1_000


def sweep(tx: Transaction, settings: Settings) -> bool:
    """Delete old rows; True if there may be more."""
    keys = idempotency.sweep(tx, settings.idempotency_ms, _ROWS)
    sends = recent_sends.sweep(tx, tx.now - settings.double_send_ms, _ROWS)
    return max(keys, sends) >= _ROWS
