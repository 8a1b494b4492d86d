"""The table of a message's life: only forward, and whatever a provider reports late or twice has a row."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthaste.core.lifecycle import NOT_SENT, SETTLED, TABLE, IllegalStep, Status, Step, advance

EVIDENCE = [Step.ACCEPT, Step.DELIVER, Step.FAIL]
AT_THE_PROVIDER = {Status.SENT, Status.DELIVERED}
OVER = [Status.FALLBACK, Status.CANCELLED, Status.EXPIRED, Status.BLOCKED]


def life(start: Status, steps: list[Step]) -> list[Status]:
    """Return the statuses a message goes through; steps that the table does not know are refused and change nothing."""
    lived = [start]
    for step in steps:
        try:
            lived.append(advance(lived[-1], step))
        except IllegalStep:
            lived.append(lived[-1])
    return lived


lives = st.builds(life, st.sampled_from(Status), st.lists(st.sampled_from(Step), max_size=12))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("step", Step)
def test_every_step_leads_to_a_status_or_is_refused(status: Status, step: Step) -> None:
    if (status, step) in TABLE:
        assert advance(status, step) is TABLE[status, step]
    else:
        with pytest.raises(IllegalStep, match=f"{status} cannot {step}"):
            advance(status, step)


def test_a_word_that_is_no_status_is_refused() -> None:
    with pytest.raises(ValueError, match="queued"):
        advance("queued", Step.CLAIM)


@given(lives)
def test_what_was_delivered_stays_delivered(lived: list[Status]) -> None:
    if Status.DELIVERED in lived:
        assert set(lived[lived.index(Status.DELIVERED) :]) == {Status.DELIVERED}


@given(lives)
def test_what_was_settled_never_waits_or_is_sent_again(lived: list[Status]) -> None:
    settled = [status in SETTLED for status in lived]
    assert settled == sorted(settled)


@pytest.mark.parametrize("status", OVER)
@pytest.mark.parametrize("step", Step)
def test_cancelled_expired_blocked_and_fallback_are_never_left(status: Status, step: Step) -> None:
    assert TABLE.get((status, step), status) is status


def test_only_evidence_leaves_unknown() -> None:
    ways_out = {step: after for (status, step), after in TABLE.items() if status is Status.UNKNOWN and after is not status}
    assert ways_out == {Step.ACCEPT: Status.SENT, Step.DELIVER: Status.DELIVERED, Step.FAIL: Status.FAILED}


def test_only_a_delivery_leaves_failed() -> None:
    ways_out = {step: after for (status, step), after in TABLE.items() if status is Status.FAILED and after is not status}
    assert ways_out == {Step.DELIVER: Status.DELIVERED}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("step", EVIDENCE)
def test_evidence_may_come_at_any_time_and_twice(status: Status, step: Step) -> None:
    after = advance(status, step)
    assert advance(after, step) is after


@given(st.sampled_from([Status.SENDING, Status.SENT, Status.UNKNOWN]), st.permutations([Step.ACCEPT, Step.DELIVER]))
def test_an_answer_and_its_receipt_end_the_same_in_any_order(status: Status, steps: list[Step]) -> None:
    assert life(status, steps)[-1] is Status.DELIVERED


@pytest.mark.parametrize(
    ("step", "statuses"),
    [
        (Step.CLAIM, {Status.WAITING}),
        (Step.RELEASE, {Status.SENDING}),
        (Step.FALL_BACK, {Status.SENDING}),
        (Step.LOSE, {Status.SENDING, Status.UNKNOWN}),
        (Step.CANCEL, {Status.WAITING, Status.SENDING}),
        (Step.EXPIRE, {Status.WAITING, Status.SENDING}),
        (Step.BLOCK, {Status.WAITING, Status.SENDING}),
    ],
)
def test_our_own_steps_begin_only_where_they_make_sense(step: Step, statuses: set[Status]) -> None:
    assert {status for status, known in TABLE if known is step} == statuses


def test_success_needs_evidence() -> None:
    assert {step for (_, step), after in TABLE.items() if after in AT_THE_PROVIDER} <= set(EVIDENCE)
    assert not NOT_SENT & AT_THE_PROVIDER


def test_a_caller_is_answered_in_every_status_but_two() -> None:
    assert set(Status) - SETTLED == {Status.WAITING, Status.SENDING}


def test_the_database_knows_the_same_statuses() -> None:
    schema = (files("posthaste.store") / "migrations" / "0001-first-tables.sql").read_text()
    table = schema[schema.index("CREATE TABLE messages") :]
    check = re.search(r"CHECK \(status IN\s*\((.*?)\)\)", table, re.DOTALL)
    assert check is not None
    assert re.findall(r"'(\w+)'", check[1]) == [status.value for status in Status]
