"""Leases: how long attempts are held by the process that works on them."""

from collections.abc import Collection

from posthaste.settings import Settings
from posthaste.store import attempts
from posthaste.store.transaction import Transaction


def renew_leases(tx: Transaction, settings: Settings, owner: str, attempt_ids: Collection[str]) -> None:
    """Say that the owner still works on these attempts."""
    attempts.renew(tx, owner, attempt_ids, tx.now + settings.lease_ms)


def void_leases(tx: Transaction) -> int:
    """End all leases. Only for a process that holds the database alone and has only just started."""
    return attempts.void_leases(tx)


def next_rescue_in_ms(tx: Transaction) -> int | None:
    """Return in how many ms the next attempt is to be looked at; None: there is none."""
    at = attempts.next_abandoned_at(tx)
    return None if at is None else at - tx.now
