"""Check the fields of a BlueBubbles request, in the words of the library that the server uses.

Only the first broken rule is told, in the order in which the rules are listed. A field that is missing, null or an
empty string passes every rule but `REQUIRED` and `PRESENT`, which is that library's way.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Fields = Mapping[str, object]


class InvalidFieldError(Exception):
    """A field breaks a rule; the text is the sentence for the client."""


@dataclass(frozen=True, slots=True)
class Rule:
    broken_by: Callable[[object], bool]
    says: str
    for_empty: bool = False


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) and _is_number(value) else float("nan")


_ABSENT = object()

REQUIRED = Rule(lambda v: v is _ABSENT or v is None or not str(v).strip(), "The {0} field is required.", for_empty=True)
PRESENT = Rule(lambda v: v is _ABSENT, "The {0} field must be present (but can be empty).", for_empty=True)
STRING = Rule(lambda v: not isinstance(v, str), "The {0} must be a string.")
ARRAY = Rule(lambda v: not isinstance(v, list), "The {0} must be an array.")
BOOLEAN = Rule(lambda v: v not in (True, False, 0, 1, "true", "false", "0", "1"), "The {0} must be true or false.")
NUMERIC = Rule(lambda v: not _is_number(v), "The {0} must be a number.")


def one_of(*choices: str) -> Rule:
    return Rule(lambda v: v not in choices, "The selected {0} is invalid.")


def at_least(least: int) -> Rule:
    return Rule(lambda v: _number(v) < least, f"The {{0}} must be at least {least}.")


def at_most(most: int) -> Rule:
    return Rule(lambda v: _number(v) > most, f"The {{0}} may not be greater than {most}.")


def check(fields: Fields, rules: Mapping[str, tuple[Rule, ...]]) -> None:
    """Raise `InvalidFieldError` for the first rule that a field breaks."""
    for name, own in rules.items():
        value = fields.get(name, _ABSENT)
        is_empty = value is _ABSENT or value is None or value == ""
        for rule in own:
            if (rule.for_empty or not is_empty) and rule.broken_by(value):
                raise InvalidFieldError(rule.says.format(name))
