"""Never twice: idempotency keys, and the guard against sending the same again by a hasty click."""

import pytest
from builders import House, Submission, a_house, a_sending, accepted, messages_of, refused

from fixtures.rows import DAY, HOUR, MINUTE, NOON, SECOND
from posthaste.actions.accept import Skipped
from posthaste.actions.sweep import sweep
from posthaste.actions.workspaces import make_workspace
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Accepted, Ambiguous, Refusal, Rejected
from posthaste.core.windows import Window

NEVER = Window("UTC", None, None, frozenset())


def sweep_all(house: House) -> None:
    assert house.write(sweep, house.settings) is False


# ---- keys ----


def test_a_repeat_gets_the_first_answer(any_house: House) -> None:
    any_house.add_line()
    first = accepted(any_house.accept(any_house.keyed("key", a_sending()))[0])
    any_house.later(HOUR)
    again = accepted(any_house.accept(any_house.keyed("key", a_sending()))[0])
    assert (again.message_id, again.lead_id, again.http_status, again.is_duplicate) == (
        first.message_id,
        first.lead_id,
        201,
        False,
    )
    assert (first.is_replayed, again.is_replayed) == (False, True)
    assert any_house.count("messages") == 1


def test_a_repeat_of_a_duplicate_is_a_duplicate_still(house: House) -> None:
    house.add_line()
    house.send()
    first = accepted(house.accept(house.keyed("key", a_sending(text="b")))[0])
    again = accepted(house.accept(house.keyed("key", a_sending(text="b")))[0])
    assert (first.http_status, again.http_status, again.is_duplicate) == (200, 200, True)


def test_a_repeat_with_another_body_is_a_mismatch(any_house: House) -> None:
    any_house.add_line()
    any_house.accept(any_house.keyed("key", a_sending()))
    error = refused(any_house.accept(any_house.keyed("key", a_sending(2), "other body"))[0])
    assert (error.status, error.code) == (422, "IDEMPOTENCY_MISMATCH")
    assert any_house.count("messages") == 1


def test_a_key_belongs_to_its_workspace(house: House) -> None:
    other = house.write(make_workspace, "Other")
    house.add_line()
    house.add_line(workspace=other)
    results = house.accept(house.keyed("key", a_sending()), Submission(other, a_sending(2), "key", "other body"))
    assert [accepted(one).is_replayed for one in results] == [False, False]


def test_a_key_whose_first_use_has_no_answer_yet_is_a_conflict(any_house: House) -> None:
    any_house.add_line()
    asked = any_house.keyed("key", a_sending())
    any_house.accept(asked)
    any_house.write(lambda tx: tx.run("UPDATE idempotency_keys SET answer = ''"))
    error = refused(any_house.accept(asked)[0])
    assert (error.status, error.code) == (409, "IDEMPOTENCY_IN_PROGRESS")


def test_a_refusal_uses_no_key_up(any_house: House) -> None:
    any_house.add_line()
    assert refused(any_house.accept(any_house.keyed("key", a_sending(window=NEVER)))[0])
    assert any_house.count("idempotency_keys") == 0
    assert not accepted(any_house.accept(any_house.keyed("key", a_sending(), "mended body"))[0]).is_replayed


def test_a_key_that_comes_twice_in_a_batch_makes_one_message(any_house: House) -> None:
    any_house.add_line()
    results = any_house.accept(
        any_house.keyed("key", a_sending()),
        any_house.keyed("key", a_sending()),
        any_house.keyed("key", a_sending(2), "other body"),
        any_house.keyed("another", a_sending(3)),
    )
    first, again = accepted(results[0]), accepted(results[1])
    assert (again.message_id, again.http_status, again.is_replayed) == (first.message_id, 201, True)
    assert refused(results[2]).code == "IDEMPOTENCY_MISMATCH"
    assert not accepted(results[3]).is_replayed
    assert any_house.count("messages") == 2


def test_a_refusal_uses_no_key_up_within_a_batch_either(house: House) -> None:
    house.add_line()
    results = house.accept(
        house.keyed("key", a_sending(window=NEVER)),
        house.keyed("key", a_sending(window=NEVER)),
        house.keyed("key", a_sending(2), "other body"),
        house.keyed("key", a_sending(2), "other body"),
        house.keyed("key", a_sending(3), "third body"),
    )
    assert [refused(one).code for one in results[:2]] == ["INVALID_TIME_WINDOW"] * 2
    made, again = accepted(results[2]), accepted(results[3])
    assert (made.is_replayed, again.is_replayed, again.message_id) == (False, True, made.message_id)
    assert refused(results[4]).code == "IDEMPOTENCY_MISMATCH"
    assert house.count("messages") == 1


def test_a_key_is_kept_a_day_after_the_end_and_no_less(house: House) -> None:
    house.add_line()
    asked = house.keyed("key", a_sending())
    house.accept(asked)
    house.later(5 * DAY)
    house.deliver()
    house.later(DAY)
    sweep_all(house)
    assert accepted(house.accept(asked)[0]).is_replayed
    house.later(1)
    sweep_all(house)
    assert not accepted(house.accept(asked)[0]).is_replayed


def test_a_key_is_kept_a_day_although_its_message_has_ended(house: House) -> None:
    house.add_line()
    asked = house.keyed("key", a_sending())
    house.accept(asked)
    house.deliver()
    house.later(DAY)
    sweep_all(house)
    assert accepted(house.accept(asked)[0]).is_replayed


def test_a_key_is_kept_three_days_past_the_scheduled_time(house: House) -> None:
    house.add_line()
    asked = house.keyed("key", a_sending(scheduled_at=NOON + HOUR))
    (result,) = house.accept(asked)
    house.cancel(accepted(result).message_id)
    house.later(HOUR + 72 * HOUR)
    sweep_all(house)
    assert accepted(house.accept(asked)[0]).is_replayed
    house.later(1)
    sweep_all(house)
    assert house.count("idempotency_keys") == 0


# ---- the guard ----


def test_the_same_again_within_a_minute_is_skipped(any_house: House) -> None:
    any_house.add_line()
    first = accepted(any_house.accept(a_sending(text="Hello  there"))[0])
    any_house.later(MINUTE - 1)
    again = accepted(any_house.accept(a_sending(text=" hello\nThere"))[0])
    assert (again.message_id, again.http_status) == (first.message_id, 200)
    assert again.skipped == Skipped(first.message_id, first.lead_id, 59)
    assert any_house.count("messages") == 1


def test_after_a_minute_it_is_meant(house: House) -> None:
    house.add_line()
    house.send()
    house.later(MINUTE)
    assert accepted(house.accept(a_sending())[0]).skipped is None


def test_the_minute_counts_from_the_one_that_was_sent(house: House) -> None:
    house.add_line()
    house.send()
    house.later(40 * SECOND)
    assert accepted(house.accept(a_sending())[0]).skipped
    house.later(20 * SECOND)
    assert accepted(house.accept(a_sending())[0]).skipped is None


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Hello!"},
        {"to": 2},
        {"scheduled_at": NOON + HOUR},
        {"message_type": MessageType.SMS},
        {"attachment_urls": ("https://example.com/a.png",)},
    ],
)
def test_what_differs_is_another_message(house: House, change: dict[str, object]) -> None:
    house.add_line()
    house.add_line(message_type="sms")
    results = house.accept(a_sending(), a_sending(**change))
    assert [accepted(one).skipped for one in results] == [None, None]


def test_the_same_address_by_another_way_is_the_same(house: House) -> None:
    house.add_line()
    first = accepted(house.accept(a_sending())[0])
    assert accepted(house.accept(a_sending(phone=None, lead_id=first.lead_id))[0]).skipped


def test_the_same_twice_in_one_batch_is_sent_once(any_house: House) -> None:
    any_house.add_line()
    first, second, third = any_house.accept(a_sending(), a_sending(), a_sending(2))
    assert accepted(second).skipped == Skipped(accepted(first).message_id, accepted(first).lead_id, 0)
    assert accepted(third).skipped is None


def test_a_key_of_its_own_passes_and_is_the_one_to_compare_with(house: House) -> None:
    house.add_line()
    house.send()
    keyed = accepted(house.accept(house.keyed("key", a_sending()))[0])
    assert keyed.skipped is None
    skipped = accepted(house.accept(a_sending())[0]).skipped
    assert skipped is not None
    assert skipped.original_message_id == keyed.message_id


def test_what_was_skipped_under_no_key_needs_none_to_be_skipped_again(house: House) -> None:
    house.add_line()
    (first,) = messages_of(house.accept(a_sending()))
    assert [accepted(one).message_id for _ in range(3) for one in house.accept(a_sending())] == [first] * 3


def test_the_first_message_to_somebody_is_remembered_without_a_row(any_house: House) -> None:
    any_house.add_line()
    first = accepted(any_house.accept(a_sending(text="one"))[0])
    assert any_house.count("recent_sends") == 0
    second = accepted(any_house.accept(a_sending(text="two"))[0])
    assert any_house.count("recent_sends") == 1
    again = [accepted(any_house.accept(a_sending(text=text))[0]) for text in ("one", "two", "one")]
    assert [one.message_id for one in again] == [first.message_id, second.message_id, first.message_id]
    assert any_house.count("messages") == 2


def test_a_key_of_its_own_passes_in_one_batch_and_is_the_one_to_compare_with(any_house: House) -> None:
    any_house.add_line()
    plain, keyed, after = map(accepted, any_house.accept(a_sending(), any_house.keyed("key", a_sending()), a_sending()))
    assert (plain.skipped, keyed.skipped) == (None, None)
    assert after.message_id == keyed.message_id
    assert accepted(any_house.accept(a_sending())[0]).message_id == keyed.message_id


def test_a_first_one_that_failed_is_made_up_for_once(any_house: House) -> None:
    any_house.add_line()
    any_house.send()
    any_house.deliver(Rejected(Refusal.BAD_CONTENT, "no"))
    second, third = map(accepted, any_house.accept(a_sending(), a_sending()))
    assert second.skipped is None
    assert third.message_id == second.message_id
    assert accepted(any_house.accept(a_sending())[0]).message_id == second.message_id


@pytest.mark.parametrize("end", ["failed", "cancelled", "expired", "fallback"])
def test_a_first_one_that_never_arrived_does_not_count(end: str) -> None:
    with a_house(double_send_ms=10 * DAY) as house:
        house.add_line()
        message_id = house.send()
        match end:
            case "failed":
                house.deliver(Rejected(Refusal.BAD_CONTENT, "no"))
            case "fallback":
                house.deliver(Rejected(Refusal.NOT_ON_CHANNEL, "green"))
            case "cancelled":
                house.cancel(message_id)
            case "expired":
                house.later(8 * DAY)
                house.claim()
        assert house.status(message_id) == end
        assert accepted(house.accept(a_sending())[0]).skipped is None


@pytest.mark.parametrize("outcome", [Accepted("guid"), Ambiguous("timed out")])
def test_a_first_one_that_may_have_arrived_counts(house: House, outcome: Accepted | Ambiguous) -> None:
    house.add_line()
    house.send()
    house.deliver(outcome)
    assert accepted(house.accept(a_sending())[0]).skipped


def test_the_guard_forgets_what_it_no_longer_needs(house: House) -> None:
    house.add_line()
    house.send()
    house.accept(a_sending(text="a second one"))
    house.later(MINUTE)
    sweep_all(house)
    assert house.count("recent_sends") == 1
    house.later(1)
    sweep_all(house)
    assert house.count("recent_sends") == 0


def test_a_sweep_says_when_there_is_more(house: House) -> None:
    house.add_line()
    for start in range(0, 1200, 400):
        house.accept(*(a_sending(start + number, text=text) for number in range(400) for text in ("one", "two")))
    house.later(DAY)
    assert house.write(sweep, house.settings) is True
    assert house.write(sweep, house.settings) is False
    assert house.count("recent_sends") == 0
