"""What waits on a line that is down moves to another, where the caller did not choose it and nobody has talked to the person."""

from builders import House, phone

from fixtures.rows import HOUR, NOON
from posthaste.actions.move import move_off_device
from posthaste.core.lines import Line


def two_lines(house: House) -> tuple[Line, Line]:
    """Return a line that will go down and one that will not."""
    first = house.add_line(phone="+16462230001")
    second = house.add_line(phone="+16462230002")
    return first, second


def goes_down(house: House, line: Line) -> None:
    for _ in range(house.settings.failures_until_down):
        house.ping(line.device_id, is_up=False)
    assert not house.device(line.device_id).is_up


def line_of(house: House, message_id: str) -> str:
    return house.view(message_id).message.line_id


def test_a_first_message_moves_and_goes(any_house: House) -> None:
    first, second = two_lines(any_house)
    message = any_house.send()
    assert line_of(any_house, message) == first.id
    goes_down(any_house, first)
    assert any_house.held(message)[1] == "line_down"
    assert any_house.write(move_off_device, first.device_id) is False
    assert line_of(any_house, message) == second.id
    assert any_house.codes(message)[-1] == "line_moved"
    assert any_house.deliver() == message


def test_what_comes_after_it_goes_to_the_same_line(house: House) -> None:
    first, second = two_lines(house)
    house.send()
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    house.deliver()
    house.ping(first.device_id)
    assert line_of(house, house.send(text="Another")) == second.id


def test_a_message_whose_line_the_caller_chose_waits(house: House) -> None:
    first, _ = two_lines(house)
    message = house.send(from_line_id=first.id)
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    assert (line_of(house, message), house.held(message)[1]) == (first.id, "line_down")


def test_a_message_to_somebody_who_was_talked_to_waits(house: House) -> None:
    first, _ = two_lines(house)
    house.send()
    house.deliver()
    message = house.send(text="More")
    assert line_of(house, message) == first.id
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    assert line_of(house, message) == first.id


def test_nothing_moves_off_a_device_that_is_up(house: House) -> None:
    first, _ = two_lines(house)
    message = house.send()
    house.write(move_off_device, first.device_id)
    assert line_of(house, message) == first.id


def test_no_more_moves_than_the_others_have_room_for(house: House) -> None:
    first = house.add_line(phone="+16462230001")
    waiting = [house.send(number) for number in range(3)]
    second = house.add_line(phone="+16462230002", new_per_day=2)
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    assert [line_of(house, one) for one in waiting] == [second.id, second.id, first.id]


def test_what_is_scheduled_moves_too_and_keeps_its_date(house: House) -> None:
    first, second = two_lines(house)
    message = house.send(scheduled_at=NOON + HOUR)
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    assert (line_of(house, message), house.held(message)[2]) == (second.id, NOON + HOUR)


def test_lines_that_are_down_too_or_carry_another_type_take_nothing(house: House) -> None:
    first, second = two_lines(house)
    house.add_line(message_type="sms", phone=phone(9))
    message = house.send()
    goes_down(house, second)
    goes_down(house, first)
    house.write(move_off_device, first.device_id)
    assert line_of(house, message) == first.id
