"""Sending through a gateway that configuration describes: what goes out, and what each answer means."""

import asyncio
import html
import json
import logging
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus

import httpx2
import pytest
from gateway import AT, HOOK, KEY, ORDER, OWN, PHONE, SECRET, TEXT, line, now
from webserver import webserver
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOBODY, NOWHERE, Connection, File, Health, Order, Target, Trace, Unreachable
from posthaste.channels.http import open_client
from posthaste.channels.template.channel import SMS, Template
from posthaste.core.errors import Refused
from posthaste.core.outcomes import Accepted, Ambiguous, CannotTell, Deferred, Outcome, Refusal, Rejected

JSON = {"method": "POST", "bodyType": "json", "sendUrl": "https://gateway.test/send"}
FORM = {"method": "POST", "bodyType": "form", "sendUrl": "https://gateway.test/send"}
FILES = tuple(File(f"{one}.png", "image/png", 1, Path(one), f"https://posthaste.example/files/{one}?k=1&l=2") for one in "ab")


def sent(device: Connection, order: Order = ORDER) -> httpx2.Request:
    """Return the one request that a send makes."""
    taken: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        taken.append(request)
        return httpx2.Response(200, content=b"")

    async def main() -> Outcome:
        async with open_client(transport=httpx2.MockTransport(answer)) as client:
            channel = Template(client, now)
            assert await channel.prepare(device, order) == Target(SMS, order.address)
            return await channel.send(device, order)

    assert asyncio.run(main()) == Accepted(KEY)
    (request,) = taken
    return request


def prepare(device: Connection, order: Order) -> Target | Deferred | Rejected:
    return asyncio.run(Template(open_client(), now).prepare(device, order))


# What goes out


def test_a_text_is_percent_encoded_in_an_address() -> None:
    request = sent(line())
    assert request.method == "GET"
    assert request.url.raw_path.decode() == f"/send?to=%2B12025550101&text={quote(TEXT, safe='')}"
    assert dict(request.url.params) == {"to": PHONE, "text": TEXT}
    assert request.content == b""


def test_a_text_cannot_break_out_of_its_json() -> None:
    body = '{"a": {"to": "{to}", "n": 1, "f": true, "z": null}, "parts": ["<{text}>", "{id}"]}'
    request = sent(line(**JSON, body=body))
    assert json.loads(request.content) == {
        "a": {"to": PHONE, "n": 1, "f": True, "z": None},
        "parts": [f"<{TEXT}>", KEY],
    }
    assert request.headers["content-type"] == "application/json"


def test_a_name_of_a_forms_field_can_be_a_place() -> None:
    request = sent(line(**FORM, body="{toDigits}={text}"))
    assert parse_qsl(request.content.decode()) == [(PHONE[1:], TEXT)]


def test_a_text_is_a_field_of_a_form() -> None:
    request = sent(line(**FORM, body="to={toDigits}&from={fromDigits}&text={text}&flash=&route=a%26b"))
    assert parse_qsl(request.content.decode(), keep_blank_values=True) == [
        ("to", PHONE[1:]), ("from", OWN[1:]), ("text", TEXT), ("flash", ""), ("route", "a&b"),
    ]  # fmt: skip
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_what_stands_in_a_text_is_no_place() -> None:
    assert b"{to}" in json.dumps(json.loads(sent(line(**JSON, body='{"a": "{to}", "b": "{text}"}')).content)["b"]).encode()


def test_secrets_go_where_they_are_wanted() -> None:
    headers = "authorization: Basic {basic}\nX-Api-Key: {token}\ncontent-type: application/vnd.gateway+json"
    body = '{"to": "{to}", "text": "{text}", "login": "{username}", "pass": "{password}"}'
    request = sent(line(**JSON, body=body, headers=headers, username="ada", password=SECRET, token="t0ken"))
    assert request.headers["authorization"] == "Basic " + b64encode(f"ada:{SECRET}".encode()).decode()
    assert (request.headers["x-api-key"], request.headers["content-type"]) == ("t0ken", "application/vnd.gateway+json")
    assert json.loads(request.content)["pass"] == SECRET


def test_our_address_for_reports_can_be_given_with_each_message() -> None:
    url = "https://gateway.test/send?to={to}&text={text}&report={callback}%3Fid%3D{id}%26s%3D%25d"
    request = sent(line(sendUrl=url))
    assert dict(request.url.params)["report"] == f"{HOOK}?id={KEY}&s=%d"


@pytest.mark.parametrize(("text", "coding"), [("plain {€} é", "0"), ("👋", "2"), ("ç", "2")])
def test_a_gateway_can_be_told_how_a_text_is_to_be_encoded(text: str, coding: str) -> None:
    device = line(sendUrl="https://gateway.test/send?to={to}&text={text}&coding={coding}")
    assert dict(sent(device, replace(ORDER, text=text)).url.params)["coding"] == coding


def test_attachments_are_repeated_where_they_stand_alone() -> None:
    order = replace(ORDER, files=FILES)
    urls = [file.url for file in FILES]
    listed = sent(line(**JSON, body='{"to": "{to}", "text": "{text}", "media": ["{media}"], "one": "{media}"}'), order)
    assert json.loads(listed.content) == {"to": PHONE, "text": TEXT, "media": urls, "one": urls[0]}
    form = sent(line(**FORM, body="to={to}&text={text}&media={media}"), order)
    assert [value for name, value in parse_qsl(form.content.decode()) if name == "media"] == urls


def test_without_attachments_their_place_goes() -> None:
    listed = sent(line(**JSON, body='{"to": "{to}", "text": "{text}", "media": ["{media}"], "one": "{media}"}'))
    assert json.loads(listed.content) == {"to": PHONE, "text": TEXT, "media": []}
    assert b"media" not in sent(line(**FORM, body="to={to}&text={text}&media={media}")).content


@pytest.mark.parametrize(
    ("device", "order", "refusal"),
    [
        (line(), replace(ORDER, text=" \n"), Refusal.BAD_CONTENT),
        (line(), replace(ORDER, files=FILES[:1]), Refusal.BAD_CONTENT),
        (line(sendUrl="https://gateway.test/?a={to}{text}{media}"), replace(ORDER, files=FILES), Refusal.BAD_CONTENT),
        (line(sendUrl="https://gateway.test/?a={to}{text}{from}"), replace(ORDER, sender=NOBODY), Refusal.UNAUTHORIZED),
    ],
)
def test_what_has_no_place_in_the_request_does_not_go(device: Connection, order: Order, refusal: Refusal) -> None:
    outcome = prepare(device, order)
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is refusal


def test_settings_that_no_longer_fit_together_hold_the_line_and_lose_nothing() -> None:
    broken = replace(line(), config={"sendUrl": "https://gateway.test/{nonsense}"})
    outcome = prepare(broken, ORDER)
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down
    assert "nonsense" in ping(broken).detail


# What the answer means


def send(answer: Answerer, **given: str) -> Outcome:
    async def main() -> Outcome:
        async with Wire(Step("GET", "/send", answer)) as wire:
            return await Template(wire.client, now).send(line(**given), ORDER)

    return asyncio.run(main())


def test_accepted_is_named_by_the_provider_or_by_us() -> None:
    assert send(says(202, "whatever")) == Accepted(KEY)
    by_pattern = {"acceptedPattern": r'"id":\s*"(?P<id>\w+)"'}
    assert send(says(200, '{"id": "abc"}'), **by_pattern) == Accepted("abc")
    assert send(says(200, "OK"), acceptedPattern="^OK(?P<id>[0-9]+)?$") == Accepted(KEY)
    assert send(says(200, "OK " + "9" * 400), acceptedPattern="OK (?P<id>[0-9]+)") == Accepted(KEY)


@pytest.mark.parametrize(
    ("answer", "given", "kind"),
    [
        (says(200, "no such number"), {"acceptedPattern": "^OK"}, Ambiguous),
        (says(200, "ERR 7: no such number"), {"rejectedPattern": "^ERR"}, Rejected),
        (says(200, "ERR 7: no such number"), {"acceptedPattern": "^OK", "rejectedPattern": "^ERR"}, Rejected),
        (says(200, "OK, no ERR"), {"acceptedPattern": "^OK", "rejectedPattern": "ERR"}, Accepted),
        (says(200, "BUSY"), {"deferredPattern": "^BUSY"}, Deferred),
        (says(403, "Not routable"), {"rejectedPattern": "^Not"}, Rejected),
        (says(400, "bad"), {}, Rejected),
        (says(422, "bad"), {}, Rejected),
        (says(418, "bad"), {}, Ambiguous),
        (says(418, "bad"), {"rejectedStatuses": "410-420"}, Rejected),
        (says(201, ""), {"acceptedStatuses": "200, 202"}, Ambiguous),
        (says(503, "later"), {"deferredStatuses": "429,503"}, Deferred),
        (says(500, "crash"), {}, Ambiguous),
        (says(503, "away"), {}, Ambiguous),
        (breaks(httpx2.ReadTimeout), {}, Ambiguous),
        (breaks(httpx2.WriteError), {}, Ambiguous),
    ],
)
def test_an_answer_means_what_the_line_says(answer: Answerer, given: dict[str, str], kind: type[Outcome]) -> None:
    assert isinstance(send(answer, **given), kind)


@pytest.mark.parametrize(
    "answer",
    [
        says(401, "wrong"),
        says(404, "nothing"),
        says(302, "", location="/"),
        breaks(httpx2.ConnectError),
        breaks(httpx2.ConnectTimeout),
    ],
)
def test_what_no_message_can_help_takes_the_line_down(answer: Answerer) -> None:
    outcome = send(answer)
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down


def test_a_throttle_says_when() -> None:
    assert send(says(429, "slow", retry_after="7")) == Deferred("the gateway answered 429: slow", 7_000)
    crowded = send(breaks(httpx2.PoolTimeout))
    assert isinstance(crowded, Deferred)
    assert not crowded.device_is_down


def test_a_careless_pattern_cannot_hold_the_program_up_and_decides_nothing() -> None:
    assert send(says(200, "a" * 8_000 + "!"), rejectedPattern="(a|aa)+$") == Ambiguous(
        "a pattern took too long on the gateway's answer"
    )


def test_only_the_beginning_of_an_answer_is_looked_at() -> None:
    assert isinstance(send(says(200, " " * 10_000 + "ERR"), rejectedPattern="ERR"), Accepted)


def repeated(spelling: str) -> Outcome:
    given = {"sendUrl": "https://gateway.test/send?to={to}&text={text}&p={password}&u={username}", "password": SECRET}
    return send(says(400, f"login {spelling} failed"), **given, username="ada")


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        SECRET.replace(" ", "\n  "),
        b64encode(f"ada:{SECRET}".encode()).decode(),
    ],
)
def test_what_a_gateway_repeats_of_our_secrets_goes_nowhere(spelling: str, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)
    assert repeated(spelling) == Rejected(Refusal.OTHER, "the gateway answered 400: login … failed")
    assert "gateway.test" not in caplog.text


@pytest.mark.parametrize(
    "spelling",
    [
        quote_plus(SECRET).lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1].replace("&", r"\u0026"),
        html.escape(SECRET),
        html.escape(SECRET).replace("&quot;", "&#34;"),
    ],
)
def test_a_gateway_that_repeats_a_secret_in_a_disguise_is_not_quoted(spelling: str) -> None:
    assert repeated(spelling) == Rejected(Refusal.OTHER, "the gateway answered 400")


# What is refused when a line is added

BODY = '{"to": "{to}", "text": "{text}"}'


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sendUrl": ""}, "sendUrl"),
        ({"sendUrl": "https://gateway.test/?a={to}&b={text}&c={oops}"}, r"sendUrl has no place \{oops\}"),
        ({"sendUrl": "ftp://gateway.test/?a={to}&b={text}"}, "sendUrl"),
        ({"sendUrl": "https://{to}.test/?b={text}"}, "sendUrl"),
        ({"sendUrl": "https://gateway.test:0/?a={to}&b={text}"}, "sendUrl"),
        ({"sendUrl": "https://ada:pw@gateway.test/?a={to}&b={text}"}, "sendUrl"),
        ({"sendUrl": "https://gateway.test/?a={to}#{text}"}, "sendUrl"),
        ({"sendUrl": "https://gateway.test/?a={text}"}, r"\{to\}"),
        ({"sendUrl": "https://gateway.test/?a={to}"}, r"\{text\}"),
        ({"sendUrl": "https://gateway.test/?a={to}&b={text}&p={password}"}, "password"),
        ({"headers": "Authorization: Basic {basic}", "username": "a"}, "password"),
        ({"headers": "Authorization"}, "headers"),
        ({"headers": "Host: elsewhere.test"}, "headers"),
        ({"headers": "X-Text: {text}"}, r"headers has no place \{text\}"),
        ({"headers": "X-É: 1"}, "headers"),
        ({"headers": "X-A: é"}, "headers"),
        ({"headers": "X-A: {token}", "token": "a\nb"}, "token"),
        ({"method": "DELETE"}, "method"),
        ({"bodyType": "xml"}, "bodyType"),
        ({"bodyType": "json", "body": BODY}, "bodyType"),
        ({"method": "POST", "body": BODY}, "body"),
        ({"method": "POST", "bodyType": "json"}, "body"),
        ({"method": "POST", "bodyType": "json", "body": "{to}"}, "body"),
        ({"method": "POST", "bodyType": "json", "body": '["{oops}"]'}, "body"),
        ({"method": "POST", "bodyType": "form", "body": "a={oops}"}, "body"),
        ({"acceptedStatuses": "20x"}, "acceptedStatuses"),
        ({"rejectedStatuses": "500-400"}, "rejectedStatuses"),
        ({"deferredStatuses": "99"}, "deferredStatuses"),
        ({"acceptedPattern": "("}, "acceptedPattern"),
        ({"acceptedPattern": "(?P<name>a)"}, "acceptedPattern"),
        ({"rejectedPattern": "a" * 501}, "rejectedPattern"),
        ({"healthUrl": "https://gateway.test/{to}"}, "healthUrl"),
        ({"statusField": ""}, "statusField"),
        ({"idField": ""}, "idField"),
        ({"textField": ""}, "textField"),
        ({"inboundIdField": ""}, "inboundIdField"),
        ({"failedValues": "bad, ok"}, "deliveredValues and failedValues share ok"),
        ({"region": "XX"}, "region"),
        ({"signatureHeader": "X-Signature"}, "signatureSecret"),
        ({"signatureSecret": "s"}, "signatureHeader"),
        ({"signatureAlgorithm": "md5"}, "signatureAlgorithm"),
    ],
)
def test_a_mistake_is_refused_by_the_name_of_its_field(given: dict[str, str], named: str) -> None:
    with pytest.raises(Refused, match=named) as refused:
        line(**given)
    assert refused.value.status == 400


# What it says of itself


def ping(device: Connection, *steps: Step) -> Health:
    async def main() -> Health:
        async with Wire(*steps) as wire:
            return await Template(wire.client, now).ping(device)

    return asyncio.run(main())


HEALTH = {"healthUrl": "https://gateway.test/health?k={token}", "token": "t+1", "headers": "X-Key: {token}"}


def asked(answer: Answerer) -> Step:
    def check(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["x-key"] == "t+1"
        return answer(request)

    return Step("GET", "/health", check, query={"k": "t+1"})


def test_a_gateway_that_can_be_asked_says_how_it_is() -> None:
    assert ping(line(**HEALTH), asked(says(204, ""))) == Health(True, "the gateway answered 204", {})
    assert not ping(line(**HEALTH, healthStatuses="200"), asked(says(204, ""))).is_up
    assert ping(line(**HEALTH), asked(says(401, "bad key t%2B1"))).detail == "the gateway answered 401: bad key …"
    assert not ping(line(**HEALTH), asked(breaks(httpx2.ConnectError))).is_up


def test_one_that_cannot_be_asked_is_up_if_somebody_listens_there() -> None:
    async def main() -> tuple[Health, Health, int]:
        async with open_client() as client:
            channel = Template(client, now)
            async with webserver() as web:
                there = line(sendUrl=f"http://127.0.0.1:{web.port}/send?to={{to}}&text={{text}}")
                up = await channel.ping(there)
            assert web.asked == []
            return up, await channel.ping(there), web.port

    up, gone, port = asyncio.run(main())
    assert up == Health(True, "somebody listens there, and no more is known: healthUrl is not given", {})
    assert gone == Health(False, f"nothing answers at 127.0.0.1:{port}", {})


def test_nothing_is_promised_that_cannot_be_kept() -> None:
    async def main() -> None:
        channel = Template(open_client(), now)
        trace = Trace(PHONE, TEXT, "m", NOWHERE, 0, AT, frozenset())
        assert isinstance(await channel.find(line(), trace), CannotTell)
        assert (await channel.check(line(), PHONE)).is_available is None
        assert (await channel.poll(line(), 7, ["a"])).cursor == 7
        await channel.listen(line())
        with pytest.raises(Unreachable):
            await channel.download(line(), "x", 1)
        await channel.close()

    asyncio.run(main())
    assert not Template.kind.promises.can_find
    assert not Template.kind.promises.repeats_safely
