"""Which of our sends a receipt is about.

Centres spell one id in two ways: hexadecimal in the answer and decimal in the receipt, or the other way round, padded
with zeros, in another case. What the answers said is remembered, so that the right spelling is found without guessing;
which way a centre does it is learned from that, and holds for what was sent before a restart. A long text that went as
several messages has delivered when its last part has, and failed when any has; it is known by its last part's id.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from posthaste.channels.smpp.meaning import Report
from posthaste.core.signals import Receipt

_MOST_IDS = 50_000
_MOST_RECEIPTS = 10_000


SAME: Final = "same"
DECIMAL: Final = "decimal"
HEXADECIMAL: Final = "hexadecimal"
"""How a receipt spells an id, compared to the answer: the same, or as a number to the other base."""

_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_LETTER = re.compile(r"[a-f]", re.IGNORECASE)


def _folded(text: str) -> str:
    return text.lower().lstrip("0") or "0"


def _in_way(way: str, text: str) -> str | None:
    """Return the answer's spelling of a receipt's id, folded; None if the id is no number to that base."""
    if way == SAME:
        return _folded(text)
    if way == DECIMAL:
        return f"{int(text):x}" if text.isascii() and text.isdigit() else None
    return str(int(text, 16)) if _HEX.fullmatch(text) else None


def _has_letters(text: str) -> bool:
    return bool(_HEX.fullmatch(text) and _LETTER.search(text))


@dataclass(slots=True)
class _Send:
    """One of our texts: the id that it is known by, and those of its parts that have not been delivered yet."""

    external_id: str
    waiting: set[str] = field(default_factory=set)


class Receipts:
    """The ids of what one device sent lately, and the receipts that came for them."""

    def __init__(self, way: str = "") -> None:
        self.way = way if way in (DECIMAL, HEXADECIMAL) else ""
        self._answers_in_letters = self._receipts_in_letters = False
        self._sends: OrderedDict[str, _Send] = OrderedDict()
        self._latest: OrderedDict[str, Receipt] = OrderedDict()

    def sent(self, ids: Sequence[str]) -> str:
        """Note what the parts of a text are called, and return the id that it is known by."""
        send = _Send(ids[-1], {_folded(one) for one in ids})
        for one in ids:
            self._sends[_folded(one)] = send
            self._answers_in_letters |= _has_letters(one)
        while len(self._sends) > _MOST_IDS:
            self._sends.popitem(last=False)
        return send.external_id

    def receipt_of(self, report: Report, now_ms: int) -> Receipt | None:
        """Return what a receipt says about a send; None while the text, or a part of it, is still under way."""
        if not report.message_id or not (report.is_delivered or report.error):
            return None
        self._receipts_in_letters |= _has_letters(report.message_id)
        own_id, send = self._send_of(report.message_id)
        if send is None:
            return self._kept(self._as_learned(report.message_id), report, now_ms)
        send.waiting.discard(own_id)
        if report.error is None and send.waiting:
            return None
        return self._kept(send.external_id, report, now_ms)

    def of_open(self, open_ids: Sequence[str]) -> list[Receipt]:
        """Return the receipts that came for these: one that overtook the answer to its send found nobody to take it."""
        return [self._latest[one] for one in open_ids if one in self._latest]

    def _send_of(self, message_id: str) -> tuple[str, _Send | None]:
        """Find a send by any plausible spelling of its id, the one that is known to be this centre's first."""
        for way in dict.fromkeys([self.way or SAME, SAME, self._other_way()]):
            own_id = _in_way(way, message_id)
            send = self._sends.get(own_id) if own_id is not None else None
            if own_id is not None and send is not None:
                if way != SAME:
                    self.way = way
                return own_id, send
        return "", None

    def _other_way(self) -> str:
        """Return the spelling that what came so far allows besides the same: letters on one side alone give it away."""
        if self._answers_in_letters and not self._receipts_in_letters:
            return DECIMAL
        return HEXADECIMAL if self._receipts_in_letters and not self._answers_in_letters else SAME

    def _as_learned(self, message_id: str) -> str:
        """Spell the id of a send from before a restart as its answer did; of one to base sixteen the case is not known."""
        return message_id if self.way in ("", SAME) else _in_way(self.way, message_id) or message_id

    def _kept(self, external_id: str, report: Report, now_ms: int) -> Receipt:
        receipt = Receipt(external_id, now_ms if report.error is None else None, error=report.error)
        self._latest[external_id] = receipt
        while len(self._latest) > _MOST_RECEIPTS:
            self._latest.popitem(last=False)
        return receipt
