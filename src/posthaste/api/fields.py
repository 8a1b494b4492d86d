"""One field of a request at a time: its JSON type, and the rule that null, "" and blanks mean "not given".

Every refusal names the field and shows the value, shortened. What a field means is not known here.
"""

from collections.abc import Mapping
from math import isfinite

from posthaste.core.errors import Refused, shown
from posthaste.ids import is_id

Fields = Mapping[str, object]

SHORT_CHARS = 255
"""The longest text that is not a message. Some of these stand in indexes, which take no more than 2,700 bytes."""


ADDRESS_CHARS = 320
"""The longest phone number or e-mail address that is looked at."""


def text(fields: Fields, name: str, *, most_chars: int = SHORT_CHARS) -> str | None:
    """Return a text without the blanks around it."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise wrong_type(name, "text", value)
    return within(name, value.strip(), most_chars) or None


def verbatim(fields: Fields, name: str, *, most_chars: int) -> str | None:
    """Return a text exactly as it was written, unless it is blank."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(name, "text", value)
    return within(name, value, most_chars) if value.strip() else None


def foreign_id(fields: Fields, name: str) -> str | None:
    """Return an id of another system, which clients send as a text or, when it is made of digits, as a number."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 10**30:
            raise wrong_type(name, "text or a whole number", value)
        return str(value)
    return text(fields, name)


def own_id(fields: Fields, name: str) -> str | None:
    """Return an id of ours; a malformed one can never have existed."""
    found = text(fields, name)
    if found is not None and not is_id(found):
        raise not_an_id(name, found)
    return found


def flag(fields: Fields, name: str) -> bool | None:
    value = given(fields, name)
    if value is None or isinstance(value, bool):
        return value
    raise wrong_type(name, "true or false", value)


def whole_number(fields: Fields, name: str, *, least: int, most: int) -> int | None:
    value = given(fields, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "a whole number", value)
    if not least <= value <= most:
        raise Refused(f"{name} must be from {least} to {most}, got {said(value)}", code="OUT_OF_RANGE")
    return value


def seconds_as_ms(fields: Fields, name: str, *, most_s: int) -> int | None:
    """Return a duration in milliseconds; clients write seconds, whole or not."""
    value = given(fields, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a number of seconds", value)
    if not (isfinite(value) and 0 <= value <= most_s):
        raise Refused(f"{name} must be from 0 to {most_s} seconds, got {said(value)}", code="OUT_OF_RANGE")
    return round(value * 1000)


def given(fields: Fields, name: str) -> object:
    """Return a field of any type, None if it is blank."""
    value = fields.get(name)
    return None if value == "" or (isinstance(value, str) and value.isspace()) else value


def is_null(fields: Fields, name: str) -> bool:
    """Tell whether a field was named to be taken away: the one place where null is more than "not given"."""
    return name in fields and fields[name] is None


def within(name: str, value: str, most_chars: int) -> str:
    if len(value) > most_chars:
        raise Refused(f"{name} is {len(value)} characters long, {most_chars} at most: {shown(value)}", code="TEXT_TOO_LONG")
    return value


def wrong_type(name: str, wanted: str, value: object) -> Refused:
    return Refused(f"{name} must be {wanted}, got {said(value)}", code="INVALID_TYPE")


def not_an_id(name: str, value: str) -> Refused:
    return Refused(f"{name} is not a valid id: {shown(value)}", code="INVALID_ID")


def said(value: object) -> str:
    """Show a JSON value in a sentence, as JSON writes it. Containers are only named: they may be deep and large."""
    match value:
        case str():
            return shown(value)
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case list():
            return "an array"
        case dict():
            return "an object"
        case int() if abs(value) >= 10**30:
            return "a number of more than 30 digits"
        case _:
            return shown(value)
