"""Sending through SMS Gate and looking for what was sent: which requests go out, and what each answer means."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from smsgate_phone import (
    CREDENTIALS,
    DELIVERED_MS,
    DEVICE,
    KEY,
    NUMBER,
    ORDER,
    PASSWORD,
    SENT_MS,
    TEXT,
    TRACE,
    complaint,
    delivered,
    failed,
    message,
    step,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOWHERE, Connection, File, Order, Target
from posthaste.channels.smsgate.channel import PHONE, SmsGate
from posthaste.core.errors import Refused
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

BODY = {"id": KEY, "phoneNumbers": [NUMBER], "textMessage": {"text": TEXT}, "withDeliveryReport": True}
QUERY = {"skipPhoneValidation": "true"}


def send(*steps: Step, device: Connection = DEVICE, order: Order = ORDER) -> Outcome:
    async def main() -> Outcome:
        async with Wire(*steps) as wire:
            return await SmsGate(wire.client, lambda: SENT_MS).send(device, order)

    return asyncio.run(main())


def answered(answer: Answerer) -> Outcome:
    return send(step("POST", "/messages", answer, BODY, QUERY))


def found(answer: Answerer) -> Finding:
    async def main() -> Finding:
        async with Wire(step("GET", f"/messages/{KEY}", answer)) as wire:
            return await SmsGate(wire.client, lambda: SENT_MS).find(DEVICE, TRACE)

    return asyncio.run(main())


def test_preparing_asks_nothing() -> None:
    async def main() -> object:
        async with Wire() as wire:
            return await SmsGate(wire.client, lambda: SENT_MS).prepare(DEVICE, replace(ORDER, target=NOWHERE))

    assert asyncio.run(main()) == Target(PHONE, NUMBER)


def test_a_text_goes_out_under_our_own_id() -> None:
    assert answered(says(202, message())) == Accepted(KEY)


def test_the_sim_and_the_phone_of_the_line_are_named() -> None:
    device = replace(DEVICE, config={**DEVICE.config, "simNumber": "2", "phoneId": "phone-1"})
    body = BODY | {"simNumber": 2, "deviceId": "phone-1"}
    assert send(step("POST", "/messages", says(202, message()), body, QUERY), device=device) == Accepted(KEY)


def test_a_phone_without_reception_is_told_until_when_the_text_may_go() -> None:
    order = replace(ORDER, valid_until=SENT_MS + 90_500)
    body = BODY | {"validUntil": "2026-03-01T15:01:30.500Z"}
    assert send(step("POST", "/messages", says(202, message()), body, QUERY), order=order) == Accepted(KEY)


def test_a_repeated_id_is_an_earlier_hand_over_of_the_same_message() -> None:
    assert answered(says(409, complaint("exists"))) == Accepted(KEY)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (says(202, "<html>"), Ambiguous("the server answered without naming the message")),
        (says(202, {}), Ambiguous("the server answered without naming the message")),
        (says(400, complaint("no such number")), Rejected(Refusal.BAD_CONTENT, "SMS Gate answered 400: no such number")),
        (says(401, complaint()), Deferred("the user name or password is wrong", device_is_down=True)),
        (says(403, ""), Deferred("the user name or password is wrong", device_is_down=True)),
        (says(429, complaint("slowly"), retry_after="7"), Deferred("SMS Gate answered 429: slowly", 7_000)),
        (says(429, complaint("slowly"), retry_after="tomorrow"), Deferred("SMS Gate answered 429: slowly")),
        (says(503, complaint("queue is full")), Deferred("SMS Gate answered 503: queue is full")),
        (says(503, complaint("full"), retry_after="60"), Deferred("SMS Gate answered 503: full", 60_000)),
    ],
)
def test_what_sms_gate_answers_decides(answer: Answerer, outcome: Outcome) -> None:
    assert answered(answer) == outcome


@pytest.mark.parametrize("status", [301, 307, 404, 405, 410, 521, 523, 530])
def test_what_never_reached_the_app_waits_for_the_phone(status: int) -> None:
    outcome = answered(says(status, "<html>not here</html>"))
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down


@pytest.mark.parametrize("status", [400, 409])
def test_a_refusal_by_somebody_else_decides_nothing_about_the_message(status: int) -> None:
    outcome = answered(says(status, "<html>who are you?</html>"))
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down


@pytest.mark.parametrize("status", [500, 502, 504, 520, 524])
@pytest.mark.parametrize("body", ["<html>oh</html>", complaint()], ids=["page", "complaint"])
def test_what_may_have_reached_the_app_is_in_doubt(status: int, body: object) -> None:
    assert isinstance(answered(says(status, body)), Ambiguous)


def test_a_page_that_says_unavailable_is_in_doubt() -> None:
    assert isinstance(answered(says(503, "<html>unavailable</html>")), Ambiguous)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx2.ConnectError, Deferred("no connection could be made", device_is_down=True)),
        (httpx2.ConnectTimeout, Deferred("no connection could be made in time", device_is_down=True)),
        (httpx2.PoolTimeout, Deferred("no connection was free", 1_000)),
        (httpx2.ReadTimeout, Ambiguous("no answer came in time")),
        (httpx2.ReadError, Ambiguous("the connection broke before the answer was complete")),
        (httpx2.WriteError, Ambiguous("the connection broke before the answer was complete")),
        (httpx2.RemoteProtocolError, Ambiguous("the connection broke before the answer was complete")),
    ],
)
def test_a_call_that_fails_is_safe_to_repeat_only_if_it_never_left(error: type[httpx2.RequestError], outcome: Outcome) -> None:
    assert answered(breaks(error)) == outcome


def test_what_cannot_be_sent_is_not_tried() -> None:
    picture = File("a.png", "image/png", 1, Path("a.png"), "")
    for order in (replace(ORDER, text=" \n"), replace(ORDER, files=(picture,))):
        outcome = send(order=order)
        assert isinstance(outcome, Rejected)
        assert outcome.refusal is Refusal.BAD_CONTENT


def test_no_secret_is_put_into_words_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"{PASSWORD} and {CREDENTIALS}"
    for outcome in (answered(says(400, complaint(said))), answered(says(500, complaint(said)))):
        assert PASSWORD not in repr(outcome)
        assert CREDENTIALS.partition(" ")[2] not in repr(outcome)
    assert PASSWORD not in caplog.text
    assert CREDENTIALS.partition(" ")[2] not in caplog.text


def test_an_address_holds_no_password_for_it_would_be_kept_and_shown_in_clear() -> None:
    given = {"url": "http://10.0.0.2:8080", "username": "sms", "password": PASSWORD}
    assert SmsGate.kind.setup_from(given).config["url"] == "http://10.0.0.2:8080"
    with pytest.raises(Refused, match="url must be") as refused:
        SmsGate.kind.setup_from({**given, "url": "http://sms:s3cret@10.0.0.2:8080"})
    assert "s3cret" not in refused.value.message


# Finding


@pytest.mark.parametrize("state", ["Pending", "Processed", "Sent", "Teleported"])
def test_a_message_that_the_app_knows_was_taken(state: str) -> None:
    assert found(says(200, message(state))) == Found(Accepted(KEY))


def test_a_delivered_message_says_when() -> None:
    assert found(says(200, delivered())) == Found(Accepted(KEY, DELIVERED_MS))


def test_a_failed_message_says_why() -> None:
    error = Rejected(Refusal.OTHER, "the phone could not send it: RESULT_ERROR_NO_SERVICE", KEY)
    assert found(says(200, failed())) == Found(Accepted(KEY), error)


def test_a_message_that_was_cancelled_at_the_phone_was_not_sent() -> None:
    error = Rejected(Refusal.OTHER, "it was cancelled at the phone before it was sent", KEY)
    assert found(says(200, message("Cancelled"))) == Found(Accepted(KEY), error)


@pytest.mark.parametrize("body", ["", complaint("message not found")], ids=["phone", "server"])
def test_a_message_that_the_app_does_not_know_is_absent(body: object) -> None:
    assert found(says(404, body)) == Absent()


@pytest.mark.parametrize(
    "answer",
    [
        says(404, "<html>no such tunnel</html>"),
        says(401, complaint()),
        says(500, complaint()),
        says(302, ""),
        says(200, "<html>welcome</html>"),
        says(200, {"id": 7}),
        breaks(httpx2.ConnectError),
        breaks(httpx2.ReadTimeout),
    ],
)
def test_whoever_cannot_be_asked_does_not_decide(answer: Answerer) -> None:
    finding = found(answer)
    assert isinstance(finding, CannotTell)
    assert PASSWORD not in repr(finding)
