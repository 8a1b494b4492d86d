"""What gateways report: by POST and GET, as JSON, forms and queries, signed and unsigned; and the examples of the docs."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

import httpx2
import pytest
from gateway import AT, EXAMPLES, HOOK, KEY, ORDER, OWN, PHONE, TEXT, device, example, line, now

from posthaste.channels.base import Connection
from posthaste.channels.http import open_client
from posthaste.channels.template.channel import Template
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.outcomes import Accepted, Outcome
from posthaste.core.signals import Echo, Inbound, Receipt, Signal


def got(**fields: str) -> HookCall:
    return HookCall("GET", urlencode(fields), {}, b"")


def posted(body: object, query: str = "", **headers: str) -> HookCall:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return HookCall("POST", query, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def hear(call: HookCall, to: Connection) -> Heard | None:
    return Template(open_client(), now).hear(to, call)


def signals(call: HookCall, to: Connection | None = None) -> Sequence[Signal]:
    heard = hear(call, line() if to is None else to)
    assert heard is not None
    return heard.signals


# Receipts


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ok", Receipt("abc", delivered_at=AT)),
        ("done", Receipt("abc", delivered_at=AT)),
        ("gone", Receipt("abc")),
        ("bad", Receipt("abc", error="the gateway reported bad")),
    ],
)
@pytest.mark.parametrize("way", ["query", "form", "json", "both"])
def test_a_receipt_is_read_wherever_it_stands(way: str, status: str, expected: Receipt) -> None:
    fields = {"id": "abc", "status": status}
    calls = {
        "query": got(**fields),
        "form": posted(urlencode(fields)),
        "json": posted(fields),
        "both": posted({"status": status}, "id=abc"),
    }
    assert signals(calls[way]) == (expected,)


def test_a_report_that_repeats_the_attempt_names_it_even_before_its_answer() -> None:
    both, alone = line(attemptField="try"), line(attemptField="try", idField="")
    report = got(id="abc", status="ok", **{"try": "m-7"})
    assert signals(report, both) == (Echo("abc", 0, "m-7", delivered_at=AT),)
    assert signals(report, alone) == (Echo("m-7", 0, "m-7", delivered_at=AT),)
    assert signals(got(id="abc", status="ok"), both) == (Receipt("abc", delivered_at=AT),)
    assert signals(got(id="abc", status="ok"), alone) == ()


def test_the_reason_of_a_failure_comes_along_shortened() -> None:
    (receipt,) = signals(got(id="abc", status="bad", why="x" * 300), line(errorField="why"))
    assert receipt == Receipt("abc", error="the gateway reported bad: " + "x" * 200)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (str(AT), AT),
        (str(AT // 1000), AT),
        ("1760000000.5", AT + 500),
        ("2025-10-09T08:53:20Z", AT),
        ("2025-10-09 08:53:20", AT),
        ("2025-10-09T10:53:20+02:00", AT),
        ("yesterday", AT),
        ("9" * 400, AT),
        ("0", AT),
        ("0001-01-01", AT),
        ("", AT),
    ],
)
def test_times_are_read_as_gateways_write_them_and_else_are_now(written: str, at: int) -> None:
    assert signals(got(id="abc", status="ok", at=written)) == (Receipt("abc", delivered_at=at),)


def test_deep_fields_are_found_and_names_with_dots_too() -> None:
    deep = line(idField="data.items.0.id", statusField="data.state")
    assert signals(posted({"data": {"items": [{"id": 17}], "state": "ok"}}), deep) == (Receipt("17", delivered_at=AT),)
    assert signals(got(**{"data.items.0.id": "17", "data.state": "ok"}), deep) == (Receipt("17", delivered_at=AT),)


@pytest.mark.parametrize(
    "call",
    [
        got(),
        got(id="abc", status="unheard-of"),
        got(status="ok"),
        got(id="x" * 321, status="ok"),
        posted("{" * 100_000),
        posted("[1, 2]"),
        posted("null"),
        posted({"id": {"a": 1}, "status": "ok"}),
        posted({"id": "abc", "status": ["ok"]}),
        posted("&".join(f"a{number}=1" for number in range(2_000))),
        HookCall("POST", "", {}, b"\xff\xfe\x00"),
    ],
)
def test_what_means_nothing_is_taken_and_means_nothing(call: HookCall) -> None:
    assert signals(call) == ()


# What people write


def test_what_a_person_wrote_is_read() -> None:
    call = got(n="7", **{"from": PHONE}, to=OWN, text=" Sí 👍", at=str(AT))
    assert signals(call) == (Inbound("7", AT, PHONE, " Sí 👍", AT, OWN),)


def test_an_empty_text_is_a_text_and_a_missing_one_is_none() -> None:
    assert len(signals(got(n="7", **{"from": PHONE}, text=""))) == 1
    assert signals(got(n="7", **{"from": PHONE})) == ()
    assert signals(got(**{"from": PHONE}, text="a")) == ()
    assert signals(got(n="7", text="a")) == ()


def test_nul_is_kept_from_the_database() -> None:
    assert signals(posted({"n": "7", "from": PHONE, "text": "a\x00b"})) == (Inbound("7", AT, PHONE, "ab", AT),)


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+12025550101", "", "+12025550101"),
        ("12025550101", "", "+12025550101"),
        ("0012025550101", "", "+12025550101"),
        ("(202) 555-0101", "US", "+12025550101"),
        ("12025550101", "US", "+12025550101"),
        ("447700900123", "US", "+447700900123"),
        ("07700 900123", "GB", "+447700900123"),
        ("12345", "", "12345"),
        ("BANK", "US", "BANK"),
    ],
)
def test_numbers_are_told_however_gateways_write_them(written: str, region: str, number: str) -> None:
    (inbound,) = signals(got(n="7", **{"from": written}, text="a"), line(region=region))
    assert isinstance(inbound, Inbound)
    assert inbound.address == number


def test_a_sender_that_no_database_could_index_is_nobody() -> None:
    assert signals(got(n="7", **{"from": "x" * 5_000}, text="a")) == ()


def test_an_event_says_what_is_a_reply_where_the_line_says_so() -> None:
    events = line(inboundValues="reply")
    fields = {"n": "7", "from": PHONE, "text": "a"}
    assert len(signals(got(**fields, status="reply"), events)) == 1
    assert signals(got(**fields), events) == ()
    assert signals(got(**fields, status="reply")) == ()


# Signatures

SIGNED = {"signatureHeader": "X-Signature", "signatureSecret": "s3cret"}
BODY = json.dumps({"id": "abc", "status": "ok"})


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", [False, True])
def test_a_signature_is_checked(algorithm: str, encoding: str, prefix: bool) -> None:
    made = hmac.digest(b"s3cret", BODY.encode(), algorithm)
    proof = (f"{algorithm}=" if prefix else "") + (made.hex() if encoding == "hex" else b64encode(made).decode())
    signed = line(**SIGNED, signatureAlgorithm=algorithm, signatureEncoding=encoding)
    good = posted(BODY, x_signature=proof)
    assert signals(good, signed) == (Receipt("abc", delivered_at=AT),)
    for bad in [
        replace(good, body=good.body + b" "),
        replace(good, headers={}),
        replace(good, headers={"x-signature": proof[:-4] + "AAAA"}),
        replace(good, headers={"x-signature": "ü"}),
    ]:
        assert hear(bad, signed) is None


def test_a_report_without_a_body_cannot_be_signed() -> None:
    proof = hmac.digest(b"s3cret", b"", "sha256").hex()
    assert hear(replace(got(id="abc", status="ok"), headers={"x-signature": proof}), line(**SIGNED)) is None


def test_settings_that_no_longer_fit_together_prove_nothing() -> None:
    assert hear(got(id="abc", status="ok"), replace(line(), config={"deliveredValues": "ok"})) is None


# The examples of the docs


def sent(to: Connection, status: int, body: object) -> tuple[httpx2.Request, Outcome]:
    taken: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        taken.append(request)
        return httpx2.Response(status, json=body)

    async def main() -> Outcome:
        async with open_client(transport=httpx2.MockTransport(answer)) as client:
            return await Template(client, now).send(to, ORDER)

    outcome = asyncio.run(main())
    return taken[0], outcome


def test_every_example_can_be_pasted() -> None:
    names = sorted(path.stem for path in EXAMPLES.glob("*.json"))
    assert names
    for name in names:
        given = json.loads((EXAMPLES / f"{name}.json").read_text())
        assert device({field: given[field] for field in given if field in Template.kind.field_names()})


def test_httpsms_goes_both_ways() -> None:
    phone = example("httpsms", token="key")
    request, outcome = sent(phone, 200, {"data": {"id": "ff313c14", "request_id": "marker-1"}, "status": "success"})
    assert json.loads(request.content) == {"from": OWN, "to": PHONE, "content": TEXT, "request_id": "marker-1"}
    assert request.headers["x-api-key"] == "key"
    assert outcome == Accepted(KEY)
    when = {"contact": PHONE, "owner": OWN, "timestamp": "2025-10-09T08:53:20.000Z"}
    ours = {"id": "ff313c14", "request_id": "marker-1", "content": TEXT, **when}
    delivered = posted({"type": "message.phone.delivered", "data": ours})
    assert signals(delivered, phone) == (Echo("ff313c14", 0, "marker-1", delivered_at=AT),)
    failed = posted({"type": "message.send.failed", "data": {**ours, "error_message": "NO_SERVICE"}})
    why = "the gateway reported message.send.failed: NO_SERVICE"
    assert signals(failed, phone) == (Echo("ff313c14", 0, "marker-1", error=why),)
    written = posted({"type": "message.phone.received", "data": {"message_id": "0b01", "content": "Yes", **when}})
    assert signals(written, phone) == (Inbound("0b01", AT, PHONE, "Yes", AT, OWN),)
    assert signals(posted({"type": "phone.heartbeat.offline", "data": when}), phone) == ()


def test_textbee_goes_both_ways_and_is_signed() -> None:
    phone = example("textbee", token="key", signatureSecret="a secret of twenty chars")
    batch = "65f0000000000000000000aa"
    request, outcome = sent(phone, 201, {"data": {"success": True, "smsBatchId": batch, "recipientCount": 1}})
    assert json.loads(request.content) == {"recipients": [PHONE], "message": TEXT}
    assert outcome == Accepted(batch)

    def report(**fields: str) -> HookCall:
        content = json.dumps(fields)
        return posted(content, x_signature=hmac.digest(b"a secret of twenty chars", content.encode(), "sha256").hex())

    assert signals(report(webhookEvent="MESSAGE_DELIVERED", smsBatchId=batch), phone) == (Receipt(batch, delivered_at=AT),)
    failed = report(webhookEvent="MESSAGE_FAILED", smsBatchId=batch, errorMessage="no signal")
    assert signals(failed, phone) == (Receipt(batch, error="the gateway reported MESSAGE_FAILED: no signal"),)
    written = report(webhookEvent="MESSAGE_RECEIVED", smsId="abc", sender=PHONE, message="Yes")
    assert signals(written, phone) == (Inbound("abc", AT, PHONE, "Yes", AT),)
    assert hear(replace(written, headers={}), phone) is None


def test_kannel_is_asked_for_reports_by_their_numbers() -> None:
    request, outcome = sent(example("kannel", password="p w"), 202, "0: Accepted for delivery")
    params = dict(request.url.params)
    assert params["dlr-url"] == f"{HOOK}?id={KEY}&attempt=marker-1&status=%d&at=%T&why=%A"
    assert (params["to"], params["from"], params["text"], params["coding"]) == (PHONE, OWN[1:], TEXT, "2")
    assert (params["username"], params["password"]) == ("posthaste", "p w")
    assert not isinstance(outcome, Accepted), "the answer came as JSON, in quotes, which Kannel never sends"
