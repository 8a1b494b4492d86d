"""Twilio's own library and its own interface document as second opinions: on our requests, and on signatures.

The library runs in an environment of its own and talks to a recorder on the loopback; the document is answered for by
Prism, which refuses what it does not allow.
"""

import asyncio
import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from prism_peer import prism, vendors_document
from recorder import Recorded, recorder
from twil import (
    AT,
    FOLDER,
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
    TRACE,
    now,
    page,
    picture,
    row,
)

from fixtures.installed import python_program
from posthaste.channels.base import Connection
from posthaste.channels.http import open_client
from posthaste.channels.twilio.channel import Twilio
from posthaste.core.hooks import HookCall
from posthaste.core.outcomes import Accepted, Rejected

LIBRARY = Path(__file__).parent / "peers" / "twilio-sdk"
WITHIN_S = 60

KEY, SECRET = "SK" + "1" * 32, "key secret"
NUMBER = "PN" + "d" * 32
CALLBACK = f"{HOOK}?marker=marker-1"
FILES = (picture("a.png"), picture("b.png"))


@pytest.fixture(scope="module")
def library() -> Path:
    return python_program("twilio-sdk", LIBRARY / "twilio.lock")


def drive(python: Path, what: str, given: object) -> Any:
    command = [str(python), str(LIBRARY / "drive_twilio.py"), what]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Requests


def twilio_says(request: Recorded) -> tuple[int, object]:
    """Answer as Twilio would, as far as a caller of either side needs it."""
    place = request.path.removeprefix(FOLDER)
    if request.method == "POST":
        return (201, row()) if place == "/Messages.json" else (200, {"sid": NUMBER})
    if place == ".json":
        return 200, {"sid": SID, "status": "active", "type": "Full"}
    if place == "/IncomingPhoneNumbers.json":
        return 200, {"incoming_phone_numbers": [{"sid": NUMBER, "phone_number": OWN}], "next_page_uri": None}
    if place.endswith("/Media.json"):
        return 200, {"media_list": [{"sid": "ME1"}], "next_page_uri": None}
    if place == "/Messages.json":
        inbound = row(sid=MESSAGE, direction="inbound", num_media="1") | {"from": PHONE, "to": OWN}
        return 200, page(inbound if ("To", OWN) in request.query else row())
    return 200, row(status="delivered")


async def our_calls(base: str) -> None:
    line = replace(LINE, config={**LINE.config, "baseUrl": base})
    keyed = {**line.config, "apiKeySid": KEY, "messagingServiceSid": SERVICE}
    by_service = replace(line, config=keyed, secrets={**line.secrets, "apiKeySecret": SECRET})
    async with open_client() as client:
        channel = Twilio(client, now)
        await channel.send(line, ORDER)
        await channel.send(by_service, replace(ORDER, files=FILES))
        await channel.find(line, TRACE)
        await channel.poll(line, AT + 600_000, [MESSAGE])
        await channel.ping(replace(line, config={**line.config, "number": ""}))
        await channel.listen(line)


def their_calls(base: str) -> object:
    return {
        "base": base, "account": SID, "token": TOKEN, "key": KEY, "secret": SECRET, "service": SERVICE, "number": NUMBER,
        "to": PHONE, "from": OWN, "body": TEXT, "callback": CALLBACK, "media": [file.url for file in FILES],
        "since": AT // 1000, "sid": MESSAGE,
    }  # fmt: skip


def of_hook(request: Recorded) -> Recorded:
    """The library is told one address for both uses; we lead the number to ours without a marker."""
    form = tuple((name, value.partition("?")[0] if name == "SmsUrl" else value) for name, value in request.form)
    return replace(request, form=form)


def test_the_official_library_makes_the_same_requests(library: Path) -> None:
    with recorder(twilio_says) as server:
        asyncio.run(our_calls(server.url))
        ours = server.taken()
        drive(library, "calls", their_calls(server.url))
        theirs = server.taken()
    assert len(ours) == 9
    assert sorted(ours) == sorted(map(of_hook, theirs))


# Signatures

FIELDS = {"MessageSid": MESSAGE, "From": PHONE, "Body": "a & b = c + d é 👍", "To": OWN, "NumMedia": "0", "Empty": ""}
# As pairs a field may come more than once; a text is a body of JSON.
Fields = dict[str, str] | Sequence[tuple[str, str]] | str
TWICE = [*FIELDS.items(), ("To", "+16285550199"), ("To", OWN), ("Body", ""), ("a", "z"), ("aa", "y")]
URLS = [
    HOOK,
    CALLBACK,
    f"{HOOK}?a=b%20c&d=",
    "http://posthaste.example:8000/hooks/twilio/x",
    "https://posthaste.example:443/hooks/twilio/x",
]


def judged_by_us(url: str, fields: Fields, signature: str) -> bool:
    hook_url, _, query = url.partition("?")
    device = replace(LINE, hook_url=hook_url)
    body = fields if isinstance(fields, str) else urlencode(fields)
    call = HookCall("POST", query, {"x-twilio-signature": signature}, body.encode())
    return Twilio(open_client(), now).hear(device, call) is not None


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("fields", [FIELDS, TWICE], ids=["once", "twice"])
def test_what_the_official_validator_signs_is_heard(library: Path, url: str, fields: Fields) -> None:
    (theirs,) = drive(library, "signatures", {"token": TOKEN, "cases": [{"url": url, "fields": fields}]})
    assert theirs["is_valid"]
    assert judged_by_us(url, fields, theirs["signature"])


def test_a_body_that_is_signed_by_its_hash_is_none_of_ours(library: Path) -> None:
    body = json.dumps(FIELDS)
    url = f"{HOOK}?bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    (theirs,) = drive(library, "signatures", {"token": TOKEN, "cases": [{"url": url, "fields": body}]})
    assert theirs["is_valid"]
    assert not judged_by_us(url, body, theirs["signature"]), "messages are reported as forms alone"


def test_what_the_official_validator_refuses_is_refused_and_what_it_takes_is_taken(library: Path) -> None:
    signed = drive(library, "signatures", {"token": TOKEN, "cases": [{"url": url, "fields": FIELDS} for url in URLS]})
    changes: list[tuple[str, dict[str, str]]] = [
        (url, fields)
        for url in [*URLS, "https://posthaste.example/hooks/twilio/y", HOOK + "/", "http" + HOOK[5:], HOOK + ":443"]
        for fields in [FIELDS, FIELDS | {"Body": "other"}, FIELDS | {"More": "1"}, {"MessageSid": MESSAGE}]
    ]
    cases = [{"url": url, "fields": fields, "signature": one["signature"]} for one in signed for url, fields in changes] + [
        {"url": HOOK, "fields": FIELDS, "signature": odd} for odd in ["x", "aGVsbG8=", "é"]
    ]
    theirs = [one["is_valid"] for one in drive(library, "signatures", {"token": TOKEN, "cases": cases})]
    ours = [judged_by_us(str(case["url"]), case["fields"], str(case["signature"])) for case in cases]  # type: ignore[arg-type]
    assert ours == theirs
    assert {True, False} == set(theirs)


# The interface document


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that answers by the document and refuses what it does not allow."""
    vendors = vendors_document("twilio-messages.json")
    document = tmp_path_factory.mktemp("document") / vendors.name
    document.write_text(json.dumps(_repaired(json.loads(vendors.read_text()))))
    with prism(document, "mock") as url:
        yield url


def _repaired(document: Any) -> Any:
    """Two things stop Prism at right requests: examples of lists whose addresses have no host, against their `format: uri`; and
    lists in forms, which it knows only where the document says how they are written, even if as everywhere.
    """
    messages = document["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]
    listed = messages["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    for name, schema in listed.items():
        if name.endswith("uri"):
            schema.pop("format")
    form = messages["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    form["encoding"] = {"MediaUrl": {"style": "form", "explode": True}}
    return document


def in_document(base: str) -> Connection:
    return replace(LINE, config={**LINE.config, "baseUrl": base})


def test_our_sends_are_as_the_document_wants_them(documented: str) -> None:
    async def main() -> Sequence[object]:
        async with open_client() as client:
            channel, line = Twilio(client, now), in_document(documented)
            by_service = replace(line, config={**line.config, "messagingServiceSid": SERVICE})
            bare = replace(line, hook_url="")
            return [
                await channel.send(line, replace(ORDER, valid_until=AT + 90_000)),
                await channel.send(by_service, replace(ORDER, files=FILES)),
                await channel.send(bare, replace(ORDER, text="", files=FILES)),
            ]

    assert asyncio.run(main()) == [Accepted("SM" + "a" * 32)] * 3


def test_our_questions_are_as_the_document_wants_them(documented: str) -> None:
    async def main() -> None:
        async with open_client() as client:
            channel, line = Twilio(client, now), in_document(documented)
            assert not isinstance(await channel.find(line, TRACE), Rejected)
            news = await channel.poll(line, AT, [MESSAGE])
            assert news.is_complete

    asyncio.run(main())


def test_the_document_would_refuse_what_is_wrong(documented: str) -> None:
    async def main() -> httpx2.Response:
        async with open_client() as client:
            url = f"{documented}/2010-04-01/Accounts/AC1/Messages.json"
            return await client.post(url, data={"To": PHONE}, headers={"Authorization": "Basic eDp5"})

    assert asyncio.run(main()).status_code >= 400
