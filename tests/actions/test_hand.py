"""The hand-over: the last chance not to send, and the moment from which gaps and doubts are counted."""

import pytest
from builders import ME, House, a_sending, messages_of, phone

from fixtures.rows import DAY, HOUR, MINUTE, NOON, SECOND
from posthaste.actions.hand import Handing, hand
from posthaste.core.lifecycle import Status
from posthaste.core.messages import Lane
from posthaste.core.outcomes import Accepted, Ambiguous
from posthaste.core.signals import Echo
from posthaste.core.windows import Window

MORNING = Window("UTC", 9 * 60, 12 * 60 + 1, None)


def test_a_hand_over_is_written_down_with_all_that_finding_it_again_needs(any_house: House) -> None:
    line = any_house.add_line(arrival_ms=150 * SECOND)
    any_house.ping(line.device_id, cursor=42)
    message_id = any_house.send()
    (claimed,) = any_house.claim()
    any_house.later(SECOND)
    handing = Handing(claimed.attempt.id, ME, phone(1), '{"kind":"chat"}', "Hello Ann")
    assert any_house.write(hand, any_house.settings, [handing]) == [True]
    (attempt,) = any_house.attempts(message_id)
    assert (attempt.state, attempt.handed_at, attempt.lease_until) == ("handed", NOON + SECOND, NOON + 16 * SECOND)
    assert (attempt.target, attempt.text, attempt.cursor) == ('{"kind":"chat"}', "Hello Ann", 42)
    assert attempt.arrives_until == NOON + SECOND + any_house.settings.start_within_ms + 150 * SECOND
    assert any_house.status(message_id) == Status.SENDING
    assert any_house.codes(message_id)[-1] == "handed"


def test_nothing_is_handed_over_twice(any_house: House) -> None:
    any_house.add_line()
    any_house.send()
    (claimed,) = any_house.claim()
    assert any_house.hand(claimed) == [True]
    assert any_house.hand(claimed) == [False]
    any_house.record(claimed, Accepted("guid"))
    assert any_house.hand(claimed) == [False]


@pytest.mark.parametrize(("owner", "later_ms"), [("somebody else", 0), (ME, 15 * SECOND)])
def test_who_has_lost_the_lease_may_not_call(any_house: House, owner: str, later_ms: int) -> None:
    any_house.add_line()
    message_id = any_house.send()
    (claimed,) = any_house.claim()
    any_house.later(later_ms)
    assert any_house.hand(claimed, owner=owner) == [False]
    assert any_house.attempts(message_id)[0].state == "claimed"
    assert any_house.status(message_id) == Status.SENDING


def test_a_message_that_was_cancelled_meanwhile_is_not_sent(any_house: House) -> None:
    line = any_house.add_line(device_gap_ms=30 * SECOND, contact_gap_ms=45 * SECOND)
    message_id = any_house.send()
    (claimed,) = any_house.claim()
    any_house.cancel(message_id)
    assert any_house.hand(claimed) == [False]
    assert any_house.status(message_id) == Status.CANCELLED
    assert any_house.codes(message_id)[-2:] == ["cancelled", "released"]
    after, device = any_house.line(line.id), any_house.device(line.device_id)
    assert (after.usage_total, after.usage_new, device.in_flight) == (0, 0, 0)
    other = any_house.send(2)
    assert any_house.claim_ids() == [other], "neither gap was used up"


def test_a_message_that_expired_meanwhile_is_not_sent(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(valid_until=NOON + SECOND)
    (claimed,) = any_house.claim()
    any_house.later(SECOND)
    assert any_house.hand(claimed) == [False]
    message = any_house.view(message_id).message
    assert (message.status, message.code) == (Status.EXPIRED, "VALID_UNTIL_PASSED")
    assert any_house.line(line.id).usage_total == 0
    assert any_house.codes(message_id)[-1] == "expired"


def test_a_message_whose_window_closed_meanwhile_waits_for_the_next(any_house: House) -> None:
    line = any_house.add_line()
    any_house.later(MINUTE - 1)
    message_id = any_house.send(window=MORNING)
    (claimed,) = any_house.claim()
    any_house.later(1)
    assert any_house.hand(claimed) == [False]
    opens_at = NOON + 21 * HOUR
    message = any_house.view(message_id).message
    assert (message.status, message.due_at, message.attempts, message.lane) == (Status.WAITING, opens_at, 0, Lane.NEW)
    assert any_house.held(message_id) == ("scheduled", "outside_window", opens_at)
    after = any_house.line(line.id)
    assert (after.usage_total, after.usage_new) == (0, 0)
    any_house.clock.now = opens_at
    assert any_house.deliver() == message_id


def test_a_message_whose_window_opens_too_late_is_given_up(any_house: House) -> None:
    any_house.add_line()
    any_house.later(MINUTE - 1)
    message_id = any_house.send(window=MORNING, valid_until=NOON + HOUR)
    (claimed,) = any_house.claim()
    any_house.later(1)
    assert any_house.hand(claimed) == [False]
    assert any_house.status(message_id) == Status.EXPIRED


def test_what_waited_for_a_released_message_waits_no_longer(any_house: House) -> None:
    line = any_house.add_line()
    any_house.slots(line.device_id, 2)
    first, second = messages_of(any_house.accept(a_sending(), a_sending(text="b")))
    (claimed,) = any_house.claim()
    assert any_house.claim() == []
    assert any_house.held(second)[1] == "outcome_unknown"
    any_house.cancel(first)
    any_house.hand(claimed)
    assert any_house.claim_ids() == [second]


def test_each_of_a_batch_is_judged_by_itself(any_house: House) -> None:
    lines = [any_house.add_line() for _ in range(3)]
    made = [any_house.send(number, from_line_id=line.id) for number, line in enumerate(lines)]
    claimed = sorted(any_house.claim(), key=lambda one: made.index(one.message.id))
    any_house.cancel(made[1])
    assert any_house.hand(*claimed) == [True, False, True]


def test_gaps_are_counted_from_the_latest_moment_at_which_the_call_can_begin_and_then_from_its_end(any_house: House) -> None:
    line = any_house.add_line(device_gap_ms=30 * SECOND, contact_gap_ms=45 * SECOND)
    any_house.send()
    (claimed,) = any_house.claim()
    assert (any_house.device(line.device_id).free_at, any_house.line(line.id).contact_free_at) == (
        NOON + 30 * SECOND,
        NOON + 45 * SECOND,
    )
    any_house.later(5 * SECOND)
    any_house.hand(claimed)
    latest = NOON + 5 * SECOND + any_house.settings.start_within_ms
    assert any_house.device(line.device_id).free_at == latest + 30 * SECOND
    assert any_house.line(line.id).contact_free_at == latest + 45 * SECOND
    any_house.later(100)
    any_house.record(claimed, Accepted("guid"), started_after_ms=50)
    answered_at = NOON + 5 * SECOND + 100
    assert any_house.device(line.device_id).free_at == answered_at + 30 * SECOND
    assert any_house.line(line.id).contact_free_at == answered_at + 45 * SECOND


@pytest.mark.parametrize("end", ["an answer", "no answer", "an echo"])
def test_a_text_may_leave_as_late_as_its_call_ends_and_the_gaps_are_counted_from_there(any_house: House, end: str) -> None:
    line = any_house.add_line(device_gap_ms=30 * SECOND, contact_gap_ms=45 * SECOND)
    any_house.send(1)
    slow = any_house.begin()
    any_house.later(60 * SECOND)
    match end:
        case "an answer":
            any_house.record(slow, Accepted("guid"))
        case "no answer":
            any_house.record(slow, Ambiguous("it took too long"))
        case "an echo":
            any_house.receive(line.device_id, Echo("guid", 7, slow.attempt.marker))
    assert any_house.device(line.device_id).free_at == any_house.clock.now + 30 * SECOND
    assert any_house.line(line.id).contact_free_at == any_house.clock.now + 45 * SECOND


def test_a_late_day_is_still_the_day_of_the_claim(house: House) -> None:
    line = house.add_line(messages_per_day=1)
    house.clock.now = NOON + 12 * HOUR - 1
    house.send()
    (claimed,) = house.claim()
    house.later(1)
    assert house.hand(claimed) == [True]
    house.record(claimed, Accepted("guid"))
    assert house.line(line.id).on_day_of(house.clock.now).usage_total == 0
    assert house.line(line.id).usage_until == NOON + 12 * HOUR
    assert house.line(line.id).usage_total == 1
    house.later(DAY)
