"""What callers see: one truth about what holds a message, whether one is asked for or a list of them."""

import asyncio
from collections import Counter

import pytest
from builders import House, SetClock, Submission, a_sending, accepted, messages_of
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import DAY, HOUR, MIDNIGHT, NOON, SECOND, a_device, a_line, a_message
from posthaste.actions.show import MessageFilters, line_views, message_views, timeline_of, views_of
from posthaste.actions.workspaces import make_workspace
from posthaste.core.errors import NotFound
from posthaste.core.holds import explain
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Lane, Message
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Refusal, Rejected
from posthaste.core.row import replace
from posthaste.core.windows import Window
from posthaste.ids import Ids
from posthaste.store import devices, lines, messages
from posthaste.store.devices import Access
from posthaste.store.inline import InlineStore
from posthaste.store.transaction import Transaction

EVENING = Window("UTC", 18 * 60, 20 * 60, None)


def page(house: House, page: int = 1, limit: int = 50, **filters: object) -> tuple[list[str], int]:
    found, total = house.read(message_views, house.workspace.id, MessageFilters(**filters), page, limit)  # type: ignore[arg-type]
    return [one.message.id for one in found], total


# ---- one message ----


def test_a_message_is_shown_with_all_that_its_document_needs(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(name="Ann Lee")
    view = any_house.view(message_id)
    assert (view.line.id, view.device.id) == (line.id, line.device_id)
    assert view.lead is not None
    assert view.lead.full_name == "Ann Lee"
    assert any_house.read(views_of, [message_id, "0" * 24]) == {message_id: view}


def test_what_acceptance_shows_is_what_stands_there(any_house: House) -> None:
    any_house.add_line()
    any_house.add_line(message_type="sms")
    results = any_house.accept(
        a_sending(1, name="Ann Lee"), a_sending(2, window=EVENING), a_sending(3, scheduled_at=NOON + HOUR), a_sending(1, text="b")
    )
    for result in results:
        made = accepted(result)
        assert made.view == any_house.view(made.message_id)


def test_a_message_of_others_is_not_found(house: House) -> None:
    other = house.write(make_workspace, "Other")
    house.add_line(workspace=other)
    message_id = accepted(house.accept(Submission(other, a_sending(), None, ""))[0]).message_id
    for one in (message_id, "0" * 24):
        with pytest.raises(NotFound):
            house.view(one)
        with pytest.raises(NotFound):
            house.read(timeline_of, house.workspace.id, one)


def test_a_story_ends_with_what_holds_the_message_now(house: House) -> None:
    line = house.add_line()
    message_id = house.send()
    house.change(line, is_active=False)
    house.later(SECOND)
    last = house.story(message_id)[-1]
    assert (last.at, last.code, last.says) == (NOON + SECOND, "held", "Held until further notice: the line is switched off.")
    house.change(line, is_active=True)
    assert house.codes(message_id)[-1] == "line_chosen"


def test_a_story_is_told_in_order(any_house: House) -> None:
    any_house.add_line()
    message_id = any_house.send()
    any_house.later(SECOND)
    any_house.deliver(Deferred("busy"))
    any_house.later(10 * SECOND)
    any_house.deliver(Accepted("guid", delivered_at=NOON))
    story = any_house.story(message_id)
    assert [one.at for one in story] == sorted(one.at for one in story)
    assert [one.code for one in story] == [
        *("accepted", "lead_created", "line_chosen"),
        *("claimed", "handed", "retry"),
        *("claimed", "handed", "delivered"),
    ]
    assert story[5].says == "Surely not sent (busy); tried again from 2026-03-12T12:00:11.000Z on."


# ---- lists ----


def test_a_list_is_read_page_by_page_newest_first(any_house: House) -> None:
    any_house.add_line()
    made = []
    for number in range(5):
        any_house.later(1)
        made += [any_house.send(number)]
    made.reverse()
    assert page(any_house) == (made, 5)
    assert page(any_house, 1, 2) == (made[:2], 5)
    assert page(any_house, 3, 2) == (made[4:], 5)
    assert page(any_house, 4, 2) == ([], 5)


def test_messages_of_one_moment_have_an_order_too(any_house: House) -> None:
    any_house.add_line()
    made = messages_of(any_house.accept(*(a_sending(number) for number in range(6))))
    pages = [one for number in (1, 2, 3) for one in page(any_house, number, 2)[0]]
    assert pages == made[::-1]


def test_a_list_is_narrowed_by_each_filter(any_house: House) -> None:
    first, second = any_house.add_line(), any_house.add_line()
    a = any_house.send(1, from_line_id=first.id, batch_id="spring")
    any_house.later(HOUR)
    b = any_house.send(2, from_line_id=second.id)
    any_house.later(HOUR)
    c = any_house.send(1, from_line_id=second.id, batch_id="spring", text="c")
    lead_id = any_house.view(a).message.lead_id
    assert page(any_house, lead_id=lead_id) == ([c, a], 2)
    assert page(any_house, line_id=second.id) == ([c, b], 2)
    assert page(any_house, batch_id="spring") == ([c, a], 2)
    assert page(any_house, batch_id="autumn") == ([], 0)
    assert page(any_house, created_from=NOON + HOUR) == ([c, b], 2)
    assert page(any_house, created_to=NOON + HOUR) == ([b, a], 2)
    assert page(any_house, created_from=NOON + 1, created_to=NOON + HOUR, line_id=second.id) == ([b], 1)


def test_a_list_shows_nothing_of_others(any_house: House) -> None:
    other = any_house.write(make_workspace, "Other")
    any_house.add_line(workspace=other)
    any_house.accept(Submission(other, a_sending(batch_id="spring"), None, ""))
    assert page(any_house) == page(any_house, batch_id="spring") == ([], 0)


@pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "sending", "pending"])
def test_a_list_can_be_of_one_status(any_house: House, status: str) -> None:
    any_house.add_line()
    made = {"sent": any_house.send(1)}
    any_house.deliver()
    made["failed"] = any_house.send(2)
    any_house.deliver(Rejected(Refusal.OTHER, "no"))
    made["cancelled"] = any_house.send(3)
    any_house.cancel(made["cancelled"])
    made["sending"] = any_house.send(4)
    any_house.claim()
    made["pending"] = any_house.send(5)
    assert page(any_house, status=status) == ([made[status]], 1)


def test_lines_are_listed_in_order_of_creation(house: House) -> None:
    made = []
    for _ in range(3):
        made.append(house.add_line().id)
        house.later(1)
    assert [view.line.id for view in house.read(line_views, house.workspace.id)] == made


# ---- the list and the single message tell the same ----

moments = st.sampled_from([0, NOON - 1, NOON, NOON + 1, MIDNIGHT])
some_messages = st.builds(
    a_message,
    lane=st.sampled_from(Lane),
    due_at=moments,
    hold=st.sampled_from([None, "provider_retry", "outcome_unknown"]),
    scheduled_at=st.none() | moments,
    status=st.sampled_from(["waiting", "waiting", "waiting", "sent", "failed"]),
)
some_lines = st.builds(
    a_line,
    is_active=st.sampled_from([True, True, False]),
    messages_per_day=st.integers(0, 2),
    new_per_day=st.integers(0, 2),
    usage_total=st.integers(0, 2),
    usage_new=st.integers(0, 2),
    usage_until=st.sampled_from([NOON - 1, NOON, NOON + 1, MIDNIGHT]),
    contact_free_at=moments,
)
some_devices = st.builds(a_device, state=st.sampled_from(["up", "up", "down"]), free_at=moments)
Rows = list[tuple[Message, Line, Device]]


def _put(tx: Transaction, rows: Rows) -> None:
    tx.run("INSERT INTO workspaces (id, name, region, timezone, is_sandbox, created_at) VALUES ('w', 'Test', 'US', 'UTC', 0, 0)")
    for message, line, device in rows:
        devices.add(tx, device, Access(device.id, "w", "bluebubbles", "", "", {}, device.id, 0))
        devices.save_clocks(tx, [device])
        lines.add(tx, line)
        messages.add(tx, [message])


async def _listed(rows: Rows, status: str) -> list[str]:
    store = InlineStore(SetClock(), Ids())
    try:
        await store.write(_put, rows)
        found, total = await store.read(message_views, "w", MessageFilters(status=status), 1, 99)
        assert total == len(found)
        return [one.message.id for one in found]
    finally:
        await store.close()


@given(st.lists(st.tuples(some_messages, some_lines, some_devices), min_size=1, max_size=5))
def test_a_list_by_status_holds_exactly_those_that_show_it(drawn: Rows) -> None:
    rows = [
        (replace(m, id=f"m{n}", line_id=f"l{n}"), replace(li, id=f"l{n}", device_id=f"d{n}"), replace(d, id=f"d{n}"))
        for n, (m, li, d) in enumerate(drawn)
    ]
    faces = {m.id: explain(m, li, d, NOON).status if m.status == "waiting" else m.status for m, li, d in rows}
    for status in sorted(set(faces.values()) | {"pending", "queued", "scheduled"}):
        assert Counter(asyncio.run(_listed(rows, status))) == Counter(one for one, face in faces.items() if face == status)


def test_a_closed_window_shows_in_a_list_once_the_claim_has_seen_it(house: House) -> None:
    line = house.add_line(is_up=False)
    message_id = house.send(window=Window("UTC", 9 * 60, 12 * 60 + 1, None))
    house.later(DAY // 2)
    assert house.held(message_id)[0] == "scheduled"
    house.ping(line.device_id)
    house.claim()
    assert page(house, status="scheduled") == ([message_id], 1)


def test_of_the_messages_that_are_being_sent_only_those_in_doubt_say_so(any_house: House) -> None:
    any_house.add_line()
    any_house.add_line()
    any_house.accept(a_sending(1), a_sending(2))
    doubtful, under_way = any_house.claim()
    assert any_house.hand(doubtful, under_way) == [True, True]
    any_house.record(doubtful, Ambiguous("the connection broke"))
    found, _ = any_house.read(message_views, any_house.workspace.id, MessageFilters(status="sending"), 1, 10)
    reasons = {one.message.id: one.hold and one.hold.reason for one in found}
    assert reasons == {doubtful.message.id: "outcome_unknown", under_way.message.id: None}
