"""Windows and local days against a minute-by-minute scan of what the clock on the wall shows.

The scan shares nothing with the code but the rules of the zones: it asks `datetime` for each minute's local time and
applies the contract's sentences to it. Cases are drawn around changes of offset, with limits around the readings that
the clock jumps from and to, since that is where a window can go wrong. Dates in the tables are past, so that no law
changes them.
"""

import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthaste.core.errors import Refused
from posthaste.core.schedule import parse_instant, render_instant
from posthaste.core.windows import LATEST_AT, Window, day_of, day_start_after, parse_clock, zone_named

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000

ODD_ZONES = [
    "Africa/Cairo",  # changes at midnight, on a Friday
    "Africa/Casablanca",  # an hour back for Ramadan
    "America/Havana",  # midnight is skipped, and shown twice
    "America/Santiago",
    "America/Sao_Paulo",  # until 2019 midnight was skipped, and 23:00 shown twice
    "America/New_York",
    "America/St_Johns",  # until 2011 at one minute past midnight, with a half-hour zone
    "Antarctica/Troll",  # two hours at once
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Australia/Lord_Howe",  # half an hour
    "Europe/Dublin",  # "daylight saving" in winter, with a negative amount
    "Pacific/Apia",  # 30 December 2011 does not exist
    "Pacific/Kwajalein",  # nor does 21 August 1993
    "Pacific/Chatham",
    "UTC",
]
FIRST_AT = 5 * 365 * DAY  # by 1975 every zone's offset is whole minutes, so a scan of minutes misses nothing
LAST_AT = 68 * 365 * DAY
SCANNED_DAYS = 16  # a window of one day a week that the clock skips once opens within two weeks

ALL_ZONES = sorted(zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"})


# ---- the scan ----


def shown(at: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at // 1000, ZoneInfo(zone))


def is_open(window: Window, at: int) -> bool:
    """Say in the contract's words whether a window is open, from the local date and time alone."""
    local = shown(at, window.timezone)
    minute, opened_on = local.hour * 60 + local.minute, local.date()
    start, end = window.start_minute, window.end_minute
    if start is not None and end is not None and start != end:
        over_midnight = end < start
        if over_midnight and minute < end:
            opened_on -= timedelta(days=1)
        elif minute < start or (minute >= end and not over_midnight):
            return False
    return window.days is None or opened_on.isoweekday() % 7 in window.days


def scan(at: int, holds: Callable[[int], bool]) -> int | None:
    """Return the least instant from `at` on at which something holds, looking at every minute."""
    if holds(at):
        return at
    minute_at = at - at % MINUTE + MINUTE
    return next((t for t in range(minute_at, at + SCANNED_DAYS * DAY, MINUTE) if holds(t)), None)


def agrees(found: int | None, scanned: int | None, at: int) -> bool:
    if scanned is None:
        return found is None or found >= at + SCANNED_DAYS * DAY
    return found == scanned


# ---- the cases ----


@cache
def changes(zone: str) -> list[int]:
    """List the instants at which a zone changes its offset, by looking once a week and halving what differs."""
    found = []
    for week_at in range(FIRST_AT, LAST_AT, 7 * DAY):
        low, high = week_at, week_at + 7 * DAY
        if shown(low, zone).utcoffset() == shown(high, zone).utcoffset():
            continue
        while high - low > MINUTE:
            middle = (low + high) // 2 // MINUTE * MINUTE
            same = shown(middle, zone).utcoffset() == shown(low, zone).utcoffset()
            low, high = (middle, high) if same else (low, middle)
        found.append(high)
    return found


def readings_around(at: int, zone: str) -> list[int]:
    """List minutes of the day that the clock shows, and skips or repeats, where it changes."""
    before, after = (local.hour * 60 + local.minute for local in (shown(at - MINUTE, zone), shown(at, zone)))
    middle = (before + after) // 2
    return [(edge + minutes) % 1440 for edge in (before, after, middle) for minutes in (-15, -1, 0, 1, 15)]


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, int, list[int]]:
    """Draw a zone, an instant, mostly near a change of its offset, and readings that matter there."""
    zone = draw(st.sampled_from(ODD_ZONES) | st.sampled_from(ALL_ZONES))
    anywhere = st.integers(FIRST_AT, LAST_AT)
    if not changes(zone) or draw(st.integers(0, 9)) == 0:
        return zone, draw(anywhere), [0, 720]
    change_at = draw(st.sampled_from(changes(zone)))
    distance = draw(st.sampled_from([-1, 0, 1]) | st.integers(-3 * HOUR, 3 * HOUR) | whole_minutes() | some_days())
    return zone, change_at + distance, readings_around(change_at, zone)


def whole_minutes() -> st.SearchStrategy[int]:
    return st.integers(-180, 180).map(lambda minutes: minutes * MINUTE)


def some_days() -> st.SearchStrategy[int]:
    # Days and the rest apart, since Hypothesis draws mostly small numbers from a wide range.
    return st.builds(lambda days, rest: days * DAY + rest, st.integers(-8, 1), st.integers(0, DAY))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Window, int]:
    zone, at, readings = draw(moments())
    minute = st.sampled_from([0, 1, 30, 60, 1380, 1439, *readings]) | st.integers(0, 1439)
    start, end = draw(st.just((None, None)) | st.tuples(minute, minute) | st.tuples(minute, minute))
    weekdays = st.integers(0, 6)
    days = st.none() | weekdays.map(lambda day: frozenset({day})) | st.frozensets(weekdays, min_size=1)
    return Window(zone, start, end, draw(days)), at


# ---- the properties ----


@settings(max_examples=400, deadline=None)
@given(cases())
def test_a_window_is_open_just_when_the_wall_says_so(case: tuple[Window, int]) -> None:
    window, at = case
    for around in (at, at - 1, at + 1, at + MINUTE, at + HOUR, at - HOUR, at + DAY):
        assert window.is_open(around) == is_open(window, around)


@settings(max_examples=500, deadline=None)
@given(cases())
def test_the_next_opening_is_the_one_that_a_scan_finds(case: tuple[Window, int]) -> None:
    window, at = case
    assert agrees(window.next_open(at), scan(at, lambda t: is_open(window, t)), at)


@settings(max_examples=400, deadline=None)
@given(moments())
def test_the_next_day_starts_where_a_scan_first_sees_a_later_date(moment: tuple[str, int, list[int]]) -> None:
    zone, at, _ = moment
    today = shown(at, zone).date()
    assert day_of(at, zone) == today.isoformat()
    assert day_start_after(at, zone) == scan(at, lambda t: shown(t, zone).date() > today)


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(0, 14 * DAY))
def test_openings_never_step_back(case: tuple[Window, int], later_ms: int) -> None:
    window, at = case
    first, second = window.next_open(at), window.next_open(at + later_ms)
    assert first is not None and second is not None
    assert at <= first <= second
    assert window.next_open(first) == first


# ---- days that one can look up ----

SUNDAY, MONDAY, TUESDAY, FRIDAY, SATURDAY = 0, 1, 2, 5, 6


def window(zone: str, start: str | None, end: str | None, *days: int) -> Window:
    start_minute, end_minute = (None if text is None else parse_clock(text) for text in (start, end))
    return Window(zone, start_minute, end_minute, frozenset(days) or None)


@pytest.mark.parametrize(
    ("rule", "asked", "opens"),
    [
        # From nine to five: the first and last millisecond, and the one after it.
        (window("UTC", "09:00", "17:00"), "2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00.000Z"),
        (window("UTC", "09:00", "17:00"), "2026-03-02T08:59:59.999Z", "2026-03-02T09:00:00.000Z"),
        (window("UTC", "09:00", "17:00"), "2026-03-02T16:59:59.999Z", "2026-03-02T16:59:59.999Z"),
        (window("UTC", "09:00", "17:00"), "2026-03-02T17:00:00.000Z", "2026-03-03T09:00:00.000Z"),
        # Over midnight, on Fridays: Saturday's small hours belong to it, Friday's do not.
        (window("UTC", "22:00", "06:00", FRIDAY), "2026-03-06T05:00:00Z", "2026-03-06T22:00:00.000Z"),
        (window("UTC", "22:00", "06:00", FRIDAY), "2026-03-07T05:59:59.999Z", "2026-03-07T05:59:59.999Z"),
        (window("UTC", "22:00", "06:00", FRIDAY), "2026-03-07T06:00:00Z", "2026-03-13T22:00:00.000Z"),
        # The whole day, said in two ways.
        (window("Asia/Kathmandu", None, None, MONDAY), "2026-03-01T00:00:00Z", "2026-03-01T18:15:00.000Z"),
        (window("Asia/Kathmandu", "08:00", "08:00", MONDAY), "2026-03-01T00:00:00Z", "2026-03-01T18:15:00.000Z"),
        # New York skips 02:00 to 03:00 on 9 March 2025: not that Sunday, or only what is left of it.
        (window("America/New_York", "02:00", "03:00", SUNDAY), "2025-03-09T06:00:00Z", "2025-03-16T06:00:00.000Z"),
        (window("America/New_York", "02:30", "03:30", SUNDAY), "2025-03-09T06:00:00Z", "2025-03-09T07:00:00.000Z"),
        # It shows 01:00 to 02:00 twice on 2 November 2025: open twice.
        (window("America/New_York", "01:00", "01:30"), "2025-11-02T05:30:00Z", "2025-11-02T06:00:00.000Z"),
        # Lord Howe goes forward by half an hour, from 02:00 to 02:30.
        (window("Australia/Lord_Howe", "02:00", "02:45"), "2025-10-04T15:00:00Z", "2025-10-04T15:30:00.000Z"),
        (window("Australia/Lord_Howe", "02:00", "02:30"), "2025-10-04T15:00:00Z", "2025-10-05T15:00:00.000Z"),
        # Apia went from Thursday, 29 December 2011, to Saturday.
        (window("Pacific/Apia", None, None, FRIDAY), "2011-12-30T08:00:00Z", "2012-01-05T10:00:00.000Z"),
        (window("Pacific/Apia", None, None, SATURDAY), "2011-12-30T08:00:00Z", "2011-12-30T10:00:00.000Z"),
        # Havana's Sunday of 9 March 2025 starts at 01:00.
        (window("America/Havana", None, None, SUNDAY), "2025-03-09T00:00:00Z", "2025-03-09T05:00:00.000Z"),
    ],
)
def test_a_window_opens_at(rule: Window, asked: str, opens: str) -> None:
    at = rule.next_open(parse_instant(asked, None))
    assert at is not None
    assert render_instant(at) == opens


@pytest.mark.parametrize(
    ("zone", "asked", "starts"),
    [
        ("UTC", "2026-03-01T23:59:59.999Z", "2026-03-02T00:00:00.000Z"),
        ("UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00.000Z"),
        # Havana skips a midnight in March; in November it shows one twice, and the day starts at the first.
        ("America/Havana", "2025-03-09T04:59:59.999Z", "2025-03-09T05:00:00.000Z"),
        ("America/Havana", "2025-11-02T03:00:00Z", "2025-11-02T04:00:00.000Z"),
        ("America/Havana", "2025-11-02T04:30:00Z", "2025-11-03T05:00:00.000Z"),
        # In St John's a Sunday of one minute went back to Saturday, 23:01, and came again an hour later.
        ("America/St_Johns", "2009-11-01T02:29:00Z", "2009-11-01T02:30:00.000Z"),
        ("America/St_Johns", "2009-11-01T02:30:30Z", "2009-11-02T03:30:00.000Z"),
        ("America/St_Johns", "2009-11-01T02:31:00Z", "2009-11-01T03:30:00.000Z"),
        ("Pacific/Apia", "2011-12-30T09:59:59.999Z", "2011-12-30T10:00:00.000Z"),
    ],
)
def test_a_day_starts_at(zone: str, asked: str, starts: str) -> None:
    assert render_instant(day_start_after(parse_instant(asked, None), zone)) == starts


# ---- never ----


def test_without_a_day_it_never_opens() -> None:
    assert Window("Europe/Dublin", 0, 60, frozenset()).next_open(0) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Niue"])
def test_nothing_opens_after_the_calendar_ends(zone: str) -> None:
    minute = shown(LATEST_AT - 2 * DAY, zone).hour * 60
    assert Window(zone, minute, minute + 1, None).next_open(LATEST_AT) is None
    assert Window(zone, None, None, None).next_open(LATEST_AT) == LATEST_AT
    assert day_start_after(LATEST_AT, zone) > LATEST_AT
    assert day_of(LATEST_AT, zone) <= date.max.isoformat()


# ---- what is refused ----


def test_the_zones_are_those_of_the_wheel_in_any_case() -> None:
    assert zoneinfo.TZPATH == ()
    assert zone_named("america/NEW_YORK").key == "America/New_York"
    assert zone_named("Asia/Calcutta") is zone_named("asia/calcutta")


NO_PLACES = ["", " ", "Mars/Phobos", "America", "America/", "America//New_York", " UTC", "UTC+2", "UTC\0", "\ud800"]
NO_ZONES = ["Factory", "posixrules", "localtime", "/etc/localtime", "../America/New_York", "right/UTC", "zone.tab"]


@pytest.mark.parametrize("name", [*NO_PLACES, *NO_ZONES, "x" * 10_000])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        Window(name, None, None, None)
    assert refusal.value.code == "INVALID_TIMEZONE"
    assert refusal.value.status == 400


@settings(deadline=None)
@given(st.text())
def test_no_text_but_a_zone_passes_for_one(name: str) -> None:
    try:
        key = zone_named(name).key
    except Refused:
        return
    assert key.lower() == name.lower()


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("09:05", 545), ("23:59", 1439)])
def test_a_clock_is_read(text: str, minute: int) -> None:
    assert parse_clock(text) == minute


@settings(deadline=None)
@given(st.text(max_size=8) | st.from_regex(r"\d?\d[:.]\d\d?", fullmatch=True))
def test_a_clock_is_just_what_python_would_print(text: str) -> None:
    every_minute = {f"{minute // 60:02d}:{minute % 60:02d}": minute for minute in range(1440)}
    try:
        assert parse_clock(text) == every_minute[text]
    except Refused as refusal:
        assert text not in every_minute
        assert refusal.code == "INVALID_TIME_FORMAT"


NO_CLOCKS = ["", "9:00", "24:00", "09:60", "09:00:00", " 09:00", "-1:00", "+1:00", "09-00", "\u0660\u0669:\u0660\u0660"]


@pytest.mark.parametrize("text", NO_CLOCKS)
def test_a_clock_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="must be in HH:mm format"):
        parse_clock(text)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [(0, None, None), (None, 0, None), (-1, 5, None), (0, 1440, None), (0, 1, frozenset({7}))],
)
def test_a_window_that_makes_no_sense_cannot_be_made(start: int | None, end: int | None, days: frozenset[int] | None) -> None:
    with pytest.raises(ValueError, match="a window"):
        Window("UTC", start, end, days)


def test_the_epoch_was_a_thursday() -> None:
    assert Window("UTC", None, None, frozenset({4})).is_open(0)
    assert datetime(1970, 1, 1, tzinfo=UTC).isoweekday() == 4
