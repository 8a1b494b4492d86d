"""What nobody works on any more: tried again if it surely never left, looked up if it may have, and never simply sent again."""

import pytest
from builders import ME, House, a_house, phone

from fixtures.rows import DAY, HOUR, MINUTE, NOON, SECOND
from posthaste.actions.lease import next_rescue_in_ms, renew_leases, void_leases
from posthaste.actions.rescue import Lookup
from posthaste.core.messages import Lane
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Finding, Found, Refusal, Rejected
from posthaste.core.signals import Receipt

LEASE = 15 * SECOND
AWAY = CannotTell("no answer")


def in_doubt(house: House, to: int = 1) -> tuple[str, Lookup]:
    """Send a message whose answer never comes, and take it up to look for it."""
    message_id = house.send(to)
    house.deliver(Ambiguous("timed out"))
    house.later(2 * SECOND)
    (found,) = house.rescue()
    return message_id, found


def past_arrival(house: House, message_id: str) -> None:
    """Go to where the text can no longer arrive."""
    arrives_until = house.attempts(message_id)[-1].arrives_until
    assert arrives_until is not None
    house.clock.now = arrives_until + 1


def again(house: House) -> Lookup:
    (found,) = house.rescue()
    return found


# ---- leases ----


def test_an_attempt_is_left_alone_while_its_worker_lives(any_house: House) -> None:
    any_house.add_line()
    any_house.send()
    (claimed,) = any_house.claim()
    assert any_house.read(next_rescue_in_ms) == LEASE
    any_house.later(LEASE - 1)
    assert any_house.rescue() == []
    any_house.write(renew_leases, any_house.settings, "somebody else", [claimed.attempt.id])
    assert any_house.read(next_rescue_in_ms) == 1
    any_house.write(renew_leases, any_house.settings, ME, [claimed.attempt.id])
    any_house.later(1)
    assert any_house.rescue() == []
    assert any_house.attempts(claimed.message.id)[0].lease_until == NOON + LEASE - 1 + LEASE
    assert any_house.hand(claimed) == [True]


def test_a_process_that_starts_alone_ends_all_leases(any_house: House) -> None:
    any_house.add_line()
    message_id = any_house.send()
    any_house.claim()
    assert any_house.write(void_leases) == 1
    assert any_house.rescue() == []
    assert any_house.status(message_id) == "waiting"
    assert any_house.write(void_leases) == 0
    assert any_house.read(next_rescue_in_ms) is None


def test_a_start_does_not_hasten_what_is_in_doubt(house: House) -> None:
    house.add_line()
    house.send()
    house.deliver(Ambiguous("timed out"))
    assert house.write(void_leases) == 0
    assert house.read(next_rescue_in_ms) == 2 * SECOND


# ---- claimed, never handed over ----


def test_what_was_only_claimed_goes_again_at_once_and_costs_no_try(any_house: House) -> None:
    line = any_house.add_line(device_gap_ms=30 * SECOND, contact_gap_ms=45 * SECOND)
    message_id = any_house.send()
    any_house.claim("dead")
    any_house.later(LEASE)
    assert any_house.rescue() == []
    message = any_house.view(message_id).message
    assert (message.status, message.attempts, message.lane, message.hold) == ("waiting", 0, Lane.NEW, None)
    assert (any_house.line(line.id).usage_total, any_house.line(line.id).usage_new) == (0, 0)
    assert any_house.device(line.device_id).in_flight == 0
    assert any_house.deliver() == message_id
    assert [one.outcome for one in any_house.attempts(message_id)] == ["retry", "accept"]


def test_what_was_cancelled_when_its_worker_died_stays_cancelled(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.claim("dead")
    any_house.cancel(message_id)
    any_house.later(LEASE)
    any_house.rescue()
    assert any_house.status(message_id) == "cancelled"
    assert (any_house.line(line.id).usage_total, any_house.device(line.device_id).in_flight) == (0, 0)


# ---- handed over ----


def test_what_was_handed_over_is_looked_up_and_its_device_is_free(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send()
    any_house.begin()
    any_house.later(LEASE)
    (found,) = any_house.rescue()
    assert (found.attempt.message_id, found.access.device_id, found.attempt.owner) == (message_id, line.device_id, "rescuer")
    assert any_house.device(line.device_id).in_flight == 0
    other = any_house.send(2)
    assert any_house.claim_ids() == [other]
    assert any_house.rescue("another") == [], "it is being looked up already"
    assert any_house.held(message_id) == ("sending", "outcome_unknown", None)


@pytest.mark.parametrize(
    ("finding", "status"),
    [
        (Found(Accepted("guid")), "sent"),
        (Found(Accepted("guid", delivered_at=NOON)), "delivered"),
        (Found(Accepted("guid"), Rejected(Refusal.OTHER, "error 22")), "failed"),
    ],
)
def test_what_is_found_is_believed_at_once(any_house: House, finding: Finding, status: str) -> None:
    line = any_house.add_line()
    message_id, found = in_doubt(any_house)
    any_house.conclude(found, finding)
    assert any_house.status(message_id) == status
    assert any_house.attempts(message_id)[0].external_id == "guid"
    assert any_house.line(line.id).usage_total == 1, "it was at the provider"
    assert any_house.rescue() == []


def test_absence_is_believed_only_when_the_text_can_no_longer_arrive(any_house: House) -> None:
    line = any_house.add_line()
    message_id, found = in_doubt(any_house)
    any_house.conclude(found, Absent())
    assert any_house.status(message_id) == "sending"
    for _ in range(4):
        assert any_house.rescue() == []
        any_house.clock.now += any_house.read(next_rescue_in_ms) or 0
        any_house.conclude(again(any_house), Absent())
    assert any_house.claim() == []
    past_arrival(any_house, message_id)
    any_house.conclude(again(any_house), Absent())
    assert any_house.status(message_id) == "waiting"
    assert any_house.line(line.id).usage_total == 0
    assert any_house.deliver() == message_id
    assert any_house.view(message_id).message.attempts == 2


def test_an_absence_after_the_last_try_is_the_end() -> None:
    with a_house(attempts_max=1) as house:
        house.add_line()
        message_id, found = in_doubt(house)
        house.conclude(found, Absent())
        past_arrival(house, message_id)
        house.conclude(again(house), Absent())
        message = house.view(message_id).message
        assert (message.status, message.code) == ("failed", "RETRIES_USED_UP")


def test_a_provider_that_does_not_answer_leaves_it_unknown(any_house: House) -> None:
    line = any_house.add_line()
    message_id, found = in_doubt(any_house)
    any_house.conclude(found, AWAY)
    assert any_house.status(message_id) == "sending"
    past_arrival(any_house, message_id)
    any_house.conclude(again(any_house), AWAY)
    message = any_house.view(message_id).message
    assert (message.status, message.code) == ("unknown", "OUTCOME_UNKNOWN")
    assert any_house.held(message_id) == ("unknown", "outcome_unknown", None)
    assert any_house.line(line.id).usage_total == 1, "it may have been sent"
    assert any_house.rescue() == any_house.claim() == []


def test_a_channel_that_cannot_be_asked_leaves_it_unknown_at_once(house: House) -> None:
    house.add_line()
    message_id, found = in_doubt(house)
    house.conclude(found, CannotTell("the provider cannot be asked"), can_find=False)
    assert house.status(message_id) == "unknown"


def test_an_unknown_one_no_longer_holds_the_next_text_to_the_person(house: House) -> None:
    house.add_line()
    message_id, found = in_doubt(house)
    second = house.send(1, text="b")
    assert house.claim() == []
    house.conclude(found, CannotTell("the provider cannot be asked"), can_find=False)
    assert house.status(message_id) == "unknown"
    assert house.claim_ids() == [second]


def test_only_who_holds_a_look_up_may_conclude_it(any_house: House) -> None:
    any_house.add_line()
    message_id, found = in_doubt(any_house)
    any_house.conclude(found, Found(Accepted("guid")), owner="somebody else")
    assert any_house.status(message_id) == "sending"
    any_house.later(LEASE)
    (taken,) = any_house.rescue("second")
    any_house.conclude(found, Found(Accepted("guid")))
    assert any_house.status(message_id) == "sending"
    any_house.conclude(taken, Found(Accepted("guid")), owner="second")
    assert any_house.status(message_id) == "sent"
    any_house.conclude(taken, Absent(), owner="second")
    assert any_house.status(message_id) == "sent"


def test_what_belongs_to_another_attempt_is_not_ours(any_house: House) -> None:
    any_house.add_line()
    any_house.send(1, text="first")
    any_house.deliver(Accepted("guid-1"))
    message_id, found = in_doubt(any_house)
    assert found.bound == frozenset({"guid-1"})
    any_house.conclude(found, Found(Accepted("guid-1")))
    assert any_house.status(message_id) == "sending"
    any_house.later(SECOND)
    any_house.conclude(again(any_house), Found(Accepted("guid-2")))
    assert any_house.status(message_id) == "sent"


def test_a_person_gets_the_next_text_once_the_first_is_found(house: House) -> None:
    house.add_line()
    first, found = in_doubt(house)
    second = house.send(1, text="b")
    assert house.claim() == []
    house.conclude(found, Found(Accepted("guid")))
    assert house.status(first) == "sent"
    assert house.claim_ids() == [second]


# ---- unknown, and afterwards ----


def lost(house: House, to: int = 1) -> str:
    message_id, found = in_doubt(house, to)
    past_arrival(house, message_id)
    house.conclude(found, AWAY)
    assert house.status(message_id) == "unknown"
    return message_id


def bounce(house: House, device_id: str) -> None:
    """Let the device go down and come up again."""
    for is_up in (False, False, True):
        house.ping(device_id, is_up=is_up)


def test_an_unknown_one_is_looked_for_when_its_device_is_up_again(any_house: House) -> None:
    line = any_house.add_line()
    message_id = lost(any_house)
    assert any_house.rescue() == []
    bounce(any_house, line.device_id)
    any_house.conclude(again(any_house), Found(Accepted("guid", delivered_at=NOON)))
    assert any_house.status(message_id) == "delivered"
    message = any_house.view(message_id).message
    assert (message.code, message.error_message, message.external_id) == (None, None, "guid")


@pytest.mark.parametrize("finding", [Absent(), AWAY])
@pytest.mark.parametrize("attempts_max", [1, 5])
def test_an_unknown_one_is_never_sent_again_whatever_is_not_found(finding: Finding, attempts_max: int) -> None:
    with a_house(attempts_max=attempts_max) as house:
        line = house.add_line()
        message_id = lost(house)
        for _ in range(3):
            bounce(house, line.device_id)
            for found in house.rescue():
                house.conclude(found, finding)
            house.later(HOUR)
            assert house.claim() == []
            assert house.status(message_id) in ("unknown", "failed")
        assert len(house.attempts(message_id)) == 1


def test_an_old_unknown_one_is_not_looked_for_any_more(house: House) -> None:
    line = house.add_line()
    lost(house)
    house.later(7 * DAY)
    bounce(house, line.device_id)
    assert house.rescue() == []


def test_a_receipt_is_evidence_for_an_unknown_one_that_was_named(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send(1)
    claimed = any_house.begin()
    any_house.record(claimed, Accepted("guid"))
    any_house.receive(line.device_id, Receipt("guid", delivered_at=NOON + MINUTE))
    assert any_house.status(claimed.message.id) == "delivered"
    assert any_house.view(claimed.message.id).message.delivered_at == NOON + MINUTE


def test_many_abandoned_attempts_are_taken_up_together(any_house: House) -> None:
    lines = [any_house.add_line() for _ in range(4)]
    for number, line in enumerate(lines):
        any_house.send(number, from_line_id=line.id)
    claimed = any_house.claim("dead")
    any_house.hand(*claimed[:2], owner="dead")
    any_house.later(LEASE)
    assert {one.attempt.id for one in any_house.rescue()} == {one.attempt.id for one in claimed[:2]}
    assert {any_house.status(one.message.id) for one in claimed[2:]} == {"waiting"}
    assert {any_house.device(line.device_id).in_flight for line in lines} == {0}
    assert phone(0) in {one.message.address for one in claimed}
