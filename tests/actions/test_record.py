"""What answers do: the next status, what is counted and what is given back, and when the next may go."""

import pytest
from builders import House, a_sending, messages_of, phone

from fixtures.rows import DAY, HOUR, MIDNIGHT, NOON, SECOND
from posthaste.actions.record import Report, record
from posthaste.core.lifecycle import Status
from posthaste.core.messages import Lane
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected
from posthaste.core.signals import Inbound

GREEN = Rejected(Refusal.NOT_ON_CHANNEL, "green")
REFUSED = Rejected(Refusal.BAD_CONTENT, "too long")
BUSY = Deferred("busy")
AWAY = Deferred("away", device_is_down=True)


@pytest.mark.parametrize(
    ("outcome", "status", "codes"),
    [
        (Accepted("guid"), "sent", ["sent"]),
        (Accepted("guid", delivered_at=NOON), "delivered", ["delivered"]),
        (Accepted("guid", delivered_at=NOON, read_at=NOON), "delivered", ["delivered", "read"]),
        (Accepted("guid", read_at=NOON), "delivered", ["delivered", "read"]),
        (REFUSED, "failed", ["failed"]),
        (GREEN, "fallback", ["fallback"]),
        (BUSY, "waiting", ["retry"]),
        (AWAY, "waiting", ["retry"]),
        (Ambiguous("timed out"), "sending", ["in_doubt"]),
    ],
)
def test_what_each_answer_makes_of_the_message(any_house: House, outcome: Outcome, status: str, codes: list[str]) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.woken.clear()
    any_house.deliver(outcome)
    message = any_house.view(message_id).message
    assert message.status == status
    story = any_house.codes(message_id)
    assert story[story.index("handed") + 1 :][: len(codes)] == codes
    assert any_house.device(line.device_id).in_flight == 0
    assert {f"message:{message_id}", "ready"} <= set(any_house.woken)
    if isinstance(outcome, Accepted):
        assert (message.external_id, message.sent_at) == ("guid", NOON)
        assert (message.delivered_at is not None) == (status == "delivered")
        assert message.read_at == outcome.read_at
        assert (message.code, message.error_message) == (None, None)


def test_a_refusal_says_why(house: House) -> None:
    house.add_line()
    message_id = house.send()
    house.deliver(REFUSED)
    message = house.view(message_id).message
    assert (message.code, message.error_message) == ("BAD_CONTENT", "too long")
    assert (message.sent_at, message.external_id) == (None, None)


# ---- counted, or given back ----


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [(Accepted("guid"), 1), (Ambiguous("?"), 1), (REFUSED, 0), (GREEN, 0), (BUSY, 0), (AWAY, 0)],
)
def test_only_what_surely_never_left_is_given_back(any_house: House, outcome: Outcome, counted: int) -> None:
    line = any_house.add_line(device_gap_ms=30 * SECOND, contact_gap_ms=45 * SECOND)
    any_house.send()
    second = any_house.send(1, text="b")
    any_house.deliver(outcome)
    after = any_house.line(line.id)
    assert (after.usage_total, after.usage_new) == (counted, counted)
    has_gap = any_house.device(line.device_id).free_at > any_house.clock.now
    assert has_gap == (after.contact_free_at > any_house.clock.now) == bool(counted)
    assert any_house.view(second).message.lane == Lane.KNOWN
    any_house.later(HOUR)
    if not counted:
        any_house.deliver()
        assert any_house.line(line.id).usage_new == 1, "the next text to the person is the new conversation"


def test_what_was_counted_yesterday_is_not_given_back_today(any_house: House) -> None:
    line = any_house.add_line(messages_per_day=1)
    any_house.clock.now = MIDNIGHT - SECOND
    first = any_house.send(1)
    claimed = any_house.begin()
    any_house.later(SECOND)
    any_house.record(claimed, REFUSED)
    any_house.send(2)
    any_house.deliver()
    assert any_house.status(first) == "failed"
    assert (any_house.line(line.id).usage_total, any_house.line(line.id).usage_until) == (1, MIDNIGHT + DAY)


def test_who_wrote_meanwhile_stays_known(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send()
    claimed = any_house.begin()
    any_house.receive(line.device_id, Inbound("in-1", 1, phone(1), "Hi", NOON))
    any_house.record(claimed, REFUSED)
    assert any_house.view(any_house.send(text="b")).message.lane == Lane.REPLY


def test_a_gap_that_a_later_send_has_begun_is_not_given_back_with_an_earlier_one(any_house: House) -> None:
    """The first is looked up for a while, and found absent when others have long gone: their gap goes on."""
    line = any_house.add_line(contact_gap_ms=45 * SECOND, arrival_ms=46 * SECOND)
    any_house.send(1)
    any_house.deliver(Ambiguous("timed out"))
    any_house.later(46 * SECOND)
    any_house.send(2)
    any_house.deliver()
    until = any_house.line(line.id).contact_free_at
    assert until == NOON + 46 * SECOND + 1 + 45 * SECOND
    any_house.later(3 * SECOND)
    (found,) = any_house.rescue()
    any_house.conclude(found, Absent())
    assert any_house.line(line.id).contact_free_at == until
    assert any_house.line(line.id).usage_new == 1


def test_a_slow_answer_does_not_shorten_the_gap_of_a_later_send(house: House) -> None:
    line = house.add_line(device_gap_ms=10 * SECOND, contact_gap_ms=10 * SECOND)
    house.slots(line.device_id, 2)
    house.send(1)
    slow = house.begin()
    house.later(12 * SECOND)
    house.send(2)
    quick = house.begin()
    house.record(quick, Accepted("guid-2"))
    until = NOON + 12 * SECOND + 1 + 10 * SECOND
    assert (house.device(line.device_id).free_at, house.line(line.id).contact_free_at) == (until, until)
    house.record(slow, Accepted("guid-1"))
    assert (house.device(line.device_id).free_at, house.line(line.id).contact_free_at) == (until, until)


def test_a_slow_refusal_does_not_end_the_gap_of_a_later_send(house: House) -> None:
    line = house.add_line(device_gap_ms=10 * SECOND, contact_gap_ms=10 * SECOND)
    house.slots(line.device_id, 2)
    house.send(1)
    slow = house.begin()
    house.later(12 * SECOND)
    house.send(2)
    house.begin()
    until = NOON + 12 * SECOND + house.settings.start_within_ms + 10 * SECOND
    house.later(SECOND)
    house.record(slow, REFUSED)
    assert (house.device(line.device_id).free_at, house.line(line.id).contact_free_at) == (until, until)


# ---- again ----


def test_a_busy_provider_is_tried_again_up_to_the_last_try(any_house: House) -> None:
    any_house.add_line()
    message_id = any_house.send()
    for wait_ms in (10_000, 40_000, 160_000, 640_000):
        any_house.deliver(BUSY)
        until = any_house.clock.now + wait_ms
        assert any_house.held(message_id) == ("queued", "provider_retry", until)
        any_house.clock.now = until - 1
        assert any_house.claim() == []
        any_house.clock.now = until
    any_house.deliver(BUSY)
    message = any_house.view(message_id).message
    assert (message.status, message.code, message.attempts) == ("failed", "RETRIES_USED_UP", 5)
    assert [one.number for one in any_house.attempts(message_id)] == [1, 2, 3, 4, 5]


def test_a_line_that_is_down_costs_no_try(house: House) -> None:
    house.add_line()
    message_id = house.send()
    for _ in range(10):
        house.deliver(AWAY)
        house.later(10_000)
    assert house.view(message_id).message.attempts == 0
    house.deliver()
    assert house.status(message_id) == "sent"


def test_the_next_address_is_tried_at_once_and_the_last_one_falls_back(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(email="ann@example.com", alt_phones=(phone(7), None, None))
    any_house.deliver(GREEN)
    message = any_house.view(message_id).message
    assert (message.status, message.address, message.recipient_phone) == ("waiting", phone(7), phone(7))
    assert (message.checked_addresses, message.attempts, message.lane) == ((phone(1),), 0, Lane.NEW)
    any_house.deliver(GREEN)
    message = any_house.view(message_id).message
    assert (message.address, message.recipient_email, message.recipient_phone) == ("ann@example.com", "ann@example.com", phone(7))
    any_house.deliver(GREEN)
    message = any_house.view(message_id).message
    assert (message.status, message.code) == ("fallback", "NOT_ON_IMESSAGE")
    assert message.checked_addresses == (phone(1), phone(7), "ann@example.com")
    assert any_house.line(line.id).usage_total == 0


def test_addresses_that_were_found_off_the_channel_on_the_way_are_passed_over(house: House) -> None:
    house.add_line()
    message_id = house.send(email="ann@example.com", alt_phones=(phone(7), None, None))
    (claimed,) = house.claim()
    house.record(claimed, GREEN, None, off_channel=frozenset({phone(1), phone(7)}))
    message = house.view(message_id).message
    assert (message.address, message.checked_addresses) == ("ann@example.com", (phone(1), phone(7)))


# ---- in doubt ----


def test_what_is_in_doubt_frees_the_device_and_waits_for_a_look(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.deliver(Ambiguous("timed out"))
    (attempt,) = any_house.attempts(message_id)
    assert (attempt.state, attempt.owner, attempt.occupies, attempt.lease_until) == ("handed", None, False, NOON + 2 * SECOND)
    assert any_house.device(line.device_id).in_flight == 0
    assert any_house.held(message_id) == ("sending", "outcome_unknown", None)
    other = any_house.send(2)
    assert any_house.claim_ids() == [other]


def test_an_answer_that_names_another_attempts_send_is_no_answer(any_house: House) -> None:
    any_house.add_line()
    first = any_house.send(1)
    any_house.deliver(Accepted("guid"))
    second = any_house.send(2)
    any_house.deliver(Accepted("guid"))
    assert (any_house.status(first), any_house.status(second)) == ("sent", "sending")
    assert any_house.codes(second)[-1] == "in_doubt"


# ---- late, twice, out of turn ----


@pytest.mark.parametrize("outcome", [Accepted("guid"), REFUSED, GREEN, BUSY])
def test_a_second_report_changes_nothing(any_house: House, outcome: Outcome) -> None:
    line = any_house.add_line()
    any_house.send()
    claimed = any_house.begin()
    any_house.record(claimed, outcome)
    before = any_house.view(claimed.message.id), any_house.attempts(claimed.message.id), any_house.line(line.id)
    any_house.later(SECOND)
    any_house.record(claimed, outcome)
    assert (any_house.view(claimed.message.id), any_house.attempts(claimed.message.id), any_house.line(line.id)) == before
    assert any_house.device(line.device_id).in_flight == 0


@pytest.mark.parametrize("outcome", [REFUSED, GREEN, BUSY, AWAY])
def test_a_message_that_was_cancelled_before_the_hand_over_stays_so(any_house: House, outcome: Outcome) -> None:
    """Its addresses were being checked when somebody cancelled it; what the check says comes too late."""
    line = any_house.add_line()
    message_id = any_house.send()
    (claimed,) = any_house.claim()
    any_house.cancel(message_id)
    any_house.record(claimed, outcome, None)
    assert any_house.status(message_id) == "cancelled"
    assert any_house.attempts(message_id)[0].state == "done"
    assert (any_house.line(line.id).usage_total, any_house.device(line.device_id).in_flight) == (0, 0)
    assert any_house.codes(message_id)[-2:] == ["cancelled", "released"]


def test_a_cancelled_message_moves_to_no_other_address(house: House) -> None:
    house.add_line()
    message_id = house.send(alt_phones=(phone(7), None, None))
    (claimed,) = house.claim()
    house.cancel(message_id)
    house.record(claimed, GREEN, None)
    message = house.view(message_id).message
    assert (message.status, message.address) == ("cancelled", phone(1))
    assert house.codes(message_id)[-1] == "released"


@pytest.mark.parametrize("outcome", [REFUSED, GREEN, BUSY, AWAY])
def test_a_worker_that_lost_its_attempt_cannot_end_the_message_of_another(any_house: House, outcome: Outcome) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    (slow,) = any_house.claim("slow")
    any_house.later(15 * SECOND)
    any_house.rescue()
    any_house.record(slow, outcome, None)
    assert any_house.status(message_id) == "waiting"
    (quick,) = any_house.claim()
    any_house.record(slow, outcome, None)
    assert any_house.hand(quick) == [True]
    any_house.record(slow, outcome, None)
    any_house.record(quick, Accepted("guid"))
    assert any_house.status(message_id) == "sent"
    assert any_house.line(line.id).usage_total == 1


def test_a_late_yes_to_an_attempt_that_was_given_up_stops_the_next(any_house: House) -> None:
    """The call took longer than anybody believed possible: the text is there, and must not go a second time."""
    line = any_house.add_line(arrival_ms=SECOND)
    message_id = any_house.send()
    slow = any_house.begin()
    any_house.later(20 * SECOND)
    (found,) = any_house.rescue()
    any_house.conclude(found, Absent())
    (second,) = any_house.claim()
    any_house.record(slow, Accepted("guid"))
    assert any_house.status(message_id) == "sent"
    assert any_house.hand(second) == [False]
    assert any_house.status(message_id) == "sent"
    assert any_house.view(message_id).message.external_id == "guid"
    assert any_house.device(line.device_id).in_flight == 0


def test_a_second_attempt_whose_worker_died_is_not_looked_for_once_the_first_has_arrived(house: House) -> None:
    line = house.add_line(arrival_ms=SECOND)
    message_id = house.send()
    slow = house.begin()
    house.later(20 * SECOND)
    (found,) = house.rescue()
    house.conclude(found, Absent())
    house.begin()
    house.record(slow, Accepted("guid"))
    house.later(20 * SECOND)
    assert house.rescue() == []
    assert (house.status(message_id), house.device(line.device_id).in_flight) == ("sent", 0)
    assert "released" not in house.codes(message_id), "it was handed over"


def test_a_batch_of_answers_is_recorded_each_by_itself(any_house: House) -> None:
    lines = [any_house.add_line() for _ in range(3)]
    any_house.accept(*(a_sending(number, from_line_id=line.id) for number, line in enumerate(lines)))
    claimed = any_house.claim()
    any_house.hand(*claimed)
    outcomes: list[Outcome] = [Accepted("guid"), REFUSED, BUSY]
    reports = [Report(one.attempt, outcome, 1) for one, outcome in zip(claimed, outcomes, strict=True)]
    any_house.write(record, any_house.settings, reports)
    assert [any_house.status(one.message.id) for one in claimed] == [Status.SENT, Status.FAILED, Status.WAITING]


def test_others_that_wait_for_the_same_person_go_on_by_any_outcome(any_house: House) -> None:
    for outcome in (Accepted("guid"), REFUSED, BUSY, GREEN):
        line = any_house.add_line()
        any_house.slots(line.device_id, 2)
        number = any_house.count("messages")
        first, second = messages_of(
            any_house.accept(
                a_sending(number, from_line_id=line.id, email=f"ann{number}@example.com"),
                a_sending(number, from_line_id=line.id, text="b"),
            )
        )
        (claimed,) = any_house.claim()
        assert any_house.claim() == []
        any_house.hand(claimed)
        any_house.record(claimed, outcome)
        assert any_house.held(second) == ("pending", None, None)
        assert second in any_house.claim_ids()
        assert first == claimed.message.id
        any_house.change(line, is_active=False)
