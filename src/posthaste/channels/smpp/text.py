"""Texts as SMPP carries them: which alphabet, how many bytes, where a long one is cut, and how one that came in is read.

A character of the GSM alphabet takes one byte or, with an escape before it, two; one of UCS-2 takes two or, as a pair of
surrogates, four. A cut never goes through a character. Reading never fails: what cannot be read becomes a `?`, because
a centre repeats for days what is not taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiosmpplib.codec import find_codec_info  # type: ignore[import-untyped]

GSM: Final = "gsm0338"
LATIN: Final = "latin_1"
ASCII: Final = "ascii"
WIDE: Final = "ucs2"

#: How many bytes one SMS takes, alone and as a part of a long one: 160 and 153 septets, 140 and 134 octets.
_ALONE = {GSM: 160}
_PART = {GSM: 153}
_OCTETS_ALONE, _OCTETS_PART = 140, 134

_OF_CODING = {1: ASCII, 3: LATIN, 5: "iso2022_jp", 6: "iso8859_5", 7: "iso8859_8", 8: WIDE, 9: "shift_jis", 14: "euc_kr"}
_CONCATENATED = {0x00: 1, 0x08: 2}
_HAS_HEADER = 0x40
_MOST_REFERENCE, _MOST_PARTS = 0xFFFF, 0xFF


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands in a long text: `number` of `total`, in the text that the sender calls `reference`."""

    reference: int
    total: int
    number: int


def alphabet_of(text: str, default: str) -> str:
    """Return the centre's own alphabet if it has every character, else UCS-2; raise `UnicodeEncodeError` if nothing has."""
    for alphabet in (default, WIDE):
        try:
            encoded(text, alphabet)
        except UnicodeEncodeError:
            if alphabet == WIDE:
                raise
        else:
            return alphabet
    return WIDE


def encoded(text: str, alphabet: str) -> bytes:
    encode: Callable[[str, str], tuple[bytes, int]] = find_codec_info(alphabet).encode
    return encode(text, "strict")[0]


def fits_alone(text: str, alphabet: str) -> bool:
    """Tell whether a text is a single SMS."""
    return len(encoded(text, alphabet)) <= _ALONE.get(alphabet, _OCTETS_ALONE)


def parts_of(text: str, alphabet: str) -> list[bytes]:
    """Cut a long text into what each of its SMS carries."""
    room = _PART.get(alphabet, _OCTETS_PART)
    parts = [bytearray()]
    for character in text:
        piece = encoded(character, alphabet)
        if len(parts[-1]) + len(piece) > room:
            parts.append(bytearray())
        parts[-1] += piece
    return [bytes(part) for part in parts]


def header_of(place: Place) -> bytes:
    """Return the user data header that makes phones join parts: an element of three bytes, whose reference has one."""
    return bytes([5, 0x00, 3, place.reference & 0xFF, place.total, place.number])


def unwrapped(user_data: bytes, esm_class: int) -> tuple[bytes, Place | None]:
    """Take the user data header off what came in, and return what it says about the text's place, if it says anything."""
    if not esm_class & _HAS_HEADER or not user_data:
        return user_data, None
    end = 1 + user_data[0]
    return user_data[end:], _place_in(user_data[1:end])


def is_sound(place: Place) -> bool:
    """Tell whether a place makes sense; a text that says it is part 7 of 3 is taken for a whole one."""
    return place.reference <= _MOST_REFERENCE and 1 < place.total <= _MOST_PARTS and 1 <= place.number <= place.total


def _place_in(header: bytes) -> Place | None:
    """Look through the elements of a header, each an id, a length and so many bytes, for the one about long texts."""
    while len(header) >= 2:
        kind, length = header[0], header[1]
        value, header = header[2 : 2 + length], header[2 + length :]
        width = _CONCATENATED.get(kind)
        if width is not None and len(value) == width + 2:
            return Place(int.from_bytes(value[:width], "big"), value[-2], value[-1])
    return None


def decoded(octets: bytes, coding: int, default: str) -> str:
    """Read what came in; without NUL, which no database of ours takes."""
    decode: Callable[[bytes, str], tuple[str, int]] = find_codec_info(_alphabet_of_coding(coding, default)).decode
    return decode(octets, "replace")[0].replace("\x00", "")


def _alphabet_of_coding(coding: int, default: str) -> str:
    """Return the alphabet that a `data_coding` names: SMPP's own numbers up to 15, those of GSM 03.38 above."""
    if coding < 0x10:
        return LATIN if coding in (2, 4) else _OF_CODING.get(coding, default)
    if coding >= 0xF0:
        return LATIN if coding & 0x04 else default
    if coding >= 0xC0:
        return WIDE if coding & 0xF0 == 0xE0 else default
    return {0x04: LATIN, 0x08: WIDE}.get(coding & 0x0C, default)
