"""What an outcome means: what is surely not sent may be tried again, what is perhaps sent never is."""

from typing import assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.rows import NOON
from posthaste.core.lifecycle import Step
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Found,
    Outcome,
    Refusal,
    Rejected,
)
from posthaste.core.verdicts import (
    Doubt,
    Finish,
    Look,
    LookAgain,
    NextAddress,
    Retry,
    RetryRules,
    Verdict,
    backoff_ms,
    judge,
    judge_finding,
)

RULES = RetryRules(attempts_max=5, first_ms=10_000, longest_ms=3_600_000)
AWAY = Deferred("away", device_is_down=True)


def judged(outcome: Outcome, *, tried: int = 1, others: tuple[str, ...] = ()) -> Verdict:
    return judge(outcome, tried=tried, other_addresses=others, rules=RULES, now=NOON)


# ---- answers ----


@pytest.mark.parametrize(
    ("accepted", "step"),
    [
        (Accepted("guid"), Step.ACCEPT),
        (Accepted("guid", delivered_at=NOON), Step.DELIVER),
        (Accepted("guid", delivered_at=NOON, read_at=NOON), Step.DELIVER),
        (Accepted("guid", read_at=NOON), Step.DELIVER),
    ],
)
def test_what_was_taken_is_sent_and_what_was_read_has_arrived(accepted: Accepted, step: Step) -> None:
    assert judged(accepted) == Finish(step, accepted=accepted)
    look = Look(can_find=True, asked_at=NOON, arrives_until=NOON, looks=0, tried=1)
    assert judge_finding(Found(accepted), look, RULES, 2_000) == Finish(step, accepted=accepted)


def test_what_was_perhaps_sent_is_in_doubt() -> None:
    assert judged(Ambiguous("timed out"), tried=99) == Doubt("timed out")


@pytest.mark.parametrize("refusal", set(Refusal) - {Refusal.NOT_ON_CHANNEL})
def test_a_refusal_is_the_end(refusal: Refusal) -> None:
    assert judged(Rejected(refusal, "no"), others=("+1",)) == Finish(Step.FAIL, refusal.name, "no", never_left=True)


def test_an_address_that_is_not_on_the_channel_gives_way_to_the_next() -> None:
    off = Rejected(Refusal.NOT_ON_CHANNEL, "green")
    assert judged(off, others=("+1", "+2")) == NextAddress("+1", "green")
    assert judged(off) == Finish(Step.FALL_BACK, "NOT_ON_IMESSAGE", "green", never_left=True)


@pytest.mark.parametrize(("tried", "wait_ms"), [(1, 10_000), (2, 40_000), (3, 160_000), (4, 640_000)])
def test_a_busy_provider_is_tried_again_later_and_later(tried: int, wait_ms: int) -> None:
    assert judged(Deferred("busy"), tried=tried) == Retry(NOON + wait_ms, "busy", counts=True)


def test_the_last_try_is_the_last() -> None:
    assert judged(Deferred("busy"), tried=5) == Finish(Step.FAIL, "RETRIES_USED_UP", "busy", never_left=True)


def test_a_line_that_is_down_costs_no_try() -> None:
    assert judged(AWAY, tried=99) == Retry(NOON + 10_000, "away", counts=False)


def test_a_provider_that_names_a_time_gets_it() -> None:
    assert judged(Deferred("slow down", retry_after_ms=60_000)) == Retry(NOON + 60_000, "slow down", counts=True)
    assert judged(Deferred("slow down", retry_after_ms=1)) == Retry(NOON + 10_000, "slow down", counts=True)


# ---- waiting ----


@given(st.integers(-1, 10_000), st.integers(1, 10**9), st.integers(1, 10**9))
def test_waits_grow_up_to_the_longest(tried: int, first_ms: int, longest_ms: int) -> None:
    rules = RetryRules(5, first_ms, longest_ms)
    assert backoff_ms(0, rules) == backoff_ms(1, rules) == min(first_ms, longest_ms)
    assert 1 <= backoff_ms(tried, rules) <= backoff_ms(tried + 1, rules) <= longest_ms


# ---- look-ups ----

findings: st.SearchStrategy[Finding] = st.one_of(
    st.just(Absent()),
    st.builds(CannotTell, st.just("no answer")),
    st.builds(Found, st.builds(Accepted, st.just("guid"), st.none() | st.just(NOON))),
    st.builds(Found, st.just(Accepted("guid")), st.builds(Rejected, st.sampled_from(Refusal), st.just("no"))),
)
looks = st.builds(
    Look,
    can_find=st.booleans(),
    asked_at=st.integers(NOON - 1_000_000, NOON + 1_000_000),
    arrives_until=st.just(NOON),
    looks=st.integers(0, 100),
    tried=st.integers(1, 6),
)


def look(asked_at: int, *, can_find: bool = True, tried: int = 1, times: int = 0) -> Look:
    return Look(can_find, asked_at, arrives_until=NOON, looks=times, tried=tried)


@given(findings, looks)
def test_absence_is_never_believed_while_the_text_may_still_arrive(finding: Finding, one: Look) -> None:
    verdict = judge_finding(finding, one, RULES, 2_000)
    if isinstance(finding, Absent) and one.asked_at <= one.arrives_until:
        assert isinstance(verdict, LookAgain)
    if isinstance(verdict, Retry) or (isinstance(verdict, Finish) and verdict.never_left):
        assert isinstance(finding, Absent)
        assert one.asked_at > one.arrives_until


@given(findings, looks)
def test_looking_ends(finding: Finding, one: Look) -> None:
    verdict = judge_finding(finding, one, RULES, 2_000)
    match verdict:
        case LookAgain(at=at):
            assert one.asked_at < at <= one.arrives_until + 1
        case Retry(at=at):
            assert at == one.asked_at and verdict.counts
        case Finish() | NextAddress() | Doubt():
            assert isinstance(verdict, Finish)
        case _:
            assert_never(verdict)


@pytest.mark.parametrize(
    ("finding", "one", "verdict"),
    [
        (Absent(), look(NOON), LookAgain(NOON + 1, "the provider does not have it")),
        (Absent(), look(NOON + 1), Retry(NOON + 1, "the provider does not have it", counts=True)),
        (
            Absent(),
            look(NOON + 1, tried=5),
            Finish(Step.FAIL, "RETRIES_USED_UP", "the provider does not have it", never_left=True),
        ),
        (CannotTell("away"), look(NOON), LookAgain(NOON + 1, "away")),
        (CannotTell("away"), look(NOON + 1), Finish(Step.LOSE, "OUTCOME_UNKNOWN", "away")),
        (CannotTell("mute"), look(NOON - 9, can_find=False), Finish(Step.LOSE, "OUTCOME_UNKNOWN", "mute")),
        (
            Found(Accepted("guid"), Rejected(Refusal.OTHER, "error 22")),
            look(NOON - 9),
            Finish(Step.FAIL, "OTHER", "error 22", Accepted("guid")),
        ),
    ],
)
def test_what_a_look_up_means(finding: Finding, one: Look, verdict: Verdict | LookAgain) -> None:
    assert judge_finding(finding, one, RULES, 2_000) == verdict


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        (("+2",), NextAddress("+2", "green")),
        ((), Finish(Step.FALL_BACK, "NOT_ON_IMESSAGE", "green", Accepted("guid"), never_left=True)),
        # Nothing may be sent any more: the message was called unknown.
        (None, Finish(Step.FAIL, "NOT_ON_CHANNEL", "green", Accepted("guid"))),
    ],
)
def test_a_send_that_is_found_off_the_channel_gives_way_to_the_next_address(
    others: tuple[str, ...] | None, verdict: Verdict
) -> None:
    found = Found(Accepted("guid"), Rejected(Refusal.NOT_ON_CHANNEL, "green"))
    one = Look(can_find=True, asked_at=NOON, arrives_until=NOON, looks=0, tried=1, other_addresses=others)
    assert judge_finding(found, one, RULES, 2_000) == verdict


def test_looks_come_less_and_less_often() -> None:
    far = NOON - 500_000
    waits = []
    for times in range(8):
        again = judge_finding(Absent(), look(far, times=times), RULES, 2_000)
        assert isinstance(again, LookAgain)
        waits.append(again.at - far)
    assert waits == [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000, 64_000]
