"""Preparing and sending through BlueBubbles: which requests go out, and what each answer means."""

import asyncio
import logging
from dataclasses import replace
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from blue import (
    FIRST_ORDER,
    GUID,
    MAC,
    MADE_AT,
    MISSING,
    NOW_MS,
    OLD_MAC,
    ORDER,
    PHONE,
    SECRET,
    TEXT,
    WRONG_PASSWORD,
    bad,
    chat,
    good,
    row,
    step,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOWHERE, Connection, Order, Target
from posthaste.channels.bluebubbles.channel import CHAT, NEW, BlueBubbles
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

ANY_CHAT = "/chat/any%3B-%3B%2B16285550123"
OLD_CHAT = "/chat/iMessage%3B-%3B%2B16285550123"
SAYS_SECRET = f"GET /api/v1/x?guid={SECRET} failed"


def prepare(device: Connection, *steps: Step, address: str = PHONE) -> Target | Deferred | Rejected:
    async def main() -> Target | Deferred | Rejected:
        async with Wire(*steps) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).prepare(device, replace(ORDER, address=address, target=NOWHERE))

    return asyncio.run(main())


def send(device: Connection, order: Order, *steps: Step) -> Outcome:
    async def main() -> Outcome:
        async with Wire(*steps) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).send(device, order)

    return asyncio.run(main())


def send_to_answer(answer: Answerer, order: Order = ORDER) -> Outcome:
    path = "/chat/new" if order.target.kind == NEW else "/message/text"
    return send(MAC, order, step("POST", path, answer))


# Preparing


def test_a_mac_on_26_is_asked_for_its_own_kind_of_chat_first() -> None:
    target = prepare(MAC, step("GET", ANY_CHAT, says(200, good(chat()))))
    assert target == Target(CHAT, f"any;-;{PHONE}")


def test_an_older_mac_is_asked_for_its_own_kind_of_chat() -> None:
    target = prepare(OLD_MAC, step("GET", OLD_CHAT, says(200, good(chat(f"iMessage;-;{PHONE}")))))
    assert target == Target(CHAT, f"iMessage;-;{PHONE}")


def test_an_older_mac_cannot_have_the_later_kind() -> None:
    assert prepare(OLD_MAC, step("GET", OLD_CHAT, says(404, MISSING))) == Target(NEW, PHONE)


def test_an_upgraded_mac_may_have_kept_the_older_name() -> None:
    steps = step("GET", ANY_CHAT, says(404, MISSING)), step("GET", OLD_CHAT, says(200, good(chat())))
    assert prepare(MAC, *steps) == Target(CHAT, f"iMessage;-;{PHONE}")


def test_a_mac_of_unknown_version_is_asked_for_both() -> None:
    steps = step("GET", OLD_CHAT, says(404, MISSING)), step("GET", ANY_CHAT, says(200, good(chat())))
    assert prepare(replace(MAC, options={}), *steps) == Target(CHAT, f"any;-;{PHONE}")


def test_without_a_chat_the_send_opens_one() -> None:
    steps = step("GET", ANY_CHAT, says(404, MISSING)), step("GET", OLD_CHAT, says(404, MISSING))
    assert prepare(MAC, *steps) == Target(NEW, PHONE)


@pytest.mark.parametrize(
    "answer",
    [
        says(401, WRONG_PASSWORD),
        says(404, "<html>tunnel not found</html>"),
        says(200, "<html>welcome</html>"),
        says(302, good(), location="http://elsewhere.test/"),
        says(429, bad(429, "Server Error", "slow down")),
        says(500, bad(500, "Server Error", SAYS_SECRET)),
        breaks(httpx2.ConnectError),
        breaks(httpx2.ReadTimeout),
    ],
)
def test_a_mac_that_cannot_be_asked_defers_and_never_counts_as_having_no_chat(answer: Answerer) -> None:
    outcome = prepare(MAC, step("GET", ANY_CHAT, answer))
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down
    assert SECRET not in repr(outcome)


def test_a_chat_is_asked_for_once_until_a_send_goes_wrong() -> None:
    async def main() -> None:
        found = step("GET", ANY_CHAT, says(200, good(chat())))
        sent = step("POST", "/message/text", says(200, good(row())))
        lost = step("POST", "/message/text", says(500, bad(500, "iMessage Error", "Chat does not exist!")))
        async with Wire(found, sent, lost, found) as wire:
            channel = BlueBubbles(wire.client, lambda: NOW_MS)
            for _ in range(2):
                assert await channel.prepare(MAC, ORDER) == ORDER.target
                await channel.send(MAC, ORDER)
            assert await channel.prepare(MAC, ORDER) == ORDER.target

    asyncio.run(main())


def test_chats_of_two_macs_are_not_mixed_up_and_few_are_kept() -> None:
    async def main() -> None:
        found = step("GET", ANY_CHAT, says(200, good(chat())))
        async with Wire(found, found, found) as wire:
            channel = BlueBubbles(wire.client, lambda: NOW_MS, known_chats=1)
            for device in (MAC, replace(MAC, device_id="device-2"), MAC):
                await channel.prepare(device, ORDER)

    asyncio.run(main())


# What is sent


def test_a_known_chat_gets_the_text_by_the_private_api() -> None:
    body = {"chatGuid": f"any;-;{PHONE}", "message": TEXT, "method": "private-api", "tempGuid": "marker-1"}
    outcome = send(MAC, ORDER, step("POST", "/message/text", says(200, good(row())), body))
    assert outcome == Accepted(GUID)


def test_without_the_private_api_it_goes_by_applescript() -> None:
    body = {"chatGuid": f"any;-;{PHONE}", "message": TEXT, "method": "apple-script", "tempGuid": "marker-1"}
    assert send(OLD_MAC, ORDER, step("POST", "/message/text", says(200, good(row())), body)) == Accepted(GUID)


@pytest.mark.parametrize(("device", "method"), [(MAC, "private-api"), (OLD_MAC, "apple-script")])
def test_a_first_text_opens_the_chat(device: Connection, method: str) -> None:
    body = {"addresses": [PHONE], "service": "iMessage", "message": TEXT, "method": method, "tempGuid": "marker-1"}
    answer = says(200, good(chat() | {"messages": [row(chats=[])], "participants": []}))
    assert send(device, FIRST_ORDER, step("POST", "/chat/new", answer, body)) == Accepted(GUID)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_refused_without_a_request(text: str) -> None:
    outcome = send(MAC, replace(ORDER, text=text))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT


# What the answer means

NOT_REGISTERED = bad(500, "iMessage Error", "Failed to send message!", data=row(error=22))
NO_ROW = bad(500, "iMessage Error", "Failed to send message!", data=None)

ACCEPTED = {
    "a row": says(200, good(row())),
    "a row and 201": says(201, good(row())),
    "an error of an earlier try on a row that was delivered": says(200, good(row(error=22, dateDelivered=MADE_AT))),
}
REJECTED = {
    "a row that could not be registered": (says(500, NOT_REGISTERED), Refusal.NOT_ON_CHANNEL, GUID),
    "the same as a success": (says(200, good(row(error=22))), Refusal.NOT_ON_CHANNEL, GUID),
    "a row with another error": (says(500, NOT_REGISTERED | {"data": row(error=25)}), Refusal.OTHER, GUID),
    "validation": (says(400, bad(400, "Validation Error", "The message is odd.")), Refusal.BAD_CONTENT, None),
}
DOWN = {
    "refused": breaks(httpx2.ConnectError),
    "no connection in time": breaks(httpx2.ConnectTimeout),
    "no such scheme": breaks(httpx2.UnsupportedProtocol),
    "a wrong password": says(401, WRONG_PASSWORD),
    "forbidden": says(403, bad(403, "Authentication Error", SAYS_SECRET)),
    "a redirect": says(307, "", location="https://mac.test/"),
    "a tunnel that nobody holds": says(404, "<html>ERR_NGROK_3200</html>"),
    "another server": says(405, {"detail": "Method Not Allowed"}),
    "a tunnel whose Mac refuses": says(521, "error code: 521"),
    "a tunnel without a way": says(523, "error code: 523"),
    "a tunnel that is gone": says(530, "error code: 1033"),
}
AMBIGUOUS = {
    "no answer in time": breaks(httpx2.ReadTimeout),
    "no time to write": breaks(httpx2.WriteTimeout),
    "broken while writing": breaks(httpx2.WriteError),
    "broken while reading": breaks(httpx2.ReadError),
    "closed without an answer": breaks(httpx2.RemoteProtocolError),
    "gibberish on the line": breaks(httpx2.DecodingError),
    "504": says(504, bad(504, "Gateway Timeout", SAYS_SECRET)),
    "504 of a tunnel": says(504, "<html>"),
    "502 of a tunnel": says(502, "<html>"),
    "503 of a tunnel": says(503, "<html>"),
    "522 of a tunnel": says(522, "<html>"),
    "500 of something": says(500, "oops"),
    "a time-out waiting for the row": says(500, NO_ROW),
    "an error without a row": says(500, bad(500, "iMessage Error", "iMessage Private API is not enabled!")),
    "an unhandled error": says(500, bad(500, "Server Error", "undefined is not a function")),
    "a failed send whose row shows no failure": says(500, NO_ROW | {"data": row()}),
    "Apple did not acknowledge": says(500, NO_ROW | {"data": row(error=4)}),
    "the same as a success": says(200, good(row(error=4))),
    "success without a row": says(200, good()),
    "success with a row without a guid": says(200, good({"text": TEXT})),
    "success with a chat alone": says(200, good(chat())),
    "a page instead of an answer": says(200, "<html>welcome</html>"),
    "nothing": says(200, ""),
    "deep JSON": says(200, "[" * 100_000),
    "our own request, still in flight": says(400, bad(400, "Validation Error", "queued! (Temp GUID: marker-1)")),
    "a status that nobody documents": says(418, bad(418, "Server Error", "teapot")),
}


@pytest.mark.parametrize("answer", ACCEPTED.values(), ids=ACCEPTED)
def test_a_row_is_an_acceptance(answer: Answerer) -> None:
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Accepted)
    assert outcome.external_id == GUID


def test_an_answer_that_comes_after_the_receipt_brings_it() -> None:
    assert send_to_answer(says(200, good(row(dateDelivered=5, dateRead=6)))) == Accepted(GUID, 5, 6)


@pytest.mark.parametrize(("answer", "refusal", "guid"), REJECTED.values(), ids=REJECTED)
def test_a_failure_that_is_written_down_is_final(answer: Answerer, refusal: Refusal, guid: str | None) -> None:
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Rejected)
    assert (outcome.refusal, outcome.external_id) == (refusal, guid)


@pytest.mark.parametrize("answer", DOWN.values(), ids=DOWN)
def test_what_surely_never_reached_the_mac_is_deferred_and_the_device_is_down(answer: Answerer) -> None:
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_may_have_been_sent_is_ambiguous(answer: Answerer) -> None:
    outcome = send_to_answer(answer)
    assert isinstance(outcome, Ambiguous)
    assert SECRET not in repr(outcome)


def test_a_crowd_of_our_own_is_no_fault_of_the_mac() -> None:
    crowded = breaks(httpx2.PoolTimeout)
    for outcome in (prepare(MAC, step("GET", ANY_CHAT, crowded)), send_to_answer(crowded)):
        assert outcome == Deferred("no connection was free", retry_after_ms=1_000)


@pytest.mark.parametrize("spelling", [SECRET, quote(SECRET, safe=""), quote_plus(SECRET)])
@pytest.mark.parametrize("where", [0, 150, 195])
def test_a_password_that_the_server_repeats_is_blotted_out_wherever_the_words_are_cut(spelling: str, where: int) -> None:
    outcome = send_to_answer(says(500, bad(500, "Server Error", "." * where + spelling)))
    assert isinstance(outcome, Ambiguous)
    assert not any(piece in outcome.detail for piece in (spelling, spelling[:4]))


def test_a_chat_that_is_gone_is_resolved_anew_soon() -> None:
    outcome = send_to_answer(says(404, MISSING))
    assert isinstance(outcome, Deferred)
    assert not outcome.device_is_down
    assert outcome.retry_after_ms == 1_000


@pytest.mark.parametrize(("after", "ms"), [("7", 7_000), ("Wed, 21 Oct 2026 07:28:09 GMT", 9_000), ("9" * 30, None)])
def test_a_throttle_says_when(after: str, ms: int | None) -> None:
    outcome = send_to_answer(says(429, "slow", retry_after=after, date="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert outcome == Deferred("the server asks for patience", ms)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(200, good(chat() | {"messages": [row(chats=[], error=22)]})), Rejected),
        (says(200, good(chat() | {"messages": []})), Ambiguous),
        (says(500, bad(500, "Server Error", "Failed to send message!")), Ambiguous),
    ],
)
def test_a_first_text_can_fail_in_an_answer_that_says_success(answer: Answerer, kind: type[Outcome]) -> None:
    assert isinstance(send_to_answer(answer, FIRST_ORDER), kind)


def test_the_password_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    send_to_answer(says(403, bad(403, "Authentication Error", SAYS_SECRET)))
    send_to_answer(breaks(httpx2.ConnectError))
    assert "mac.test" not in caplog.text
    assert SECRET not in caplog.text
