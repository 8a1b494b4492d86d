"""What has waited too long ends, on lines that no claim looks at, too."""

import pytest
from builders import House

from fixtures.rows import NOON
from posthaste.actions.expire import expire


@pytest.mark.parametrize("held_by", ["a line that is down", "a line that is closed", "a full day"])
def test_a_message_past_its_time_expires_whatever_holds_it(any_house: House, held_by: str) -> None:
    house = any_house
    line = house.add_line()
    message = house.send(valid_until=NOON + 60_000)
    if held_by == "a line that is down":
        house.ping(line.device_id, is_up=False)
        house.ping(line.device_id, is_up=False)
    elif held_by == "a line that is closed":
        house.change(line, is_active=False)
    else:
        house.change(line, messages_per_day=0)
    house.later(59_999)
    assert house.write(expire) is False and house.held(message)[0] == "queued"
    house.later(1)
    house.write(expire)
    assert house.status(message) == "expired" and house.view(message).message.code == "VALID_UNTIL_PASSED"
    assert house.codes(message)[-1] == "expired"
    assert not house.claim()


def test_what_is_being_sent_does_not_expire(any_house: House) -> None:
    house = any_house
    house.add_line()
    message = house.send(valid_until=NOON + 1)
    house.claim()
    house.later(10)
    house.write(expire)
    assert house.status(message) == "sending"
