"""Seal credentials anew that were stored open, or sealed with a key that is no longer the first."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from posthaste.store import devices
from posthaste.store.server_keys import sealing_key
from posthaste.store.transaction import Transaction

__all__ = ["seal_anew", "sealing_key"]


class Sealer(Protocol):
    """What seals and opens."""

    def seal(self, secrets: Mapping[str, str]) -> str: ...

    def open(self, sealed: str, /) -> Mapping[str, str]: ...

    def is_current(self, sealed: str) -> bool: ...


def seal_anew(tx: Transaction, sealer: Sealer) -> int:
    """Seal what is not sealed with the first key; return how many devices that were."""
    stale = [one.device_id for one in devices.every_access(tx) if not sealer.is_current(one.secret)]
    devices.lock(tx, stale)
    # Read again under the locks: another process may have changed a line meanwhile, and a device is written as a whole.
    for one in devices.access(tx, stale).values():
        devices.save_access(tx, replace(one, secret=sealer.seal(sealer.open(one.secret))))
    return len(stale)
