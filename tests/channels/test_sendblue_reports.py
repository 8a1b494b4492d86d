"""What Sendblue tells: checks, health, webhooks that are registered and heard."""

from dataclasses import replace

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sendblue_cases import (
    DEVICE,
    HANDLE,
    HOOK,
    LATER,
    LATER_AT,
    LINE,
    MADE_AT,
    NO_ANSWERS,
    NOW_MS,
    OF_NUMBER,
    PERSON,
    SECRET,
    WITH_SECRET,
    Depot,
    Json,
    ask,
    encoded,
    row,
    step,
    wrote,
)
from wire import Answerer, Step, Wire, says

from posthaste.channels.base import Connection, Health, Unreachable
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.signals import Echo, Inbound, InboundFile, Receipt, Signal, Typing

# Checking


@pytest.mark.parametrize(
    ("said", "is_available"), [("iMessage", True), ("SMS", False), ("RCS", False), ("Pigeon", None), (None, None)]
)
def test_sendblue_can_tell_who_is_on_imessage(said: str | None, is_available: bool | None) -> None:
    request = step("GET", "/api/evaluate-service", says(200, {"number": PERSON, "service": said}), query={"number": PERSON})
    assert ask(lambda channel: channel.check(DEVICE, PERSON), request).is_available is is_available


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_no_answer_is_not_a_no(answer: Answerer) -> None:
    checked = ask(lambda channel: channel.check(DEVICE, PERSON), step("GET", "/api/evaluate-service", answer))
    assert checked.is_available is None
    assert SECRET not in repr(checked)


def test_an_apple_id_cannot_be_written_to() -> None:
    assert ask(lambda channel: channel.check(DEVICE, "ana@people.example")).is_available is False


# Health


def test_a_key_that_is_taken_is_health_and_what_came_before_is_not_ours() -> None:
    request = step("GET", "/api/account/webhooks", says(200, {"status": "OK", "webhooks": {}}))
    assert ask(lambda channel: channel.ping(DEVICE), request) == Health(True, "Sendblue takes the API key", {}, NOW_MS)


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_key_that_is_not_taken_is_said_in_words(answer: Answerer) -> None:
    health = ask(lambda channel: channel.ping(DEVICE), step("GET", "/api/account/webhooks", answer))
    assert not health.is_up
    assert health.detail
    assert SECRET not in repr(health)


def test_a_wrong_key_is_named() -> None:
    request = step("GET", "/api/account/webhooks", says(401, {"status": "ERROR"}))
    assert ask(lambda channel: channel.ping(DEVICE), request).detail == "Sendblue does not take the API key and its secret"


# Webhooks

KINDS = ("receive", "outbound", "typing_indicator")


def hooks(**kinds: list[object]) -> Step:
    return step("GET", "/api/account/webhooks", says(200, {"status": "OK", "webhooks": kinds}))


def adds(kind: str, hook: Json) -> Step:
    return step("POST", "/api/account/webhooks", says(200, {"status": "OK"}), {"webhooks": [hook], "type": kind})


def drops(kind: str, *urls: str) -> Step:
    return step("DELETE", "/api/account/webhooks", says(200, {"status": "OK"}), {"webhooks": list(urls), "type": kind})


def listen(*steps: Step, device: Connection = DEVICE) -> None:
    ask(lambda channel: channel.listen(device), *steps)


def test_the_first_webhooks_are_registered() -> None:
    listen(hooks(), *(adds(kind, {"url": HOOK}) for kind in KINDS))


def test_ours_that_are_there_stay_and_so_do_others() -> None:
    listen(hooks(receive=["https://theirs.test/x", HOOK], outbound=[{"url": HOOK}], typing_indicator=[HOOK]))


def test_ours_that_point_elsewhere_are_replaced() -> None:
    old = "http://10.0.0.7:8000/hooks/sendblue/token-1"
    listen(
        hooks(receive=[old, HOOK], outbound=[HOOK], typing_indicator=[HOOK]),
        drops("receive", old, HOOK),
        adds("receive", {"url": HOOK}),
    )


def test_another_lines_webhooks_stay() -> None:
    other = "https://ours.test/hooks/sendblue/token-2"
    listen(hooks(receive=[other], outbound=[HOOK], typing_indicator=[HOOK]), adds("receive", {"url": HOOK}))


def test_a_number_and_a_secret_go_with_them() -> None:
    device = replace(OF_NUMBER, secrets=WITH_SECRET.secrets)
    hushed = {"url": HOOK, "secret": "hush"}
    steps = [adds("receive", {**hushed, "sendblue_numbers": [LINE]}), adds("outbound", hushed), adds("typing_indicator", hushed)]
    listen(hooks(), *steps, device=device)
    known = {"receive": [{**hushed, "sendblue_numbers": [LINE]}], "outbound": [hushed], "typing_indicator": [hushed]}
    listen(hooks(**known), device=device)
    listen(hooks(**{**known, "outbound": [HOOK]}), drops("outbound", HOOK), adds("outbound", hushed), device=device)


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_cannot_be_told_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        listen(step("GET", "/api/account/webhooks", answer))
    assert SECRET not in str(raised.value)


# Hearing


HEARING = Sendblue(httpx2.AsyncClient(transport=Wire()), lambda: NOW_MS, Depot())


def hear(body: object, device: Connection = DEVICE, query: str = "", **headers: str) -> Heard | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else encoded(body)
    return HEARING.hear(device, HookCall("POST", query, named, raw))


def heard(body: object, device: Connection = DEVICE, query: str = "") -> list[Signal]:
    told = hear(body, device, query)
    assert told is not None
    return list(told.signals)


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({"status": "SENT"}, Echo(HANDLE, 0, "marker-1")),
        ({"status": "DELIVERED", "date_updated": LATER}, Echo(HANDLE, 0, "marker-1", LATER_AT)),
        ({"status": "READ", "date_updated": LATER}, Echo(HANDLE, 0, "marker-1", LATER_AT, LATER_AT)),
        (
            {"status": "ERROR", "error_code": 10001},
            Echo(HANDLE, 0, "marker-1", error="Sendblue could not send it (error 10001)"),
        ),
        ({"status": "DELIVERED", "date_updated": LATER, "was_downgraded": True}, Echo(HANDLE, 0, "marker-1", LATER_AT)),
    ],
)
def test_a_callback_with_our_marker_names_the_attempt(fields: Json, signal: Echo) -> None:
    assert heard(row(**fields), query="marker=marker-1") == [signal]


@pytest.mark.parametrize(
    ("fields", "signals"),
    [
        ({"status": "SENT"}, []),
        ({"status": "DELIVERED", "date_updated": LATER}, [Receipt(HANDLE, LATER_AT)]),
        ({"status": "DECLINED"}, [Receipt(HANDLE, error="Sendblue could not send it (error DECLINED)")]),
        ({"status": "ERROR", "error_code": 10002}, []),
        ({"message_handle": None, "status": "DELIVERED"}, []),
    ],
)
def test_an_account_wide_report_is_a_receipt_where_it_says_something(fields: Json, signals: list[Signal]) -> None:
    assert heard(row(**fields)) == signals


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({}, Inbound(HANDLE, MADE_AT, PERSON, "Yes", MADE_AT, LINE)),
        ({"date_sent": None, "date_updated": None}, Inbound(HANDLE, 0, PERSON, "Yes", 0, LINE)),
        ({"content": "a\x00b", "number": "A@B.example"}, Inbound(HANDLE, MADE_AT, "a@b.example", "ab", MADE_AT, LINE)),
        (
            {"content": "", "media_url": "https://files.test/x/a%20b.png?sig=1"},
            Inbound(
                HANDLE, MADE_AT, PERSON, "", MADE_AT, LINE,
                files=(InboundFile("https://files.test/x/a%20b.png?sig=1", "a%20b.png"),),
            ),
        ),
        (
            {"reply_to": {"message_handle": "one"}, "thread_originator": {"message_handle": "two"}},
            Inbound(HANDLE, MADE_AT, PERSON, "Yes", MADE_AT, LINE, ("one", "two")),
        ),
    ],
)  # fmt: skip
def test_what_a_person_writes_comes_in(fields: Json, signal: Inbound) -> None:
    assert heard(wrote(**fields)) == [signal]


@pytest.mark.parametrize(
    "body",
    [
        wrote(group_id="group"),
        wrote(message_type="group"),
        wrote(message_handle=None),
        wrote(content="", media_url=""),
        {"event": "call_log"},
        {},
        [],
        b"",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_between_two_is_nothing(body: object) -> None:
    assert heard(body) == []


def test_what_came_to_another_number_of_the_account_is_not_this_lines() -> None:
    other: Json = {"to_number": "+16285553009", "sendblue_number": "+16285553009"}
    assert heard(wrote(**other), OF_NUMBER) == heard({"number": PERSON, "is_typing": True} | other, OF_NUMBER) == []
    assert len(heard(wrote(), OF_NUMBER)) == 1


def test_the_dots_are_shown_and_taken_away() -> None:
    assert heard({"number": PERSON, "is_typing": True, "timestamp": LATER}) == [Typing(PERSON, True)]
    assert heard({"from_number": "Ana@People.example", "is_typing": False}) == [Typing("ana@people.example", False)]


def test_what_people_write_has_to_carry_the_secret() -> None:
    assert hear(wrote(), WITH_SECRET) is None
    assert hear(wrote(), WITH_SECRET, sb_signing_secret="wrong") is None
    assert hear({"number": PERSON, "is_typing": True}, WITH_SECRET) is None
    assert hear(wrote(), WITH_SECRET, sb_signing_secret="hush")


def test_a_callback_may_come_without_the_secret_but_not_with_a_wrong_one() -> None:
    assert hear(row(status="DELIVERED"), WITH_SECRET)
    assert hear(row(status="DELIVERED"), WITH_SECRET, sb_signing_secret="wrong") is None


@given(
    name=st.sampled_from(sorted(wrote())),
    value=st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2),
    is_ours=st.booleans(),
)
def test_a_report_with_any_field_changed_is_signals_or_nothing(name: str, value: object, is_ours: bool) -> None:
    for signal in heard((row if is_ours else wrote)(**{"status": "DELIVERED", name: value})):
        assert "\x00" not in repr(signal)
