"""A line that is deleted: what waits on it finds another line or ends, and its device is let go of."""

import pytest
from builders import House, a_sending, refused

from fixtures.rows import SECOND
from posthaste.actions.delete_line import LINE_DELETED, clear_deleted_lines, delete_line
from posthaste.actions.health import take_due_for_health, take_due_for_poll
from posthaste.actions.lines import LineChange, change_line
from posthaste.actions.receive import device_of_token
from posthaste.actions.show import line_views
from posthaste.core.errors import NotFound
from posthaste.core.lines import Line
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Found
from posthaste.core.workspaces import Fallback
from posthaste.store import devices, workspaces


def delete(house: House, line: Line) -> None:
    house.write(delete_line, house.workspace.id, line.id)
    while house.write(clear_deleted_lines):
        pass


def test_it_is_gone_from_lists_and_choice(any_house: House) -> None:
    first, second = any_house.add_line(), any_house.add_line()
    delete(any_house, first)
    assert [view.line.id for view in any_house.read(line_views, any_house.workspace.id)] == [second.id]
    assert {any_house.view(any_house.send(number)).line.id for number in range(4)} == {second.id}
    [result] = any_house.accept(a_sending(9, from_line_id=first.id))
    assert refused(result).code == "LINE_NOT_FOUND"


def test_it_cannot_be_changed_or_deleted_again(house: House) -> None:
    line = house.add_line()
    delete(house, line)
    with pytest.raises(NotFound, match="Line not found"):
        delete(house, line)
    with pytest.raises(NotFound, match="Line not found"):
        house.write(change_line, house.workspace.id, line.id, LineChange(is_active=True))


def test_what_nobody_placed_moves_to_another_line_and_says_so(any_house: House) -> None:
    old = any_house.add_line(messages_per_day=0)
    ids = [any_house.send(number) for number in range(3)]
    other = any_house.add_line()
    delete(any_house, old)
    assert {any_house.view(one).line.id for one in ids} == {other.id}
    moved = any_house.story(ids[0])[-1]
    assert moved.code == "line_moved"
    assert other.id in moved.says
    assert sorted(any_house.claim_ids()) == sorted(ids[:1])


def test_a_persons_messages_stay_together_and_so_does_the_conversation(house: House) -> None:
    old = house.add_line(messages_per_day=0)
    first, second = house.send(1, text="One"), house.send(1, text="Two")
    for _ in range(3):
        house.add_line()
    delete(house, old)
    assert house.view(first).line.id == house.view(second).line.id
    assert house.view(house.send(1, text="Three")).line.id == house.view(first).line.id


def test_messages_are_spread_over_the_lines_that_are_left(house: House) -> None:
    old = house.add_line(messages_per_day=0)
    ids = [house.send(number) for number in range(6)]
    others = [house.add_line() for _ in range(3)]
    delete(house, old)
    assert sorted(house.view(one).line.id for one in ids) == sorted(line.id for line in others for _ in range(2))


def test_what_the_caller_placed_is_cancelled_and_says_why(any_house: House) -> None:
    old = any_house.add_line(messages_per_day=0)
    any_house.add_line()
    asked = any_house.send(1, from_line_id=old.id)
    delete(any_house, old)
    message = any_house.view(asked).message
    assert (message.status, message.code) == ("cancelled", LINE_DELETED)
    assert message.error_message == "the line on which it waited was deleted"
    told = any_house.story(asked)[-1]
    assert (told.code, told.facts["code"]) == ("cancelled", LINE_DELETED)
    assert told.says == "Cancelled before it was handed over: the line on which it waited was deleted."


def test_where_no_line_is_left_everything_is_cancelled(house: House) -> None:
    old = house.add_line(messages_per_day=0)
    house.add_line(message_type="sms")
    waiting = house.send(1)
    delete(house, old)
    assert house.status(waiting) == "cancelled"


def test_what_was_claimed_is_not_handed_over_and_moves(any_house: House) -> None:
    old = any_house.add_line()
    claimed_id = any_house.send(1)
    [claimed] = any_house.claim()
    other = any_house.add_line()
    delete(any_house, old)
    assert any_house.hand(claimed) == [False]
    assert any_house.write(clear_deleted_lines)
    assert any_house.view(claimed_id).line.id == other.id
    assert any_house.claim_ids() == [claimed_id]


def test_what_was_handed_over_still_gets_its_outcome(house: House) -> None:
    old = house.add_line()
    house.send(1)
    sent = house.begin()
    house.add_line()
    delete(house, old)
    house.record(sent, Deferred("busy"))
    assert house.write(clear_deleted_lines)
    assert house.view(sent.message.id).line.id != old.id


def test_its_device_is_forgotten_once_nothing_is_in_doubt_there(any_house: House) -> None:
    line = any_house.add_line(url="http://mac.local:1234", secret="sealed", config={"url": "http://mac.local:1234"})
    [token] = [one.hook_token for one in any_house.read(devices.every_access)]
    any_house.send(1)
    doubtful = any_house.begin()
    any_house.record(doubtful, Ambiguous("no answer"))
    delete(any_house, line)
    [kept] = any_house.read(devices.every_access)
    assert (kept.url, kept.secret) == ("http://mac.local:1234", "sealed"), "what is in doubt is still looked up"
    any_house.later(10 * SECOND)
    [lookup] = any_house.rescue()
    any_house.conclude(lookup, Found(Accepted("guid")))
    assert not any_house.write(clear_deleted_lines)
    [gone] = any_house.read(devices.every_access)
    assert (gone.url, gone.secret, dict(gone.config), dict(gone.options)) == ("", "", {}, {})
    assert any_house.read(device_of_token, token) is None
    assert any_house.read(devices.in_use) == []
    any_house.ping(line.device_id)
    any_house.later(365 * 86_400 * SECOND)
    assert any_house.write(take_due_for_health, any_house.settings, 9) == []
    assert any_house.write(take_due_for_poll, any_house.settings, 9) == []


def test_a_device_that_another_line_uses_is_kept(house: House) -> None:
    line = house.add_line(url="http://mac.local:1234", secret="sealed")
    house.add_line(device_id=line.device_id)
    delete(house, line)
    assert [one.secret for one in house.read(devices.in_use)] == ["sealed"]


def test_a_device_without_lines_cannot_be_shared(house: House) -> None:
    line = house.add_line()
    delete(house, line)
    with pytest.raises(NotFound, match="Device not found"):
        house.add_line(device_id=line.device_id)


def test_a_fallback_that_used_it_is_switched_off(house: House) -> None:
    line, other = house.add_line(message_type="sms"), house.add_line(message_type="sms")
    house.write(workspaces.save_fallback, house.workspace.id, Fallback(True, line.id, True))
    delete(house, other)
    assert _fallback(house).is_configured
    delete(house, line)
    assert _fallback(house) == Fallback()


def _fallback(house: House) -> Fallback:
    workspace = house.read(workspaces.find, house.workspace.id)
    assert workspace is not None
    return workspace.fallback
