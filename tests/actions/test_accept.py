"""Accepting: which line a message gets, when it may go, what is refused, and that one call never takes another with it."""

import pytest
from builders import House, a_house, a_sending, accepted, messages_of, phone, refused

from fixtures.rows import DAY, HOUR, NOON
from posthaste.actions.accept import Submission, check_lines
from posthaste.actions.workspaces import make_workspace
from posthaste.core.errors import PosthasteError
from posthaste.core.messages import CrmIds, Lane, MessageType
from posthaste.core.windows import Window

AFTERNOON = Window("UTC", 15 * 60, 17 * 60, None)
NEVER = Window("UTC", None, None, frozenset())


# ---- one message ----


def test_an_accepted_message_waits_for_its_turn(any_house: House) -> None:
    line = any_house.add_line()
    (result,) = any_house.accept(a_sending(name="Ann Lee", batch_id="spring"))
    made = accepted(result)
    assert (made.http_status, made.is_duplicate, made.is_replayed, made.skipped) == (201, False, False, None)
    view = any_house.view(made.message_id)
    message = view.message
    assert (message.status, message.lane, message.due_at, message.line_id) == ("waiting", Lane.NEW, NOON, line.id)
    assert (message.address, message.addresses, message.recipient_phone) == (phone(1), (phone(1),), phone(1))
    assert (message.recipient_name, message.batch_id, message.expires_at) == ("Ann Lee", "spring", NOON + 7 * DAY)
    assert view.hold is not None
    assert view.hold.status == "pending"
    assert any_house.codes(made.message_id) == ["accepted", "lead_created", "line_chosen"]
    assert any_house.device(line.device_id).ready_at == NOON
    assert "ready" in any_house.woken


def test_a_recipient_that_is_known_makes_a_duplicate(house: House) -> None:
    house.add_line()
    first = accepted(house.accept(a_sending())[0])
    again = accepted(house.accept(a_sending(text="Again"))[0])
    assert (again.http_status, again.is_duplicate, again.lead_id) == (200, True, first.lead_id)
    assert house.codes(again.message_id) == ["accepted", "lead_matched", "line_chosen"]
    by_id = accepted(house.accept(a_sending(phone=None, lead_id=first.lead_id, text="Third"))[0])
    assert (by_id.http_status, by_id.is_duplicate, by_id.lead_id) == (201, False, first.lead_id)
    assert house.view(by_id.message_id).message.address == phone(1)


def test_fields_that_nobody_knows_stand_in_the_timeline(house: House) -> None:
    house.add_line()
    story = house.story(house.send(unknown_fields=("recipientPhnoe", "colour")))
    assert story[1].says == "The request had fields that we do not know and did not use: recipientPhnoe, colour."


def test_a_device_that_is_down_is_not_woken(house: House) -> None:
    line = house.add_line(is_up=False)
    message_id = house.send()
    assert house.device(line.device_id).ready_at is None
    assert house.held(message_id) == ("queued", "line_down", None)


# ---- when it may go ----


@pytest.mark.parametrize(
    ("fields", "due_at", "reason"),
    [
        ({"scheduled_at": NOON + HOUR}, NOON + HOUR, "scheduled"),
        ({"window": AFTERNOON}, NOON + 3 * HOUR, "outside_window"),
        ({"scheduled_at": NOON + HOUR, "window": AFTERNOON}, NOON + 3 * HOUR, "scheduled"),
        ({"scheduled_at": NOON + 6 * HOUR, "window": AFTERNOON}, NOON + 27 * HOUR, "scheduled"),
    ],
)
def test_a_message_for_later_is_scheduled(house: House, fields: dict[str, object], due_at: int, reason: str) -> None:
    line = house.add_line()
    message_id = house.send(**fields)
    message = house.view(message_id).message
    assert (message.due_at, message.expires_at) == (due_at, due_at + 7 * DAY)
    assert house.held(message_id) == ("scheduled", reason, due_at)
    assert house.device(line.device_id).ready_at == due_at
    held = house.story(message_id)[3]
    assert (held.code, held.facts["until"]) == ("held", due_at)
    assert held.facts.get("wish") == fields.get("scheduled_at")


def test_a_date_in_the_past_is_now(house: House) -> None:
    house.add_line()
    assert house.view(house.send(scheduled_at=NOON - DAY)).message.due_at == NOON


def test_what_is_valid_for_less_than_a_week_expires_then(house: House) -> None:
    house.add_line()
    assert house.view(house.send(valid_until=NOON + HOUR)).message.expires_at == NOON + HOUR
    assert house.view(house.send(2, valid_until=NOON + 8 * DAY)).message.expires_at == NOON + 7 * DAY


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_until": NOON},
        {"valid_until": NOON - 1},
        {"valid_until": NOON + HOUR, "scheduled_at": NOON + HOUR},
        {"valid_until": NOON + HOUR, "window": AFTERNOON},
    ],
)
def test_a_message_that_could_never_go_in_time_is_refused(house: House, fields: dict[str, object]) -> None:
    house.add_line()
    error = refused(house.accept(a_sending(**fields))[0])
    assert (error.status, error.code) == (400, "INVALID_VALID_UNTIL")
    assert house.count("messages") == house.count("leads") == 0


def test_a_window_that_never_opens_is_refused(house: House) -> None:
    house.add_line()
    error = refused(house.accept(a_sending(window=NEVER))[0])
    assert (error.status, error.code) == (400, "INVALID_TIME_WINDOW")


# ---- which line ----


def test_without_a_line_nothing_is_accepted(house: House) -> None:
    assert refused(house.accept(a_sending())[0]).code == "NO_ACTIVE_LINES"
    house.change(house.add_line(), is_active=False)
    assert refused(house.accept(a_sending())[0]).code == "NO_ACTIVE_LINES"
    house.add_line()
    assert refused(house.accept(a_sending(message_type=MessageType.SMS))[0]).code == "NO_ACTIVE_LINES"
    assert house.count("leads") == 0


def test_the_line_is_asked_for_before_the_rest_of_a_request_is_read(house: House) -> None:
    with pytest.raises(PosthasteError) as error:
        house.read(check_lines, house.workspace.id, None, None)
    assert error.value.code == "NO_ACTIVE_LINES"
    house.add_line()
    house.read(check_lines, house.workspace.id, None, None)
    with pytest.raises(PosthasteError):
        house.read(check_lines, house.workspace.id, MessageType.SMS, None)


@pytest.mark.parametrize(
    ("which", "code"), [("foreign", "LINE_NOT_FOUND"), ("closed", "LINE_INACTIVE"), ("sms", "LINE_TYPE_MISMATCH")]
)
def test_a_line_that_cannot_be_used_is_refused(house: House, which: str, code: str) -> None:
    other = house.write(make_workspace, "Other")
    closed = house.add_line()
    house.change(closed, is_active=False)
    ids = {"foreign": house.add_line(workspace=other).id, "closed": closed.id, "sms": house.add_line(message_type="sms").id}
    house.add_line()
    assert refused(house.accept(a_sending(from_line_id=ids[which]))[0]).code == code
    with pytest.raises(PosthasteError) as error:
        house.read(check_lines, house.workspace.id, None, ids[which])
    assert error.value.code == code


def test_the_line_that_was_asked_for_is_used_and_kept(house: House) -> None:
    house.add_line()
    asked = house.add_line()
    house.read(check_lines, house.workspace.id, None, asked.id)
    assert house.view(house.send(from_line_id=asked.id)).line.id == asked.id
    again = house.send(text="Again")
    assert house.view(again).line.id == asked.id
    assert house.story(again)[2].facts["why"] == "it already talks with this person"


def test_lines_take_turns(house: House) -> None:
    lines = [house.add_line().id for _ in range(3)]
    chosen = []
    for number in range(6):
        house.later(1)
        chosen.append(house.view(house.send(number)).line.id)
    assert chosen == lines * 2


def test_lines_take_turns_within_a_batch_too(any_house: House) -> None:
    lines = [any_house.add_line().id for _ in range(3)]
    results = any_house.accept(*(a_sending(number) for number in range(6)))
    assert [any_house.view(one).line.id for one in messages_of(results)] == lines * 2


def test_a_person_keeps_their_line_within_a_batch_too(any_house: House) -> None:
    for _ in range(3):
        any_house.add_line()
    results = any_house.accept(a_sending(1, text="a"), a_sending(2), a_sending(1, text="b"), a_sending(1, text="c"))
    lines = [any_house.view(one).line.id for one in messages_of(results)]
    assert lines[0] == lines[2] == lines[3] != lines[1]


def test_people_are_not_kept_on_their_line_if_that_is_not_wanted() -> None:
    with a_house(sticky_lines=False) as house:
        first, second = house.add_line(), house.add_line()
        assert house.view(house.send(text="a")).line.id == first.id
        house.later(1)
        assert house.view(house.send(text="b")).line.id == second.id


def test_lines_that_need_not_stick_go_by_turn_also_beside_a_conversation_that_has_lost_its_line() -> None:
    with a_house(sticky_lines=False) as house:
        lost, *others = (house.add_line() for _ in range(3))
        house.send(1)
        house.change(lost, is_active=False)
        made = messages_of(house.accept(a_sending(1, text="Again"), a_sending(2), a_sending(2, text="And more")))
        second, third = (one.id for one in others)
        assert [house.view(one).message.line_id for one in made] == [second, third, second]


def test_a_person_whose_line_was_closed_moves_to_another_for_good(any_house: House) -> None:
    first, second, third = (any_house.add_line() for _ in range(3))
    assert any_house.view(any_house.send(text="a")).line.id == first.id
    any_house.change(first, is_active=False)
    results = any_house.accept(a_sending(text="b"), a_sending(text="c"))
    moved = {any_house.view(one).line.id for one in messages_of(results)}
    assert moved == {second.id}
    any_house.change(first, is_active=True)
    assert any_house.view(any_house.send(text="d")).line.id == second.id
    assert third.id not in moved


def test_a_line_of_another_type_does_not_keep_the_person(house: House) -> None:
    house.add_line()
    sms = house.add_line(message_type="sms")
    house.send()
    assert house.view(house.send(message_type=MessageType.SMS)).line.id == sms.id
    assert house.view(house.send(text="b")).line.id != sms.id


def test_a_line_that_is_down_is_passed_over_unless_all_are(house: House) -> None:
    down = house.add_line(is_up=False)
    up = house.add_line()
    assert {house.view(house.send(number)).line.id for number in range(3)} == {up.id}
    house.ping(up.device_id, is_up=False)
    house.ping(up.device_id, is_up=False)
    assert house.view(house.send(9)).line.id == down.id


def test_a_line_without_room_today_is_passed_over(house: House) -> None:
    small = house.add_line(new_per_day=1)
    large = house.add_line()
    chosen = [house.view(house.send(number)).line.id for number in range(5)]
    assert chosen.count(small.id) == 1
    assert chosen.count(large.id) == 4


def test_accepted_messages_take_room_before_any_is_sent(house: House) -> None:
    line = house.add_line(messages_per_day=2)
    results = house.accept(*(a_sending(number) for number in range(3)))
    story = house.story(messages_of(results)[2])
    assert story[2].facts["why"] == "no line has room left today, and this one has room again first"
    assert house.line(line.id).chosen_total == 3


def test_messages_for_another_day_take_no_room_today(house: House) -> None:
    small = house.add_line(new_per_day=1)
    results = house.accept(*(a_sending(number, scheduled_at=NOON + DAY) for number in range(3)))
    assert house.line(small.id).chosen_total == 0
    assert all(house.story(one)[2].facts["why"] == "it was its turn" for one in messages_of(results))
    house.send(9)
    assert (house.line(small.id).chosen_total, house.line(small.id).chosen_new) == (1, 1)


def test_many_lines_without_room_do_not_hide_one_that_has_it(house: House) -> None:
    for _ in range(40):
        house.add_line(messages_per_day=0)
    free = house.add_line()
    assert house.view(house.send()).line.id == free.id


def test_a_line_that_is_allowed_nothing_is_not_given_what_another_can_send_tomorrow(house: House) -> None:
    house.add_line(messages_per_day=0)
    full = house.add_line(messages_per_day=1)
    house.send(1)
    assert house.view(house.send(2)).line.id == full.id


# ---- batches ----


def test_a_refusal_takes_no_other_call_with_it(any_house: House) -> None:
    any_house.add_line()
    results = any_house.accept(
        a_sending(1),
        a_sending(2, window=NEVER),
        a_sending(3, from_line_id="0" * 24),
        a_sending(4, phone=None, lead_id="0" * 24),
        a_sending(5, phone=None, email="ann@example.com", message_type=MessageType.SMS),
        a_sending(6, phone=None),
        a_sending(7),
    )
    codes = [one.code if isinstance(one, PosthasteError) else "accepted" for one in results]
    assert codes == [
        *("accepted", "INVALID_TIME_WINDOW", "LINE_NOT_FOUND", "LEAD_NOT_FOUND"),
        *("NO_ACTIVE_LINES", "NO_RECIPIENT", "accepted"),
    ]
    assert any_house.count("messages") == any_house.count("leads") == 2


def test_two_workspaces_in_one_batch_know_nothing_of_each_other(any_house: House) -> None:
    other = any_house.write(make_workspace, "Other")
    mine, theirs = any_house.add_line(), any_house.add_line(workspace=other)
    same = a_sending(1)
    results = any_house.accept(same, Submission(other, same, None, "body"), a_sending(2), Submission(other, same, "key", "body"))
    made = [accepted(one) for one in results]
    assert [one.http_status for one in made] == [201, 201, 201, 200]
    assert made[0].lead_id != made[1].lead_id == made[3].lead_id
    assert any_house.view(made[0].message_id).line.id == mine.id
    assert any_house.count("messages") == 4
    assert any_house.device(theirs.device_id).ready_at == NOON
    with pytest.raises(PosthasteError):
        any_house.view(made[1].message_id)


def test_a_foreign_lead_is_not_found(house: House) -> None:
    other = house.write(make_workspace, "Other")
    house.add_line(workspace=other)
    lead_id = accepted(house.accept(Submission(other, a_sending(1), None, ""))[0]).lead_id
    house.add_line()
    error = refused(house.accept(a_sending(lead_id=lead_id))[0])
    assert (error.status, error.message) == (404, "Lead not found or access denied")


def test_the_crm_ids_of_the_lead_stand_on_the_message(house: House) -> None:
    house.add_line()
    house.send(crm=CrmIds("g", "gl"))
    message = house.view(house.send(text="b", crm=CrmIds("other", "x", "h", "hp"))).message
    assert message.crm == CrmIds("g", "gl", "h", "hp")
