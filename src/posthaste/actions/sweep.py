"""Forget what has served its time, a bounded number of rows at once."""

from posthaste.settings import DAY_MS, Settings
from posthaste.store import availability, idempotency, inbound_parts, recent_sends, signals
from posthaste.store.transaction import Transaction

_ROWS = 1_000
#: How long a device must have been up to have surely told what came while it was down.
_CAUGHT_UP_MS = DAY_MS
#: How long a carrier may bring again a part of a text that was given out.
_PARTS_FOR_MS = 3_600_000


def sweep(tx: Transaction, settings: Settings) -> bool:
    """Delete old rows; True if there may be more."""
    keys = idempotency.sweep(tx, settings.idempotency_ms, _ROWS)
    sends = recent_sends.sweep(tx, tx.now - settings.double_send_ms, _ROWS)
    # Providers repeat what they report for days at most, and polls ask for what came since the last one.
    reports = signals.sweep(tx, tx.now - settings.reports_for_ms, tx.now - _CAUGHT_UP_MS, _ROWS)
    # Whoever asks believes nothing older than this, be it a yes or a no.
    believed_ms = max(settings.available_for_ms, settings.unavailable_for_ms)
    checks = availability.sweep(tx, tx.now - believed_ms, _ROWS)
    # The last: whoever takes a part in waits for nothing but this commit.
    parts = inbound_parts.sweep(tx, tx.now - _PARTS_FOR_MS, _ROWS)
    return max(keys, sends, reports, checks, parts) >= _ROWS
