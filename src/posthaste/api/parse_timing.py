"""When a message may go, as a client asked for it: date, validity, window and days.

The checks stand in the order of the documented examples: dates first, then the clock's format, then the zone and the
days. Whether a date is past, or a window ever opens, is asked when the message is accepted: a repeat of an accepted
request is not refused because time went by.
"""

from dataclasses import dataclass

from posthaste.api.fields import Fields, given, said
from posthaste.core.errors import Refused
from posthaste.core.schedule import parse_instant
from posthaste.core.windows import Window, parse_clock, zone_named


@dataclass(frozen=True, slots=True)
class Timing:
    """The instants and the window of one request."""

    scheduled_at: int | None = None
    valid_until: int | None = None
    window: Window | None = None


NONE = Timing()
_NAMES = ("scheduledDate", "validUntil", "timezone", "sendWindowStart", "sendWindowEnd", "allowedDaysOfWeek")


def parse_timing(fields: Fields, workspace_timezone: str) -> Timing:
    """Return what a request says of time; `workspace_timezone` serves days that came without a zone."""
    if not any(name in fields for name in _NAMES):
        return NONE
    timezone = given(fields, "timezone")
    known_zone = _zone_name(timezone)
    scheduled_at = _instant(fields, "scheduledDate", known_zone)
    valid_until = _instant(fields, "validUntil", known_zone)
    minutes = _window_minutes(fields)
    if timezone is not None and known_zone is None:
        raise _bad_zone()
    days = _days(fields)
    window = _window(minutes, days, known_zone, workspace_timezone)
    return Timing(scheduled_at, valid_until, window)


def _instant(fields: Fields, name: str, timezone: str | None) -> int | None:
    value = given(fields, name)
    if value is None:
        return None
    # What is not a text has no format either, and gets the documented sentence too.
    return parse_instant(value if isinstance(value, str) else "", timezone, name)


def _window_minutes(fields: Fields) -> tuple[int, int] | None:
    start, end = given(fields, "sendWindowStart"), given(fields, "sendWindowEnd")
    if start is None and end is None:
        return None
    # One without the other, or what is not a text, is no more a time of day than "9 o'clock" is.
    return parse_clock(_clock_text(start)), parse_clock(_clock_text(end))


def _clock_text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _days(fields: Fields) -> frozenset[int] | None:
    value = given(fields, "allowedDaysOfWeek")
    if value is None:
        return None
    if not isinstance(value, list):
        raise _bad_days(value)
    for day in value:
        if isinstance(day, bool) or not isinstance(day, int) or not 0 <= day <= 6:
            raise _bad_days(day)
    return frozenset(value) or None


def _window(
    minutes: tuple[int, int] | None, days: frozenset[int] | None, timezone: str | None, workspace_timezone: str
) -> Window | None:
    if minutes is None:
        return None if days is None else Window(timezone or workspace_timezone, None, None, days)
    if timezone is None:
        raise _bad_zone()
    return Window(timezone, *minutes, days)


def _zone_name(timezone: object) -> str | None:
    """Return the name of a zone as IANA spells it, or None if there is no such zone."""
    try:
        return zone_named(timezone.strip()).key if isinstance(timezone, str) else None
    except Refused:
        return None


def _bad_zone() -> Refused:
    return Refused(
        "Invalid timezone or time window settings. Please check your timezone and time format.", code="INVALID_TIMEZONE"
    )


def _bad_days(value: object) -> Refused:
    return Refused(
        f"allowedDaysOfWeek must be an array of whole numbers from 0 (Sunday) to 6 (Saturday), got {said(value)}",
        code="INVALID_DAYS",
    )
