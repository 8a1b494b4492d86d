"""Wall clocks: time zones, local days, and the windows in which a message may go.

A window compares what a clock on the wall shows with `HH:mm` limits and weekdays, so daylight saving time needs no
rule of its own: an hour that the clock skips is never open, an hour that it shows twice is open twice. Nothing is
scanned: while a zone keeps its offset the next opening is plain arithmetic, and a change of offset merely starts the
sum again.

Importing this module makes `zoneinfo` read the tzdata wheel alone, for the whole process: the machine's own zones,
often years older, would give other answers elsewhere. A zone's rules are the one thing that core reads from disk,
once each.
"""

import zoneinfo
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import NewType
from zoneinfo import ZoneInfo

from posthaste.core.errors import Refused

zoneinfo.reset_tzpath(to=())

Wall = NewType("Wall", int)
"""What the clock on the wall shows, in milliseconds as if it were UTC. Not an instant, hence a type of its own."""

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
LATEST_AT = 253_402_300_799_999  # the last millisecond of the year 9999, where `datetime` ends

# A window opens within a week or never, unless the clock skips just that hour. Nobody plans further than this.
HORIZON_MS = 400 * DAY_MS

# How far apart we look at a zone's offset. Since 1970 no zone has changed it twice within 167 hours.
_LOOK_MS = DAY_MS
# Local time must not pass the year 9999 either, so whatever is later has the offset of this instant.
_LAST_LOOK_AT = LATEST_AT - 2 * DAY_MS
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 4  # a Thursday, where Sunday is 0


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_minute` up to `end_minute` of the local day, on `days` (0 = Sunday … 6 = Saturday; None = all).

    Without minutes, or with two equal ones, it is the whole local day. With the end before the start it runs over
    midnight, and what lies after midnight belongs to the day before, on which the window opened.
    """

    timezone: str
    start_minute: int | None
    end_minute: int | None
    days: frozenset[int] | None

    def __post_init__(self) -> None:
        minutes = (self.start_minute, self.end_minute)
        if (minutes[0] is None) != (minutes[1] is None):
            raise ValueError("a window has both a start and an end, or neither")
        if any(minute is not None and not 0 <= minute < 1440 for minute in minutes):
            raise ValueError("a window's minutes lie in 0..1439")
        if self.days is not None and not self.days <= frozenset(range(7)):
            raise ValueError("a window's days lie in 0..6")
        zone_named(self.timezone)

    def is_open(self, at: int) -> bool:
        return self._is_open_on(_wall(zone_named(self.timezone), at))

    def next_open(self, at: int) -> int | None:
        """Return the least instant from `at` on at which the window is open, or None for never.

        Never means no allowed day, nothing within `HORIZON_MS`, or nothing before the calendar ends.
        """
        opens_at = _first(zone_named(self.timezone), at, self._next_wall)
        return None if opens_at is None or opens_at > LATEST_AT else opens_at

    def _is_open_on(self, wall: Wall) -> bool:
        minute = wall // MINUTE_MS % 1440
        start, end = self.start_minute, self.end_minute
        if start is None or end is None or start == end:
            return self._counts(wall)
        if start < end:
            return start <= minute < end and self._counts(wall)
        if minute >= start:
            return self._counts(wall)
        return minute < end and self._counts(wall - DAY_MS)

    def _counts(self, wall: int) -> bool:
        return self.days is None or (wall // DAY_MS + _EPOCH_WEEKDAY) % 7 in self.days

    def _next_wall(self, wall: Wall) -> Wall | None:
        return next((edge for edge in self._openings(wall) if self._is_open_on(edge)), None)

    def _openings(self, wall: Wall) -> Iterator[Wall]:
        """Yield this reading, then each later one at which a window can open, for a week and a day."""
        yield wall
        minutes = sorted({0, self.start_minute or 0})
        midnight = wall - wall % DAY_MS
        for day in range(9):
            for minute in minutes:
                edge = midnight + day * DAY_MS + minute * MINUTE_MS
                if edge > wall:
                    yield Wall(edge)


def parse_clock(text: str) -> int:
    """Return the minute of the day that `HH:mm` says."""
    hours, colon, minutes = text[:2], text[2:3], text[3:]
    if len(text) == 5 and colon == ":" and _is_below(hours, 24) and _is_below(minutes, 60):
        return int(hours) * 60 + int(minutes)
    raise Refused(
        "Invalid time format. sendWindowStart and sendWindowEnd must be in HH:mm format (e.g., 09:00, 17:00)",
        code="INVALID_TIME_FORMAT",
    )


def _is_below(digits: str, limit: int) -> bool:
    return digits.isascii() and digits.isdigit() and int(digits) < limit


def zone_named(timezone: str) -> ZoneInfo:
    """Return the zone of an IANA name, in whatever case it is written."""
    name = _zone_names().get(timezone.lower())
    if name is None:
        raise Refused(
            "Invalid timezone or time window settings. Please check your timezone and time format.",
            code="INVALID_TIMEZONE",
            extra={"field": "timezone"},
        )
    return _zone(name)


def day_of(at: int, timezone: str) -> str:
    """Return the local date of an instant, such as `2026-03-01`."""
    day = _wall(zone_named(timezone), min(at, _LAST_LOOK_AT)) // DAY_MS
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


def day_start_after(at: int, timezone: str) -> int:
    """Return the first instant after `at` whose local date is a later one.

    That is not always a midnight: some zones skip it, and one that shows it twice starts its day at the first.
    """
    zone = zone_named(timezone)
    tomorrow = Wall((_wall(zone, at) // DAY_MS + 1) * DAY_MS)
    start = _first(zone, at, lambda wall: max(wall, tomorrow))
    assert start is not None  # a clock that never reaches tomorrow would have to be set back every day
    return start


def _first(zone: ZoneInfo, at: int, next_wall: Callable[[Wall], Wall | None]) -> int | None:
    """Return the least instant from `at` on whose wall reading is the wanted one.

    `next_wall` answers that for a clock that is never changed: the least wanted reading from a given one on.
    """
    start_at = at
    while at - start_at <= HORIZON_MS:
        offset_ms = _offset_ms(zone, at)
        wall = next_wall(Wall(at + offset_ms))
        if wall is None:
            return None
        candidate_at = wall - offset_ms
        changes_at = _first_change(zone, at, candidate_at)
        if changes_at is None:
            return candidate_at
        at = changes_at
    return None


def _first_change(zone: ZoneInfo, after: int, until: int) -> int | None:
    """Return the first instant in (after, until] at which the zone's offset is not what it was at `after`."""
    offset_ms = _offset_ms(zone, after)
    low = after
    while low < until:
        high = min(low + _LOOK_MS, until)
        if _offset_ms(zone, high) != offset_ms:
            return low + bisect_left(range(low, high), True, key=lambda at: _offset_ms(zone, at) != offset_ms)
        low = high
    return None


def _wall(zone: ZoneInfo, at: int) -> Wall:
    return Wall(at + _offset_ms(zone, at))


def _offset_ms(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(min(at, _LAST_LOOK_AT) // 1000, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


@cache
def _zone_names() -> dict[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"}}


@cache
def _zone(name: str) -> ZoneInfo:
    # Not from zoneinfo's own cache, which may hold a zone of the machine that somebody loaded before us.
    return ZoneInfo.no_cache(name)
