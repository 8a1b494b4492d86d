"""A long reply that comes in parts is one text, stored once, whichever transaction takes each part, and is never lost."""

from dataclasses import replace

import pytest
from builders import House, phone

from fixtures.rows import HOUR, MINUTE, NOON, SECOND
from posthaste.actions import parts
from posthaste.actions.parts import give_out_incomplete
from posthaste.actions.sweep import sweep
from posthaste.core.lines import Line
from posthaste.core.messages import Message
from posthaste.core.signals import Inbound, InboundPart
from posthaste.store import messages
from posthaste.store.message_lists import MessageFilters, page
from posthaste.store.transaction import Transaction

TO = "+16462230001"


def a_part(number: int, text: str, total: int = 3, *, reference: int = 42, sender: int = 1, to: str = TO) -> InboundPart:
    fingerprint = f"{sender}-{reference}-{number}-{text}"
    return InboundPart(fingerprint, phone(sender), to, text, NOON + number * SECOND, reference, total, number)


ONE, TWO, THREE = a_part(1, "One. "), a_part(2, "Two. "), a_part(3, "Three.")


@pytest.fixture
def line(any_house: House) -> Line:
    return any_house.add_line()


def received(house: House) -> list[Message]:
    """Return what was received, oldest first."""
    found = house.read(_messages, house.workspace.id)
    return sorted((one for one in found if one.direction == "received"), key=lambda one: one.id)


def _messages(tx: Transaction, workspace_id: str) -> list[Message]:
    return list(messages.by_ids(tx, page(tx, workspace_id, MessageFilters(), 0, 200)).values())


def texts(house: House) -> list[str]:
    return [one.text for one in received(house)]


def clean_up(house: House) -> None:
    """Do what the janitor does with parts."""
    while house.write(give_out_incomplete, house.settings):
        pass
    house.write(sweep, house.settings)


# ---- whole ----


@pytest.mark.parametrize("order", [(ONE, TWO, THREE), (THREE, ONE, TWO), (TWO, THREE, ONE)])
def test_the_part_that_makes_a_text_whole_brings_it_in(any_house: House, line: Line, order: tuple[InboundPart, ...]) -> None:
    for part in order[:-1]:
        any_house.receive(line.device_id, part)
        assert received(any_house) == []
    any_house.receive(line.device_id, order[-1])
    (reply,) = received(any_house)
    assert (reply.text, reply.address, reply.line_id) == ("One. Two. Three.", phone(1), line.id)
    assert reply.sent_at == NOON + 3 * SECOND, "when the last of it was written"


def test_parts_that_come_in_one_transaction_are_one_text(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, TWO, Inbound("in-1", 0, phone(1), "Before", NOON), ONE, THREE)
    assert texts(any_house) == ["Before", "One. Two. Three."]


def test_the_line_that_was_written_to_has_the_reply(any_house: House) -> None:
    first = any_house.add_line(phone="+16462230002")
    second = any_house.add_line(phone=TO, device_id=first.device_id)
    any_house.receive(first.device_id, ONE, TWO, THREE)
    assert [one.line_id for one in received(any_house)] == [second.id]


@pytest.mark.parametrize(
    "other",
    [{"sender": 2}, {"reference": 43}, {"to": "+16462230009"}],
    ids=["of another person", "with another reference", "to another address"],
)
def test_two_long_texts_are_not_mixed(any_house: House, line: Line, other: dict[str, object]) -> None:
    ours = [a_part(1, "A", 2), a_part(2, "B", 2)]
    others = [a_part(1, "C", 2, **other), a_part(2, "D", 2, **other)]  # type: ignore[arg-type]
    any_house.receive(line.device_id, ours[0], others[1])
    any_house.receive(line.device_id, others[0], ours[1])
    assert texts(any_house) == ["CD", "AB"]


def test_the_same_parts_at_two_devices_are_two_texts(any_house: House, line: Line) -> None:
    other = any_house.add_line(phone="+16462230002")
    any_house.receive(line.device_id, ONE, TWO)
    any_house.receive(other.device_id, THREE)
    assert received(any_house) == []


# ---- again ----


def test_a_part_that_comes_again_changes_nothing(any_house: House, line: Line) -> None:
    for part in (ONE, ONE, TWO, ONE, THREE, THREE, TWO, ONE):
        any_house.receive(line.device_id, part)
    clean_up(any_house)
    any_house.later(11 * MINUTE)
    any_house.receive(line.device_id, ONE)
    clean_up(any_house)
    assert texts(any_house) == ["One. Two. Three."]


def test_a_reference_that_is_used_again_begins_another_text(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, ONE, TWO, THREE)
    any_house.receive(line.device_id, a_part(1, "Four. "), a_part(3, "Six."))
    assert texts(any_house) == ["One. Two. Three."]
    any_house.receive(line.device_id, a_part(2, "Five. "))
    assert texts(any_house) == ["One. Two. Three.", "Four. Five. Six."]


def test_a_reference_that_is_used_again_too_soon_gives_out_what_came_before(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, ONE, THREE)
    any_house.receive(line.device_id, a_part(1, "Four. "))
    assert texts(any_house) == ["One. …Three."]
    any_house.receive(line.device_id, a_part(2, "Five. "), a_part(3, "Six."))
    assert texts(any_house) == ["One. …Three.", "Four. Five. Six."]


def test_two_texts_that_begin_alike_in_one_instant_are_two(any_house: House, line: Line) -> None:
    first, last = a_part(1, "Yes, ", 2), a_part(2, "do.", 2)
    any_house.receive(line.device_id, first, last)
    any_house.receive(line.device_id, a_part(2, "don't.", 2), a_part(1, "No, ", 2), a_part(2, "don't!", 2), first)
    assert texts(any_house) == ["Yes, do.", "No, don't.", "Yes, don't!"]


def test_the_same_words_an_hour_later_are_another_text(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, ONE, TWO, THREE)
    any_house.later(HOUR)
    clean_up(any_house)
    any_house.receive(line.device_id, ONE, TWO, THREE)
    assert len(received(any_house)) == 1
    any_house.later(1)
    clean_up(any_house)
    assert any_house.count("inbound_parts") == 0
    any_house.receive(line.device_id, ONE, TWO, THREE)
    assert texts(any_house) == ["One. Two. Three."] * 2


# ---- never whole ----


def test_a_text_that_never_becomes_whole_is_given_out_after_ten_minutes(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, THREE)
    any_house.later(5 * MINUTE)
    any_house.receive(line.device_id, ONE)
    any_house.later(5 * MINUTE)
    clean_up(any_house)
    assert received(any_house) == []
    any_house.later(1)
    clean_up(any_house)
    clean_up(any_house)
    assert texts(any_house) == ["One. …Three."]


def test_a_part_that_comes_after_its_text_was_given_out_is_not_lost(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, ONE, THREE)
    any_house.later(10 * MINUTE + 1)
    clean_up(any_house)
    any_house.receive(line.device_id, TWO)
    any_house.later(10 * MINUTE + 1)
    clean_up(any_house)
    assert texts(any_house) == ["One. …Three.", "…Two. …"]


def test_only_so_many_texts_of_a_device_stay_open(any_house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_MOST_OPEN", 2)
    other = any_house.add_line(phone="+16462230002")
    for sender in range(1, 5):
        any_house.receive(line.device_id, a_part(1, f"From {sender}", 2, sender=sender))
        any_house.later(1)
    any_house.receive(other.device_id, a_part(1, "Elsewhere", 2))
    clean_up(any_house)
    assert texts(any_house) == ["From 1…", "From 2…"]


def test_what_is_due_is_given_out_a_bounded_number_at_once(any_house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_TEXTS", 2)
    other = any_house.add_line(phone="+16462230002")
    for sender in range(1, 4):
        any_house.receive(line.device_id, a_part(1, f"From {sender}", 2, sender=sender))
    any_house.receive(other.device_id, a_part(1, "Elsewhere", 2))
    any_house.later(10 * MINUTE + 1)
    counts = []
    while any_house.write(give_out_incomplete, any_house.settings):
        counts.append(len(received(any_house)))
    assert counts[-1] == 4
    assert max(later - earlier for earlier, later in zip([0, *counts], counts, strict=False)) <= 2


# ---- with consequences ----


def test_a_stop_in_two_parts_opts_out_in_the_transaction_that_makes_it_whole(any_house: House, line: Line) -> None:
    other = any_house.add_line(phone="+16462230002")
    waiting = any_house.send(from_line_id=other.id, scheduled_at=NOON + HOUR)
    any_house.receive(line.device_id, a_part(1, "ST", 2))
    assert any_house.status(waiting) == "waiting"
    any_house.receive(line.device_id, a_part(2, "OP", 2))
    assert any_house.status(waiting) == "cancelled"
    assert any_house.status(any_house.send(text="And now?")) == "blocked"


def test_a_part_of_a_longer_text_opts_nobody_out(any_house: House, line: Line) -> None:
    any_house.receive(line.device_id, a_part(1, "STOP", 2))
    any_house.receive(line.device_id, a_part(2, " it, I like you", 2))
    assert any_house.count("do_not_contact") == 0


def test_what_cannot_be_stored_leaves_no_part(any_house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    any_house.receive(line.device_id, ONE, TWO)
    with monkeypatch.context() as broken:
        broken.setattr(parts, "take_inbound", _fail)
        with pytest.raises(ConnectionError):
            any_house.receive(line.device_id, THREE)
    assert any_house.count("inbound_parts") == 2
    any_house.receive(line.device_id, replace(THREE, at=NOON + HOUR))
    assert texts(any_house) == ["One. Two. Three."]


def _fail(*_: object) -> None:
    raise ConnectionError
