"""Dates as clients write them, read to the millisecond; everything else is refused and nothing else is raised."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthaste.core.errors import Refused
from posthaste.core.schedule import due_at, parse_instant, render_instant
from posthaste.core.windows import LATEST_AT, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"Factory"})
HOUR = 3_600_000


def instants() -> st.SearchStrategy[int]:
    return st.integers(0, LATEST_AT) | st.integers(0, 4_102_444_800_000)


# ---- reading ----


@pytest.mark.parametrize(
    ("text", "timezone", "instant"),
    [
        ("2026-03-12T22:57:00.856Z", None, "2026-03-12T22:57:00.856Z"),
        ("2026-03-12T22:57:00.856Z", "Asia/Tokyo", "2026-03-12T22:57:00.856Z"),
        ("2026-03-12t22:57:00z", None, "2026-03-12T22:57:00.000Z"),
        ("2026-03-12T22:57:00+05:30", "Asia/Tokyo", "2026-03-12T17:27:00.000Z"),
        ("2026-03-12T22:57:00-0800", None, "2026-03-13T06:57:00.000Z"),
        ("2026-03-12T22:57:00 +05", None, "2026-03-12T17:57:00.000Z"),
        ("2026-03-12T22:57+00:00", None, "2026-03-12T22:57:00.000Z"),
        ("2026-03-12T22:57", None, "2026-03-12T22:57:00.000Z"),
        ("2026-03-12 22:57", "America/New_York", "2026-03-13T02:57:00.000Z"),
        (" 2026-03-12 22:57:01 ", "asia/kathmandu", "2026-03-12T17:12:01.000Z"),
        ("2026-03-12", None, "2026-03-12T00:00:00.000Z"),
        ("2026-03-12", "Asia/Tokyo", "2026-03-11T15:00:00.000Z"),
        # A fraction has as many digits as its writer's language likes: cut, never rounded up into the next second.
        ("2026-03-12T22:57:00.8Z", None, "2026-03-12T22:57:00.800Z"),
        ("2026-03-12T22:57:00.999999999Z", None, "2026-03-12T22:57:00.999Z"),
        ("2026-03-12T22:57:00,25Z", None, "2026-03-12T22:57:00.250Z"),
        # In a gap, forward by the gap: an hour, half an hour, a day.
        ("2025-03-09T02:30", "America/New_York", "2025-03-09T07:30:00.000Z"),
        ("2025-10-05T02:15", "Australia/Lord_Howe", "2025-10-04T15:45:00.000Z"),
        ("2011-12-30T10:00", "Pacific/Apia", "2011-12-30T20:00:00.000Z"),
        ("2025-03-09", "America/Havana", "2025-03-09T05:00:00.000Z"),
        # In a fold, the first.
        ("2025-11-02T01:30", "America/New_York", "2025-11-02T05:30:00.000Z"),
        ("2025-04-06T01:45", "Australia/Lord_Howe", "2025-04-05T14:45:00.000Z"),
        # The ends of what can be said.
        ("1970-01-01T00:00:00Z", None, "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", None, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_is_read(text: str, timezone: str | None, instant: str) -> None:
    assert render_instant(parse_instant(text, timezone)) == instant


NO_DATES = ["", "tomorrow", "1773356220856", "2026", "2026-03", "20260312T225700Z", "12/03/2026", "2026-W11-4", "null"]
NO_DAYS = ["2026-13-01", "2026-00-10", "2026-02-29", "2026-03-32", "2026-03-00", "0000-01-01", "-2026-03-12"]
NO_TIMES = ["2026-03-12T24:00", "2026-03-12T12:60", "2026-03-12T23:59:60Z", "2026-03-12T12", "2026-03-12T", "2026-03-12T1:00"]
NO_OFFSETS = ["2026-03-12Z", "2026-03-12T10:00+24:00", "2026-03-12T10:00+05:60", "2026-03-12T10:00ZZ", "2026-03-12T10:00 UTC"]
OUT_OF_RANGE = ["1969-12-31T23:59:59Z", "1970-01-01T00:00+00:01", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00Z"]
ODD_SIGNS = ["\u0662\u0660\u0662\u0666-03-12", "2026\u201303\u201312", "2026-03-12\0", "2026-03-12\n12:00", "\ud800"]


@pytest.mark.parametrize("text", [*NO_DATES, *NO_DAYS, *NO_TIMES, *NO_OFFSETS, *OUT_OF_RANGE, *ODD_SIGNS])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_instant(text, "UTC")
    assert (refusal.value.message, refusal.value.code) == ("Invalid scheduledDate format", "INVALID_SCHEDULED_DATE")


def test_a_refusal_names_its_field() -> None:
    with pytest.raises(Refused) as refusal:
        parse_instant("soon", None, "validUntil")
    assert (refusal.value.message, refusal.value.code) == ("Invalid validUntil format", "INVALID_VALID_UNTIL")


def test_wall_time_that_falls_out_of_range_with_its_zone_is_refused() -> None:
    with pytest.raises(Refused):
        parse_instant("1970-01-01T00:00", "Asia/Tokyo")
    with pytest.raises(Refused):
        parse_instant("9999-12-31T23:59", "America/New_York")


def test_an_unknown_zone_is_refused_even_where_an_offset_makes_it_needless() -> None:
    with pytest.raises(Refused) as refusal:
        parse_instant("2026-03-12T22:57:00Z", "Mars/Phobos")
    assert refusal.value.code == "INVALID_TIMEZONE"


def texts() -> st.SearchStrategy[str]:
    near_dates = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?"
    signs = st.text(alphabet="0123456789-+:.TZ ", max_size=32)
    return st.text(max_size=40) | signs | st.from_regex(near_dates, fullmatch=True)


@settings(deadline=None, max_examples=400)
@given(texts(), st.none() | st.sampled_from(ZONES) | st.text(max_size=10))
def test_any_text_is_an_instant_or_refused(text: str, timezone: str | None) -> None:
    try:
        at = parse_instant(text, timezone)
    except Refused as refusal:
        assert refusal.code in {"INVALID_SCHEDULED_DATE", "INVALID_TIMEZONE"}
        return
    assert 0 <= at <= LATEST_AT
    assert parse_instant(render_instant(at), timezone) == at


@settings(deadline=None)
@given(instants(), st.integers(-23 * 60, 23 * 60))
def test_any_offset_is_read_as_python_reads_it(at: int, offset_minutes: int) -> None:
    at = min(max(at, 24 * HOUR), LATEST_AT - 24 * HOUR)
    sign, minutes = "-" if offset_minutes < 0 else "+", abs(offset_minutes)
    local = render_instant(at + offset_minutes * 60_000).removesuffix("Z")
    text = f"{local}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    assert parse_instant(text, "America/Havana") == at
    assert (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1) == at


@settings(deadline=None, max_examples=300)
@given(st.datetimes(datetime(1971, 1, 1), datetime(2060, 1, 1)), st.sampled_from(ZONES))
def test_wall_time_is_shown_again_by_its_zone_unless_the_clock_skips_it(wall: datetime, timezone: str) -> None:
    at = parse_instant(wall.isoformat(), timezone)
    local = datetime.fromtimestamp(at // 1000, ZoneInfo(timezone))
    moved_by = local.replace(tzinfo=None) - wall.replace(microsecond=0)
    if moved_by:
        # `fold` chooses the offset before or after a gap; their difference is its length.
        before, after = (wall.replace(tzinfo=ZoneInfo(timezone), fold=fold).utcoffset() for fold in (0, 1))
        assert before is not None and after is not None
        assert moved_by == after - before > timedelta(0)
    else:
        assert local.fold == 0  # of two, the first


# ---- writing ----


@given(instants())
def test_an_instant_written_is_read_again(at: int) -> None:
    text = render_instant(at)
    assert len(text) == len("2026-03-12T22:57:00.856Z")
    assert parse_instant(text, None) == at


# ---- the earliest instant ----

NINE_TO_FIVE = Window("UTC", 540, 1020, None)
MIDNIGHT = parse_instant("2026-03-02", None)


@pytest.mark.parametrize(
    ("now", "scheduled_at", "window", "due"),
    [
        (MIDNIGHT, None, None, MIDNIGHT),
        (MIDNIGHT, MIDNIGHT - 1, None, MIDNIGHT),  # in the past: now
        (MIDNIGHT, MIDNIGHT + 1, None, MIDNIGHT + 1),
        (MIDNIGHT, None, NINE_TO_FIVE, MIDNIGHT + 9 * HOUR),
        (MIDNIGHT, MIDNIGHT + 10 * HOUR, NINE_TO_FIVE, MIDNIGHT + 10 * HOUR),
        (MIDNIGHT, MIDNIGHT + 17 * HOUR, NINE_TO_FIVE, MIDNIGHT + 33 * HOUR),
        (MIDNIGHT + 20 * HOUR, MIDNIGHT + 10 * HOUR, NINE_TO_FIVE, MIDNIGHT + 33 * HOUR),
        (MIDNIGHT, None, Window("UTC", 540, 1020, frozenset()), None),
    ],
)
def test_a_message_is_due_at(now: int, scheduled_at: int | None, window: Window | None, due: int | None) -> None:
    assert due_at(now, scheduled_at, window) == due
