"""Reports of devices: early, late, twice and in any order, and what people write."""

import pytest
from builders import House, phone

from fixtures.rows import DAY, HOUR, NOON, SECOND
from posthaste.actions.health import open_receipts, take_due_for_poll
from posthaste.actions.receive import device_of_token, note_poll
from posthaste.core.messages import Lane
from posthaste.core.outcomes import Accepted, Ambiguous, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, Receipt, Signal
from posthaste.store import conversations, devices


def in_hand(house: House) -> tuple[str, str, str]:
    """Return a message whose answer has not come, its device and its marker."""
    line = house.add_line()
    message_id = house.send()
    claimed = house.begin()
    return message_id, line.device_id, claimed.attempt.marker


def sent(house: House) -> tuple[str, str]:
    line = house.add_line()
    message_id = house.send()
    house.deliver(Accepted("guid"))
    return message_id, line.device_id


# ---- receipts ----


@pytest.mark.parametrize(
    ("receipts", "status", "delivered_at", "read_at"),
    [
        ([Receipt("guid", delivered_at=5)], "delivered", 5, None),
        ([Receipt("guid", delivered_at=5), Receipt("guid", delivered_at=5, read_at=9)], "delivered", 5, 9),
        ([Receipt("guid", delivered_at=5, read_at=9), Receipt("guid", delivered_at=5)], "delivered", 5, 9),
        ([Receipt("guid", read_at=9)], "delivered", 9, 9),
        ([Receipt("guid", read_at=9), Receipt("guid", delivered_at=5)], "delivered", 5, 9),
        ([Receipt("guid", delivered_at=5), Receipt("guid", delivered_at=7)], "delivered", 5, None),
        ([Receipt("guid", error="22")], "failed", None, None),
        ([Receipt("guid", error="22"), Receipt("guid", delivered_at=5)], "delivered", 5, None),
        ([Receipt("guid", delivered_at=5), Receipt("guid", error="22")], "delivered", 5, None),
        ([Receipt("guid")], "sent", None, None),
    ],
)
def test_receipts_come_in_any_order(
    any_house: House, receipts: list[Signal], status: str, delivered_at: int | None, read_at: int | None
) -> None:
    message_id, device_id = sent(any_house)
    for receipt in receipts:
        any_house.later(1)
        any_house.receive(device_id, receipt)
    message = any_house.view(message_id).message
    assert (message.status, message.delivered_at, message.read_at) == (status, delivered_at, read_at)
    assert (message.error_message is not None) == (status == "failed")
    assert message.sent_at == NOON


def test_the_same_receipt_again_says_nothing_new(any_house: House) -> None:
    message_id, device_id = sent(any_house)
    receipt = Receipt("guid", delivered_at=5, read_at=9)
    any_house.receive(device_id, receipt, receipt)
    before = any_house.view(message_id), any_house.codes(message_id)
    any_house.later(SECOND)
    any_house.receive(device_id, receipt, Receipt("guid"))
    assert (any_house.view(message_id), any_house.codes(message_id)) == before
    assert before[1][-2:] == ["delivered", "read"]


def test_a_late_error_is_told_and_changes_nothing(house: House) -> None:
    message_id, device_id = sent(house)
    house.receive(device_id, Receipt("guid", delivered_at=5))
    house.receive(device_id, Receipt("guid", error="22"))
    last = house.story(message_id)[-1]
    assert (last.code, last.says) == ("receipt_absorbed", "A late report (fail) changed nothing: the message was delivered.")


def test_an_error_twice_is_told_once(house: House) -> None:
    message_id, device_id = sent(house)
    house.receive(device_id, Receipt("guid", error="22"))
    before = house.codes(message_id)
    house.receive(device_id, Receipt("guid", error="22"))
    assert house.codes(message_id) == before
    assert before[-1] == "failed"


def test_a_receipt_that_nobody_knows_makes_the_next_poll_come_sooner(any_house: House) -> None:
    line = any_house.add_line()
    any_house.write(take_due_for_poll, any_house.settings, 9)
    any_house.receive(line.device_id, Receipt("a stranger's", delivered_at=5))
    any_house.later(2 * SECOND - 1)
    assert any_house.write(take_due_for_poll, any_house.settings, 9) == []
    any_house.later(1)
    assert [one.device_id for one in any_house.write(take_due_for_poll, any_house.settings, 9)] == [line.device_id]


def test_a_receipt_of_another_device_is_not_ours(house: House) -> None:
    message_id, _ = sent(house)
    other = house.add_line()
    house.receive(other.device_id, Receipt("guid", delivered_at=5))
    assert house.status(message_id) == "sent"


# ---- echoes ----


def test_an_echo_with_our_marker_is_the_answer_before_the_answer(any_house: House) -> None:
    message_id, device_id, marker = in_hand(any_house)
    any_house.receive(device_id, Echo("guid", 7, marker, delivered_at=5))
    message = any_house.view(message_id).message
    assert (message.status, message.external_id, message.delivered_at) == ("delivered", "guid", 5)
    (attempt,) = any_house.attempts(message_id)
    assert (attempt.state, attempt.external_id) == ("done", "guid")
    assert any_house.device(device_id).in_flight == 0


@pytest.mark.parametrize("answer", [Accepted("guid"), Ambiguous("timed out"), Rejected(Refusal.OTHER, "no")])
def test_the_answer_after_the_echo_changes_nothing(any_house: House, answer: Accepted | Ambiguous | Rejected) -> None:
    line = any_house.add_line()
    any_house.send()
    claimed = any_house.begin()
    any_house.receive(line.device_id, Echo("guid", 7, claimed.attempt.marker))
    assert any_house.status(claimed.message.id) == "sent"
    any_house.record(claimed, answer)
    assert any_house.status(claimed.message.id) in ("sent", "failed")
    assert (any_house.status(claimed.message.id) == "failed") == isinstance(answer, Rejected)
    assert (any_house.line(line.id).usage_total, any_house.device(line.device_id).in_flight) == (1, 0)
    assert any_house.rescue() == []


def test_an_error_before_the_answer_stands(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send()
    claimed = any_house.begin()
    any_house.receive(line.device_id, Echo("guid", 7, claimed.attempt.marker, error="22"))
    any_house.record(claimed, Accepted("guid"))
    message = any_house.view(claimed.message.id).message
    assert (message.status, message.error_message, message.external_id) == ("failed", "22", "guid")
    any_house.receive(line.device_id, Receipt("guid", delivered_at=5))
    assert any_house.status(claimed.message.id) == "delivered"


def test_an_address_that_turns_out_to_be_off_the_channel_gives_way_to_the_next(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(alt_phones=(phone(7), None, None))
    for address in (phone(1), phone(7)):
        claimed = any_house.begin()
        assert claimed.attempt.address == address
        any_house.receive(
            line.device_id, Echo(f"guid-{address}", 7, claimed.attempt.marker, error="22", refusal=Refusal.NOT_ON_CHANNEL)
        )
    message = any_house.view(message_id).message
    assert (message.status, message.checked_addresses) == ("fallback", (phone(1), phone(7)))
    assert any_house.line(line.id).usage_total == 0


def test_an_address_that_was_taken_first_is_not_given_up_for_another(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(alt_phones=(phone(7), None, None))
    any_house.deliver(Accepted("guid"))
    any_house.receive(line.device_id, Receipt("guid", error="22", refusal=Refusal.NOT_ON_CHANNEL))
    assert (any_house.status(message_id), any_house.line(line.id).usage_total) == ("failed", 1)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal.BAD_ADDRESS, "BAD_ADDRESS"),
        (Refusal.BLOCKED, "BLOCKED"),
        (Refusal.NOT_ON_CHANNEL, "PROVIDER_ERROR"),
        (Refusal.OTHER, "PROVIDER_ERROR"),
    ],
)
def test_a_report_of_a_failure_has_the_code_of_the_same_refusal(house: House, refusal: Refusal, code: str) -> None:
    line = house.add_line()
    message_id = house.send()
    house.deliver(Accepted("guid"))
    house.receive(line.device_id, Receipt("guid", error="no such user", refusal=refusal))
    message = house.view(message_id).message
    assert (message.status, message.code, message.error_message) == ("failed", code, "no such user")


def test_an_echo_ends_a_doubt(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send()
    claimed = any_house.begin()
    any_house.record(claimed, Ambiguous("timed out"))
    any_house.receive(line.device_id, Echo("guid", 7, claimed.attempt.marker))
    assert any_house.status(claimed.message.id) == "sent"
    any_house.later(HOUR)
    assert any_house.rescue() == []


def test_an_echo_of_what_somebody_typed_at_the_device_is_nobodys(house: House) -> None:
    message_id, device_id, _ = in_hand(house)
    house.receive(device_id, Echo("typed", 7), Echo("typed-2", 8, "posthaste-ffff"))
    assert house.status(message_id) == "sending"


# ---- what people write ----


def test_who_writes_is_known_from_then_on_and_goes_first(any_house: House) -> None:
    line = any_house.add_line(new_per_day=0)
    message_id = any_house.send()
    assert any_house.view(message_id).message.lane == Lane.NEW
    any_house.receive(line.device_id, Inbound("in-1", 7, phone(1), "Hi", NOON - SECOND))
    assert any_house.view(message_id).message.lane == Lane.REPLY
    assert any_house.view(any_house.send(text="b")).message.lane == Lane.REPLY
    talk = any_house.read(conversations.by_addresses, any_house.workspace.id, [phone(1)])[phone(1)]
    assert (talk.opened_at, talk.written_at, talk.line_id) == (NOON - SECOND, NOON - SECOND, line.id)
    assert any_house.device(line.device_id).ready_at == NOON


def test_who_wrote_to_a_line_is_answered_from_it(house: House) -> None:
    house.add_line()
    line = house.add_line()
    house.receive(line.device_id, Inbound("in-1", 7, phone(1), "Hi", NOON))
    assert house.view(house.send()).line.id == line.id


def test_the_same_words_reported_twice_are_heard_once(any_house: House) -> None:
    line = any_house.add_line()
    any_house.receive(line.device_id, Inbound("in-1", 7, phone(1), "Hi", NOON))
    any_house.receive(line.device_id, Inbound("in-1", 7, phone(1), "Hi", NOON + HOUR))
    talk = any_house.read(conversations.by_addresses, any_house.workspace.id, [phone(1)])[phone(1)]
    assert talk.written_at == NOON
    any_house.receive(line.device_id, Inbound("in-0", 6, phone(1), "Earlier", NOON - HOUR))
    talk = any_house.read(conversations.by_addresses, any_house.workspace.id, [phone(1)])[phone(1)]
    assert talk.written_at == NOON, "an older one that comes late is not the last"


# ---- polls and tokens ----


def test_a_poll_remembers_how_far_it_came(any_house: House) -> None:
    message_id, device_id = sent(any_house)
    access = any_house.read(devices.access, [device_id])[device_id]
    any_house.write(note_poll, any_house.settings, access, [Receipt("guid", delivered_at=5)], 42)
    assert any_house.status(message_id) == "delivered"
    assert any_house.device(device_id).cursor == 42
    any_house.write(note_poll, any_house.settings, access, [], 41)
    assert any_house.device(device_id).cursor == 42
    assert any_house.story(message_id)[-1].says == "Delivered (told by a poll)."


def test_receipts_are_asked_for_while_they_may_come(any_house: House) -> None:
    _, device_id = sent(any_house)
    assert any_house.read(open_receipts, any_house.settings, device_id, 9) == ["guid"]
    any_house.later(2 * DAY)
    assert any_house.read(open_receipts, any_house.settings, device_id, 9) == []
    any_house.later(-2 * DAY)
    any_house.receive(device_id, Receipt("guid", delivered_at=5))
    assert any_house.read(open_receipts, any_house.settings, device_id, 9) == []


def test_a_device_reports_under_its_own_secret(house: House) -> None:
    line = house.add_line()
    house.send()
    token = house.claim()[0].access.hook_token
    access = house.read(device_of_token, token)
    assert access is not None
    assert access.device_id == line.device_id
    assert house.read(device_of_token, "0" * 48) is None
