"""Claiming: caps and gaps to the very message, the better queue first, one at a time to one person, and nothing left behind."""

import pytest
from builders import ME, House, a_house, a_sending, messages_of, phone

from fixtures.rows import DAY, HOUR, MIDNIGHT, MINUTE, NOON, SECOND
from posthaste.actions.check import note_check
from posthaste.actions.claim import claim
from posthaste.actions.show import line_views
from posthaste.core.messages import CrmIds, Lane
from posthaste.core.outcomes import Accepted, Ambiguous, Refusal, Rejected
from posthaste.core.signals import Inbound
from posthaste.core.windows import Window
from posthaste.store import waiting
from posthaste.store.transaction import Transaction

AFTERNOON = Window("UTC", 15 * 60, 17 * 60, None)
MORNING = Window("UTC", 9 * 60, 12 * 60 + 1, None)


def inbound(number: int, external_id: str = "in-1", at: int = NOON) -> Inbound:
    return Inbound(external_id, 1, phone(number), "Hi", at)


def send_all(house: House) -> list[str]:
    """Send whatever may go now, one after the other, and return whom it went to."""
    gone: list[str] = []
    while claimed := house.claim():
        house.hand(*claimed)
        for one in claimed:
            house.record(one, Accepted(f"guid-{one.attempt.id}"))
            gone.append(one.message.address)
    return gone


# ---- what a claim takes ----


def test_a_claim_takes_the_message_and_writes_its_attempt(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(name="Ann Lee", crm=CrmIds("g"))
    any_house.write(note_check, any_house.workspace.id, phone(1), True)
    (one,) = any_house.claim()
    assert (one.message.id, one.message.status, one.message.attempts, one.message.hold) == (message_id, "sending", 1, None)
    assert one.lead is not None
    assert (one.line.id, one.lead.full_name, one.access.device_id, one.available) == (
        line.id,
        "Ann Lee",
        line.device_id,
        {phone(1): True},
    )
    (attempt,) = any_house.attempts(message_id)
    assert attempt == one.attempt
    assert (attempt.state, attempt.owner, attempt.number, attempt.opened, attempt.occupies) == ("claimed", ME, 1, True, True)
    assert (attempt.lease_until, attempt.address, attempt.usage_until) == (NOON + 15 * SECOND, phone(1), MIDNIGHT)
    device, after = any_house.device(line.device_id), any_house.line(line.id)
    assert (device.in_flight, device.ready_at) == (1, None)
    assert (after.usage_total, after.usage_new) == (1, 1)
    assert any_house.claim() == []
    assert any_house.codes(message_id)[-1] == "claimed"


def test_a_claim_says_when_there_is_more(house: House) -> None:
    line = house.add_line(contact_gap_ms=45 * SECOND)
    assert house.write(claim, house.settings, ME, 8).next_in_ms is None
    house.send(1)
    house.send(2)
    assert house.write(claim, house.settings, ME, 8).next_in_ms is None, "its device is taken; an outcome wakes us"
    one = house.attempts(messages_of(house.accept(a_sending(3)))[0])
    assert one == []
    house.slots(line.device_id, 2)
    house.change(line)
    assert house.write(claim, house.settings, ME, 8).next_in_ms == 45 * SECOND


def test_a_claim_takes_no_more_devices_than_asked_and_the_oldest_first(house: House) -> None:
    lines = [house.add_line() for _ in range(3)]
    for number, line in enumerate(reversed(lines)):
        house.later(1)
        house.send(number, from_line_id=line.id)
    assert [one.line.id for one in house.claim(limit=1)] == [lines[2].id]
    assert [one.line.id for one in house.claim(limit=1)] == [lines[1].id]
    assert [one.line.id for one in house.claim(limit=8)] == [lines[0].id]


@pytest.mark.parametrize(("number", "for_ms"), [(1, 30 * DAY), (2, DAY)])
def test_a_yes_is_believed_for_longer_than_a_no(number: int, for_ms: int) -> None:
    for later, known in ((for_ms - 1, {phone(number): number == 1}), (for_ms, {})):
        with a_house() as house:
            house.add_line()
            house.write(note_check, house.workspace.id, phone(number), number == 1)
            house.later(later)
            house.send(number)
            assert house.claim()[0].available == known


# ---- caps ----


def test_a_line_sends_its_cap_and_the_rest_tomorrow(any_house: House) -> None:
    line = any_house.add_line(messages_per_day=3)
    made = [any_house.send(number) for number in range(5)]
    assert send_all(any_house) == [phone(number) for number in range(3)]
    assert any_house.held(made[4]) == ("queued", "daily_limit", MIDNIGHT)
    assert any_house.device(line.device_id).ready_at == MIDNIGHT
    any_house.clock.now = MIDNIGHT - 1
    assert any_house.claim() == []
    any_house.clock.now = MIDNIGHT
    assert send_all(any_house) == [phone(3), phone(4)]
    assert any_house.line(line.id).usage_total == 2


def test_the_day_is_that_of_the_lines_zone(house: House) -> None:
    line = house.add_line(messages_per_day=1, timezone="Asia/Kathmandu")
    house.send(1)
    last = house.send(2)
    send_all(house)
    midnight = NOON + 6 * HOUR + 15 * MINUTE
    assert house.held(last) == ("queued", "daily_limit", midnight)
    house.clock.now = midnight
    assert send_all(house) == [phone(2)]
    assert house.line(line.id).usage_until == midnight + DAY


def test_new_people_have_a_cap_of_their_own(any_house: House) -> None:
    any_house.add_line(new_per_day=2)
    first = [any_house.send(number) for number in range(3)]
    assert send_all(any_house) == [phone(0), phone(1)]
    assert any_house.held(first[2]) == ("queued", "new_conversation_limit", MIDNIGHT)
    again = any_house.send(1, text="Again")
    assert any_house.view(again).message.lane == Lane.KNOWN
    assert send_all(any_house) == [phone(1)]
    any_house.clock.now = MIDNIGHT
    assert send_all(any_house) == [phone(2)]


def test_a_person_is_new_to_the_workspace_and_not_to_the_line(any_house: House) -> None:
    first, second = any_house.add_line(), any_house.add_line()
    any_house.send(1, from_line_id=first.id)
    any_house.send(1, from_line_id=second.id, text="b")
    send_all(any_house)
    assert (any_house.line(first.id).usage_new, any_house.line(second.id).usage_new) in {(1, 0), (0, 1)}
    assert any_house.line(first.id).usage_total == any_house.line(second.id).usage_total == 1


def test_the_second_address_of_a_person_is_a_new_conversation_too(any_house: House) -> None:
    line = any_house.add_line(new_per_day=2)
    message_id = any_house.send(1, alt_phones=(phone(7), None, None))
    any_house.deliver(Rejected(Refusal.NOT_ON_CHANNEL, "green"))
    assert any_house.deliver() == message_id
    assert any_house.line(line.id).usage_new == 1
    any_house.send(2)
    any_house.send(3)
    assert send_all(any_house) == [phone(2)]
    known = any_house.send(7, text="b")
    assert any_house.view(known).message.lane == Lane.KNOWN


def test_a_line_that_is_allowed_nothing_waits_for_somebody_to_raise_its_cap(any_house: House) -> None:
    line = any_house.add_line(new_per_day=0)
    message_id = any_house.send()
    any_house.later(3 * DAY)
    assert any_house.claim() == []
    assert any_house.held(message_id) == ("queued", "new_conversation_limit", None)
    assert any_house.read(line_views, any_house.workspace.id)[0].next_slot_at is None
    any_house.change(line, new_per_day=1)
    assert any_house.claim_ids() == [message_id]


# ---- gaps ----


def test_the_device_gap_stands_between_any_two_sends_of_its_lines(any_house: House) -> None:
    first = any_house.add_line(device_gap_ms=30 * SECOND)
    second = any_house.add_line(device_id=first.device_id)
    made = [any_house.send(1, from_line_id=first.id), any_house.send(2, from_line_id=second.id)]
    assert any_house.deliver() in made
    waiting = made[1]
    assert any_house.claim() == []
    assert any_house.held(waiting) == ("queued", "device_gap", NOON + 1 + 30 * SECOND)
    any_house.clock.now = NOON + 1 + 30 * SECOND - 1
    assert any_house.claim() == []
    any_house.later(1)
    assert any_house.claim_ids() == [waiting]


def test_the_contact_gap_stands_between_new_people_only(any_house: House) -> None:
    any_house.add_line(contact_gap_ms=45 * SECOND)
    any_house.send(1)
    any_house.deliver()
    new = any_house.send(2)
    known = any_house.send(1, text="Again")
    assert any_house.claim_ids() == [known]
    assert any_house.held(new) == ("queued", "contact_gap", NOON + 1 + 45 * SECOND)


def test_a_gap_lets_one_message_go_whatever_the_slots(house: House) -> None:
    line = house.add_line(device_gap_ms=SECOND)
    house.slots(line.device_id, 4)
    house.accept(*(a_sending(number) for number in range(4)))
    assert len(house.claim()) == 1
    house.later(house.settings.start_within_ms + SECOND)
    assert len(house.claim()) == 1


def test_a_device_with_slots_sends_as_many_at_once(any_house: House) -> None:
    line = any_house.add_line()
    any_house.slots(line.device_id, 3)
    any_house.accept(*(a_sending(number) for number in range(5)))
    assert len(any_house.claim()) == 3
    assert any_house.claim() == []


# ---- order ----


def test_answers_to_people_go_first_then_people_we_know(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send(1)
    any_house.send(2)
    send_all(any_house)
    any_house.receive(line.device_id, inbound(2))
    for number, text in ((3, "new"), (1, "known"), (2, "reply")):
        any_house.later(1)
        any_house.send(number, text=text)
    assert send_all(any_house) == [phone(2), phone(1), phone(3)]


def test_a_queue_goes_in_the_order_in_which_it_was_due(house: House) -> None:
    house.add_line()
    house.send(1, scheduled_at=NOON + HOUR)
    house.send(2, scheduled_at=NOON + MINUTE)
    house.send(3)
    assert send_all(house) == [phone(3)]
    house.later(2 * HOUR)
    assert send_all(house) == [phone(2), phone(1)]


def test_texts_to_one_person_never_overtake_each_other(any_house: House) -> None:
    line = any_house.add_line()
    any_house.slots(line.device_id, 4)
    made = [any_house.send(1, text=text) for text in "abc"]
    other = any_house.send(2)
    assert set(any_house.claim_ids()) == {made[0], other}
    assert any_house.claim() == []
    assert any_house.held(made[1])[1] == "outcome_unknown"


def test_two_lines_do_not_write_to_one_person_at_the_same_time(any_house: House) -> None:
    first, second = any_house.add_line(), any_house.add_line()
    results = any_house.accept(a_sending(from_line_id=first.id), a_sending(from_line_id=second.id, text="b"))
    (one,) = any_house.claim()
    assert any_house.claim() == []
    any_house.hand(one)
    any_house.record(one, Accepted("guid"))
    assert any_house.claim_ids() == [({*messages_of(results)} - {one.message.id}).pop()]


def test_a_person_in_doubt_holds_the_next_text_and_not_the_next_person(any_house: House) -> None:
    any_house.add_line()
    any_house.send(1)
    any_house.deliver(Ambiguous("timed out"))
    second = any_house.send(1, text="b")
    other = any_house.send(2)
    assert any_house.claim_ids() == [other]
    assert any_house.held(second) == ("queued", "outcome_unknown", NOON + 2 * SECOND)


# ---- what may not go ----


def test_an_inactive_line_sends_nothing_until_it_is_active(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.change(line, is_active=False)
    assert any_house.claim() == []
    assert any_house.held(message_id) == ("queued", "line_inactive", None)
    any_house.change(line, is_active=True)
    assert any_house.claim_ids() == [message_id]


def test_a_closed_line_does_not_close_the_others_of_its_device(house: House) -> None:
    first = house.add_line()
    second = house.add_line(device_id=first.device_id)
    house.send(1, from_line_id=first.id)
    open_one = house.send(2, from_line_id=second.id)
    house.change(first, is_active=False)
    assert house.claim_ids() == [open_one]


def test_a_device_that_is_down_sends_nothing_until_it_is_up(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.ping(line.device_id, is_up=False)
    any_house.ping(line.device_id, is_up=False)
    assert any_house.claim() == []
    assert any_house.held(message_id) == ("queued", "line_down", None)
    any_house.ping(line.device_id)
    assert any_house.claim_ids() == [message_id]


@pytest.mark.parametrize(
    ("fields", "later_ms", "code"),
    [
        ({}, 7 * DAY, "TOO_LONG_PAST_DUE"),
        ({"valid_until": NOON + HOUR}, HOUR, "VALID_UNTIL_PASSED"),
        ({"valid_until": NOON + HOUR, "window": MORNING}, 2 * MINUTE, "VALID_UNTIL_PASSED"),
    ],
)
def test_what_is_past_its_time_expires(any_house: House, fields: dict[str, object], later_ms: int, code: str) -> None:
    line = any_house.add_line()
    message_id = any_house.send(**fields)
    any_house.woken.clear()
    any_house.later(later_ms)
    assert any_house.claim() == []
    message = any_house.view(message_id).message
    assert (message.status, message.code) == ("expired", code)
    assert message.error_message
    assert any_house.codes(message_id)[-1] == "expired"
    assert f"message:{message_id}" in any_house.woken
    assert any_house.device(line.device_id).ready_at is None
    assert any_house.line(line.id).usage_total == 0


def test_a_message_waits_again_for_a_window_that_closed_while_it_was_held(any_house: House) -> None:
    line = any_house.add_line(is_up=False)
    message_id = any_house.send(window=MORNING)
    assert any_house.view(message_id).message.due_at == NOON
    any_house.later(HOUR)
    any_house.ping(line.device_id)
    any_house.woken.clear()
    assert any_house.claim() == []
    opens_at = NOON + 21 * HOUR
    assert any_house.view(message_id).message.due_at == opens_at
    assert any_house.held(message_id) == ("scheduled", "outside_window", opens_at)
    assert any_house.codes(message_id)[-2:] == ["held", "held"], "once written down, once as it stands now"
    assert f"message:{message_id}" in any_house.woken
    any_house.clock.now = opens_at
    assert any_house.claim_ids() == [message_id]


def test_what_waits_for_later_does_not_hide_what_is_behind_it(any_house: House) -> None:
    line = any_house.add_line(is_up=False)
    any_house.accept(*(a_sending(number, window=MORNING) for number in range(30)))
    any_house.later(HOUR)
    last = any_house.send(99)
    any_house.ping(line.device_id)
    claimed: list[str] = []
    for _ in range(40):
        claimed += any_house.claim_ids()
    assert claimed == [last]


def test_a_new_person_in_the_queue_of_known_ones_goes_back_to_its_own(any_house: House) -> None:
    line = any_house.add_line(new_per_day=1)
    first = any_house.send(1)
    second = any_house.send(1, text="b")
    claimed = any_house.begin()
    assert any_house.view(second).message.lane == Lane.KNOWN
    any_house.record(claimed, Rejected(Refusal.BAD_CONTENT, "no"))
    assert any_house.status(first) == "failed"
    other = any_house.send(2, from_line_id=line.id)
    any_house.write(_raise_lane, other)
    assert any_house.deliver() == second
    assert any_house.claim() == []
    assert any_house.view(other).message.lane == Lane.NEW
    assert any_house.held(other) == ("queued", "new_conversation_limit", MIDNIGHT)


def _raise_lane(tx: Transaction, message_id: str) -> None:
    waiting.relane(tx, [(message_id, Lane.KNOWN)])


def test_a_person_who_writes_moves_their_messages_to_the_front(any_house: House) -> None:
    line = any_house.add_line(new_per_day=0)
    held = any_house.send(1)
    assert any_house.claim() == []
    any_house.receive(line.device_id, inbound(1))
    assert any_house.view(held).message.lane == Lane.REPLY
    assert any_house.claim_ids() == [held]
    assert any_house.line(line.id).usage_new == 0
