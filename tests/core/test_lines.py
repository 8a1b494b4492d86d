"""Lines count exactly and by their own day, and take turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import DAY, HOUR, MIDNIGHT, MINUTE, NOON, SECOND, a_device, a_line
from posthaste.core.lines import NEVER_AT, Line, take_turn
from posthaste.core.messages import Lane
from posthaste.core.windows import day_of, day_start_after

ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]


# ---- the two clocks ----


def test_a_line_closes_at_its_cap_until_its_day_ends() -> None:
    assert a_line(usage_total=149).opens_at == 0
    assert a_line(usage_total=150).opens_at == MIDNIGHT
    assert a_line(usage_total=151).new_opens_at == MIDNIGHT


def test_a_day_full_of_new_people_never_holds_a_reply() -> None:
    line = a_line(usage_new=20, contact_free_at=MIDNIGHT + HOUR)
    assert line.opens_at == line.lane_opens_at(Lane.REPLY) == line.lane_opens_at(Lane.KNOWN) == 0
    assert line.lane_opens_at(Lane.NEW) == MIDNIGHT + HOUR


@pytest.mark.parametrize("line", [a_line(messages_per_day=0), a_line(new_per_day=0, usage_until=0)])
def test_a_cap_of_nothing_never_opens(line: Line) -> None:
    assert line.new_opens_at == NEVER_AT


# ---- counting ----


def test_a_claim_counts_and_starts_the_gap_to_the_next_new_person() -> None:
    line = a_line(contact_gap_ms=45 * SECOND)
    first = line.after_claim(NOON, is_new=True)
    assert (first.usage_total, first.usage_new, first.contact_free_at) == (1, 1, NOON + 45 * SECOND)
    second = first.after_claim(NOON + SECOND, is_new=False)
    assert (second.usage_total, second.usage_new, second.contact_free_at) == (2, 1, NOON + 45 * SECOND)


def test_a_new_day_begins_with_nothing_counted() -> None:
    full = a_line(usage_total=150, usage_new=20, usage_checks=70, chosen_total=200, chosen_new=30)
    assert full.on_day_of(MIDNIGHT - 1) == full
    fresh = full.on_day_of(MIDNIGHT)
    assert fresh == a_line(usage_until=MIDNIGHT + DAY)
    assert full.after_claim(MIDNIGHT, is_new=True).usage_total == 1


def test_what_is_given_back_is_given_back_to_the_same_day_only() -> None:
    line = a_line(usage_total=3, usage_new=2)
    back = line.after_return(MIDNIGHT, was_new=True)
    assert (back.usage_total, back.usage_new) == (2, 1)
    assert line.after_return(MIDNIGHT, was_new=False).usage_new == 2
    assert line.after_return(MIDNIGHT - DAY, was_new=True) == line
    assert a_line().after_return(MIDNIGHT, was_new=True) == a_line()


@given(st.sampled_from(ZONES), st.integers(NOON - 200 * DAY, NOON + 200 * DAY), st.lists(st.integers(0, 30 * HOUR), max_size=20))
def test_no_day_of_the_zone_gets_more_than_the_cap(zone: str, start: int, steps: list[int]) -> None:
    line = a_line(timezone=zone, messages_per_day=2, new_per_day=1, usage_until=day_start_after(start, zone))
    now, sent, met = start, dict[str, int](), dict[str, int]()
    for step in steps:
        now += step
        is_new = line.new_opens_at <= now
        if not is_new and line.opens_at > now:
            continue
        line = line.after_claim(now, is_new=is_new)
        day = day_of(now, zone)
        sent[day], met[day] = sent.get(day, 0) + 1, met.get(day, 0) + is_new
        assert sent[day] <= 2 and met[day] <= 1
        assert day_of(line.usage_until, zone) > day


@given(st.lists(st.booleans(), max_size=10), st.lists(st.booleans(), max_size=10))
def test_claims_and_returns_of_one_day_add_up(claimed: list[bool], returned: list[bool]) -> None:
    line = a_line()
    for is_new in claimed:
        line = line.after_claim(NOON, is_new=is_new)
    for was_new in returned:
        line = line.after_return(MIDNIGHT, was_new=was_new)
        assert line.usage_total >= 0 <= line.usage_new
    assert line.usage_total == max(0, len(claimed) - len(returned))


# ---- room and turns ----


@pytest.mark.parametrize(
    ("line", "is_new", "has_room"),
    [
        (a_line(), True, True),
        (a_line(usage_total=150), False, False),
        (a_line(chosen_total=150), False, False),
        (a_line(usage_new=20), True, False),
        (a_line(chosen_new=20), True, False),
        (a_line(chosen_new=20), False, True),
        (a_line(usage_total=150, usage_until=NOON), True, True),
        (a_line(messages_per_day=0, usage_until=NOON), False, False),
        (a_line(new_per_day=0, usage_until=NOON), True, False),
        (a_line(new_per_day=0, usage_until=NOON), False, True),
    ],
)
def test_room_is_what_was_neither_sent_nor_given_away_today(line: Line, is_new: bool, has_room: bool) -> None:
    assert line.has_room(NOON, is_new=is_new) is has_room


def test_a_choice_takes_room_and_a_turn_only_the_place_in_the_round() -> None:
    chosen = a_line().after_choice(NOON, is_new=True)
    assert (chosen.chosen_at, chosen.chosen_total, chosen.chosen_new, chosen.usage_total) == (NOON, 1, 1, 0)
    assert chosen.after_choice(NOON + 1, is_new=False).chosen_new == 1
    assert a_line().after_acceptance(NOON, MIDNIGHT - 1, is_new=True) == chosen
    assert a_line().after_acceptance(NOON, MIDNIGHT, is_new=True) == a_line(chosen_at=NOON)


def test_the_first_line_with_room_has_the_turn() -> None:
    full, free, other = a_line(id="a", usage_total=150), a_line(id="b"), a_line(id="c")
    assert take_turn([full, free, other], NOON, is_new=True) == (free, True)


def test_where_none_has_room_the_line_is_taken_that_has_it_first() -> None:
    late = a_line(id="late", usage_total=150, usage_until=MIDNIGHT + HOUR)
    soon = a_line(id="soon", usage_total=150, chosen_total=150)
    sooner = a_line(id="sooner", usage_total=150, chosen_total=100)
    assert take_turn([late, soon, sooner], NOON, is_new=True) == (sooner, False)


def test_a_line_that_is_allowed_nothing_is_the_last_to_be_taken() -> None:
    closed, only_replies = a_line(id="closed", messages_per_day=0), a_line(id="replies", new_per_day=0)
    full = a_line(id="full", usage_total=150, chosen_total=900, usage_until=MIDNIGHT + HOUR)
    assert take_turn([closed, only_replies, full], NOON, is_new=True) == (full, False)
    assert take_turn([closed, only_replies, full], NOON, is_new=False) == (only_replies, True)
    assert take_turn([closed], NOON, is_new=False) == (closed, False)


# ---- devices ----


@pytest.mark.parametrize(
    ("device", "at", "ready_at"),
    [
        (a_device(), NOON, NOON),
        (a_device(ready_at=NOON + MINUTE), NOON, NOON),
        (a_device(ready_at=NOON - MINUTE), NOON, NOON - MINUTE),
        (a_device(free_at=NOON + HOUR), NOON, NOON + HOUR),
        (a_device(free_at=NOON + HOUR, ready_at=NOON + DAY), NOON, NOON + HOUR),
    ],
)
def test_work_for_a_device_brings_its_clock_forward_only(device: object, at: int, ready_at: int) -> None:
    assert device.ready_by(at).ready_at == ready_at  # type: ignore[attr-defined]
