"""Availability checks: seventy a day and line, three seconds apart on a device, and never worth a long wait."""

from builders import House, a_house

from fixtures.rows import DAY, MIDNIGHT, NOON, SECOND
from posthaste.actions.check import note_check, reserve_check
from posthaste.core.lines import Line


def reserve(house: House, line: Line) -> int | None:
    return house.write(reserve_check, house.settings, line.id)


def test_checks_of_a_device_are_three_seconds_apart(any_house: House) -> None:
    first = any_house.add_line()
    second = any_house.add_line(device_id=first.device_id)
    assert reserve(any_house, first) == 0
    assert reserve(any_house, second) == 3_000
    assert reserve(any_house, first) is None, "longer than a send waits"
    any_house.later(3 * SECOND)
    assert reserve(any_house, first) == 3_000
    assert (any_house.line(first.id).usage_checks, any_house.line(second.id).usage_checks) == (2, 1)


def test_a_check_that_is_not_made_is_not_counted(house: House) -> None:
    line = house.add_line()
    for _ in range(5):
        reserve(house, line)
    assert house.line(line.id).usage_checks == 2


def test_a_line_has_seventy_a_day(any_house: House) -> None:
    line = any_house.add_line()
    for _ in range(70):
        assert reserve(any_house, line) == 0
        any_house.later(3 * SECOND)
    assert reserve(any_house, line) is None
    any_house.clock.now = MIDNIGHT - 1
    assert reserve(any_house, line) is None
    any_house.clock.now = MIDNIGHT
    assert reserve(any_house, line) == 0
    after = any_house.line(line.id)
    assert (after.usage_checks, after.usage_until) == (1, MIDNIGHT + DAY)


def test_checks_and_sends_are_counted_apart(house: House) -> None:
    line = house.add_line(checks_per_day=1, messages_per_day=1)
    reserve(house, line)
    house.send()
    house.deliver()
    after = house.line(line.id)
    assert (after.usage_checks, after.usage_total) == (1, 1)
    assert house.device(line.device_id).free_at == 0


def test_a_device_without_spacing_checks_at_once() -> None:
    with a_house(check_gap_ms=0, line_checks_per_day=3) as house:
        line = house.add_line()
        assert [reserve(house, line) for _ in range(4)] == [0, 0, 0, None]


def test_what_a_check_said_last_counts(any_house: House) -> None:
    any_house.add_line()
    any_house.write(note_check, any_house.workspace.id, "+12025550001", True)
    any_house.later(SECOND)
    any_house.write(note_check, any_house.workspace.id, "+12025550001", False)
    any_house.send()
    assert any_house.claim()[0].available == {"+12025550001": False}
    assert any_house.clock.now == NOON + SECOND
