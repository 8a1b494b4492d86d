"""Read what strangers send in the shapes that a channel knows.

What is kept of it must fit a database, which knows no NUL, no text without bounds and no time beyond what JavaScript counts to.
"""

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import Annotated, TypeVar

import msgspec

from posthaste.channels.base import Unreachable

T = TypeVar("T")

Text = Annotated[str, msgspec.Meta(max_length=320, pattern=r"^[^\x00]*$")]
Word = Annotated[Text, msgspec.Meta(min_length=1)]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_LATEST_AT = 2**53


def read(raw: bytes | msgspec.Raw, shape: type[T]) -> T | None:
    """Parse JSON into a shape; None if it is not that."""
    try:
        return msgspec.json.decode(raw, type=shape)
    # Deep nesting is a RecursionError.
    except (msgspec.DecodeError, RecursionError):
        return None


def understood(raw: bytes | msgspec.Raw, shape: type[T], whose: str) -> T:
    """Parse JSON into a shape; raise `Unreachable` if it is not that, with a word for whose answer it is."""
    value = read(raw, shape)
    if value is None:
        raise not_understood(whose)
    return value


def not_understood(whose: str) -> Unreachable:
    return Unreachable(f"{whose} answered in a way that this version does not understand")


def without_nul(text: str | None) -> str:
    """Return a text as a database takes it: NUL is legal in JSON and in forms, and in no database of ours."""
    return (text or "").replace("\x00", "")


def instant(text: str | None, zone: dt.tzinfo | None = None) -> int | None:
    """Return an ISO 8601 time in milliseconds, None if it is none; one that names no zone is of `zone`, or none without it."""
    try:
        at = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    aware = _in_zone(at, zone)
    return sound_instant((aware - _EPOCH) // _MILLISECOND) if aware.tzinfo else None


def instant_of_mail(text: str) -> int | None:
    """Return a date as HTTP and mail write it (RFC 2822) in milliseconds, None if it is none; one without a zone is UTC's."""
    try:
        at = parsedate_to_datetime(text)
        return (_in_zone(at, dt.UTC) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None


def sound_instant(ms: int | None) -> int | None:
    """Return milliseconds that can be a time: one odd date must not make a whole page unreadable."""
    return ms if ms and 0 < ms < _LATEST_AT else None


def _in_zone(at: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)
