"""Checking an address, asking after a Mac's health, registering webhooks, and polling after an outage."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import httpx2
import pytest
from blue import (
    AFTER_MACOS_26,
    GUID,
    MAC,
    MADE_AT,
    MET_AT,
    NOW_MS,
    OLD_MAC,
    PHONE,
    SECRET,
    WRONG_PASSWORD,
    Json,
    above,
    bad,
    chat,
    good,
    handle,
    row,
    rows_query,
    step,
    up_to,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Availability, Channel, Connection, Health, News, Unreachable
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.core.signals import Echo, Inbound, Receipt

T = TypeVar("T")

NEW_MAC = Connection(MAC.device_id, MAC.url, MAC.secrets, {})
PONG = step("GET", "/ping", says(200, good("pong")))
INFO: Json = {
    "computer_id": "ana@mac", "os_version": "26.1", "server_version": "1.9.9", "private_api": True,
    "proxy_service": "dynamic-dns", "helper_connected": True, "detected_icloud": "a@b.c", "local_ipv4s": [],
}  # fmt: skip
HOOK = "https://ours.test/hooks/bluebubbles/token-1"
EVENTS = ["new-message", "updated-message", "message-send-error", "typing-indicator"]

NO_ANSWERS = [
    says(401, WRONG_PASSWORD),
    says(500, bad(500, "iMessage Error", f"?guid={SECRET}")),
    says(502, "<html>"),
    says(200, "<html>"),
    says(200, good({"odd": 1})),
    breaks(httpx2.ConnectError),
    breaks(httpx2.ReadTimeout),
]


def ask(call: Callable[[Channel], Awaitable[T]], *steps: Step) -> T:
    async def main() -> T:
        async with Wire(*steps) as wire:
            return await call(BlueBubbles(wire.client, lambda: NOW_MS))

    return asyncio.run(main())


# Checking


def available(answer: Answerer) -> Availability:
    request = step("GET", "/handle/availability/imessage", answer, query={"address": PHONE})
    return ask(lambda channel: channel.check(MAC, PHONE), request)


@pytest.mark.parametrize("is_available", [True, False])
def test_the_private_api_can_tell_who_is_on_imessage(is_available: bool) -> None:
    assert available(says(200, good({"available": is_available}))).is_available is is_available


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_no_answer_is_not_a_no(answer: Answerer) -> None:
    availability = available(answer)
    assert availability.is_available is None
    assert SECRET not in repr(availability)


def test_without_the_private_api_nobody_is_asked() -> None:
    assert ask(lambda channel: channel.check(OLD_MAC, PHONE)).is_available is None


# Health


def ping(device: Connection, *steps: Step) -> Health:
    return ask(lambda channel: channel.ping(device), *steps)


def info(**changed: object) -> Step:
    return step("GET", "/server/info", says(200, good(INFO | changed)))


def test_a_known_mac_is_asked_two_questions() -> None:
    health = ping(MAC, PONG, info())
    assert (health.is_up, health.options, health.cursor) == (True, AFTER_MACOS_26, None)


def test_of_a_mac_that_nothing_is_known_of_the_highest_row_is_asked_too() -> None:
    newest = says(200, good([row(originalROWID=70), row(originalROWID=90), row(originalROWID=80)]))
    body = {"with": ["chats"], "sort": "DESC", "limit": 20}
    assert ping(NEW_MAC, PONG, info(), step("POST", "/message/query", newest, body)).cursor == 90


def test_when_a_mac_was_met_is_kept() -> None:
    newest = step("POST", "/message/query", says(200, good([])))
    assert ping(NEW_MAC, PONG, info(), newest).options["met_at"] == NOW_MS
    assert ping(MAC, PONG, info()).options["met_at"] == MET_AT
    met_by_an_older_version = replace(MAC, options={"macos": "26.1"})
    assert ping(met_by_an_older_version, PONG, info()).options["met_at"] == 0


def test_a_mac_without_messages_begins_at_zero() -> None:
    assert ping(NEW_MAC, PONG, info(), step("POST", "/message/query", says(200, good([])))).cursor == 0


def test_a_mac_that_cannot_list_its_messages_is_not_up() -> None:
    answer = says(500, bad(500, "Server Error", "SQLITE_CANTOPEN"))
    health = ping(NEW_MAC, PONG, info(), step("POST", "/message/query", answer))
    assert (health.is_up, health.cursor) == (False, None)


@pytest.mark.parametrize(
    ("changed", "has_private_api", "words"),
    [
        ({}, True, "Private API"),
        ({"helper_connected": False}, False, "helper is not connected"),
        ({"private_api": False}, False, "AppleScript"),
        ({"private_api": None, "helper_connected": None}, False, "AppleScript"),
    ],
)
def test_the_private_api_counts_when_it_is_on_and_connected(changed: Json, has_private_api: bool, words: str) -> None:
    health = ping(MAC, PONG, info(**changed))
    assert health.is_up
    assert health.options["private_api"] is has_private_api
    assert words in health.detail


@pytest.mark.parametrize(("macos", "is_told"), [("15.6", False), ("26.1", True), ("", False)])
def test_a_mac_that_cannot_send_as_it_is_set_up_says_so(macos: str, is_told: bool) -> None:
    health = ping(MAC, PONG, info(os_version=macos, private_api=False))
    assert health.is_up
    assert ("switch the Private API on" in health.detail) is is_told


@pytest.mark.parametrize("answer", NO_ANSWERS[:4] + NO_ANSWERS[5:])
def test_a_mac_that_does_not_answer_is_down_and_keeps_what_is_known_of_it(answer: Answerer) -> None:
    health = ping(MAC, step("GET", "/ping", answer))
    assert (health.is_up, health.options) == (False, MAC.options)
    assert health.detail
    assert SECRET not in repr(health)


def test_a_wrong_password_is_said_in_words() -> None:
    assert ping(MAC, step("GET", "/ping", says(401, WRONG_PASSWORD))).detail == "the server password is wrong"


# Webhooks


def listen(*steps: Step, url: str = HOOK) -> None:
    ask(lambda channel: channel.listen(replace(MAC, hook_url=url)), *steps)


def hooks(*urls: str) -> Step:
    listed = [{"id": number, "url": url, "events": ["*"], "created": "x"} for number, url in enumerate(urls, 1)]
    return step("GET", "/webhook", says(200, good(listed)))


def deletes(hook_id: int) -> Step:
    return step("DELETE", f"/webhook/{hook_id}", says(200, {"status": 200, "message": "Successfully deleted webhook!"}))


REGISTERS = step("POST", "/webhook", says(200, good({"id": 9})), {"url": HOOK, "events": EVENTS})


def test_the_first_webhook_is_registered() -> None:
    listen(hooks(), REGISTERS)


def test_ours_is_deleted_first_wherever_it_pointed() -> None:
    elsewhere = "http://10.0.0.7:8000/prefix/hooks/bluebubbles/token-1?v=1"
    listen(hooks(HOOK, elsewhere), deletes(1), deletes(2), REGISTERS)


def test_the_webhooks_of_others_stay() -> None:
    listen(
        hooks(
            "https://ours.test/hooks/bluebubbles/token-2",
            "https://ours.test/hooks/bluebubbles/token-11",
            "https://ours.test/hooks/bluebubbles/",
            "https://ours.test/",
            "http://hermes.test/bluebubbles-webhook?password=pw",
        ),
        REGISTERS,
    )


def test_a_webhook_without_a_token_takes_none_for_its_own() -> None:
    bare = "https://ours.test/here"
    registers = step("POST", "/webhook", says(200, good({"id": 9})), {"url": bare, "events": EVENTS})
    listen(hooks("https://theirs.test/there"), registers, url=bare)


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_mac_that_cannot_be_told_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        listen(step("GET", "/webhook", answer))
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_webhook_that_was_not_registered_is_not_taken_for_one() -> None:
    with pytest.raises(Unreachable):
        listen(hooks(), step("POST", "/webhook", says(400, bad(400, "Validation Error", "Invalid webhook event"))))


# Polling


def poll(cursor: int, open_ids: list[str], *steps: Step) -> News:
    return ask(lambda channel: channel.poll(MAC, cursor, open_ids), *steps)


def receipts_query(guids: list[str], *rows: Json) -> Step:
    return rows_query([{"statement": "message.guid IN (:...guids)", "args": {"guids": guids}}], *rows, with_files=False)


def test_a_quiet_mac_brings_no_news() -> None:
    assert poll(40, [], rows_query([above(40)])) == News([], 40, True)


def test_what_was_written_and_what_we_sent_is_news_in_the_order_of_numbers() -> None:
    theirs = row(originalROWID=43, guid="theirs", isFromMe=False, handle=handle(), text="Yes")
    ours = row(originalROWID=42, dateCreated=MADE_AT + 5)
    group = row(originalROWID=44, guid="group", isFromMe=False, handle=handle(), chats=[chat("any;+;chat1", 43)])
    news = poll(41, [], rows_query([above(41)], theirs, group, ours))
    assert news == News([Echo(GUID, 42), Inbound("theirs", 43, PHONE, "Yes", MADE_AT)], 44, True)


def test_what_icloud_brings_of_before_the_mac_was_met_is_passed_over() -> None:
    old = row(originalROWID=43, guid="theirs", isFromMe=False, handle=handle(), text="STOP", dateCreated=1)
    assert poll(41, [], rows_query([above(41)], old)) == News([], 43, True)


def test_open_messages_are_asked_after_in_portions() -> None:
    guids = [f"guid-{number}" for number in range(201)]
    delivered = row(guid="guid-0", dateDelivered=5)
    first, second = receipts_query(guids[:200], delivered, row(guid="guid-1")), receipts_query(guids[200:])
    assert poll(40, guids, rows_query([above(40)]), first, second) == News([Receipt("guid-0", 5)], 40, True)


def test_a_long_outage_is_made_up_a_range_of_numbers_at_a_time() -> None:
    late_but_old = row(originalROWID=9_000, dateCreated=1)
    page = rows_query([above(40)], late_but_old, total=3_000)
    news = poll(40, [], page, rows_query([above(40), up_to(540)], row(originalROWID=41)))
    assert news == News([Echo(GUID, 41)], 540, False)


def test_a_range_whose_attachments_crowd_a_page_is_made_smaller() -> None:
    page, crowded = rows_query([above(40)], total=3_000), rows_query([above(40), up_to(540)], row(), total=500)
    fits = rows_query([above(40), up_to(90)], row(originalROWID=41))
    assert poll(40, [], page, crowded, fits) == News([Echo(GUID, 41)], 90, False)


def test_a_gap_in_the_numbers_is_passed() -> None:
    page = rows_query([above(40)], row(originalROWID=9_000), total=3_000)
    assert poll(40, [], page, rows_query([above(40), up_to(540)])) == News([], 540, False)


ODD = row(originalROWID=42, guid="odd", handle=handle() | {"address": None})


def test_one_row_that_cannot_be_read_does_not_hide_the_rest() -> None:
    theirs = row(originalROWID=43, guid="theirs", isFromMe=False, handle=handle(), text="Yes")
    receipts = receipts_query(["odd"], ODD)
    assert poll(41, ["odd"], rows_query([above(41)], ODD, theirs), receipts) == News(
        [Inbound("theirs", 43, PHONE, "Yes", MADE_AT)], 43, True
    )
    newest = says(200, good([ODD, row(originalROWID=80)]))
    assert ping(NEW_MAC, PONG, info(), step("POST", "/message/query", newest)).cursor == 80


def test_rows_of_which_none_can_be_read_are_not_passed_over() -> None:
    with pytest.raises(Unreachable):
        poll(41, [], rows_query([above(41)], ODD))
    with pytest.raises(Unreachable):
        poll(41, [], rows_query([above(41)], total=3_000), rows_query([above(41), up_to(541)], ODD))


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_mac_that_cannot_be_polled_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        poll(40, [], step("POST", "/message/query", answer))
    assert SECRET not in str(raised.value)
