"""Sending through Twilio: which requests go out, and what each answer means."""

import asyncio
import logging
from base64 import b64encode
from dataclasses import replace

import httpx2
import pytest
from twil import (
    AT,
    BY_SERVICE,
    FROM_NUMBER,
    FROM_SERVICE,
    HOOK,
    LINE,
    MESSAGE,
    ORDER,
    OWN,
    PHONE,
    SERVICE,
    SID,
    TEXT,
    TOKEN,
    accepted,
    bad,
    now,
    picture,
    post,
    row,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOBODY, Connection, Order, Target
from posthaste.channels.twilio.channel import Twilio
from posthaste.core.errors import Refused
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

CALLBACK = ("StatusCallback", f"{HOOK}?marker=marker-1")
SAYS_SECRET = f"{SID}:{TOKEN} is wrong"


def prepare(device: Connection, order: Order) -> Target | Deferred | Rejected:
    async def main() -> Target | Deferred | Rejected:
        async with Wire() as wire:
            return await Twilio(wire.client, now).prepare(device, order)

    return asyncio.run(main())


def send(device: Connection, order: Order, *steps: Step) -> Outcome:
    async def main() -> Outcome:
        async with Wire(*steps) as wire:
            return await Twilio(wire.client, now).send(device, order)

    return asyncio.run(main())


def send_to_answer(answer: Answerer) -> Outcome:
    return send(LINE, ORDER, post("/Messages.json", None, answer))


# What is sent


def test_a_text_goes_from_the_lines_number_and_asks_for_receipts() -> None:
    fields = [("To", PHONE), ("From", OWN), ("Body", TEXT), CALLBACK]
    assert send(LINE, ORDER, post("/Messages.json", fields, accepted())) == Accepted(MESSAGE)


def test_a_messaging_service_takes_the_place_of_the_number() -> None:
    fields = [("To", PHONE), ("MessagingServiceSid", SERVICE), ("Body", TEXT), CALLBACK]
    assert send(BY_SERVICE, ORDER, post("/Messages.json", fields, accepted())) == Accepted(MESSAGE)


@pytest.mark.parametrize(
    ("left_ms", "seconds"), [(90_999, "90"), (36_000_000, "36000"), (90_000_000, "36000"), (999, "1"), (-5_000, "1")]
)
def test_a_message_that_may_only_go_for_a_while_does_not_wait_longer_at_twilio(left_ms: int, seconds: str) -> None:
    order = replace(ORDER, valid_until=AT + left_ms)
    fields = [("To", PHONE), ("From", OWN), ("Body", TEXT), ("ValidityPeriod", seconds), CALLBACK]
    assert send(LINE, order, post("/Messages.json", fields, accepted())) == Accepted(MESSAGE)


def test_attachments_go_as_addresses_and_need_no_text() -> None:
    order = replace(ORDER, text="", files=(picture("a.png"), picture("b.png")))
    fields = [("To", PHONE), ("From", OWN), ("MediaUrl", order.files[0].url), ("MediaUrl", order.files[1].url), CALLBACK]
    assert send(LINE, order, post("/Messages.json", fields, accepted())) == Accepted(MESSAGE)


@pytest.mark.parametrize(
    "hook",
    [
        "",
        "http://127.0.0.1:8000/hooks/twilio/x",
        "http://192.168.1.5/x",
        "http://server/x",
        "http://my_host.example/x",
        "http://[::1]/",
    ],
)
def test_an_address_that_twilio_could_not_call_is_left_out(hook: str) -> None:
    fields = [("To", PHONE), ("From", OWN), ("Body", TEXT)]
    assert send(replace(LINE, hook_url=hook), ORDER, post("/Messages.json", fields, accepted())) == Accepted(MESSAGE)


@pytest.mark.parametrize(
    ("config", "secrets", "proof"),
    [
        ({}, {}, f"{SID}:{TOKEN}"),
        ({"apiKeySid": "SK" + "1" * 32}, {"apiKeySecret": "s"}, "SK" + "1" * 32 + ":s"),
    ],
)
def test_the_account_or_an_api_key_proves_who_asks(config: dict[str, str], secrets: dict[str, str], proof: str) -> None:
    def check(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Basic " + b64encode(proof.encode()).decode()
        return accepted()(request)

    device = replace(LINE, config={**LINE.config, **config}, secrets={**LINE.secrets, **secrets})
    assert send(device, ORDER, post("/Messages.json", None, check)) == Accepted(MESSAGE)


def test_there_is_nothing_to_ask_before_a_send() -> None:
    assert prepare(LINE, ORDER) == FROM_NUMBER
    assert prepare(BY_SERVICE, replace(ORDER, sender=NOBODY)) == FROM_SERVICE


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (replace(ORDER, text=" \n"), Refusal.BAD_CONTENT),
        (replace(ORDER, files=tuple(picture() for _ in range(11))), Refusal.BAD_CONTENT),
        (replace(ORDER, sender=NOBODY), Refusal.UNAUTHORIZED),
    ],
)
def test_what_twilio_would_surely_refuse_does_not_go(order: Order, refusal: Refusal) -> None:
    outcome = prepare(LINE, order)
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is refusal


# What the answer means

REJECTED = {
    "opted out": (says(400, bad(21610)), Refusal.BLOCKED, None),
    "not a number": (says(400, bad(21211)), Refusal.BAD_ADDRESS, None),
    "a landline": (says(400, bad(21614)), Refusal.BAD_ADDRESS, None),
    "a closed country": (says(403, bad(21408, 403)), Refusal.BAD_ADDRESS, None),
    "somebody else's number": (says(400, bad(21606)), Refusal.UNAUTHORIZED, None),
    "too long": (says(400, bad(21617)), Refusal.BAD_CONTENT, None),
    "an error that we do not know": (says(400, bad(29999)), Refusal.OTHER, None),
    "made and failed at once": (says(201, row(status="failed", error_code=30007)), Refusal.BAD_CONTENT, MESSAGE),
}
DOWN = {
    "refused": breaks(httpx2.ConnectError),
    "no connection in time": breaks(httpx2.ConnectTimeout),
    "no such scheme": breaks(httpx2.UnsupportedProtocol),
    "a wrong token": says(401, bad(20003, 401, SAYS_SECRET)),
    "a closed account": says(403, bad(20005, 403)),
    "no such account": says(404, bad(20404, 404)),
    "forbidden": says(403, bad(70051, 403)),
    "another server": says(404, "<html>not here</html>"),
    "another server that refuses": says(400, {"error": "no"}),
    "a redirect": says(307, "", location="https://elsewhere.test/"),
}
LATER = {
    "too many requests": (says(429, bad(20429, 429), retry_after="7"), 7_000),
    "too many, without a word when": (says(429, "slow down"), None),
    "a full queue": (says(400, bad(21611)), None),
    "no free connection": (breaks(httpx2.PoolTimeout), 1_000),
}
AMBIGUOUS = {
    "no answer in time": breaks(httpx2.ReadTimeout),
    "broken while writing": breaks(httpx2.WriteError),
    "closed without an answer": breaks(httpx2.RemoteProtocolError),
    "a crash": says(500, bad(20500, 500)),
    "away": says(503, bad(20503, 503)),
    "a tunnel": says(502, "<html>bad gateway</html>"),
    "a crash with a number that means a refusal": says(500, bad(21610, 500)),
    "a request time-out": says(408, ""),
    "a success without a message": says(201, {}),
    "a success of another server": says(200, "<html>welcome</html>"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_refusal_is_told_by_its_number(case: str) -> None:
    answer, refusal, sid = REJECTED[case]
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Rejected)
    assert (outcome.refusal, outcome.external_id) == (refusal, sid)


@pytest.mark.parametrize("case", DOWN)
def test_what_no_message_can_help_takes_the_line_down(case: str) -> None:
    outcome = send_to_answer(DOWN[case])
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down
    assert TOKEN not in repr(outcome)


@pytest.mark.parametrize("case", LATER)
def test_a_crowd_waits_and_the_line_stays_up(case: str) -> None:
    answer, ms = LATER[case]
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Deferred)
    assert (outcome.retry_after_ms, outcome.device_is_down) == (ms, False)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_may_have_been_sent_is_never_called_unsent(case: str) -> None:
    assert isinstance(send_to_answer(AMBIGUOUS[case]), Ambiguous)


def test_the_words_of_an_error_decide_nothing_and_go_nowhere() -> None:
    outcome = send_to_answer(says(400, bad(29999, 400, f"21610 blocked {TOKEN}")))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.OTHER
    assert TOKEN not in repr(outcome)


def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    send_to_answer(says(401, bad(20003, 401, SAYS_SECRET)))
    send_to_answer(breaks(httpx2.ConnectError))
    assert "twilio.test" not in caplog.text
    assert TOKEN not in caplog.text


# Setting a line up

GIVEN = {"accountSid": SID, "authToken": TOKEN}


def test_a_line_needs_an_account_and_its_token_alone() -> None:
    setup = Twilio.kind.setup_from(GIVEN)
    assert setup.config == {"accountSid": SID, "baseUrl": "https://api.twilio.com"}
    assert setup.secrets == {"authToken": TOKEN}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"accountSid": "AC1"}, "accountSid"),
        ({"accountSid": f"{SID}/../x"}, "accountSid"),
        ({"authToken": ""}, "authToken"),
        ({"apiKeySid": "SK1", "apiKeySecret": "s"}, "apiKeySid"),
        ({"apiKeySid": "SK" + "1" * 32}, "apiKeySecret"),
        ({"apiKeySecret": "s"}, "apiKeySid"),
        ({"messagingServiceSid": "XX"}, "messagingServiceSid"),
        ({"number": "628 555 0123"}, "number"),
        ({"baseUrl": "ftp://x"}, "baseUrl"),
    ],
)
def test_what_cannot_be_twilios_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        Twilio.kind.setup_from({**GIVEN, **given})
