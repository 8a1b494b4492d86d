"""When two texts count as the same, and when they do not."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthaste.core.text import comparable, fingerprint_text

BLANKS = " \t\n\r\f\v\x85\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hi from Tuco.", "  HI   from\r\ntuco. "),
        ("a b", "a\u00a0b"),
        ("a b", "a\u2003\t\u3000b"),
        ("caf\u00e9", "CAFE\u0301"),
        ("", " \n "),
    ],
)
def test_texts_that_count_as_sent_twice(one: str, other: str) -> None:
    assert fingerprint_text(one) == fingerprint_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hi", "Hi!"), ("ab", "a b"), ("Hi {firstName}", "Hi {lastName}"), ("cafe", "caf\u00e9"), ("1", "\u00b9"), ("", ".")],
)
def test_texts_that_differ(one: str, other: str) -> None:
    assert fingerprint_text(one) != fingerprint_text(other)
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize(
    ("handed_over", "found"),
    [
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("see this", "\ufffcsee this\ufffc"),
        ("\ufffc see this", "see this"),
        ("caf\u00e9 ", "cafe\u0301"),
        ("a\u00a0b", "a b"),
    ],
)
def test_a_text_is_known_again_at_the_provider(handed_over: str, found: str) -> None:
    assert comparable(handed_over) == comparable(found)


def test_case_tells_texts_apart_at_the_provider() -> None:
    assert comparable("Yes") != comparable("yes")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fingerprint_text(fingerprint_text(text)) == fingerprint_text(text)
    assert comparable(comparable(text)) == comparable(text)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Z", "C"]), min_size=1)), st.data())
def test_blanks_only_separate(words: list[str], data: st.DataObject) -> None:
    blanks = st.text(alphabet=BLANKS, min_size=1, max_size=3)
    spread = "".join(word + data.draw(blanks) for word in words)
    assert comparable(spread) == comparable(" ".join(words))
    assert fingerprint_text(spread) == fingerprint_text(" ".join(words))


@given(st.text())
def test_composition_of_accents_makes_no_difference(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert comparable(normalize(form, text)) == comparable(text)
        assert fingerprint_text(normalize(form, text)) == fingerprint_text(text)
