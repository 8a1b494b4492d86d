"""What came in before it is ours for good: parts of long texts, and texts that come a second time.

SMPP gives what a person writes no id, so that a repeat looks like a person who writes "yes" twice. A centre repeats only
what it believes was not taken: what was never acknowledged, or late, or just before the session ended. Only such a text
keeps the id that it had; any other is new. That memory does not outlive the process.

A part of a long text is acknowledged when it comes, or a centre that hands over one at a time would never send the next.
Whatever is still incomplete after a while, or when we stop, is given out as it is rather than lost. While that cannot be
stored, no more than a bound is taken: the centre keeps the rest.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from posthaste.channels.smpp.text import Place
from posthaste.channels.smpp.wire import Delivery

_MOST_REMEMBERED = 10_000
_REMEMBERED_MS = 3_600_000
_LATE_MS = 5_000
_BEFORE_END_MS = 10_000

_MOST_TEXTS = 500
_INCOMPLETE_MS = 600_000
_MISSING: Final = "…"


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

    def id_of(self, fingerprint: str, now_ms: int) -> tuple[str, bool]:
        """Return the id of what just came, and whether it had it before."""
        known = self._known.pop(fingerprint, None)
        is_repeat = known is not None and _may_repeat(known, now_ms)
        external_id = known.external_id if known and is_repeat else f"{fingerprint}-{self._new_instant(now_ms)}"
        self._known[fingerprint] = _Memory(external_id, now_ms)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return external_id, is_repeat

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


@dataclass(frozen=True, slots=True)
class TextKey:
    """What the parts of one long text have in common."""

    source: str
    destination: str
    reference: int
    total: int


@dataclass(slots=True)
class LongText:
    """A long text of which some parts have come; `first` is the delivery that tells from whom it is."""

    key: TextKey
    first: Delivery
    began_ms: int
    parts: dict[int, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return len(self.parts) == self.key.total

    @property
    def text(self) -> str:
        """Return the parts in order, with a mark where one is missing."""
        return "".join(self.parts.get(number, _MISSING) for number in range(1, self.key.total + 1))


class LongTexts:
    """The long texts of one device that are not stored yet."""

    def __init__(self) -> None:
        self._open: OrderedDict[TextKey, LongText] = OrderedDict()

    def has(self, key: TextKey) -> bool:
        return key in self._open

    def has_no_room_for(self, key: TextKey) -> bool:
        """Tell whether a text may not be begun: what is above the bound could not be stored, so that the centre has to wait."""
        return key not in self._open and len(self._open) > _MOST_TEXTS

    def add(self, delivery: Delivery, place: Place, text: str, now_ms: int) -> LongText:
        """Put a part to the others of its text."""
        key = key_of(delivery, place)
        long = self._open.setdefault(key, LongText(key, delivery, now_ms))
        long.parts[place.number] = text
        return long

    def drop(self, long: LongText) -> None:
        """Forget a text that is stored."""
        self._open.pop(long.key, None)

    def given_up(self, now_ms: int) -> list[LongText]:
        """Return the texts that have waited too long for a part, and what is above the bound."""
        waiting = list(self._open.values())
        crowd = waiting[: max(0, len(waiting) - _MOST_TEXTS)]
        return [one for one in waiting if now_ms - one.began_ms > _INCOMPLETE_MS or one in crowd]

    def all(self) -> list[LongText]:
        return list(self._open.values())


def key_of(delivery: Delivery, place: Place) -> TextKey:
    return TextKey(delivery.source.number, delivery.destination.number, place.reference, place.total)


def is_sound(place: Place) -> bool:
    """Tell whether a place makes sense; a text that says it is part 7 of 3 is taken for a whole one."""
    return place.total > 1 and 1 <= place.number <= place.total
