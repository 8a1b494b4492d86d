"""What SMS Gate is asked besides: whether it is there, to report to us, what came, and for files."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import httpx2
import pytest
from smsgate_phone import (
    DELIVERED_AT,
    DELIVERED_MS,
    DEVICE,
    HOOK_URL,
    KEY,
    NUMBER,
    PASSWORD,
    SENT_AT,
    SENT_MS,
    call,
    came,
    complaint,
    delivered,
    failed,
    incoming,
    message,
    step,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Availability, Connection, Health, News, Unreachable
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.core.schedule import render_instant
from posthaste.core.signals import Inbound, InboundFile, Receipt

T = TypeVar("T")

FRESH = replace(DEVICE, options={})
NOW = SENT_MS + 90_000
UP = {"sms_gate": True, "met_at": 0, "answered_at": NOW}
MET = replace(DEVICE, options={"sms_gate": True, "met_at": SENT_MS - 600_000, "answered_at": SENT_MS})
REFRESH = {"until": "2100-01-01T00:00:00.000Z", "triggerWebhooks": True}
HOUR_BEFORE = "2026-03-01T14:00:00.000Z"  # An hour before SENT_AT, in UTC.
ENDS = [
    says(401, complaint()),
    says(404, "<html>no tunnel</html>"),
    says(302, ""),
    says(500, complaint(PASSWORD)),
    says(200, "<html>welcome</html>"),
    breaks(httpx2.ConnectError),
    breaks(httpx2.ReadTimeout),
]


def play(act: Callable[[SmsGate], Awaitable[T]], *steps: Step) -> T:
    async def main() -> T:
        async with Wire(*steps) as wire:
            return await act(SmsGate(wire.client, lambda: NOW))

    return asyncio.run(main())


def page(*rows: object, since: str = "1970-01-01T00:00:00.000Z", offset: int = 0, **more: str) -> Step:
    query = {"from": since, "limit": "500", "offset": str(offset), "includeAttachments": "true"}
    return step("GET", "/inbox", says(200, list(rows)), query=query | more)


# Checking


def test_nobody_can_tell_whether_a_number_takes_texts() -> None:
    told = play(lambda channel: channel.check(DEVICE, NUMBER))
    assert told == Availability(None, "whether a number takes text messages shows when one is sent")


def test_a_phone_is_up_when_it_answers_to_our_password() -> None:
    told = play(lambda channel: channel.ping(DEVICE), step("GET", "/webhooks", says(200, [])))
    assert told == Health(True, "SMS Gate answers", UP)


def test_when_a_phone_was_met_is_kept_and_when_it_answered_last() -> None:
    listed = step("GET", "/webhooks", says(200, []))
    assert play(lambda channel: channel.ping(FRESH), listed).options == UP | {"met_at": NOW}
    assert play(lambda channel: channel.ping(MET), listed).options == UP | {"met_at": SENT_MS - 600_000}


@pytest.mark.parametrize("answer", ENDS)
def test_a_phone_that_does_not_answer_well_is_down(answer: Answerer) -> None:
    told = play(lambda channel: channel.ping(DEVICE), step("GET", "/webhooks", answer))
    assert not told.is_up
    assert told.options == DEVICE.options
    assert told.detail
    assert PASSWORD not in told.detail


# Listening


def register(name: str, answer: Answerer | None = None, **more: str) -> Step:
    body = {"id": f"device-1-{name}", "url": HOOK_URL, "event": f"sms:{name}"} | more
    return step("POST", "/webhooks", answer or says(201, body), body)


REGISTERED = [register(name) for name in ("received", "sent", "delivered", "failed")]
OWN = [{"id": f"device-1-{name}", "url": HOOK_URL, "event": f"sms:{name}"} for name in ("received", "sent")]


def test_each_event_has_one_webhook_and_what_else_is_ours_goes() -> None:
    others = [
        {"id": "old", "url": "http://10.0.0.1/hooks/smsgate/t0ken/", "event": "sms:sent"},
        {"id": "another/line", "url": "https://posthaste.test/hooks/smsgate/t0ken2", "event": "sms:sent"},
        {"id": "somebody", "url": "https://else.test/hook", "event": "sms:received"},
        {"url": HOOK_URL, "event": "sms:sent"},
    ]
    steps = (
        *REGISTERED,
        step("GET", "/webhooks", says(200, OWN + others)),
        step("DELETE", "/webhooks/old", says(204, "")),
    )
    play(lambda channel: channel.listen(DEVICE), *steps)


@pytest.mark.parametrize(
    ("met_at", "since"),
    [(0, HOUR_BEFORE), (SENT_MS - 600_000, "2026-03-01T14:50:00.000Z")],
    ids=["an hour before it answered last", "not before it was met"],
)
def test_the_app_looks_for_what_came_while_it_did_not_run(met_at: int, since: str) -> None:
    device = replace(MET, options={**MET.options, "met_at": met_at})
    for answer in (says(202, ""), says(404, "")):
        refresh = step("POST", "/inbox/refresh", answer, REFRESH | {"since": since})
        play(lambda channel: channel.listen(device), *REGISTERED, step("GET", "/webhooks", says(200, [])), refresh)


def test_the_phone_of_the_line_is_named_in_everything() -> None:
    device = replace(MET, config={**DEVICE.config, "phoneId": "p1"})
    hooks = [register(name, deviceId="p1") for name in ("received", "sent", "delivered", "failed")]
    asked = REFRESH | {"since": "2026-03-01T14:50:00.000Z", "deviceId": "p1"}
    refresh = step("POST", "/inbox/refresh", says(202, ""), asked)
    play(lambda channel: channel.listen(device), *hooks, step("GET", "/webhooks", says(200, [])), refresh)
    play(lambda channel: channel.poll(device, 0, []), page(since="2026-03-01T14:50:00.000Z", deviceId="p1"))


def test_an_address_that_the_app_does_not_take_leaves_a_phone_that_is_polled() -> None:
    async def story(channel: SmsGate) -> tuple[Health, Health]:
        await channel.listen(DEVICE)
        first = await channel.ping(DEVICE)
        await channel.listen(DEVICE)
        return first, await channel.ping(DEVICE)

    refusal = register("received", says(400, complaint("url must start with https://")))
    listed = step("GET", "/webhooks", says(200, []))
    first, second = play(story, refusal, listed, listed, *REGISTERED, listed, listed)
    assert first.is_up
    assert first.detail == (
        "SMS Gate answers; it is polled, for it does not take our webhooks: SMS Gate answered 400: url must start with https://"
    )
    assert second.detail == "SMS Gate answers"


@pytest.mark.parametrize("answer", [one for one in ENDS if one is not ENDS[4]])
def test_a_phone_that_cannot_be_told_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        play(lambda channel: channel.listen(DEVICE), register("received", answer))
    assert PASSWORD not in str(raised.value)


# Polling


def poll(device: Connection, cursor: int, open_ids: list[str], *steps: Step) -> News:
    return play(lambda channel: channel.poll(device, cursor, open_ids), *steps)


def test_a_poll_looks_back_an_hour_and_goes_on_from_the_newest() -> None:
    rows = incoming("Second", DELIVERED_AT), incoming("First")
    news = poll(DEVICE, SENT_MS, [], page(*rows, since=HOUR_BEFORE))
    assert [signal.text for signal in news.signals if isinstance(signal, Inbound)] == ["First", "Second"]
    assert (news.cursor, news.is_complete) == (DELIVERED_MS, True)


def test_a_poll_looks_for_nothing_from_before_the_phone_was_met() -> None:
    assert poll(MET, SENT_MS, [], page(since="2026-03-01T14:50:00.000Z")).signals == []


def test_a_text_with_a_date_to_come_hides_nothing_until_then() -> None:
    news = poll(DEVICE, SENT_MS, [], page(incoming("Soon", "2099-01-01T00:00:00.000Z"), incoming(), since=HOUR_BEFORE))
    assert (len(news.signals), news.cursor) == (2, NOW)
    assert poll(DEVICE, NOW + 10**12, [], page(since=render_instant(NOW - 3_600_000))).cursor == NOW + 10**12


def test_a_poll_that_finds_nothing_stays_where_it_is() -> None:
    assert poll(DEVICE, SENT_MS, [], page(since=HOUR_BEFORE)) == News([], SENT_MS, True)


def test_what_came_by_webhook_has_the_same_name_in_the_inbox() -> None:
    [polled] = poll(DEVICE, 0, [], page(incoming("Yes!"))).signals
    heard = play(lambda channel: asyncio.sleep(0, channel.hear(DEVICE, call(came("Yes!")))))
    assert heard is not None
    assert [polled] == list(heard.signals)


def test_a_long_inbox_comes_in_pages() -> None:
    full = [incoming(f"Text {number}") for number in range(500)]
    news = poll(DEVICE, 0, [], page(*full), page(incoming("The oldest"), offset=500))
    assert len(news.signals) == 501
    assert isinstance(news.signals[0], Inbound)
    assert news.signals[0].text == "The oldest"


def test_of_a_phone_with_two_sims_only_the_lines_own_is_polled() -> None:
    device = replace(DEVICE, config={**DEVICE.config, "simNumber": "2"})
    rows = [incoming(f"To {sim}", simNumber=sim) for sim in (1, 2, None)]
    news = poll(device, 0, [], page(*rows))
    assert [signal.text for signal in news.signals if isinstance(signal, Inbound)] == ["To None", "To 2"]
    assert news.cursor == SENT_MS


def test_an_mms_brings_its_files() -> None:
    files = [{"partId": 7, "name": "cat.jpg", "size": 10, "contentType": "image/jpeg"}]
    row = incoming("Look", type="MMS_DOWNLOADED", id="mms:12", attachments=files)
    [signal] = poll(DEVICE, 0, [], page(row)).signals
    assert isinstance(signal, Inbound)
    assert (signal.text, signal.files) == ("Look", (InboundFile("mms:12/7", "cat.jpg", "image/jpeg"),))


def test_nobody_can_hide_the_inbox_by_what_they_write() -> None:
    odd = [{"partId": 7, "name": "cat\x00" + "t" * 400, "size": 10, "contentType": "image/jpeg\x00;" + "x" * 400}]
    rows = incoming("Look", type="MMS_DOWNLOADED", attachments=odd), incoming("a" * 100_001), incoming("Yes!")
    last, long, mms = poll(DEVICE, 0, [], page(*rows)).signals
    assert isinstance(mms, Inbound)
    assert isinstance(long, Inbound)
    assert isinstance(last, Inbound)
    assert (last.text, len(long.text), mms.text) == ("Yes!", 100_000, "Look")
    [file] = mms.files
    assert (file.name, file.media_type) == (("cat" + "t" * 400)[:320], ("image/jpeg;" + "x" * 400)[:320])


def test_what_the_app_writes_in_place_of_a_text_is_nobodys() -> None:
    files = [{"partId": 7, "name": "cat.jpg", "size": 10, "contentType": "image/jpeg"}]
    rows = incoming("MMS content", type="MMS_DOWNLOADED", attachments=files), incoming("MMS content")
    assert [one.text for one in poll(DEVICE, 0, [], page(*rows)).signals if isinstance(one, Inbound)] == ["MMS content", ""]


@pytest.mark.parametrize("fields", [{"type": "MMS"}, {"type": "DATA_SMS"}, {"isEncrypted": True}, {"sender": "AMAZON"}])
def test_what_is_no_readable_text_of_a_person_is_passed_over(fields: dict[str, object]) -> None:
    news = poll(DEVICE, 0, [], page(incoming(**fields)))
    assert (news.signals, news.cursor) == ([], SENT_MS)


def test_the_states_of_open_messages_become_receipts() -> None:
    states = [delivered(), failed(), message("Sent"), message("Cancelled"), None]
    steps = [
        step("GET", f"/messages/m-{place}", says(404, "") if state is None else says(200, state | {"id": f"m-{place}"}))
        for place, state in enumerate(states)
    ]
    news = poll(DEVICE, 0, [f"m-{place}" for place in range(5)], page(), *steps)
    assert news.signals == [
        Receipt("m-0", DELIVERED_MS),
        Receipt("m-1", error="the phone could not send it: RESULT_ERROR_NO_SERVICE"),
        Receipt("m-3", error="it was cancelled at the phone before it was sent"),
    ]


def test_many_open_messages_are_asked_for_in_turn() -> None:
    async def story(channel: SmsGate) -> None:
        for _ in range(3):
            await channel.poll(DEVICE, 0, [f"m{place}" for place in range(80)])

    def asked(places: list[int]) -> list[Step]:
        return [step("GET", f"/messages/m{place}", says(200, message("Sent"))) for place in places]

    first, second, third = list(range(50)), [*range(50, 80), *range(20)], list(range(20, 70))
    play(story, page(), *asked(first), page(), *asked(second), page(), *asked(third))


def test_a_message_that_cannot_be_asked_about_hides_neither_replies_nor_the_others() -> None:
    async def story(channel: SmsGate) -> list[News]:
        return [await channel.poll(DEVICE, 0, ["m1", "m2", "m3"]) for _ in range(2)]

    def asked(message_id: str, answer: Answerer | None = None) -> Step:
        return step("GET", f"/messages/{message_id}", answer or says(200, delivered() | {"id": message_id}))

    broken = asked("m2", says(500, complaint()))
    first, second = play(story, page(incoming()), asked("m1"), broken, page(), asked("m3"), asked("m1"), broken)
    assert [type(signal) for signal in first.signals] == [Inbound, Receipt]
    assert second.signals == [Receipt("m3", DELIVERED_MS), Receipt("m1", DELIVERED_MS)]


@pytest.mark.parametrize("answer", ENDS)
def test_a_phone_that_does_not_answer_is_unreachable(answer: Answerer) -> None:
    query = {"from": "1970-01-01T00:00:00.000Z", "limit": "500", "offset": "0", "includeAttachments": "true"}
    with pytest.raises(Unreachable) as raised:
        poll(DEVICE, 0, [KEY], step("GET", "/inbox", answer, query=query))
    assert PASSWORD not in str(raised.value)


def test_an_app_without_an_inbox_still_tells_states() -> None:
    query = {"from": "1970-01-01T00:00:00.000Z", "limit": "500", "offset": "0", "includeAttachments": "true"}
    steps = step("GET", "/inbox", says(404, ""), query=query), step("GET", f"/messages/{KEY}", says(200, delivered()))
    assert poll(DEVICE, 0, [KEY], *steps) == News([Receipt(KEY, DELIVERED_MS)], 0, True)


def test_a_row_with_an_odd_date_does_not_spoil_the_page() -> None:
    news = poll(DEVICE, 0, [], page(incoming("One", "soon"), incoming("Two", SENT_AT)))
    assert len(news.signals) == 2
    assert news.cursor == SENT_MS


# Files


def test_a_file_is_fetched_by_its_message_and_part() -> None:
    path = "/inbox/mms%3A12/attachments/7"
    fetched = play(lambda channel: channel.download(DEVICE, "mms:12/7", 3), step("GET", path, says(200, "JPG")))
    assert fetched == b"JPG"


@pytest.mark.parametrize("answer", [says(200, "JPEG"), says(404, ""), breaks(httpx2.ReadError)], ids=["long", "gone", "cut"])
def test_a_file_that_is_too_long_or_gone_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable):
        play(lambda channel: channel.download(DEVICE, "mms:12/7", 3), step("GET", "/inbox/mms%3A12/attachments/7", answer))
