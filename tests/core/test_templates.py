"""Names in braces are filled once; whatever else stands in braces is nobody's business."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthaste.core.templates import FIELDS, LEAD_FIELDS, LINE_FIELDS, fill

ANN = {"firstName": "Ann", "lastName": "Lee", "senderFirstName": "Bo"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hi {firstName}!", "Hi Ann!"),
        ("Hi {{firstName}}!", "Hi Ann!"),
        ("Hi {{ firstName }}!", "Hi Ann!"),
        ("Hi {firstName|there}!", "Hi Ann!"),
        ("Hi {{ firstName | there }}!", "Hi Ann!"),
        ("{firstName} {lastName}, from {senderFirstName}", "Ann Lee, from Bo"),
        ("{firstName}{firstName}", "AnnAnn"),
        # No value: the default, else nothing.
        ("Hi {companyName|there}!", "Hi there!"),
        ("Hi {{companyName | you all }}!", "Hi you all!"),
        ("Hi {companyName|}!", "Hi !"),
        ("Hi {companyName}!", "Hi !"),
        # Unknown names, other spellings and other braces stay.
        ("Hi {nickName}, {{contact.first_name}}", "Hi {nickName}, {{contact.first_name}}"),
        ("Hi {nickName|you}", "Hi {nickName|you}"),
        ("{FirstName} {first_name} {firstname} {}", "{FirstName} {first_name} {firstname} {}"),
        ("function f() { firstName }", "function f() { firstName }"),
        ("{firstName", "{firstName"),
        ("firstName}", "firstName}"),
        ("{firstName|{lastName}}", "{firstName|Lee}"),
        # Lopsided braces: the name is filled, the brace too many stays.
        ("{{firstName}", "{Ann"),
        ("{{{firstName}}}", "{Ann}"),
        ("", ""),
    ],
)
def test_a_text_is_filled(text: str, filled: str) -> None:
    assert fill(text, ANN) == filled


def test_a_value_is_never_expanded() -> None:
    values = {"firstName": "{{lastName}}", "lastName": r"\g<0> {firstName|x}"}
    assert fill("{firstName} {{lastName}}", values) == r"{{lastName}} \g<0> {firstName|x}"


def test_a_blank_value_counts_as_none() -> None:
    assert fill("Hi {firstName|there}", {"firstName": "  "}) == "Hi there"


def test_a_lead_and_a_line_share_no_name() -> None:
    assert FIELDS == LEAD_FIELDS | LINE_FIELDS
    assert not LEAD_FIELDS & LINE_FIELDS


values = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text())
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(exclude_characters="{}")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abfirstNme|", max_size=12), inner),
)


@given(documents, values)
def test_json_survives(document: object, given_values: dict[str, str]) -> None:
    for text in (json.dumps(document), json.dumps(document, indent=2)):
        assert fill(text, given_values) == text


@given(st.text(alphabet=st.characters(exclude_characters="{")), values)
def test_a_text_without_braces_is_left_alone(text: str, given_values: dict[str, str]) -> None:
    assert fill(text, given_values) == text


@given(st.text(), st.text(), st.sampled_from(sorted(FIELDS)), st.text(), values)
def test_what_stands_around_a_name_is_left_alone(
    before: str, after: str, name: str, value: str, given_values: dict[str, str]
) -> None:
    before, after = before.replace("{", "("), after.replace("{", "(")
    given_values = {**given_values, name: value}
    assert fill(f"{before}{{{name}}}{after}", given_values) == before + value.strip() + after
    assert fill(f"{before}{{{{ {name} }}}}{after}", given_values) == before + value.strip() + after


@given(st.text(alphabet="{}| firstName\n"), values)
def test_nothing_is_filled_but_whole_places(text: str, given_values: dict[str, str]) -> None:
    if not any(f"{name}{end}" in text for name in FIELDS for end in ("}", "|", " ", "\n")):
        assert fill(text, given_values) == text


def test_many_open_braces_cost_no_more_than_their_length() -> None:
    text = "{{firstName|" * 20_000 + "{{ " * 20_000 + " " * 20_000
    assert fill(text, ANN) == text
