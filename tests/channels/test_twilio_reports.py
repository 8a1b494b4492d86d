"""What Twilio reports by callback and when it is polled, what it says of itself, and files that came in."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import httpx2
import pytest
from twil import AT, FOLDER, HOOK, LINE, MESSAGE, OWN, PHONE, SID, TOKEN, Json, ask, bad, date, now, page, post, row
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Connection, Health, News, Unreachable
from posthaste.channels.http import open_client
from posthaste.channels.twilio.channel import Twilio
from posthaste.channels.twilio.signature import signature
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.outcomes import Refusal
from posthaste.core.signals import Echo, Inbound, InboundFile, Receipt, Signal

MINUTE = 60_000
QUIET = Connection("device-1", "", LINE.secrets, {}, {**LINE.config, "number": ""}, HOOK)
NUMBER: Json = {"sid": "PN" + "d" * 32, "phone_number": OWN, "sms_url": HOOK, "sms_method": "POST", "sms_application_sid": ""}
ACCOUNT = {"sid": SID, "friendly_name": "Ada", "status": "active", "type": "Full"}


def called(fields: Mapping[str, str], query: str = "", url: str = HOOK, token: str = TOKEN) -> HookCall:
    """Return a call as Twilio would make it, signed with a token."""
    text = url + (f"?{query}" if query else "") + "".join(name + fields[name] for name in sorted(fields))
    return HookCall("POST", query, {"x-twilio-signature": signature(token, text).decode()}, urlencode(fields).encode())


def hear(call: HookCall, device: Connection = LINE) -> Heard | None:
    return Twilio(open_client(), now).hear(device, call)


def signals(call: HookCall) -> Sequence[Signal]:
    heard = hear(call)
    assert heard is not None
    return heard.signals


def state(status: str, code: str | None = None) -> Mapping[str, str]:
    fields = {"MessageSid": MESSAGE, "MessageStatus": status, "To": PHONE, "From": OWN, "AccountSid": SID}
    return {**fields, **({"ErrorCode": code} if code else {})}


WRITTEN = {"MessageSid": MESSAGE, "From": PHONE, "To": OWN, "Body": "Sí, claro 👍", "NumMedia": "0", "AccountSid": SID}


# Callbacks


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", Receipt(MESSAGE)),
        ("sent", Receipt(MESSAGE)),
        ("delivered", Receipt(MESSAGE, delivered_at=AT)),
        ("read", Receipt(MESSAGE, delivered_at=AT, read_at=AT)),
    ],
)
def test_a_state_is_a_receipt(status: str, expected: Receipt) -> None:
    assert signals(called(state(status))) == (expected,)


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
def test_a_failure_says_why(status: str) -> None:
    (receipt,) = signals(called(state(status, "30003")))
    assert isinstance(receipt, Receipt)
    assert receipt.error == "the phone was off or out of reach (Twilio error 30003)"


@pytest.mark.parametrize(
    ("code", "words"),
    [("11751", "an attachment is too large"), ("30019", "too large for the carrier"), ("12300", "of a type that cannot be sent")],
)
def test_an_attachment_that_does_not_go_says_what_was_wrong_with_it(code: str, words: str) -> None:
    (receipt,) = signals(called(state("undelivered", code)))
    assert isinstance(receipt, Receipt)
    assert words in (receipt.error or "")
    assert f"error {code}" in (receipt.error or "")


def test_a_marker_in_the_address_names_the_attempt_even_before_its_answer() -> None:
    assert signals(called(state("delivered"), "marker=m-7")) == (Echo(MESSAGE, 0, "m-7", delivered_at=AT),)
    assert signals(called(state("failed"), "marker=m-7")) == (Echo(MESSAGE, 0, "m-7", error="Twilio calls it failed"),)


def test_what_a_person_wrote_comes_with_both_numbers() -> None:
    assert signals(called(WRITTEN)) == (Inbound(MESSAGE, AT, PHONE, "Sí, claro 👍", AT, OWN),)


def test_files_are_named_by_their_path_alone() -> None:
    path = f"{FOLDER}/Messages/{MESSAGE}/Media/ME1"
    fields = WRITTEN | {"NumMedia": "2", "MediaUrl0": f"https://api.twilio.com{path}", "MediaContentType0": "image/png"}
    (inbound,) = signals(called(fields | {"MediaUrl1": "nonsense"}))
    assert isinstance(inbound, Inbound)
    assert inbound.files == (InboundFile(path, media_type="image/png"),)


@pytest.mark.parametrize("fields", [{}, {"MessageStatus": "sent"}, state("odd"), {"MessageSid": MESSAGE}, WRITTEN | {"From": ""}])
def test_what_means_nothing_is_taken_and_means_nothing(fields: Mapping[str, str]) -> None:
    assert signals(called(fields)) == ()


def test_nul_is_kept_from_the_database() -> None:
    (inbound,) = signals(called(WRITTEN | {"Body": "a\x00b"}))
    assert isinstance(inbound, Inbound)
    assert inbound.text == "ab"
    assert signals(called(WRITTEN | {"MessageSid": "a\x00b"})) == ()


def test_the_answer_has_nothing_to_say_to_the_person() -> None:
    heard = hear(called(WRITTEN))
    assert heard is not None
    assert (heard.status, heard.media_type) == (200, b"text/xml")
    assert heard.body.endswith(b"<Response/>")


def test_a_number_that_reports_by_get_is_heard() -> None:
    query = urlencode(WRITTEN)
    proof = signature(TOKEN, f"{HOOK}?{query}").decode()
    assert len(signals(HookCall("GET", query, {"x-twilio-signature": proof}, b""))) == 1


GOOD = called(WRITTEN, "marker=m")


@pytest.mark.parametrize(
    "call",
    [
        replace(GOOD, headers={}),
        replace(GOOD, headers={"x-twilio-signature": "aGVsbG8="}),
        replace(GOOD, headers={"x-twilio-signature": "ü"}),
        replace(GOOD, query=""),
        replace(GOOD, query="marker=n"),
        replace(GOOD, body=GOOD.body + b"&Extra=1"),
        replace(GOOD, body=b"\xff\xfe"),
        replace(GOOD, method="GET"),
        called(WRITTEN, "marker=m", token="other"),
        called(WRITTEN, "marker=m", url="https://elsewhere.example/hooks/twilio/secret-in-the-path"),
    ],
)
def test_what_is_not_signed_by_twilio_is_not_heard(call: HookCall) -> None:
    assert hear(GOOD) is not None
    assert hear(call) is None


def test_without_a_token_nothing_is_proven() -> None:
    assert hear(called(WRITTEN, token=""), replace(LINE, secrets={})) is None


@pytest.mark.parametrize(
    "url", ["https://p.example:443/x", "https://p.example/x", "https://p.example:8443/x", "http://p.example:80/x"]
)
def test_twilio_may_write_the_port_or_leave_it_out(url: str) -> None:
    device = replace(LINE, hook_url=url)
    assert hear(called(WRITTEN, url=url), device) is not None
    assert hear(called(WRITTEN, url=url.replace("p.example", "q.example")), device) is None


# Polling


def poll(cursor: int, open_ids: Sequence[str], *steps: Step, device: Connection = LINE) -> News:
    async def main() -> News:
        async with Wire(*steps) as wire:
            return await Twilio(wire.client, now).poll(device, cursor, open_ids)

    return asyncio.run(main())


def written_query(since: str) -> Mapping[str, str]:
    return {"To": OWN, "DateSent>": since, "PageSize": "200"}


def test_what_is_open_is_asked_for_one_by_one() -> None:
    done = ask(f"/Messages/{MESSAGE}.json", says(200, row(status="delivered", date_updated=date(AT + MINUTE))))
    still = ask("/Messages/SM2.json", says(200, row(sid="SM2", status="sent")))
    failed = ask("/Messages/SM3.json", says(200, row(sid="SM3", status="failed", error_code=30006)))
    gone = ask("/Messages/SM4.json", says(404, bad(20404, 404)))
    news = poll(AT, [MESSAGE, "SM2", "SM3", "SM4", "no/id"], done, still, failed, gone, device=QUIET)
    words = "the number is a landline, or its carrier cannot be reached (Twilio error 30006)"
    assert news == News([Receipt(MESSAGE, AT + MINUTE), Receipt("SM3", error=words, refusal=Refusal.BAD_ADDRESS)], AT, True)


def test_of_many_that_are_open_each_has_its_turn() -> None:
    ids = [f"SM{number}" for number in range(120)]
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path.rpartition("/")[2].removesuffix(".json"))
        return says(404, bad(20404, 404))(request)

    async def main() -> None:
        async with open_client(transport=httpx2.MockTransport(answer)) as client:
            channel = Twilio(client, now)
            for _ in range(3):
                await channel.poll(QUIET, AT, ids)

    asyncio.run(main())
    assert len(asked) == 150
    assert set(asked) == set(ids)


def test_a_message_that_cannot_be_asked_about_hides_neither_replies_nor_the_others() -> None:
    async def main(*steps: Step) -> list[News]:
        async with Wire(*steps) as wire:
            channel = Twilio(wire.client, now)
            return [await channel.poll(LINE, AT, ["SM1", "SM2", "SM3"]) for _ in range(2)]

    def asked(sid: str, answer: Answerer | None = None) -> Step:
        done = row(sid=sid, status="delivered", date_updated=date(AT + MINUTE))
        return ask(f"/Messages/{sid}.json", answer or says(200, done))

    reply = row(direction="inbound", **{"from": PHONE, "to": OWN}, sid="SM9", body="Yes")
    listed = ask("/Messages.json", says(200, page(reply)), **written_query("2025-10-09T08:43:20Z"))
    broken = asked("SM2", says(500, bad(20500, 500)))
    first, second = asyncio.run(main(listed, asked("SM1"), broken, listed, asked("SM3"), asked("SM1"), broken))
    assert [type(signal) for signal in first.signals] == [Inbound, Receipt]
    assert second.signals[1:] == [Receipt("SM3", AT + MINUTE), Receipt("SM1", AT + MINUTE)]


def test_an_account_that_tells_nothing_at_all_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        poll(AT, ["SM1"], ask("/Messages/SM1.json", breaks(httpx2.ConnectError)), device=QUIET)


def test_a_reply_whose_files_were_deleted_meanwhile_is_a_reply_and_one_that_is_still_coming_in_waits() -> None:
    mine = {"direction": "inbound", "from": PHONE, "to": OWN, "num_media": "1"}
    rows = page(row(**mine, sid="SM2", status="receiving"), row(**mine, sid="SM1", status="received", body="Look"))
    listed = ask("/Messages.json", says(200, rows), **written_query("2025-10-09T08:43:20Z"))
    gone = ask("/Messages/SM1/Media.json", says(404, bad(20404, 404)))
    assert poll(AT, [], listed, gone) == News([Inbound("SM1", AT, PHONE, "Look", AT, OWN)], AT, True)


def test_what_people_wrote_meanwhile_is_fetched_oldest_first() -> None:
    mine = {"direction": "inbound", "from": PHONE, "to": OWN}
    new = row(**mine, sid="SM2", body="second", date_created=date(AT + 2 * MINUTE), num_media="1")
    old = row(**mine, sid="SM1", body="first", date_created=date(AT + MINUTE))
    before = row(**mine, sid="SM0", body="known", date_created=date(AT - 60 * MINUTE))
    listed = ask("/Messages.json", says(200, page(new, row(), old, before)), **written_query("2025-10-09T08:43:20Z"))
    media = ask("/Messages/SM2/Media.json", says(200, {"media_list": [{"sid": "ME1", "content_type": "image/png"}]}))
    news = poll(AT, [], listed, media)
    file = InboundFile(f"{FOLDER}/Messages/SM2/Media/ME1", media_type="image/png")
    assert news == News(
        [
            Inbound("SM1", AT + MINUTE, PHONE, "first", AT + MINUTE, OWN),
            Inbound("SM2", AT + 2 * MINUTE, PHONE, "second", AT + 2 * MINUTE, OWN, files=(file,)),
        ],
        AT + 2 * MINUTE,
        True,
    )


def test_before_the_first_ping_and_without_a_number_no_replies_are_polled() -> None:
    assert poll(0, []) == News([], 0, True)
    assert poll(AT, [], device=QUIET) == News([], AT, True)


def test_an_account_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        poll(AT, [], ask("/Messages.json", breaks(httpx2.ConnectError), **written_query("2025-10-09T08:43:20Z")))


# What it says of itself


def ping(*steps: Step, device: Connection = LINE) -> Health:
    async def main() -> Health:
        async with Wire(*steps) as wire:
            return await Twilio(wire.client, now).ping(device)

    return asyncio.run(main())


def numbers(*found: Json) -> Step:
    return ask("/IncomingPhoneNumbers.json", says(200, {"incoming_phone_numbers": list(found)}), PhoneNumber=OWN)


def account(**fields: str) -> Step:
    return Step("GET", f"{FOLDER}.json", says(200, ACCOUNT | fields, date=date(AT)), query={})


def test_an_active_account_with_its_number_is_up_and_says_since_when() -> None:
    health = ping(account(), numbers(NUMBER))
    assert (health.is_up, health.cursor) == (True, AT)
    assert health.detail == "the account is active, sends from the line's number; reports come by webhook"


def test_a_trial_and_an_address_that_twilio_cannot_call_are_said() -> None:
    health = ping(account(type="Trial"), device=replace(QUIET, hook_url="http://127.0.0.1:8000/x"))
    assert health.is_up
    assert health.detail.startswith("the account, a trial that writes to verified numbers only, is active")
    assert "reports are polled for" in health.detail


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([Step("GET", f"{FOLDER}.json", says(401, bad(20003, 401)))], "does not take the account and its token"),
        ([Step("GET", f"{FOLDER}.json", says(404, bad(20404, 404)))], "no such account"),
        ([Step("GET", f"{FOLDER}.json", says(200, "<html>"))], "does not understand"),
        ([Step("GET", f"{FOLDER}.json", breaks(httpx2.ConnectError))], "no connection could be made"),
        ([account(status="suspended")], "the Twilio account is suspended"),
        ([account(), numbers()], f"{OWN[1:]} is not a number of this Twilio account"),
    ],
)
def test_a_line_that_cannot_send_says_why(steps: Sequence[Step], words: str) -> None:
    health = ping(*steps)
    assert not health.is_up
    assert words in health.detail
    assert TOKEN not in health.detail


def listen(*steps: Step, device: Connection = LINE) -> None:
    async def main() -> None:
        async with Wire(*steps) as wire:
            await Twilio(wire.client, now).listen(device)

    asyncio.run(main())


def test_the_number_is_led_to_us_once() -> None:
    fields = [("SmsUrl", HOOK), ("SmsMethod", "POST"), ("SmsApplicationSid", "")]
    elsewhere = NUMBER | {"sms_url": "https://demo.twilio.com/welcome/sms/reply"}
    listen(numbers(elsewhere), post(f"/IncomingPhoneNumbers/{NUMBER['sid']}.json", fields, says(200, NUMBER)))
    listen(numbers(NUMBER))


def test_without_a_number_or_an_address_of_ours_nothing_is_led() -> None:
    listen(device=QUIET)
    listen(device=replace(LINE, hook_url="http://127.0.0.1:8000/hooks/twilio/x"))


def test_a_number_that_is_not_there_cannot_be_led() -> None:
    with pytest.raises(Unreachable, match="not a number"):
        listen(numbers())


def test_whether_a_number_takes_an_sms_is_not_asked() -> None:
    assert asyncio.run(Twilio(open_client(), now).check(LINE, PHONE)).is_available is None
