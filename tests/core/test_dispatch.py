"""What may go now: never more than device and lines allow, nobody overtaken, and nothing that hides what stands behind it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import DAY, HOUR, MIDNIGHT, MINUTE, NOON, SECOND, a_device, a_line, a_message
from posthaste.core.dispatch import Circumstances, Decision, Drop, Relane, Send, Wait, choose, dropped, expiry_code, ready_at
from posthaste.core.holds import Reason
from posthaste.core.lifecycle import Step
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Lane, Message
from posthaste.core.windows import Window

NOBODY = Circumstances(frozenset(), {})
PEOPLE = [f"+1202555010{n}" for n in range(4)]
CLOSED = Window("UTC", 15 * 60, 17 * 60, None)
OPEN = Window("UTC", 9 * 60, 17 * 60, None)
NEVER = Window("UTC", None, None, frozenset())


def decide(
    *due: Message, device: Device | None = None, line: Line | None = None, about: Circumstances = NOBODY
) -> list[Decision]:
    return choose(device or a_device(), {"line": line or a_line()}, due, about, NOON)


def ids(decisions: list[Decision]) -> list[str]:
    return [one.message.id for one in decisions]


def known(*addresses: str) -> Circumstances:
    return Circumstances(frozenset(("w", one) for one in addresses), {})


# ---- one message ----


def test_a_due_message_goes() -> None:
    message, line = a_message(), a_line()
    assert decide(message, line=line) == [Send(message, line, is_new=True)]


def test_a_message_to_somebody_we_know_is_no_new_conversation() -> None:
    message = a_message(lane=Lane.KNOWN)
    assert decide(message, about=known(message.address)) == [Send(message, a_line(), is_new=False)]


def test_somebody_known_to_another_workspace_is_new_to_us() -> None:
    about = Circumstances(frozenset({("other", a_message().address)}), {})
    assert decide(a_message(), about=about) == [Send(a_message(), a_line(), is_new=True)]


@pytest.mark.parametrize(
    ("expires_at", "valid_until", "code"),
    [
        (NOON, None, "TOO_LONG_PAST_DUE"),
        (NOON, NOON, "VALID_UNTIL_PASSED"),
        (NOON - 1, NOON + 1, "TOO_LONG_PAST_DUE"),
    ],
)
def test_a_message_past_its_time_is_dropped(expires_at: int, valid_until: int | None, code: str) -> None:
    message = a_message(expires_at=expires_at, valid_until=valid_until)
    assert decide(message) == [Drop(message, Step.EXPIRE, code)]
    ended = dropped(message, Step.EXPIRE, code, NOON)
    assert (ended.status, ended.code, ended.updated_at) == ("expired", code, NOON)
    assert ended.error_message


def test_a_message_goes_up_to_the_last_millisecond_of_its_time() -> None:
    assert ids(decide(a_message(expires_at=NOON + 1))) == ["m1"]
    assert isinstance(decide(a_message(expires_at=NOON + 1))[0], Send)


def test_a_message_whose_window_has_closed_waits_for_the_next_opening() -> None:
    message = a_message(window=CLOSED)
    assert decide(message) == [Wait(message, NOON + 3 * HOUR, Reason.OUTSIDE_WINDOW)]


@pytest.mark.parametrize(("window", "expires_at"), [(CLOSED, NOON + 3 * HOUR), (NEVER, NOON + 7 * DAY)])
def test_a_message_whose_window_opens_too_late_or_never_is_dropped(window: Window, expires_at: int) -> None:
    message = a_message(window=window, expires_at=expires_at)
    assert decide(message) == [Drop(message, Step.EXPIRE, expiry_code(message))]


@pytest.mark.parametrize(
    ("ask_again_at", "until"), [(NOON + 5 * SECOND, NOON + 5 * SECOND), (NOON, NOON + SECOND), (0, NOON + SECOND)]
)
def test_a_message_waits_for_the_fate_of_the_one_before_it(ask_again_at: int, until: int) -> None:
    message = a_message()
    about = Circumstances(frozenset(), {("w", message.address): ask_again_at})
    assert decide(message, about=about) == [Wait(message, until, Reason.OUTCOME_UNKNOWN)]


def test_a_full_line_holds_its_queue_without_touching_the_messages() -> None:
    assert decide(a_message(), line=a_line(usage_total=150)) == []


def test_a_line_full_of_new_people_still_sends_to_those_it_knows() -> None:
    message = a_message(lane=Lane.KNOWN)
    full = a_line(usage_new=20)
    assert decide(message, line=full, about=known(message.address)) == [Send(message, full, is_new=False)]


def test_a_new_person_in_the_wrong_queue_is_moved_to_where_the_clock_holds_it() -> None:
    message = a_message(lane=Lane.KNOWN)
    assert decide(message, line=a_line(usage_new=20)) == [Relane(message, Lane.NEW)]


def test_a_line_whose_day_has_ended_has_all_its_room_again() -> None:
    stale = a_line(usage_total=150, usage_new=20, usage_until=NOON)
    assert ids(decide(a_message(), line=stale)) == ["m1"]
    stays = a_line(usage_total=150, usage_new=20, usage_until=NOON + 1)
    assert decide(a_message(), line=stays) == []


def test_a_line_that_is_allowed_nothing_sends_nothing_on_a_fresh_day_either() -> None:
    fresh = {"usage_until": NOON}
    assert decide(a_message(), line=a_line(messages_per_day=0, **fresh)) == []
    assert decide(a_message(), line=a_line(new_per_day=0, **fresh)) == []
    to_a_friend = a_message(lane=Lane.KNOWN)
    only_replies = a_line(new_per_day=0, **fresh)
    assert ids(decide(to_a_friend, line=only_replies, about=known(to_a_friend.address))) == ["m1"]


# ---- several ----


def test_the_better_queue_goes_first_then_the_one_that_waits_longest() -> None:
    due = [
        a_message(id="a", lane=Lane.NEW, due_at=NOON - DAY, address=PEOPLE[0]),
        a_message(id="b", lane=Lane.KNOWN, due_at=NOON, address=PEOPLE[1]),
        a_message(id="c", lane=Lane.REPLY, due_at=NOON, address=PEOPLE[2]),
        a_message(id="d", lane=Lane.REPLY, due_at=NOON - 1, address=PEOPLE[3]),
    ]
    about = known(*PEOPLE[1:])
    assert ids(decide(*due, device=a_device(max_in_flight=9), about=about)) == ["d", "c", "b", "a"]


def test_a_device_with_a_gap_sends_one_whatever_its_slots() -> None:
    due = [a_message(id=f"m{n}", address=PEOPLE[n]) for n in range(3)]
    assert ids(decide(*due, device=a_device(gap_ms=1, max_in_flight=9))) == ["m0"]
    assert ids(decide(*due, device=a_device(max_in_flight=2))) == ["m0", "m1"]


def test_a_device_with_no_slot_left_decides_nothing() -> None:
    expired = a_message(expires_at=NOON)
    assert decide(expired, device=a_device(in_flight=1)) == []


def test_two_texts_to_one_person_go_one_after_the_other() -> None:
    due = [a_message(id="m1"), a_message(id="m2"), a_message(id="m3", address=PEOPLE[2])]
    assert ids(decide(*due, device=a_device(max_in_flight=9))) == ["m1", "m3"]


def test_a_contact_gap_lets_one_new_person_through_at_a_time() -> None:
    due = [a_message(id=f"m{n}", address=PEOPLE[n]) for n in range(3)]
    decisions = decide(*due, device=a_device(max_in_flight=9), line=a_line(contact_gap_ms=45 * SECOND))
    assert ids(decisions) == ["m0"]


def test_two_lines_of_one_device_share_its_slots_and_not_their_caps() -> None:
    lines = {one: a_line(id=one, new_per_day=1) for one in ("line", "line2")}
    due = [a_message(id=f"m{n}", address=PEOPLE[n], line_id="line" if n < 2 else "line2") for n in range(4)]
    assert ids(choose(a_device(max_in_flight=9), lines, due, NOBODY, NOON)) == ["m0", "m2"]
    assert ids(choose(a_device(max_in_flight=1), lines, due, NOBODY, NOON)) == ["m0"]


# ---- properties ----


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Device, dict[str, Line], list[Message], Circumstances]:
    """Draw a device with the due messages that a claim would show: those of queues whose clock has come."""
    device = a_device(
        gap_ms=draw(st.sampled_from([0, 0, 30_000])), in_flight=draw(st.integers(0, 2)), max_in_flight=draw(st.integers(1, 5))
    )
    lines = {
        name: a_line(
            id=name,
            messages_per_day=draw(st.integers(0, 4)),
            new_per_day=draw(st.integers(0, 3)),
            usage_total=draw(st.integers(0, 3)),
            usage_new=draw(st.integers(0, 2)),
            usage_until=draw(st.sampled_from([NOON, NOON + HOUR])),
            contact_gap_ms=draw(st.sampled_from([0, 45_000])),
            contact_free_at=draw(st.sampled_from([0, NOON, NOON + 1])),
        )
        for name in ("a", "b")
    }
    about = Circumstances(
        frozenset(("w", one) for one in draw(st.sets(st.sampled_from(PEOPLE)))),
        {("w", one): NOON + 5 for one in draw(st.sets(st.sampled_from(PEOPLE), max_size=1))},
    )
    due = []
    for number in range(draw(st.integers(0, 8))):
        message = a_message(
            id=f"m{number}",
            line_id=draw(st.sampled_from(["a", "b"])),
            lane=draw(st.sampled_from(Lane)),
            address=draw(st.sampled_from(PEOPLE)),
            due_at=NOON - draw(st.integers(0, 3)),
            window=draw(st.sampled_from([None, None, OPEN, CLOSED, NEVER])),
            expires_at=NOON + draw(st.sampled_from([0, 1, DAY])),
        )
        if lines[message.line_id].lane_opens_at(message.lane) <= NOON:
            due.append(message)
    return device, lines, due, about


Scene = tuple[Device, dict[str, Line], list[Message], Circumstances]


@given(scenes())
def test_never_more_than_the_slots_and_one_to_a_person(scene: Scene) -> None:
    device, lines, due, about = scene
    sends = [one for one in choose(device, lines, due, about, NOON) if isinstance(one, Send)]
    slots = max(0, device.max_in_flight - device.in_flight)
    assert len(sends) <= (min(1, slots) if device.gap_ms else slots)
    assert len({one.message.address for one in sends}) == len(sends)


@given(scenes())
def test_what_goes_is_counted_against_the_caps_at_once(scene: Scene) -> None:
    device, lines, due, about = scene
    sends = [one for one in choose(device, lines, due, about, NOON) if isinstance(one, Send)]
    total, new = Counter(one.message.line_id for one in sends), Counter(one.message.line_id for one in sends if one.is_new)
    for line in (one.on_day_of(NOON) for one in lines.values()):
        assert not total[line.id] or line.usage_total + total[line.id] <= line.messages_per_day
        assert not new[line.id] or line.usage_new + new[line.id] <= line.new_per_day
        assert not line.contact_gap_ms or new[line.id] <= (line.contact_free_at <= NOON)


@given(scenes())
def test_each_decision_is_right_by_itself(scene: Scene) -> None:
    device, lines, due, about = scene
    decisions = choose(device, lines, due, about, NOON)
    assert len(set(ids(decisions))) == len(decisions)
    for decision in decisions:
        message = decision.message
        is_open = message.window is None or message.window.is_open(NOON)
        is_in_doubt = ("w", message.address) in about.in_doubt
        match decision:
            case Send(is_new=is_new):
                assert is_open and not is_in_doubt and message.expires_at > NOON
                assert is_new == (("w", message.address) not in about.known)
            case Wait(until=until, reason=reason):
                assert until > NOON and message.expires_at > NOON
                assert (reason is Reason.OUTSIDE_WINDOW) == (not is_open)
                assert reason is not Reason.OUTCOME_UNKNOWN or is_in_doubt
            case Relane(lane=lane):
                assert lane is Lane.NEW is not message.lane and ("w", message.address) not in about.known
            case Drop(step=step):
                assert step is Step.EXPIRE
                assert message.expires_at <= NOON or not is_open


@given(scenes())
def test_sends_keep_the_order_of_the_queues(scene: Scene) -> None:
    device, lines, due, about = scene
    order = [(d.message.lane, d.message.due_at, d.message.id) for d in choose(device, lines, due, about, NOON)]
    assert order == sorted(order)


@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_in_which_messages_are_read_does_not_matter(scene: Scene, random: object) -> None:
    device, lines, due, about = scene
    shuffled = list(due)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(device, lines, shuffled, about, NOON) == choose(device, lines, due, about, NOON)


@given(scenes())
def test_a_device_with_a_free_slot_always_moves_on(scene: Scene) -> None:
    """Or else a claim would find the same messages for ever, and those behind them would never be read."""
    device, lines, due, about = scene
    if due and device.in_flight < device.max_in_flight:
        assert choose(device, lines, due, about, NOON)


@given(scenes())
def test_only_messages_behind_a_send_are_left_for_the_next_time(scene: Scene) -> None:
    device, lines, due, about = scene
    decisions = choose(device, lines, due, about, NOON)
    if any(isinstance(one, Send) for one in decisions) or device.in_flight >= device.max_in_flight:
        return
    assert set(ids(decisions)) == {one.id for one in due}


@given(scenes())
def test_nothing_is_decided_once_the_last_slot_is_taken(scene: Scene) -> None:
    device, lines, due, about = scene
    decisions = choose(device, lines, due, about, NOON)
    slots = device.max_in_flight - device.in_flight
    sends = sum(isinstance(one, Send) for one in decisions)
    if sends and sends == (1 if device.gap_ms else slots):
        assert isinstance(decisions[-1], Send)


# ---- when a device has work ----


@pytest.mark.parametrize("device", [a_device(state="down"), a_device(in_flight=1), a_device(in_flight=2)])
def test_a_device_that_is_down_or_full_is_not_looked_at(device: Device) -> None:
    assert ready_at(device, [a_line()], {("line", Lane.NEW): NOON}) is None


def test_a_device_with_nothing_waiting_is_not_looked_at() -> None:
    assert ready_at(a_device(), [a_line()], {}) is None
    assert ready_at(a_device(), [a_line(is_active=False)], {("line", Lane.NEW): NOON}) is None


@pytest.mark.parametrize(
    ("line", "lane", "at"),
    [
        (a_line(), Lane.NEW, NOON),
        (a_line(usage_total=150), Lane.REPLY, MIDNIGHT),
        (a_line(usage_new=20), Lane.NEW, MIDNIGHT),
        (a_line(usage_new=20), Lane.KNOWN, NOON),
        (a_line(contact_free_at=NOON + MINUTE), Lane.NEW, NOON + MINUTE),
        (a_line(contact_free_at=NOON + MINUTE), Lane.KNOWN, NOON),
    ],
)
def test_a_device_is_ready_when_its_first_queue_is(line: Line, lane: Lane, at: int) -> None:
    assert ready_at(a_device(), [line], {("line", lane): NOON}) == at
    assert ready_at(a_device(free_at=at + 1), [line], {("line", lane): NOON}) == at + 1


@given(
    st.dictionaries(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(Lane)), st.integers(NOON - 5, NOON + 5)),
    st.lists(st.integers(0, 2), min_size=2, max_size=2),
    st.integers(NOON - 5, NOON + 5),
)
def test_a_device_is_ready_at_the_very_first_moment(first_due: dict[tuple[str, int], int], used: list[int], free_at: int) -> None:
    lines = [
        a_line(id=name, usage_new=count, new_per_day=1, usage_until=NOON + 3, contact_free_at=NOON - 4)
        for name, count in zip("ab", used, strict=True)
    ]

    def has_work(at: int) -> bool:
        open_lanes = [(line.id, lane) for line in lines for lane in Lane if line.lane_opens_at(lane) <= at]
        return free_at <= at and any(key in first_due and first_due[key] <= at for key in open_lanes)

    moments = [at for at in range(NOON - 5, NOON + 6) if has_work(at)]
    assert ready_at(a_device(free_at=free_at), lines, first_due) == (moments[0] if moments else None)
