"""Every step of a message's story has words, and whoever writes one gives the facts that the words need."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest

import posthaste
from posthaste.core import timeline
from posthaste.core.holds import Reason
from posthaste.core.timeline import Code, say

SOURCE = Path(posthaste.__file__).parent


def needed(code: Code) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(timeline._SAYS[code]) if name}


# ---- words ----


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence(code: Code) -> None:
    words = say(code, dict.fromkeys(needed(code), "X"))
    assert words[0].isupper()
    assert words.endswith(".")
    assert "{" not in words


@pytest.mark.parametrize(
    ("code", "facts", "words"),
    [
        (
            "held",
            {"until": 1_773_316_800_000, "reason": "daily_limit"},
            "Held until 2026-03-12T12:00:00.000Z: the line has used up its messages of the day.",
        ),
        ("held", {"until": None, "reason": "line_down"}, "Held until further notice: the line's device does not answer."),
        ("sent", {"externalId": None, "source": "a poll"}, "The provider took it (told by a poll); its id there: not known."),
        (
            "fallback",
            {"checkedAddresses": ["+12025550101", "ada@example.com"]},
            "No address of the person is on iMessage (+12025550101, ada@example.com).",
        ),
        (
            "looked_up",
            {"detail": "its worker ended during the call", "until": 1_773_316_800_000},
            "Nobody knows yet whether it was sent: its worker ended during the call. "
            "It is looked for again at 2026-03-12T12:00:00.000Z.",
        ),
        ("expired", {"code": "VALID_UNTIL_PASSED"}, "Expired: its validUntil has passed."),
        ("reacted", {"kind": "love", "removed": False}, "The person reacted with love (taken back: no)."),
        ("unknown_fields", {"fields": ["a", "b"]}, "The request had fields that we do not know and did not use: a, b."),
    ],
)
def test_facts_are_put_into_words(code: str, facts: Mapping[str, object], words: str) -> None:
    assert say(code, facts) == words


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_to_hold_a_message_has_words(reason: Reason) -> None:
    assert say("held", {"until": None, "reason": reason}) != f"Held until further notice: {reason}."


def test_what_an_older_version_did_not_write_down_is_not_known() -> None:
    assert say("cancelled", {}) == "Cancelled before it was handed over: not known."


def test_a_fact_with_braces_stays_what_it_is() -> None:
    assert "{until}" in say("unknown_fields", {"fields": ["{until}"]})


def test_an_unknown_code_has_no_words() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        say("nonsense", {})


# ---- whoever writes them ----


def names_in(node: ast.AST) -> set[str]:
    """Return the names of facts that are written anywhere in a piece of code."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Dict):
            found |= {key.value for key in one.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        if isinstance(one, ast.Call):
            found |= {keyword.arg for keyword in one.keywords if keyword.arg}
        if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store) and isinstance(one.slice, ast.Constant):
            found.add(str(one.slice.value))
    return found


def codes_in(node: ast.AST) -> set[Code]:
    return {
        Code[one.attr]
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Code"
    }


def mentioned(node: ast.AST) -> set[str]:
    attributes = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    return attributes | {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def uses() -> Iterator[tuple[str, Code, set[str]]]:
    """Yield each function that writes a code with the names of the facts that it, and what it calls in its file, gives."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        functions = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        tables = {
            target.id: codes_in(one.value)
            for one in tree.body
            if isinstance(one, ast.Assign)
            for target in one.targets
            if isinstance(target, ast.Name)
        }
        for name, function in functions.items():
            said = mentioned(function)
            codes = codes_in(function).union(*(tables[one] for one in tables.keys() & said))
            facts = names_in(function).union(*(names_in(functions[one]) for one in functions.keys() & said))
            for code in codes:
                yield f"{path.relative_to(SOURCE)}:{name}", code, facts


USES = sorted({(where, code): facts for where, code, facts in uses()}.items())


@pytest.mark.parametrize(("use", "facts"), USES, ids=lambda value: f"{value[0]}-{value[1]}" if isinstance(value, tuple) else "")
def test_whoever_writes_a_code_gives_the_facts_of_its_sentence(use: tuple[str, Code], facts: set[str]) -> None:
    assert needed(use[1]) <= facts, use


def test_every_code_is_written_by_somebody() -> None:
    # A message is blocked once there is a do-not-contact list; the claim and `settle` write the status's own code then.
    assert {code for (_, code), _ in USES} == set(Code)
