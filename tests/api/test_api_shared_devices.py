"""One device for one thing: a second line on a Mac, a phone or an account shares its device, or its limits would hold twice."""

from collections.abc import Mapping

import httpx2
import pytest

from api.house import House, house, run
from posthaste.channels.catalog import KINDS
from posthaste.core.channels import Kind
from posthaste.store import devices

MAC = {"channel": "bluebubbles", "url": "http://mac.local:1234", "password": "p4ss"}
PHONE = {"channel": "smsgate", "url": "https://api.sms-gate.app/3rdparty/v1", "username": "sms", "password": "p4ss"}
ACCOUNT = {"channel": "sendblue", "apiKeyId": "key", "apiSecretKey": "p4ss", "fromNumber": "+16285553000"}
CARRIER = {"channel": "smpp", "host": "smpp.carrier.example", "systemId": "acme", "password": "p4ss"}
TWILIO = {"channel": "twilio", "accountSid": f"AC{'a' * 32}", "authToken": "t0ken", "number": "+16462230999"}
MAILBOX = {"channel": "email", "smtpHost": "smtp.example.com", "imapHost": "imap.example.com", "imapUsername": "ada"}
RELAY = {"channel": "email", "smtpHost": "smtp.example.com", "smtpUsername": "ada", "smtpPassword": "p4ss"}
GATEWAY = {"channel": "http", "sendUrl": "https://gateway.example/send?to={to}&text={text}"}


async def add(it: House, given: Mapping[str, object], number: int = 1) -> httpx2.Response:
    is_mail = given["channel"] == "email"
    address = {"email": f"ada{number}@example.com"} if is_mail else {"phone": f"+1646223099{number}"}
    return await it.client.post("/api/lines", json={**address, **given}, headers=it.auth)


async def added(it: House, given: Mapping[str, object], number: int = 1) -> dict[str, str]:
    answer = await add(it, given, number)
    assert answer.status_code == 201, answer.text
    line: dict[str, str] = answer.json()["line"]
    return line


async def change(it: House, line: Mapping[str, str], **fields: object) -> httpx2.Response:
    return await it.client.patch(f"/api/lines/{line['_id']}", json=fields, headers=it.auth)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MAC, {}),
        (MAC, {"password": "another"}),
        (MAC, {"url": "http://mac.local:1234/"}),
        (MAC, {"url": "HTTP://Mac.LOCAL:1234"}),
        ({**MAC, "url": "http://mac.local"}, {"url": "http://mac.local:80/"}),
        ({**MAC, "url": "https://mac.local:443/bb/"}, {"url": "https://mac.local/bb"}),
        ({**MAC, "url": "http://[FD00::1]:1234"}, {"url": "http://[fd00::1]:1234"}),
        (PHONE, {"region": "DE"}),
        ({**PHONE, "phoneId": "p1", "simNumber": "1"}, {}),
        (ACCOUNT, {"webhookSecret": "x", "baseUrl": "https://api.sendblue.co:443/"}),
        (CARRIER, {"host": "SMPP.carrier.example", "port": 2775, "bindMode": "transmitter"}),
        (TWILIO, {"apiKeySid": f"SK{'b' * 32}", "apiKeySecret": "s3cret"}),
        (MAILBOX, {"imapHost": "IMAP.example.com", "fromName": "Ada", "imapFolder": "INBOX"}),
    ],
)
def test_a_device_that_is_there_is_not_made_again(first: Mapping[str, object], second: Mapping[str, object]) -> None:
    async def main() -> None:
        async with house(lines=0) as it:
            line = await added(it, first)
            answer = await add(it, {**first, **second}, 2)
            assert answer.status_code == 409, answer.text
            told = answer.json()
            assert (told["code"], told["lineId"], told["deviceId"]) == ("DEVICE_EXISTS", line["_id"], line["deviceId"])
            assert told["error"].startswith(f"Line {line['_id']} is on this device already")
            assert f"deviceId {line['deviceId']}" in told["error"]
            assert (await it.count("lines"), await it.count("devices")) == (1, 1)
            shared = await added(it, {"channel": first["channel"], "deviceId": told["deviceId"]}, 2)
            assert shared["deviceId"] == line["deviceId"]

    run(main)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MAC, {"url": "http://mac.local:1235"}),
        (MAC, {"url": "https://mac.local:1234"}),
        (MAC, {"url": "http://mac.local:1234/other"}),
        (MAC, PHONE | {"url": "http://mac.local:1234"}),
        (PHONE, {"username": "other"}),
        (PHONE, {"phoneId": "p1"}),
        ({**PHONE, "phoneId": "p1"}, {"phoneId": "p2"}),
        ({**PHONE, "simNumber": "1"}, {"simNumber": "2"}),
        (ACCOUNT, {"fromNumber": "+16285553001"}),
        (CARRIER, {"source": "12345"}),
        (TWILIO, {"number": "+16462230998"}),
        (MAILBOX, {"imapFolder": "Replies"}),
        (RELAY, {}),
        (GATEWAY, {}),
    ],
)
def test_what_may_be_another_thing_has_a_device_of_its_own(first: Mapping[str, object], second: Mapping[str, object]) -> None:
    async def main() -> None:
        async with house(lines=0) as it:
            one = await added(it, first)
            other = await added(it, {**first, **second}, 2)
            assert one["deviceId"] != other["deviceId"]

    run(main)


def test_a_line_is_not_moved_onto_anothers_device() -> None:
    async def main() -> None:
        async with house(lines=0) as it:
            first = await added(it, MAC)
            second = await added(it, {**MAC, "url": "http://other.local:1234"}, 2)
            before = await it.store.read(devices.access, [second["deviceId"]])
            answer = await change(it, second, url="http://MAC.local:1234/", password="n3w")
            assert (answer.status_code, answer.json()["code"]) == (409, "DEVICE_EXISTS")
            assert answer.json()["deviceId"] == first["deviceId"]
            assert await it.store.read(devices.access, [second["deviceId"]]) == before
            assert (await change(it, second, url="http://third.local:1234")).status_code == 200
            assert (await change(it, first, url="http://mac.local:1234/", password="n3w")).status_code == 200

    run(main)


def test_the_device_of_a_deleted_line_is_no_hindrance() -> None:
    async def main() -> None:
        async with house(lines=0) as it:
            line = await added(it, MAC)
            await it.client.delete(f"/api/lines/{line['_id']}", headers=it.auth)
            assert (await added(it, MAC))["deviceId"] != line["deviceId"]

    run(main)


def test_another_workspace_does_not_learn_of_a_device() -> None:
    async def main() -> None:
        async with house(lines=0) as it:
            await added(it, MAC)
            _, key = await it.another()
            theirs = {**MAC, "phone": "+16462230992"}
            answer = await it.client.post("/api/lines", json=theirs, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 201, answer.text

    run(main)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_device_is_told_by_fields_that_are_no_secret(kind: Kind) -> None:
    assert set(kind.told_by) <= {field.name for field in kind.fields if not field.is_secret}
