"""SMS Gate's own interface document as a second opinion, answered for by Prism: on our requests, and on the sandbox's answers.

As a mock, Prism refuses every request that the document does not allow. As a proxy in front of the simulated phone it
refuses every answer that it does not allow, too; bodies of webhooks, which have no path in the document, are held
against its schemas directly. Two answers are the app's and not the document's, and are therefore not asked for here:
404 for a message that there is not, and whatever stands before a phone.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from openapi_schema_validator import OAS30Validator
from prism_peer import prism, vendors_document
from smsgate_phone import DEVICE, HOOK_URL, KEY, NUMBER, ORDER, SENT_MS, TRACE

from posthaste.channels.base import Connection
from posthaste.channels.http import open_client
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.core.outcomes import Accepted, Found
from posthaste.core.signals import Inbound
from posthaste.sandbox.android import Android
from posthaste.sandbox.android_render import delivered_json, failed_json, received_json, sent_json
from posthaste.sandbox.entries import AndroidKept, SmsIn, SmsTo
from posthaste.sandbox.server import Sandbox, spawn

T = TypeVar("T")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vendors = vendors_document("smsgate.json")
    file = tmp_path_factory.mktemp("document") / vendors.name
    file.write_text(json.dumps(repaired(json.loads(vendors.read_text()))))
    return file


def repaired(part: Any) -> Any:
    """Drop the one mistake of the document: it calls what refers to an enumeration an object."""
    if isinstance(part, list):
        return [repaired(one) for one in part]
    if not isinstance(part, dict):
        return part
    is_wrong = "allOf" in part and part.get("type") == "object"
    return {name: repaired(value) for name, value in part.items() if not (is_wrong and name == "type")}


@pytest.fixture(scope="module")
def mock(document: Path) -> Iterator[str]:
    with prism(document, "mock") as url:
        yield url


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = spawn(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def phone(sandbox: Sandbox) -> Connection:
    return replace(DEVICE, url=make_phone(sandbox, "android", "+16285553000"), secrets={"password": "pass"}, options={})


def make_phone(sandbox: Sandbox, name: str, number: str) -> str:
    wanted = {"kind": "android", "id": name, "phone": number, "username": "sms", "password": "pass"}
    url: str = httpx2.post(f"{sandbox.url}/devices", json=wanted).json()["url"]
    return url


@pytest.fixture(scope="module")
def proxied(document: Path, phone: Connection) -> Iterator[Connection]:
    with prism(document, "proxy", phone.url) as url:
        yield replace(phone, url=url)


def with_channel(act: Callable[[SmsGate], Awaitable[T]]) -> T:
    async def main() -> T:
        async with open_client() as client:
            return await act(SmsGate(client, lambda: SENT_MS))

    return asyncio.run(main())


# Our requests


def lines(url: str) -> Sequence[Connection]:
    """Return a line with few settings and one with all that change a request."""
    plain = replace(DEVICE, url=url)
    return plain, replace(plain, config={**plain.config, "simNumber": "1", "phoneId": "PyDmBQZZXYmyxMwED8Fzy"})


def test_our_sends_and_look_ups_are_as_the_document_wants_them(mock: str) -> None:
    async def story(channel: SmsGate) -> None:
        for line in lines(mock):
            assert isinstance(await channel.send(line, ORDER), Accepted)
            assert isinstance(await channel.send(line, replace(ORDER, valid_until=SENT_MS + 90_500)), Accepted)
            assert isinstance(await channel.find(line, TRACE), Found)

    with_channel(story)


def test_our_questions_are_as_the_document_wants_them(mock: str) -> None:
    async def story(channel: SmsGate) -> None:
        for line in lines(mock):
            health = await channel.ping(replace(line, options={}))
            assert health.is_up, health.detail
            assert health.options == {"sms_gate": True, "met_at": SENT_MS, "answered_at": SENT_MS}
            await channel.listen(line)
            assert "is polled" not in (await channel.ping(line)).detail, "a webhook of ours was refused"
            news = await channel.poll(line, 1_772_377_200_000, [KEY])
            assert [type(signal) for signal in news.signals] == [Inbound]

    with_channel(story)


BAD_SENDS: list[dict[str, object]] = [
    {},
    {"phoneNumbers": []},
    {"phoneNumbers": [NUMBER], "id": "x" * 37},
    {"phoneNumbers": [NUMBER], "simNumber": 4},
]


@pytest.mark.parametrize("body", BAD_SENDS, ids=str)
def test_the_document_would_refuse_what_is_wrong(mock: str, body: dict[str, object]) -> None:
    answer = httpx2.post(f"{mock}/messages", json=body, auth=("sms", "x"))
    assert answer.status_code >= 400
    assert httpx2.get(f"{mock}/webhooks").status_code == 401


# The sandbox's answers


def test_the_simulated_phone_answers_as_the_document_says(sandbox: Sandbox, proxied: Connection) -> None:
    async def story(channel: SmsGate) -> None:
        sent = await channel.send(proxied, ORDER)
        again = await channel.send(proxied, ORDER)
        assert sent == again == Accepted(KEY)
        assert isinstance(await channel.find(proxied, TRACE), Found)
        httpx2.post(f"{sandbox.url}/phones/{NUMBER}/send", json={"to": "+16285553000", "text": "Hi"})
        await channel.listen(proxied)
        news = await channel.poll(proxied, 0, [KEY])
        assert any(isinstance(signal, Inbound) for signal in news.signals)
        health = await channel.ping(proxied)
        assert (health.is_up, health.detail) == (True, "SMS Gate answers")

    with_channel(story)


QUESTIONS = ["/health", "/devices", "/messages?limit=10", "/messages?state=Delivered&includeContent=false", "/webhooks", "/inbox"]


@pytest.mark.parametrize("path", QUESTIONS)
def test_what_the_document_offers_to_ask_is_answered_as_it_says(proxied: Connection, path: str) -> None:
    answer = httpx2.get(f"{proxied.url}{path}", auth=("sms", "pass"))
    assert answer.status_code == 200, answer.text


REFUSALS = [
    ("POST", "/messages", {"phoneNumbers": ["+16285550106"], "textMessage": {"text": "Hi"}}, 400),
    ("POST", "/messages", {"phoneNumbers": [NUMBER], "textMessage": {"text": "Hi"}, "deviceId": "another"}, 400),
    ("POST", "/webhooks", {"url": "http://10.0.0.2/x", "event": "sms:sent"}, 400),
    ("GET", "/inbox?deviceId=another", None, 400),
    ("POST", "/inbox/refresh", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSALS)
def test_refusals_are_as_the_document_says(proxied: Connection, method: str, path: str, body: object, status: int) -> None:
    answer = httpx2.request(method, f"{proxied.url}{path}", json=body, auth=("sms", "pass"))
    assert (answer.status_code, list(answer.json())) == (status, ["message"]), answer.text


def test_a_stranger_is_refused_as_the_document_says(proxied: Connection) -> None:
    answer = httpx2.get(f"{proxied.url}/webhooks", auth=("sms", "wrong"))
    assert (answer.status_code, list(answer.json())) == (401, ["message"]), answer.text


def test_a_webhook_of_ours_comes_and_goes_as_the_document_says(proxied: Connection) -> None:
    hook = {"id": "w", "url": HOOK_URL, "event": "sms:failed"}
    answer = httpx2.post(f"{proxied.url}/webhooks", json=hook, auth=("sms", "pass"))
    assert (answer.status_code, answer.json()) == (201, hook)
    assert httpx2.delete(f"{proxied.url}/webhooks/w", auth=("sms", "pass")).status_code == 204


def test_the_proxy_shows_an_answer_that_is_wrong(document: Path, sandbox: Sandbox) -> None:
    # The document lets a program name a recipient of no characters, but not an answer. On a phone of its own, whose
    # messages nobody else lists.
    nobody = {"phoneNumbers": [""], "textMessage": {"text": "Hi"}}
    with prism(document, "proxy", make_phone(sandbox, "odd", "+16285553001")) as url:
        answer = httpx2.post(f"{url}/messages", json=nobody, auth=("sms", "pass"))
    assert answer.status_code == 500
    assert "minLength" in answer.text


def test_webhooks_have_the_shapes_of_the_document(document: Path) -> None:
    schemas = json.loads(document.read_text())["components"]
    own = Android(AndroidKept("android", "+16285553000", "sms", "pass", "key", 0))
    there = SmsTo(NUMBER, "Failed", "RESULT_ERROR_NO_SERVICE")
    payloads = {
        "SmsReceivedPayload": received_json(own, SmsIn("android", "text:-5", NUMBER, "Hi", 1_772_377_200_000, True)),
        "SmsSentPayload": sent_json(own, KEY, there, 1_772_377_200_000),
        "SmsDeliveredPayload": delivered_json(own, KEY, there, 1_772_377_200_000),
        "SmsFailedPayload": failed_json(own, KEY, there, 1_772_377_200_000),
    }
    for name, payload in payloads.items():
        validator = OAS30Validator(
            {"$ref": f"#/components/schemas/{name}", "components": schemas}, format_checker=OAS30Validator.FORMAT_CHECKER
        )
        validator.validate(payload)
        known = {field for part in schemas["schemas"][name]["allOf"] for field in part.get("properties", {})}
        known |= set(schemas["schemas"]["SmsEventPayload"]["properties"])
        assert set(payload) <= known
