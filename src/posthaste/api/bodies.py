"""From bytes to one JSON object, and the refusals on the way there.

Whatever the content type says, a body is read as JSON, because curl without a header calls it a form; only multipart is
refused for its type. A character that a database or UTF-8 cannot keep (NUL, half a surrogate pair) is refused here for
the whole body, so that no parser behind this file meets one.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import inf, isinf

import msgspec

from posthaste.api.calls import Call
from posthaste.core.errors import Refused, UnsupportedMediaType, shown
from posthaste.core.row import Value

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SURROGATES = range(0xD800, 0xE000)
_DIGITS = 300
_PATH_CHARS = 200
_decode = msgspec.json.Decoder().decode


class Body(Value, frozen=True):
    """A JSON object as it came; keys that came twice hold what came last."""

    fields: Mapping[str, object]

    def digest(self) -> str:
        """Return a digest that does not depend on the order of keys nor on blanks between them."""
        try:
            canonical = msgspec.json.encode(self.fields, order="deterministic")
        except (RecursionError, ValueError, OverflowError):
            raise _not_json() from None
        return sha256(canonical).hexdigest()


async def read_object(call: Call, most_bytes: int) -> Body:
    """Read a call's body as a JSON object."""
    if call.header(b"content-type").lower().startswith("multipart/"):
        raise UnsupportedMediaType
    return parse_object(await call.body(most_bytes))


def parse_object(raw: bytes) -> Body:
    """Return the object that a body holds."""
    found = _parse(raw.removeprefix(_BYTE_ORDER_MARK))
    if not isinstance(found, dict):
        raise Refused("Request body must be a JSON object", code="BODY_NOT_OBJECT")
    # The escape is the only way a NUL gets through the parser, so bodies without it are not walked.
    if b"\\u0000" in raw:
        _refuse_character(found, range(1), "a NUL character")
    return Body(found)


def _parse(raw: bytes) -> object:
    try:
        return _decode(raw)
    except RecursionError:
        raise Refused("Request body is nested too deeply", code="BODY_TOO_DEEP") from None
    except msgspec.ValidationError:
        _name_number(raw)
        raise Refused("Request body holds a number that is out of range", code="NUMBER_OUT_OF_RANGE") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if b"\\ud" in raw.lower():
            _name_half_pair(raw)
        raise _not_json() from None


def _name_half_pair(raw: bytes) -> None:
    """Refuse a body for half a surrogate pair by the field that has it; msgspec only says that it is malformed."""
    found = _parse_slowly(raw)
    _refuse_character(found, _SURROGATES, "half a surrogate pair")


def _name_number(raw: bytes) -> None:
    """Refuse a body for a number that is out of range by the field that has it."""
    for path, value in _leaves(_parse_slowly(raw)):
        if isinstance(value, float) and isinf(value):
            raise Refused(f"{_printable(path)} is a number that is out of range", code="NUMBER_OUT_OF_RANGE")


def _parse_slowly(raw: bytes) -> object:
    """Parse what msgspec refused, to find the field to blame; None where nothing can be found."""
    try:
        return json.loads(raw, parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else inf)
    except (ValueError, RecursionError):
        return None


def _refuse_character(found: object, characters: range, says: str) -> None:
    for path, text in _leaves(found):
        if isinstance(text, str) and any(ord(character) in characters for character in text):
            raise Refused(f"{_printable(path)} contains {says}", code="INVALID_CHARACTER")


def _leaves(found: object) -> Iterator[tuple[str, object]]:
    """Yield every text and number of a value, keys included, with where it stands. Not recursive: bodies may be deep."""
    left: list[tuple[str, object]] = [("", found)]
    while left:
        path, value = left.pop()
        if isinstance(value, list):
            left.extend((_clipped(f"{path}[{index}]"), item) for index, item in enumerate(value))
        elif isinstance(value, dict):
            for key, item in value.items():
                place = _clipped(f"{path}.{key}") if path else key[:_PATH_CHARS]
                yield place, key
                left.append((place, item))
        else:
            yield path, value


def _clipped(path: str) -> str:
    # One long key over a long array would otherwise fill the memory with copies of itself.
    return path[-_PATH_CHARS:]


def _printable(path: str) -> str:
    return shown(path)[1:-1]


def _not_json() -> Refused:
    return Refused("Invalid request body (JSON required)", code="INVALID_JSON")
