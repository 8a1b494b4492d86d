"""How many SMS a text takes: the alphabet it can be written in, and where it is cut.

A text whose every character is in GSM's 7-bit alphabet (GSM 03.38, its extension included) fits 160 septets; any other
goes as 16-bit units, of which 70 fit. A text that is longer travels in parts of 153 septets or 67 units, for each part
carries a header that puts them together again. A character of two septets (`{`, `€`) or two units (an emoji) is never
cut in half; what several characters make up together (a family of emoji) may be, since only those who render it know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gsm0338 import Codec  # type: ignore[import-untyped]

_GSM: Final = Codec()
# It begins a character of the extension: sent by itself, it would make another of the one that follows.
_ESCAPE = "\x1b"
_LAST_OF_ONE_UNIT = 0xFFFF


class Alphabet(StrEnum):
    """How the characters of an SMS are encoded."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text takes: `count` parts, and `units` in all (septets in GSM-7, 16-bit units in UCS-2) without headers."""

    alphabet: Alphabet
    count: int
    units: int


@dataclass(frozen=True, slots=True)
class _Room:
    """How many units fit into a text of one part, and into each of several parts."""

    alone: int
    among_others: int


_ROOMS = {Alphabet.GSM_7: _Room(160, 153), Alphabet.UCS_2: _Room(70, 67)}


def segments_of(text: str) -> Segments:
    """Count the parts of a text; an empty one is still one SMS."""
    septets = _septets_of(text)
    if septets is not None:
        return _counted(Alphabet.GSM_7, septets)
    return _counted(Alphabet.UCS_2, [2 if ord(character) > _LAST_OF_ONE_UNIT else 1 for character in text])


def _septets_of(text: str) -> Sequence[int] | None:
    """Return how many septets each character takes, or None if one is not in the alphabet."""
    if _ESCAPE in text:
        return None
    try:
        return [len(_GSM.encode(character)[0]) for character in text]
    except UnicodeEncodeError:
        return None


def _counted(alphabet: Alphabet, sizes: Sequence[int]) -> Segments:
    room, units = _ROOMS[alphabet], sum(sizes)
    count = 1 if units <= room.alone else _parts(sizes, room.among_others)
    return Segments(alphabet, count, units)


def _parts(sizes: Sequence[int], room: int) -> int:
    count, free = 1, room
    for size in sizes:
        if size > free:
            count, free = count + 1, room
        free -= size
    return count
