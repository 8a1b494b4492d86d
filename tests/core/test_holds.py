"""Why a message waits: told from the same clocks that decide, so that nobody is told one thing while another happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import DAY, HOUR, MIDNIGHT, MINUTE, NOON, SECOND, a_device, a_line, a_message
from posthaste.core.dispatch import Circumstances, Send, choose
from posthaste.core.holds import MAY_GO, Hold, Reason, explain
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Lane, Message
from posthaste.core.windows import Window

CLOSED = Window("UTC", 15 * 60, 17 * 60, None)
OPEN = Window("UTC", 9 * 60, 17 * 60, None)
NEVER = Window("UTC", None, None, frozenset())
LATER = NOON + HOUR


@pytest.mark.parametrize(
    ("message", "line", "device", "hold"),
    [
        ({}, {}, {}, MAY_GO),
        ({"due_at": LATER, "scheduled_at": LATER}, {}, {}, Hold("scheduled", Reason.SCHEDULED, LATER)),
        ({"due_at": LATER}, {}, {}, Hold("scheduled", Reason.OUTSIDE_WINDOW, LATER)),
        # Its date has passed; what it waits for now is its window.
        ({"due_at": LATER, "scheduled_at": NOON}, {}, {}, Hold("scheduled", Reason.OUTSIDE_WINDOW, LATER)),
        ({"due_at": LATER, "hold": "provider_retry"}, {}, {}, Hold("queued", Reason.PROVIDER_RETRY, LATER)),
        ({"due_at": LATER, "hold": "outcome_unknown"}, {}, {}, Hold("queued", Reason.OUTCOME_UNKNOWN, LATER)),
        ({"hold": "provider_retry"}, {}, {}, MAY_GO),
        ({"window": CLOSED}, {}, {}, Hold("scheduled", Reason.OUTSIDE_WINDOW, NOON + 3 * HOUR)),
        ({"window": NEVER}, {}, {}, Hold("scheduled", Reason.OUTSIDE_WINDOW, None)),
        ({"window": OPEN}, {}, {}, MAY_GO),
        ({}, {"is_active": False}, {"state": "down"}, Hold("queued", Reason.LINE_INACTIVE, None)),
        ({}, {}, {"state": "down"}, Hold("queued", Reason.LINE_DOWN, None)),
        ({}, {"usage_total": 150}, {}, Hold("queued", Reason.DAILY_LIMIT, MIDNIGHT)),
        ({"lane": Lane.REPLY}, {"usage_total": 150}, {}, Hold("queued", Reason.DAILY_LIMIT, MIDNIGHT)),
        ({"window": OPEN}, {"usage_total": 150}, {}, Hold("queued", Reason.DAILY_LIMIT, MIDNIGHT + 9 * HOUR)),
        ({}, {"messages_per_day": 0}, {}, Hold("queued", Reason.DAILY_LIMIT, None)),
        ({"window": OPEN}, {"messages_per_day": 0}, {}, Hold("queued", Reason.DAILY_LIMIT, None)),
        ({}, {"usage_new": 20}, {}, Hold("queued", Reason.NEW_CONVERSATION_LIMIT, MIDNIGHT)),
        ({}, {"new_per_day": 0, "usage_until": NOON}, {}, Hold("queued", Reason.NEW_CONVERSATION_LIMIT, None)),
        ({"lane": Lane.KNOWN}, {"usage_new": 20, "contact_free_at": LATER}, {}, MAY_GO),
        ({}, {"contact_free_at": LATER}, {}, Hold("queued", Reason.CONTACT_GAP, LATER)),
        ({"lane": Lane.REPLY}, {}, {"free_at": LATER}, Hold("queued", Reason.DEVICE_GAP, LATER)),
        # A count of a day that has ended holds nothing.
        ({}, {"usage_total": 150, "usage_new": 20, "usage_until": NOON}, {}, MAY_GO),
        # Its device is busy with others: it is assigned, and nothing but its turn is missing.
        ({}, {}, {"in_flight": 1}, MAY_GO),
    ],
)
def test_what_holds_a_message(message: dict[str, object], line: dict[str, object], device: dict[str, object], hold: Hold) -> None:
    assert explain(a_message(**message), a_line(**line), a_device(**device), NOON) == hold


def test_of_two_gaps_the_longer_one_says_until_when() -> None:
    line, device = a_line(contact_free_at=NOON + MINUTE), a_device(free_at=NOON + HOUR)
    assert explain(a_message(), line, device, NOON) == Hold("queued", Reason.DEVICE_GAP, NOON + HOUR)
    line, device = a_line(contact_free_at=NOON + HOUR), a_device(free_at=NOON + MINUTE)
    assert explain(a_message(), line, device, NOON) == Hold("queued", Reason.CONTACT_GAP, NOON + HOUR)


moments = st.sampled_from([0, NOON - 1, NOON, NOON + 1, NOON + HOUR])
messages = st.builds(
    a_message,
    lane=st.sampled_from(Lane),
    due_at=moments,
    hold=st.sampled_from([None, "provider_retry", "outcome_unknown"]),
    scheduled_at=st.none() | moments,
    window=st.sampled_from([None, None, OPEN, CLOSED, NEVER]),
)
lines = st.builds(
    a_line,
    is_active=st.sampled_from([True, True, False]),
    messages_per_day=st.integers(0, 2),
    new_per_day=st.integers(0, 2),
    usage_total=st.integers(0, 2),
    usage_new=st.integers(0, 2),
    usage_until=st.sampled_from([NOON - 1, NOON, NOON + 1, MIDNIGHT]),
    contact_free_at=moments,
)
devices = st.builds(a_device, state=st.sampled_from(["up", "up", "down"]), free_at=moments)


def would_go(message: Message, line: Line, device: Device, now: int) -> bool:
    """Tell whether the claim would read the message, and send it if it does."""
    is_read = (
        message.due_at <= now
        and line.is_active
        and device.is_up
        and device.free_at <= now
        and line.lane_opens_at(message.lane) <= now
    )
    people = frozenset() if message.lane == Lane.NEW else frozenset({("w", message.address)})
    decisions = choose(device, {line.id: line}, [message], Circumstances(people, {}), now) if is_read else []
    return any(isinstance(one, Send) for one in decisions)


@given(messages, lines, devices)
def test_a_message_is_pending_exactly_when_it_would_go(message: Message, line: Line, device: Device) -> None:
    assert (explain(message, line, device, NOON) == MAY_GO) == would_go(message, line, device, NOON)


@given(messages, lines, devices)
def test_it_never_goes_before_the_instant_that_is_told(message: Message, line: Line, device: Device) -> None:
    hold = explain(message, line, device, NOON)
    if hold.until is not None:
        assert hold.until > NOON
        for at in (NOON, NOON + 1, NOON + SECOND, hold.until - 1):
            assert at >= hold.until or not would_go(message, line, device, at)


@given(messages, lines, devices)
def test_the_words_fit_together(message: Message, line: Line, device: Device) -> None:
    hold = explain(message, line, device, NOON)
    assert (hold.status == "pending") == (hold.reason is None)
    assert (hold.status == "scheduled") == (hold.reason in (Reason.SCHEDULED, Reason.OUTSIDE_WINDOW))
    assert hold.until is None or hold.until < NOON + 400 * DAY
