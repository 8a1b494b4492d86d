"""Forget what has served its time, a bounded number of rows at once."""

from posthaste.settings import Settings
from posthaste.store import memories
from posthaste.store.transaction import Transaction

_ROWS = 1_000


def sweep(tx: Transaction, settings: Settings) -> bool:
    """Delete old rows; True if there may be more."""
    keys = memories.sweep_keys(tx, settings.idempotency_ms, _ROWS)
    sends = memories.sweep_sends(tx, tx.now - settings.double_send_ms, _ROWS)
    return max(keys, sends) >= _ROWS
