"""How many SMS a text takes: the limits, and the same count as two calculators that we did not write.

Both second opinions are asked about strings that Hypothesis makes. They differ from us, and from each other, in the few
cases at the end of this file, each with a word on who is right.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import smsutil
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.installed import node_program
from posthaste.core.segments import Alphabet, Segments, segments_of

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "^{}\\[~]|€\f"
OUTSIDE = "ç`…“”ŁЖ漢あ\t\xa0\u2019\u2013"
EMOJI = "😀🚀🎉🩷"
ESCAPE = "\x1b"
FAMILY = "👨\u200d👩\u200d👧\u200d👦"
EVERYTHING = [chr(code) for code in range(0x3000)]

GSM, UCS = Alphabet.GSM_7, Alphabet.UCS_2

CASES = [
    ("", GSM, 1, 0),
    ("Hello", GSM, 1, 5),
    ("a" * 160, GSM, 1, 160),
    ("a" * 161, GSM, 2, 161),
    ("a" * 306, GSM, 2, 306),
    ("a" * 307, GSM, 3, 307),
    ("€" * 80, GSM, 1, 160),
    ("€" * 81, GSM, 2, 162),
    ("€" * 152, GSM, 2, 304),
    ("€" * 153, GSM, 3, 306),  # 76 in a part: the 153rd septet stays empty, for none is cut in half.
    ("a" * 152 + "€" + "a" * 152, GSM, 3, 306),
    ("ç" * 70, UCS, 1, 70),
    ("ç" * 71, UCS, 2, 71),
    ("ç" * 134, UCS, 2, 134),
    ("ç" * 135, UCS, 3, 135),
    ("😀" * 35, UCS, 1, 70),
    ("😀" * 36, UCS, 2, 72),
    ("😀" * 66, UCS, 2, 132),
    ("😀" * 67, UCS, 3, 134),  # 33 in a part: the 67th unit stays empty.
    ("a" * 66 + "😀" + "a" * 66, UCS, 3, 134),
    ("€" * 70 + "ç", UCS, 2, 71),  # In UCS-2 an extension character takes one unit like any other.
    ("line\r\nline", GSM, 1, 10),
]


@pytest.mark.parametrize(("text", "alphabet", "count", "units"), CASES)
def test_a_text_takes_as_many_parts_as_the_standard_says(text: str, alphabet: Alphabet, count: int, units: int) -> None:
    assert segments_of(text) == Segments(alphabet, count, units)


def test_the_alphabet_is_the_standards() -> None:
    assert len(BASIC) == 127, "the 128th is the escape"
    for character in BASIC:
        assert segments_of(character) == Segments(GSM, 1, 1), character
    for character in EXTENSION:
        assert segments_of(character) == Segments(GSM, 1, 2), character
    assert {one for one in EVERYTHING if segments_of(one).alphabet is GSM} == set(BASIC + EXTENSION)


def texts(alphabet: str, around: int) -> st.SearchStrategy[str]:
    """Make texts whose length is near a limit, where counting goes wrong if it does."""
    lengths = st.integers(0, 4).map(lambda parts: max(0, parts * around))
    return lengths.flatmap(lambda most: st.text(alphabet, min_size=max(0, most - 40), max_size=most + 20))


def by_smsutil(text: str) -> tuple[Alphabet, int]:
    split = smsutil.split(text)
    return {"gsm0338": GSM, "utf_16_be": UCS}[split.encoding], len(split.parts)


TEXTS = st.one_of(
    texts(BASIC, 153),
    texts(EXTENSION, 76),
    texts(BASIC + EXTENSION, 120),
    texts(BASIC + EXTENSION + OUTSIDE, 67),
    texts(EMOJI + OUTSIDE, 40),
    texts(BASIC + EXTENSION + OUTSIDE + EMOJI, 60),
)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_smsutil_counts_the_same(text: str) -> None:
    counted = segments_of(text)
    assert by_smsutil(text) == (counted.alphabet if text else UCS, counted.count)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_no_part_is_fuller_than_it_may_be_and_none_is_missing(text: str) -> None:
    counted = segments_of(text)
    alone, among_others, waste = (160, 153, 1) if counted.alphabet is GSM else (70, 67, 1)
    if counted.count == 1:
        assert counted.units <= alone
    else:
        assert counted.units > alone
        # A part is left with at most one unit empty, because no character takes more than two.
        assert (counted.count - 1) * (among_others - waste) < counted.units <= counted.count * among_others


class Calculator:
    """The npm calculator as one process that answers line by line."""

    def __init__(self, folder: Path) -> None:
        command = ["node", "count.js"]
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def count(self, text: str) -> tuple[str, int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        alphabet, count = json.loads(self._process.stdout.readline())
        return alphabet, count

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def calculator() -> Iterator[Calculator]:
    calculator = Calculator(node_program("segments", Path(__file__).parent / "peers" / "segments"))
    yield calculator
    calculator.close()


def test_twilios_calculator_counts_the_same(calculator: Calculator) -> None:
    @given(TEXTS)
    @settings(max_examples=300, deadline=None)
    def same(text: str) -> None:
        counted = segments_of(text)
        assert calculator.count(text) == (counted.alphabet, counted.count)

    same()


def test_all_three_know_the_same_alphabet(calculator: Calculator) -> None:
    for one in EVERYTHING:
        assert segments_of(one).alphabet == calculator.count(one)[0], hex(ord(one))
        assert one == ESCAPE or segments_of(one).alphabet == by_smsutil(one)[0], hex(ord(one))


# Where they differ


def test_an_escape_is_no_character_of_the_alphabet(calculator: Calculator) -> None:
    # smsutil takes it for one, but a phone would read what follows as a character of the extension.
    assert segments_of(ESCAPE).alphabet is UCS
    assert calculator.count(ESCAPE) == ("UCS-2", 1)
    assert by_smsutil(ESCAPE) == (GSM, 1)


def test_an_empty_text_needs_no_other_alphabet(calculator: Calculator) -> None:
    # smsutil calls it UCS-2, having looked for at least one character of GSM-7 and found none.
    assert segments_of("") == Segments(GSM, 1, 0)
    assert calculator.count("") == ("GSM-7", 1)
    assert by_smsutil("") == (UCS, 1)


def test_what_several_characters_make_up_may_be_cut(calculator: Calculator) -> None:
    # Twilio's calculator moves a whole family of emoji to the next part, as some phones do; the standard knows only
    # units, and whoever bills by it counts as we and smsutil do. No part is lost or cut in half either way.
    text = "a" * 60 + FAMILY + "a" * 60
    assert segments_of(text) == Segments(UCS, 2, 131)
    assert by_smsutil(text) == (UCS, 2)
    assert calculator.count(text) == ("UCS-2", 3)
