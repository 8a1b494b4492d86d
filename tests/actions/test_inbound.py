"""What people write is stored once, with who it is from and what it answers, and has its consequences in the same commit."""

import pytest
from builders import House, a_sending, accepted, phone

from fixtures.rows import HOUR, NOON, SECOND
from posthaste.actions.delete_line import delete_line
from posthaste.actions.show_replies import ReplyFilters, reply_views
from posthaste.core.addresses import normalise_phone
from posthaste.core.lines import Line
from posthaste.core.messages import Message
from posthaste.core.outcomes import Accepted
from posthaste.core.signals import Inbound, Reaction, Typing
from posthaste.store import messages, reactions
from posthaste.store.message_lists import MessageFilters, page
from posthaste.store.transaction import Transaction


def wrote(text: str, number: int = 1, external_id: str = "in-1", **more: object) -> Inbound:
    return Inbound(external_id, 1, phone(number), text, NOON - SECOND, **more)  # type: ignore[arg-type]


def received(house: House) -> list[Message]:
    """Return what was received, newest first."""
    return house.read(_received, house.workspace.id)


def _received(tx: Transaction, workspace_id: str) -> list[Message]:
    found = messages.by_ids(tx, page(tx, workspace_id, MessageFilters(), 0, 200))
    return [one for one in found.values() if one.direction == "received"]


def test_a_reply_is_stored_once_however_often_it_is_reported(any_house: House) -> None:
    line = any_house.add_line()
    sent = any_house.send()
    any_house.deliver(Accepted("guid-1"))
    for _ in range(3):
        any_house.receive(line.device_id, wrote("Yes please"), wrote("Yes please"))
    (reply,) = received(any_house)
    assert (reply.text, reply.address, reply.status) == ("Yes please", phone(1), "delivered")
    assert reply.lead_id == any_house.view(sent).message.lead_id
    assert (reply.reply_to, reply.sent_at, reply.external_id) == (sent, NOON - SECOND, "in-1")
    assert any_house.codes(reply.id) == ["received"]


def test_a_reply_names_the_message_that_it_answers_and_not_only_the_last(house: House) -> None:
    line = house.add_line()
    first = house.send(text="One")
    house.deliver(Accepted("guid-1"))
    last = house.send(text="Two")
    house.deliver(Accepted("guid-2"))
    house.receive(line.device_id, wrote("To one", answers=("nobody's", "guid-1")), wrote("To two", external_id="in-2"))
    assert {one.text: one.reply_to for one in received(house)} == {"To one": first, "To two": last}


def test_a_reply_answers_what_was_sent_last_and_not_what_was_written_last(any_house: House) -> None:
    line = any_house.add_line()
    planned = any_house.send(text="For later", scheduled_at=NOON + HOUR)
    now = any_house.send(text="At once")
    any_house.deliver(Accepted("guid-1"))
    any_house.receive(line.device_id, wrote("To the one"))
    any_house.later(HOUR)
    any_house.deliver(Accepted("guid-2"))
    any_house.receive(line.device_id, wrote("To the other", external_id="in-2"))
    assert {one.text: one.reply_to for one in received(any_house)} == {"To the one": now, "To the other": planned}
    [view], _ = any_house.read(reply_views, any_house.workspace.id, ReplyFilters(), 1, 10)
    assert [one.id for one in view.parents] == [planned, now]


def test_a_reply_belongs_to_a_line_that_is_there_before_one_that_was_deleted(any_house: House) -> None:
    gone = any_house.add_line()
    kept = any_house.add_line(device_id=gone.device_id)
    any_house.receive(gone.device_id, wrote("To the first"))
    any_house.write(delete_line, any_house.workspace.id, gone.id)
    any_house.receive(gone.device_id, wrote("To the other", external_id="in-2"))
    any_house.write(delete_line, any_house.workspace.id, kept.id)
    any_house.receive(gone.device_id, wrote("To none", external_id="in-3"))
    assert {one.text: one.line_id for one in received(any_house)} == {
        "To the first": gone.id,
        "To the other": kept.id,
        "To none": gone.id,
    }


def test_somebody_unknown_who_writes_becomes_a_lead_and_no_new_conversation_is_counted_for_the_answer(any_house: House) -> None:
    line = any_house.add_line(new_per_day=0)
    any_house.receive(line.device_id, wrote("Hello?", number=7))
    (reply,) = received(any_house)
    assert reply.reply_to is None
    answer = any_house.send(7, text="Hi!")
    assert any_house.view(answer).message.lead_id == reply.lead_id
    any_house.deliver()
    assert any_house.status(answer) == "sent"


def test_of_several_lines_on_one_device_the_one_that_was_written_to_has_the_reply(house: House) -> None:
    first = house.add_line(phone="+16462230001")
    second = house.add_line(phone="+16462230002", device_id=first.device_id)
    house.receive(first.device_id, wrote("Hi", to="+16462230002"), wrote("Hi", external_id="in-2", to="+19999999999"))
    assert {one.external_id: one.line_id for one in received(house)} == {"in-1": second.id, "in-2": first.id}


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop. ", "opt-out", "Remove me!", "DO NOT CONTACT", "«unsubscribe»"])
def test_a_word_that_opts_out_cancels_what_waits_and_blocks_what_comes(house: House, text: str) -> None:
    line = house.add_line()
    waiting = house.send(scheduled_at=NOON + HOUR)
    house.receive(line.device_id, wrote(text))
    ended = house.view(waiting).message
    why = "the person replied with a word that opts out"
    assert (ended.status, ended.code, ended.error_message) == ("cancelled", "OPTED_OUT", why)
    assert house.story(waiting)[-1].says.endswith(f": {why}.")
    later = house.send(text="One more thing")
    assert (house.status(later), house.view(later).message.code) == ("blocked", "DO_NOT_CONTACT")
    assert house.claim() == []


@pytest.mark.parametrize("text", ["Please stop by tomorrow", "I cancel nothing", "the end", "", "stopp", "S T O P", "endless"])
def test_a_word_within_a_reply_opts_nobody_out(house: House, text: str) -> None:
    line = house.add_line()
    waiting = house.send(scheduled_at=NOON + HOUR)
    house.receive(line.device_id, wrote(text))
    assert house.status(waiting) == "scheduled" or house.status(waiting) == "waiting"
    assert house.count("do_not_contact") == 0


def test_an_opt_out_holds_for_every_address_and_line_of_the_person(any_house: House) -> None:
    mac, other = any_house.add_line(), any_house.add_line(phone="+16462230002")
    sending = a_sending(alt_phones=(phone(2), None, None), scheduled_at=NOON + HOUR, from_line_id=mac.id)
    first = accepted(any_house.accept(sending)[0]).message_id
    second = any_house.send(2, from_line_id=other.id, scheduled_at=NOON + HOUR)
    any_house.receive(other.device_id, wrote("STOP", number=2))
    assert {any_house.status(first), any_house.status(second)} == {"cancelled"}
    assert any_house.status(any_house.send(1, text="And now?")) == "blocked"


def test_what_is_claimed_but_not_handed_over_does_not_leave_after_an_opt_out(any_house: House) -> None:
    line = any_house.add_line()
    message = any_house.send()
    (claimed,) = any_house.claim()
    any_house.receive(line.device_id, wrote("STOP"))
    assert any_house.hand(claimed) == [False]
    assert any_house.status(message) == "cancelled"


def test_what_was_accepted_beside_an_opt_out_is_stopped_at_the_hand_over(house: House) -> None:
    line = house.add_line()
    message = house.send()
    (claimed,) = house.claim()
    house.write(_list, house.workspace.id, phone(1))
    assert house.hand(claimed) == [False]
    assert (house.status(message), house.view(message).message.code) == ("blocked", "DO_NOT_CONTACT")
    assert house.line(line.id).usage_total == 0


def _list(tx: Transaction, workspace_id: str, address: str) -> None:
    from posthaste.store import do_not_contact

    do_not_contact.add(tx, workspace_id, [address], "by hand")


def test_what_was_handed_over_before_an_opt_out_is_left_as_it_is(house: House) -> None:
    line = house.add_line()
    message = house.send()
    claimed = house.begin()
    house.receive(line.device_id, wrote("STOP"))
    house.record(claimed, Accepted("guid-1"))
    assert house.status(message) == "sent"


def test_start_lets_a_person_be_written_to_again(house: House) -> None:
    line = house.add_line()
    house.receive(line.device_id, wrote("STOP"), wrote("Start!", external_id="in-2"))
    message = house.send()
    house.deliver()
    assert house.status(message) == "sent"


def test_help_is_answered_where_a_text_is_set(helpful_house: House) -> None:
    line = helpful_house.add_line()
    helpful_house.receive(line.device_id, wrote("help"))
    (claimed,) = helpful_house.claim()
    assert claimed.message.text == "Call us."
    assert claimed.message.address == phone(1)


def test_help_is_not_answered_where_none_is(house: House) -> None:
    line = house.add_line()
    house.receive(line.device_id, wrote("HELP"))
    assert house.claim() == []


def test_a_reaction_stands_on_the_message_and_is_no_reply(house: House) -> None:
    line = house.add_line()
    sent = house.send()
    house.deliver(Accepted("guid-1"))
    love = Reaction("r-1", 5, phone(1), "guid-1", "love", NOON)
    house.receive(line.device_id, love, love)
    assert [(one.kind, one.address) for one in house.read(reactions.of_messages, [sent])] == [("love", phone(1))]
    assert received(house) == []
    house.receive(line.device_id, Reaction("r-2", 6, phone(1), "guid-1", "love", NOON, is_removed=True))
    assert house.read(reactions.of_messages, [sent]) == []
    assert house.codes(sent).count("reacted") == 2


def test_a_reaction_that_was_taken_back_stays_so_though_it_is_heard_of_only_now(any_house: House) -> None:
    line = any_house.add_line()
    sent = any_house.send()
    any_house.deliver(Accepted("guid-1"))
    added = Reaction("r-1", 5, phone(1), "guid-1", "love", NOON)
    removed = Reaction("r-2", 6, phone(1), "guid-1", "love", NOON + SECOND, is_removed=True)
    any_house.receive(line.device_id, removed)
    any_house.receive(line.device_id, added)
    assert any_house.read(reactions.of_messages, [sent]) == []
    assert [one.facts["removed"] for one in any_house.story(sent) if one.code == "reacted"] == [True]
    any_house.receive(line.device_id, Reaction("r-3", 7, phone(1), "guid-1", "love", NOON + HOUR))
    assert [one.created_at for one in any_house.read(reactions.of_messages, [sent])] == [NOON + HOUR]


def test_a_reaction_to_what_is_not_ours_is_nothing(house: House) -> None:
    line = house.add_line()
    house.receive(line.device_id, Reaction("r-1", 5, phone(1), "elsewhere", "love", NOON))
    assert house.count("reactions") == 0


def test_typing_is_noted_and_ends_with_what_was_written(house: House) -> None:
    line = house.add_line()
    house.send()
    house.deliver()
    house.receive(line.device_id, Typing(phone(1), is_typing=True))
    assert house.read(_typing_at, phone(1)) == NOON
    house.receive(line.device_id, wrote("Done"))
    assert house.read(_typing_at, phone(1)) is None


def _typing_at(tx: Transaction, address: str) -> int | None:
    row = tx.one("SELECT typing_at FROM conversations WHERE address = :address", {"address": address})
    return row[0] if row else None


def test_a_device_without_lines_takes_nothing_in(house: House) -> None:
    line: Line = house.add_line()
    house.write(_delete_lines)
    house.receive(line.device_id, wrote("Hello"))
    assert received(house) == []
    assert normalise_phone(phone(1), "US") == phone(1)


def _delete_lines(tx: Transaction) -> None:
    tx.run("DELETE FROM lines")
