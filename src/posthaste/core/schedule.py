"""Dates that clients write, and the earliest instant at which a message may go.

A date with an offset or `Z` is that instant; one without is what a clock on the wall of its time zone shows. A wall
time that the clock skips moves forward by what was skipped; one that it shows twice is the first. Why a message waits
is not said here.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from posthaste.core.errors import Refused
from posthaste.core.windows import LATEST_AT, MINUTE_MS, Window, zone_named

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_INSTANT = re.compile(
    r"""
    (?P<year>\d{4}) - (?P<month>\d\d) - (?P<day>\d\d)
    (?:
        [Tt\ ] (?P<hour>\d\d) : (?P<minute>\d\d) (?: : (?P<second>\d\d) (?: [.,] (?P<fraction>\d+) )? )?
        \ ? (?: (?P<utc>[Zz]) | (?P<sign>[+-]) (?P<offset_hours>[01]\d|2[0-3]) (?: :? (?P<offset_minutes>[0-5]\d) )? )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)


def parse_instant(text: str, timezone: str | None, field: str = "scheduledDate") -> int:
    """Return the instant that an ISO 8601 date means; without an offset it is wall time in `timezone` (UTC if None)."""
    zone = zone_named(timezone or "UTC")
    match = _INSTANT.fullmatch(text.strip())
    at = None if match is None else _instant_of(match, zone)
    if at is None or not 0 <= at <= LATEST_AT:
        code = re.sub(r"(?=[A-Z])", "_", field).upper()
        raise Refused(f"Invalid {field} format", code=f"INVALID_{code}")
    return at


def render_instant(at: int) -> str:
    """Return an instant as clients see it: `2026-03-12T22:57:00.856Z`."""
    return f"{_second(at // 1000)}.{at % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _second(at_s: int) -> str:
    """Most instants that are rendered lie in the same few seconds."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19]


def due_at(now: int, scheduled_at: int | None, window: Window | None) -> int | None:
    """Return the least instant, from now and from the scheduled one on, at which the window is open; None is never."""
    earliest_at = now if scheduled_at is None else max(now, scheduled_at)
    return earliest_at if window is None else window.next_open(earliest_at)


def _instant_of(match: re.Match[str], zone: ZoneInfo) -> int | None:
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    offset_ms = _offset_ms(match)
    try:
        # `fold` stays 0: in a gap that counts with the offset before it, so 02:30 that does not exist becomes 03:30.
        wall = datetime(year, month, day, hour, minute, second, tzinfo=zone if offset_ms is None else UTC)
    except ValueError:  # a month 13, a 30th of February, an hour 24
        return None
    milliseconds = int((match["fraction"] or "")[:3].ljust(3, "0"))
    return (wall - _EPOCH) // _MILLISECOND + milliseconds - (offset_ms or 0)


def _offset_ms(match: re.Match[str]) -> int | None:
    if match["utc"]:
        return 0
    if not match["sign"]:
        return None
    minutes = int(match["offset_hours"]) * 60 + int(match["offset_minutes"] or 0)
    return (-minutes if match["sign"] == "-" else minutes) * MINUTE_MS
