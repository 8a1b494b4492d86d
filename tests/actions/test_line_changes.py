"""Lines: added, changed and watched; whatever opens or closes one moves its device's clock in the same moment."""

import dataclasses

import pytest
from builders import House

from fixtures.rows import DAY, HOUR, MIDNIGHT, NOON, SECOND
from posthaste.actions.health import note_ping, suspect, take_due_for_health, take_due_for_poll
from posthaste.actions.lines import LineChange, NewLine, Resetting, add_line, change_line, move_device
from posthaste.actions.receive import note_poll
from posthaste.actions.show import line_views
from posthaste.actions.workspaces import make_workspace
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.mail.channel import Mail
from posthaste.core.channels import Field
from posthaste.core.errors import NotFound, Refused
from posthaste.core.row import replace
from posthaste.store import devices
from posthaste.vault import Vault


def due_for_health(house: House) -> list[str]:
    return [one.device_id for one in house.write(take_due_for_health, house.settings, 99)]


def due_for_poll(house: House) -> list[str]:
    return [one.device_id for one in house.write(take_due_for_poll, house.settings, 99)]


# ---- adding ----


def test_a_line_has_the_rules_of_the_settings_unless_it_brings_its_own(any_house: House) -> None:
    new = NewLine(channel="bluebubbles", message_type="imessage", url="http://mac:1234/", secret="s", phone="+16462230920")
    view = any_house.write(add_line, any_house.settings, any_house.workspace.id, new)
    line, device = view.line, view.device
    assert (line.messages_per_day, line.new_per_day, line.checks_per_day, line.contact_gap_ms) == (150, 20, 70, 45_000)
    assert (device.gap_ms, device.check_gap_ms, device.arrival_ms, device.max_in_flight) == (30_000, 3_000, 150_000, 1)
    assert (line.timezone, line.usage_until, line.is_active) == ("UTC", MIDNIGHT, True)
    assert (device.state, view.next_slot_at) == ("down", None)
    access = any_house.read(devices.access, [device.id])[device.id]
    assert (access.url, access.secret, len(access.hook_token)) == ("http://mac:1234", "s", 48)
    assert due_for_health(any_house) == [device.id]
    assert "devices" in any_house.woken


def test_lines_can_share_a_device(house: House) -> None:
    first = house.add_line()
    second = house.add_line(device_id=first.device_id)
    assert second.device_id == first.device_id
    assert [view.device.id for view in house.read(line_views, house.workspace.id)] == [first.device_id] * 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"device_id": "0" * 24}, NotFound),
        ({"timezone": "Mars/Olympus"}, Refused),
        ({"is_sandbox": True}, Refused),
    ],
)
def test_a_line_that_cannot_be_is_refused(house: House, changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        house.add_line(**changes)
    assert house.count("lines") == house.count("devices") == 0


def test_a_device_of_others_or_of_another_kind_cannot_be_shared(house: House) -> None:
    other = house.write(make_workspace, "Other")
    theirs = house.add_line(workspace=other)
    with pytest.raises(NotFound):
        house.add_line(device_id=theirs.device_id)
    mine = house.add_line()
    with pytest.raises(Refused, match="speaks bluebubbles"):
        house.add_line(device_id=mine.device_id, channel="smsgate")
    with pytest.raises(NotFound):
        house.write(add_line, house.settings, "org_none", NewLine(channel="bluebubbles", message_type="imessage"))


def test_sandbox_lines_and_real_lines_do_not_mix(house: House) -> None:
    sandbox = house.write(make_workspace, "Sandbox", is_sandbox=True)
    with pytest.raises(Refused) as error:
        house.add_line(workspace=sandbox)
    assert error.value.code == "SANDBOX_MISMATCH"
    house.add_line(workspace=sandbox, is_sandbox=True)


# ---- changing ----


def test_a_raised_cap_lets_go_at_once(any_house: House) -> None:
    line = any_house.add_line(messages_per_day=1)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    assert any_house.claim() == []
    any_house.woken.clear()
    any_house.change(line, messages_per_day=2)
    assert "ready" in any_house.woken
    assert any_house.claim_ids() == [second]


def test_a_raised_cap_of_new_conversations_lets_go_at_once(any_house: House) -> None:
    line = any_house.add_line(new_per_day=1)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    any_house.change(line, new_per_day=2)
    assert any_house.claim_ids() == [second]


def test_a_lowered_cap_holds_at_once(house: House) -> None:
    line = house.add_line()
    house.send(1)
    house.deliver()
    second = house.send(2)
    house.change(line, messages_per_day=1)
    assert house.claim() == []
    assert house.held(second) == ("queued", "daily_limit", MIDNIGHT)


def test_a_change_on_a_fresh_day_does_not_carry_yesterdays_counts_over(any_house: House) -> None:
    line = any_house.add_line(messages_per_day=1, new_per_day=1)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    any_house.clock.now = MIDNIGHT + HOUR
    any_house.change(line, is_active=True)
    after = any_house.line(line.id)
    assert (after.usage_total, after.usage_new, after.chosen_total, after.usage_until) == (0, 0, 0, MIDNIGHT + DAY)
    assert any_house.claim_ids() == [second]


@pytest.mark.parametrize(("gap_ms", "until"), [(10_000, NOON + 10_001), (60_000, NOON + 60_001), (0, NOON + 1)])
def test_a_device_gap_is_changed_from_the_last_send_on(any_house: House, gap_ms: int, until: int) -> None:
    line = any_house.add_line(device_gap_ms=30_000)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    any_house.change(line, device_gap_ms=gap_ms)
    assert any_house.device(line.device_id).free_at == until
    any_house.clock.now = until - 1
    assert any_house.claim() == []
    any_house.later(1)
    assert any_house.claim_ids() == [second]


@pytest.mark.parametrize(("gap_ms", "until"), [(10_000, NOON + 10_001), (60_000, NOON + 60_001), (0, NOON + 1)])
def test_a_contact_gap_is_changed_from_the_last_new_person_on(any_house: House, gap_ms: int, until: int) -> None:
    line = any_house.add_line(contact_gap_ms=45_000)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    any_house.change(line, contact_gap_ms=gap_ms)
    any_house.clock.now = until - 1
    assert any_house.claim() == []
    any_house.later(1)
    assert any_house.claim_ids() == [second]


def test_a_gap_that_is_first_set_has_nothing_to_count_from(house: House) -> None:
    line = house.add_line()
    house.change(line, device_gap_ms=30_000, contact_gap_ms=45_000)
    message_id = house.send()
    assert house.claim_ids() == [message_id]
    assert house.line(line.id).contact_free_at >= 0


def test_another_zone_ends_the_day_elsewhere_and_keeps_its_counts(any_house: House) -> None:
    line = any_house.add_line(messages_per_day=1)
    any_house.send(1)
    any_house.deliver()
    second = any_house.send(2)
    any_house.change(line, timezone="Asia/Tokyo")
    midnight = NOON + 3 * HOUR
    assert any_house.line(line.id).usage_total == 1
    assert any_house.held(second) == ("queued", "daily_limit", midnight)
    any_house.clock.now = midnight
    assert any_house.claim_ids() == [second]


def test_what_is_not_changed_stays(house: House) -> None:
    line = house.add_line(timezone="Asia/Tokyo")
    house.later(SECOND)
    house.change(line)
    after = house.line(line.id)
    assert after.updated_at == NOON + SECOND
    assert after == replace(line, updated_at=after.updated_at)


def test_names_and_checks_are_changed(house: House) -> None:
    line = house.add_line(first_name="Ada", last_name="Lovelace")
    house.change(line, first_name="Grace", checks_per_day=5)
    after = house.line(line.id)
    assert (after.first_name, after.last_name, after.checks_per_day) == ("Grace", "Lovelace", 5)


def test_what_a_channel_asks_for_is_changed_in_part_and_its_device_is_pinged(any_house: House) -> None:
    vault = Vault(["key"])
    kind = dataclasses.replace(
        BlueBubbles.kind, fields=(*BlueBubbles.kind.fields, Field("region", ""), Field("token", "", is_secret=True))
    )
    line = any_house.add_line(
        url="http://old:1", config={"url": "http://old:1", "region": "eu"}, secret=vault.seal({"token": "t", "password": "p"})
    )
    due_for_health(any_house)
    any_house.woken.clear()
    any_house.change(line, resetting=Resetting(kind, {"url": "http://new:2", "password": "q"}, vault))
    access = any_house.read(devices.access, [line.device_id])[line.device_id]
    assert (access.url, access.config) == ("http://new:2", {"url": "http://new:2", "region": "eu"})
    assert vault.open(access.secret) == {"token": "t", "password": "q"}
    assert due_for_health(any_house) == [line.device_id]
    assert "devices" in any_house.woken


@pytest.mark.parametrize(
    ("given", "cursor"), [({"imapUsername": "else"}, 0), ({"imapPassword": "new"}, 7), ({"imapPort": "1"}, 7)]
)
def test_another_mailbox_is_read_from_where_it_is_now(house: House, given: dict[str, str], cursor: int) -> None:
    kind, vault = Mail.kind, Vault(["key"])
    setup = kind.setup_from({"smtpHost": "mail.test", "imapHost": "mail.test", "imapUsername": "ada", "imapPassword": "old"})
    line = house.add_line(channel="email", config=setup.config, secret=vault.seal(setup.secrets))
    house.write(devices.save_options, line.device_id, {"known": True})
    house.write(devices.raise_cursor, line.device_id, 7)
    house.change(line, resetting=Resetting(kind, given, vault))
    access = house.read(devices.access, [line.device_id])[line.device_id]
    assert (access.cursor, access.options) == (cursor, {"known": True} if cursor else {})


def test_what_was_asked_of_another_mailbox_says_nothing_of_the_one_that_is_read_now(any_house: House) -> None:
    kind, vault = Mail.kind, Vault(["key"])
    setup = kind.setup_from({"smtpHost": "mail.test", "imapHost": "mail.test", "imapUsername": "ada", "imapPassword": "old"})
    line = any_house.add_line(channel="email", config=setup.config, secret=vault.seal(setup.secrets))

    def access() -> devices.Access:
        return any_house.read(devices.access, [line.device_id])[line.device_id]

    def answer(asked: devices.Access, cursor: int, options: dict[str, object]) -> None:
        any_house.write(note_ping, any_house.settings, asked, is_up=True, detail="", options=options, cursor=cursor)
        any_house.write(note_poll, any_house.settings, asked, [], cursor + 1)

    before = access()
    any_house.change(line, resetting=Resetting(kind, {"imapUsername": "else"}, vault))
    answer(before, 99, {"of": "ada"})
    assert (access().cursor, access().options) == (0, {})
    answer(access(), 7, {"of": "else"})
    assert (access().cursor, access().options) == (8, {"of": "else"})


def test_a_foreign_line_cannot_be_changed(house: House) -> None:
    other = house.write(make_workspace, "Other")
    theirs = house.add_line(workspace=other)
    with pytest.raises(NotFound):
        house.write(change_line, house.workspace.id, theirs.id, LineChange(is_active=False))
    with pytest.raises(Refused):
        house.change(house.add_line(), timezone="Mars/Olympus")
    assert house.line(theirs.id).is_active


def test_a_device_that_moved_is_asked_at_its_new_address(house: House) -> None:
    line = house.add_line()
    due_for_health(house)
    house.write(move_device, line.device_id, "http://elsewhere:1234")
    assert due_for_health(house) == [line.device_id]
    assert house.read(devices.access, [line.device_id])[line.device_id].url == "http://elsewhere:1234"


# ---- when the next may go ----


def test_a_line_says_when_it_can_next_write_to_somebody_new(house: House) -> None:
    line = house.add_line(device_gap_ms=30_000, contact_gap_ms=45_000, new_per_day=2)

    def next_slot_at() -> int | None:
        return house.read(line_views, house.workspace.id)[0].next_slot_at

    assert next_slot_at() == NOON
    house.send(1)
    house.deliver()
    assert next_slot_at() == NOON + 45_001
    house.change(line, new_per_day=1)
    assert next_slot_at() == MIDNIGHT
    house.clock.now = MIDNIGHT + HOUR
    assert next_slot_at() == MIDNIGHT + HOUR
    house.change(line, is_active=False)
    assert next_slot_at() is None


# ---- health ----


def test_one_failure_is_no_outage(any_house: House) -> None:
    line = any_house.add_line()
    any_house.ping(line.device_id, is_up=False)
    device = any_house.device(line.device_id)
    assert (device.state, device.failures, device.state_reason) == ("up", 1, None)
    any_house.ping(line.device_id)
    assert (any_house.device(line.device_id).failures, any_house.device(line.device_id).state_reason) == (0, None)
    any_house.later(SECOND)
    for _ in range(2):
        any_house.ping(line.device_id, is_up=False)
    device = any_house.device(line.device_id)
    assert (device.state, device.state_at, device.checked_at) == ("down", NOON + SECOND, NOON + SECOND)


def test_after_a_first_failure_it_is_asked_again_soon(house: House) -> None:
    line = house.add_line()
    due_for_health(house)
    house.ping(line.device_id, is_up=False)
    house.later(2_999)
    assert due_for_health(house) == []
    house.later(1)
    assert due_for_health(house) == [line.device_id]


def test_a_device_whose_first_contact_fails_stays_down(house: House) -> None:
    line = house.add_line(is_up=False)
    house.ping(line.device_id, is_up=False)
    device = house.device(line.device_id)
    assert (device.state, device.state_reason, device.checked_at) == ("down", "no answer", NOON)


def test_the_first_contact_says_how_far_the_provider_is(any_house: House) -> None:
    line = any_house.add_line(is_up=False)
    any_house.ping(line.device_id, cursor=1_000)
    assert any_house.device(line.device_id).cursor == 1_000
    any_house.ping(line.device_id, cursor=2_000)
    assert any_house.device(line.device_id).cursor == 1_000, "what came since must be polled"


def test_a_device_that_is_up_again_is_polled_at_once(any_house: House) -> None:
    line = any_house.add_line()
    assert due_for_poll(any_house) == [line.device_id]
    any_house.later(SECOND)
    for is_up in (False, False):
        any_house.ping(line.device_id, is_up=is_up)
    assert due_for_poll(any_house) == []
    any_house.later(any_house.settings.poll_every_ms)
    assert due_for_poll(any_house) == [], "there is nobody to be asked"
    any_house.ping(line.device_id)
    assert due_for_poll(any_house) == [line.device_id]


def test_duties_come_at_their_pace_and_are_taken_once(any_house: House) -> None:
    line = any_house.add_line()
    assert due_for_health(any_house) == [line.device_id]
    assert due_for_health(any_house) == []
    any_house.later(any_house.settings.health_every_ms)
    assert due_for_health(any_house) == [line.device_id]


def test_a_device_under_suspicion_is_asked_at_once(house: House) -> None:
    line = house.add_line()
    due_for_health(house)
    house.woken.clear()
    house.write(suspect, line.device_id)
    assert "devices" in house.woken
    assert due_for_health(house) == [line.device_id]
