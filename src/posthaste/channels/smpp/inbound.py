"""Texts that come a second time.

SMPP gives what a person writes no id, so that a repeat looks like a person who writes "yes" twice. A centre repeats only
what it believes was not taken: what was never acknowledged, or late, or just before the session ended. Only such a text
keeps the id that it had; any other is new. That memory does not outlive the process. The parts of a long text need none: each
has its place.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from posthaste.channels.smpp.wire import Delivery

_MOST_REMEMBERED = 10_000
_REMEMBERED_MS = 3_600_000
_LATE_MS = 5_000
_BEFORE_END_MS = 10_000


def fingerprint_of(delivery: Delivery) -> str:
    """Return what is the same for a delivery and its repeat."""
    marks = hashlib.sha256()
    for piece in (delivery.source.number, delivery.destination.number, str(delivery.esm_class), str(delivery.coding)):
        marks.update(piece.encode() + b"\x00")
    marks.update(delivery.user_data)
    for tag, value in sorted(delivery.params.items()):
        marks.update(tag.to_bytes(2, "big") + value)
    return marks.hexdigest()[:24]


@dataclass(slots=True)
class _Memory:
    external_id: str
    taken_ms: int
    acknowledged_ms: int | None = None
    is_of_ended: bool = False


class Repeats:
    """Gives what comes in its ids."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Memory] = OrderedDict()
        self._last_ms = 0

    def id_of(self, fingerprint: str, now_ms: int) -> str:
        """Return the id of what just came: the one that it had, if it is a repeat."""
        known = self._known.pop(fingerprint, None)
        is_repeat = known is not None and _may_repeat(known, now_ms)
        external_id = known.external_id if known and is_repeat else f"{fingerprint}-{self._new_instant(now_ms)}"
        self._known[fingerprint] = _Memory(external_id, now_ms)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return external_id

    def acknowledged(self, fingerprint: str, now_ms: int) -> None:
        known = self._known.get(fingerprint)
        if known is not None:
            known.acknowledged_ms = now_ms

    def session_ended(self, now_ms: int) -> None:
        """What was acknowledged shortly before may come again: nobody knows whether the last words arrived."""
        for known in self._known.values():
            if known.acknowledged_ms is not None and now_ms - known.acknowledged_ms < _BEFORE_END_MS:
                known.is_of_ended = True

    def _new_instant(self, now_ms: int) -> int:
        self._last_ms = max(now_ms, self._last_ms + 1)
        return self._last_ms


def _may_repeat(known: _Memory, now_ms: int) -> bool:
    if now_ms - known.taken_ms > _REMEMBERED_MS:
        return False
    return known.acknowledged_ms is None or known.is_of_ended or known.acknowledged_ms - known.taken_ms > _LATE_MS
