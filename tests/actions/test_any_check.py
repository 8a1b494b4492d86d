"""Checks that callers ask for: spread over the healthy lines that can, within the same two rules as those of sends."""

from builders import House

from fixtures.rows import DAY, NOON, SECOND
from posthaste.actions.availability import NO_LINE, Reservation, known_availability, reserve_any_check
from posthaste.actions.check import BUSY, EXHAUSTED, note_check, reserve_check
from posthaste.core.lines import Line

PATIENCE_MS = 30_000
ABLE = ("bluebubbles",)


def reserve(house: House, patience_ms: int = PATIENCE_MS) -> Reservation | object:
    return house.write(reserve_any_check, house.workspace.id, ABLE, patience_ms)


def waits(house: House, patience_ms: int = PATIENCE_MS) -> int:
    reserved = reserve(house, patience_ms)
    assert isinstance(reserved, Reservation), reserved
    return reserved.wait_ms


def used(house: House, *lines: Line) -> list[int]:
    return [house.line(line.id).usage_checks for line in lines]


def test_lines_take_turns_so_that_nobody_waits_longer_than_need_be(any_house: House) -> None:
    lines = [any_house.add_line() for _ in range(3)]
    assert [waits(any_house) for _ in range(7)] == [0, 0, 0, 3_000, 3_000, 3_000, 6_000]
    assert sorted(used(any_house, *lines)) == [2, 2, 3]


def test_lines_of_one_device_share_its_spacing(house: House) -> None:
    first = house.add_line()
    second = house.add_line(device_id=first.device_id)
    assert [waits(house) for _ in range(3)] == [0, 3_000, 6_000]
    assert sorted(used(house, first, second)) == [1, 2], "and the least used one is taken"


def test_the_days_checks_of_all_lines_end(any_house: House) -> None:
    lines = [any_house.add_line(checks_per_day=2) for _ in range(2)]
    for _ in range(4):
        assert isinstance(reserve(any_house), Reservation)
    assert reserve(any_house) == EXHAUSTED
    assert used(any_house, *lines) == [2, 2]
    any_house.later(DAY)
    assert waits(any_house) == 0, "the next day brings new ones"


def test_a_line_that_is_used_up_leaves_it_to_the_others(house: House) -> None:
    full, other = house.add_line(checks_per_day=0), house.add_line()
    assert [waits(house), waits(house)] == [0, 3_000]
    assert used(house, full, other) == [0, 2]


def test_nobody_waits_longer_than_patience_and_what_is_not_made_is_not_counted(house: House) -> None:
    line = house.add_line()
    assert [waits(house, 3_000), waits(house, 3_000)] == [0, 3_000]
    assert reserve(house, 3_000) == BUSY
    assert used(house, line) == [2]


def test_checks_of_sends_and_of_callers_keep_one_spacing(house: House) -> None:
    line = house.add_line()
    assert house.write(reserve_check, house.settings, line.id) == 0
    assert waits(house) == 3_000
    assert house.write(reserve_check, house.settings, line.id) is None


def test_lines_that_are_down_closed_deleted_or_cannot_check_are_not_asked(house: House) -> None:
    assert reserve(house) == NO_LINE
    house.add_line(is_up=False)
    house.change(house.add_line(), is_active=False)
    house.add_line(channel="other")
    house.add_line(message_type="sms")
    assert reserve(house) == NO_LINE


def test_what_was_learnt_is_believed_for_a_while(any_house: House) -> None:
    settings, workspace = any_house.settings, any_house.workspace.id
    any_house.write(note_check, workspace, "+12025550001", True)
    any_house.write(note_check, workspace, "+12025550002", False)
    asked = ["+12025550001", "+12025550002", "+12025550003"]

    def known() -> dict[str, bool]:
        return any_house.read(known_availability, settings, workspace, asked)

    assert known() == {"+12025550001": True, "+12025550002": False}
    any_house.clock.now = NOON + settings.unavailable_for_ms + SECOND
    assert known() == {"+12025550001": True}, "a no is believed for a shorter time"
    any_house.clock.now = NOON + settings.available_for_ms + SECOND
    assert known() == {}
