"""An SMS takes the place of an iMessage that could not be had: in the same commit, linked both ways, and only where it may."""

from typing import Any

import pytest
from builders import House, phone

from fixtures.rows import HOUR, NOON
from posthaste.core.lines import Line
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected
from posthaste.core.signals import Receipt
from posthaste.core.windows import Window
from posthaste.core.workspaces import Fallback
from posthaste.store import workspaces

OFF = Rejected(Refusal.NOT_ON_CHANNEL, "not on iMessage")
REFUSED = Rejected(Refusal.OTHER, "refused")


def with_fallback(house: House, **changes: Any) -> Line:
    """Add a line for SMS and make it the workspace's fallback."""
    line = house.add_line(message_type="sms", channel="smsgate", phone="+16462239999")
    house.write(workspaces.save_fallback, house.workspace.id, Fallback(True, line.id, **changes))
    return line


def sms_of(house: House, message_id: str) -> str | None:
    return house.view(message_id).message.fallback_message_id


def test_who_is_not_on_imessage_gets_an_sms(any_house: House) -> None:
    any_house.add_line()
    line = with_fallback(any_house)
    message = any_house.send(text="Hi {firstName|there}", batch_id="b")
    any_house.deliver(OFF)
    assert any_house.status(message) == "fallback"
    sms_id = sms_of(any_house, message)
    assert sms_id is not None
    sms = any_house.view(sms_id).message
    assert (sms.message_type, sms.line_id, sms.address, sms.text) == ("sms", line.id, phone(1), "Hi {firstName|there}")
    assert (sms.fallback_of, sms.batch_id, sms.lead_id) == (message, "b", any_house.view(message).message.lead_id)
    assert any_house.deliver(Accepted("sms-1")) == sms_id
    assert any_house.status(sms_id) == "sent"
    assert any_house.codes(message)[-2:] == ["fallback", "fallback_sent"]
    assert any_house.codes(sms_id)[:3] == ["accepted", "falls_back", "line_chosen"]
    why = f"It takes the place of message {message}, which found none of the person's addresses on iMessage."
    assert any_house.story(sms_id)[1].says == why
    assert any_house.line(line.id).usage_total == 1


def test_what_falls_back_counts_as_a_turn_of_its_line(any_house: House) -> None:
    any_house.add_line()
    line = with_fallback(any_house)
    other = any_house.add_line(message_type="sms", channel="smsgate", phone="+16462239998")
    any_house.later(1)
    any_house.send()
    any_house.deliver(OFF)
    assert any_house.line(line.id).chosen_total == 1
    any_house.later(1)
    own = any_house.send(2, message_type="sms")
    assert any_house.view(own).line.id == other.id


def test_without_a_fallback_line_nothing_takes_its_place(house: House) -> None:
    house.add_line()
    message = house.send()
    house.deliver(OFF)
    assert (house.status(message), sms_of(house, message)) == ("fallback", None)
    assert house.claim() == []


@pytest.mark.parametrize(
    ("on_message", "on_workspace", "falls_back"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_what_failed_falls_back_only_where_it_is_asked_for(
    house: House, on_message: bool, on_workspace: bool, falls_back: bool
) -> None:
    house.add_line()
    with_fallback(house, send_on_failed=on_workspace)
    message = house.send(send_fallback=on_message)
    house.deliver(REFUSED)
    assert house.status(message) == "failed"
    assert (sms_of(house, message) is not None) is falls_back


def test_what_nobody_can_know_never_falls_back(house: House) -> None:
    house.add_line()
    with_fallback(house, send_on_failed=True)
    message = house.send(send_fallback=True)
    house.deliver(Ambiguous("the connection died"))
    house.later(house.settings.look_every_ms)
    (found,) = house.rescue()
    from posthaste.core.outcomes import CannotTell

    house.conclude(found, CannotTell("nobody knows"), can_find=False)
    assert (house.status(message), sms_of(house, message)) == ("unknown", None)


def test_retries_that_are_used_up_fall_back(house: House) -> None:
    house.add_line()
    with_fallback(house)
    message = house.send(send_fallback=True)
    for _ in range(house.settings.attempts_max):
        house.deliver(Deferred("busy"))
        house.later(house.settings.retry_longest_ms)
    assert house.status(message) == "failed"
    assert sms_of(house, message) is not None


def test_a_receipt_that_says_it_failed_falls_back_once(any_house: House) -> None:
    line = any_house.add_line()
    with_fallback(any_house)
    message = any_house.send(send_fallback=True)
    any_house.deliver(Accepted("guid-1"))
    for _ in range(2):
        any_house.receive(line.device_id, Receipt("guid-1", error="it bounced"), Receipt("guid-1", error="it bounced"))
    assert any_house.status(message) == "failed"
    assert any_house.count("messages") == 2


def test_an_sms_does_not_fall_back_again(house: House) -> None:
    house.add_line()
    with_fallback(house, send_on_failed=True)
    message = house.send()
    house.deliver(OFF)
    sms_id = house.deliver(REFUSED)
    assert (sms_of(house, message), house.status(sms_id), sms_of(house, sms_id)) == (sms_id, "failed", None)


def test_who_has_no_phone_gets_none(house: House) -> None:
    house.add_line()
    with_fallback(house)
    message = house.send(phone=None, email="ana@example.com")
    house.deliver(OFF)
    assert (house.status(message), sms_of(house, message)) == ("fallback", None)
    assert house.codes(message)[-1] == "fallback_skipped"


def test_a_closed_fallback_line_sends_none_and_says_so(house: House) -> None:
    house.add_line()
    line = with_fallback(house)
    house.change(line, is_active=False)
    message = house.send()
    house.deliver(OFF)
    assert sms_of(house, message) is None
    assert "fallback line is not active" in house.story(message)[-1].says


def test_the_sms_keeps_to_the_window_of_the_message(house: House) -> None:
    house.add_line()
    with_fallback(house)
    # It closes while the send is under way.
    message = house.send(window=Window("UTC", 0, 12 * 60 + 1, None))
    claimed = house.begin()
    house.later(2 * HOUR)
    house.record(claimed, OFF)
    sms_id = sms_of(house, message)
    assert sms_id is not None
    assert house.held(sms_id) == ("scheduled", "outside_window", NOON + 12 * HOUR)
    assert house.claim() == []


@pytest.mark.parametrize("outcome", [Accepted("guid-1"), Deferred("busy")])
def test_what_may_still_arrive_or_has_does_not_fall_back(house: House, outcome: Outcome) -> None:
    house.add_line()
    with_fallback(house, send_on_failed=True)
    message = house.send(send_fallback=True)
    house.deliver(outcome)
    assert sms_of(house, message) is None


def test_the_sms_waits_for_its_own_cap(house: House) -> None:
    house.add_line()
    line = with_fallback(house)
    house.change(line, messages_per_day=0)
    message = house.send()
    house.deliver(OFF)
    sms_id = sms_of(house, message)
    assert sms_id is not None
    assert house.held(sms_id)[:2] == ("queued", "daily_limit")
    house.change(line, messages_per_day=5)
    assert house.deliver() == sms_id
