"""The simulated Sendblue account: what it refuses, what it tells and how often, and what a restart leaves of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import httpx2
import msgspec
import pytest
from miniworld import STARTED_AT, VirtualClock, VirtualLoop, number

from posthaste.ids import Ids
from posthaste.sandbox.app import build
from posthaste.sandbox.connection import InProcess
from posthaste.sandbox.journal import Journal, MemoryJournal
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.sending import resume
from posthaste.sandbox.world import World

T = TypeVar("T")
Json = dict[str, Any]

LINE, ORDINARY = "+16285553000", "+12025550143"
ACCOUNT: Json = {"kind": "sendblue", "id": "blue", "phone": LINE, "apiKeyId": "key", "apiSecretKey": "s3cret"}
KEY = {"sb-api-key-id": "key", "sb-api-secret-key": "s3cret"}
HOOK, STATUS = "https://posthaste.example/hook", "https://posthaste.example/status"


@dataclass(slots=True)
class Blueworld:
    """A world in one process with an account in it: virtual time, no sockets, and a wall on which its posts are pinned."""

    world: World
    client: httpx2.AsyncClient
    pinned: list[tuple[int, str, str | None, Json]] = field(default_factory=list)
    refusals: int = 0

    async def account(self, **settings: object) -> httpx2.Response:
        return await self.client.post("/devices", json=ACCOUNT | settings)

    async def call(self, method: str, path: str, body: object = None, headers: Json = KEY, **query: str) -> httpx2.Response:
        return await self.client.request(method, f"/sendblues/blue{path}", params=query, json=body, headers=headers)

    async def text(self, to: str, **more: object) -> httpx2.Response:
        return await self.call("POST", "/api/send-message", {"number": to, "content": "Hello", "status_callback": STATUS} | more)

    async def hook(self, kind: str = "receive", hook: object = HOOK) -> httpx2.Response:
        return await self.call("POST", "/api/account/webhooks", {"webhooks": [hook], "type": kind})

    async def received(self) -> list[Json]:
        found: list[Json] = (await self.client.get("/received")).json()
        return found

    def told(self) -> list[str]:
        return [body["status"] for _, _, _, body in self.pinned]


def live(story: Callable[[Blueworld], Awaitable[T]], journal: Journal | None = None) -> T:
    """Run a story in a fresh world, or in the one that a journal remembers."""

    async def main() -> T:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: pin(request))) as post:
            world = World(VirtualClock(asyncio.get_running_loop()), Ids(Random(1)), journal or MemoryJournal(), post)
            resume(world)
            async with httpx2.AsyncClient(transport=InProcess(build(world)), base_url="http://sandbox.example") as client:
                own = Blueworld(world, client)

                async def pin(request: httpx2.Request) -> httpx2.Response:
                    if request.method == "GET":
                        return httpx2.Response(200 if request.url.path == "/a.png" else 404, content=b"picture")
                    secret = request.headers.get("sb-signing-secret")
                    body = msgspec.json.decode(await request.aread())
                    own.pinned.append((world.now_ms() - STARTED_AT, str(request.url), secret, body))
                    own.refusals -= 1
                    return httpx2.Response(500 if own.refusals >= 0 else 200)

                try:
                    return await story(own)
                finally:
                    await world.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def with_account(story: Callable[[Blueworld], Awaitable[T]]) -> T:
    async def main(own: Blueworld) -> T:
        assert (await own.account()).status_code == 201
        return await story(own)

    return live(main)


def answered(method: str, path: str, body: object = None, headers: Json = KEY, **query: str) -> tuple[int, Json]:
    async def story(own: Blueworld) -> tuple[int, Json]:
        answer = await own.call(method, path, body, headers, **query)
        return answer.status_code, answer.json()

    return with_account(story)


# The account


def test_an_account_is_made_listed_changed_and_switched() -> None:
    async def story(own: Blueworld) -> None:
        made = {**ACCOUNT, "url": "http://sandbox.example/sendblues/blue", "state": "up"}
        first = await own.account()
        assert (first.status_code, first.json()) == (201, made)
        assert (await own.client.get("/devices")).json() == [made]
        changed = await own.account(apiSecretKey="other")
        assert (changed.status_code, changed.json()["apiSecretKey"]) == (200, "other")
        down = await own.client.post("/devices/blue", json={"state": "down"})
        assert down.json()["state"] == "down"
        with pytest.raises(httpx2.ReadError):
            await own.call("GET", "/api/v2/messages")

    live(story)


@pytest.mark.parametrize("wrong", [{"phone": "ana@people.example"}, {"apiKeyId": ""}, {"apiSecretKey": ""}, {"id": "a b"}])
def test_an_account_that_makes_no_sense_is_refused(wrong: Json) -> None:
    async def story(own: Blueworld) -> None:
        answer = await own.account(**wrong)
        assert answer.status_code == 400
        assert answer.json()["error"]

    live(story)


def test_an_id_belongs_to_one_kind_of_device() -> None:
    async def story(own: Blueworld) -> None:
        mac = {"id": "blue", "phone": "+16285551000", "password": "x"}
        assert (await own.client.post("/devices", json=mac)).status_code == 400

    with_account(story)


@pytest.mark.parametrize("headers", [{}, {"sb-api-key-id": "key"}, KEY | {"sb-api-secret-key": "wrong"}])
def test_a_wrong_key_is_refused(headers: Json) -> None:
    status, body = answered("GET", "/api/v2/messages", headers=headers)
    assert (status, body["status"]) == (401, "ERROR")


def test_an_account_that_is_not_there_and_a_path_that_is_not_there_are_404() -> None:
    async def story(own: Blueworld) -> None:
        assert (await own.client.get("/sendblues/none/api/v2/messages", headers=KEY)).status_code == 404
        assert (await own.call("GET", "/api/v2/contacts")).status_code == 404

    with_account(story)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"number": "x", "content": "Hello"},
        {"number": ORDINARY},
        {"number": ORDINARY, "content": ""},
        {"number": ORDINARY, "content": "x" * 18_997},
        {"number": ORDINARY, "content": "Hello", "from_number": "+16285553009"},
        [],
    ],
)
def test_a_send_that_makes_no_sense_is_refused(body: object) -> None:
    status, said = answered("POST", "/api/send-message", body)
    assert (status, said["status"]) == (400, "ERROR")


@pytest.mark.parametrize("body", [{"webhooks": [HOOK], "type": "nonsense"}, {"webhooks": [1]}, {}])
def test_a_webhook_that_makes_no_sense_is_refused(body: object) -> None:
    assert answered("POST", "/api/account/webhooks", body)[0] == 400


# What it tells


def test_a_text_is_told_of_by_its_callback_and_by_the_account() -> None:
    async def story(own: Blueworld) -> None:
        await own.hook("outbound", {"url": HOOK, "secret": "hush"})
        sent = (await own.text(ORDINARY)).json()
        await asyncio.sleep(1)
        assert (sent["status"], sent["number"], sent["from_number"]) == ("SENT", ORDINARY, LINE)
        assert sorted((url, secret, body["status"]) for _, url, secret, body in own.pinned) == [
            (HOOK, "hush", "DELIVERED"), (HOOK, "hush", "SENT"), (STATUS, None, "DELIVERED"), (STATUS, None, "SENT"),
        ]  # fmt: skip
        assert {body["message_handle"] for *_, body in own.pinned} == {sent["message_handle"]}
        assert [item["channel"] for item in await own.received()] == ["imessage"]

    with_account(story)


@pytest.mark.parametrize(
    ("script", "statuses"),
    [
        (Script.READ, ["SENT", "DELIVERED"]),
        (Script.RECEIPT_TWICE, ["SENT", "DELIVERED", "DELIVERED"]),
        (Script.SILENT, ["SENT"]),
        (Script.NO_IMESSAGE, ["SENT", "DELIVERED"]),
        (Script.UNREACHABLE, ["SENT", "ERROR"]),
        (Script.REFUSED, []),
    ],
)
def test_each_script_tells_its_own_story(script: Script, statuses: list[str]) -> None:
    async def story(own: Blueworld) -> None:
        await own.text(number(script))
        await asyncio.sleep(2)
        assert own.told() == statuses

    with_account(story)


def test_who_is_not_on_imessage_gets_an_sms() -> None:
    async def story(own: Blueworld) -> None:
        handle = (await own.text(number(Script.NO_IMESSAGE))).json()["message_handle"]
        shown = (await own.call("GET", f"/api/v2/messages/{handle}")).json()["data"]
        assert (shown["service"], shown["was_downgraded"]) == ("SMS", True)
        assert [item["channel"] for item in await own.received()] == ["sms"]

    with_account(story)


def test_a_receipt_may_come_before_the_answer() -> None:
    async def story(own: Blueworld) -> None:
        answer = (await own.text(number(Script.RECEIPT_FIRST))).json()
        assert own.told() == ["SENT", "DELIVERED"]
        assert answer["status"] == "DELIVERED"

    with_account(story)


def test_a_connection_dies_after_the_text_is_on_the_phone() -> None:
    async def story(own: Blueworld) -> None:
        with pytest.raises(httpx2.ReadError):
            await own.text(number(Script.HANGUP))
        assert len(await own.received()) == 1

    with_account(story)


def test_a_post_is_repeated_until_it_is_taken() -> None:
    async def story(own: Blueworld) -> None:
        await own.hook()
        own.refusals = 2
        await own.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "Hi"})
        await asyncio.sleep(300)
        assert [at_ms for at_ms, *_ in own.pinned] == [0, 5_000, 35_000]

    with_account(story)


def test_a_webhook_for_another_number_is_not_told() -> None:
    async def story(own: Blueworld) -> None:
        await own.hook("receive", {"url": HOOK, "sendblue_numbers": ["+16285553009"]})
        await own.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "Hi"})
        await asyncio.sleep(1)
        assert own.pinned == []

    with_account(story)


# People


def test_a_person_writes_types_and_sends_a_picture() -> None:
    async def story(own: Blueworld) -> None:
        await own.hook()
        await own.hook("typing_indicator")
        await own.client.post(f"/phones/{ORDINARY}/typing", json={"to": LINE})
        picture = {"name": "a.png", "contentBase64": "cGljdHVyZQ=="}
        written = (
            await own.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "Hi", "attachments": [picture]})
        ).json()
        await asyncio.sleep(1)
        (*_, dots), (*_, told) = own.pinned
        assert (dots["number"], dots["is_typing"]) == (ORDINARY, True)
        assert (told["message_handle"], told["content"], told["from_number"]) == (written["guid"], "Hi", ORDINARY)
        assert (await own.client.get(told["media_url"])).content == b"picture"

    with_account(story)


@pytest.mark.parametrize("body", [{"text": "x", "attachments": [{"name": "a", "contentBase64": "eA=="}] * 2}, {}])
def test_what_a_person_cannot_write_is_refused(body: Json) -> None:
    async def story(own: Blueworld) -> None:
        assert (await own.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE} | body)).status_code == 400

    with_account(story)


def test_a_file_is_fetched_and_what_cannot_be_had_is_an_error() -> None:
    async def story(own: Blueworld) -> None:
        await own.text(ORDINARY, media_url="https://files.example/a.png")
        missing = (await own.text(ORDINARY, media_url="https://files.example/b.png")).json()
        assert (missing["status"], missing["error_code"]) == ("ERROR", 4000)
        (text,) = await own.received()
        assert [(one["name"], one["size"]) for one in text["attachments"]] == [("a.png", 7)]

    with_account(story)


# What a restart leaves


def test_a_world_that_starts_again_is_the_same_and_goes_on() -> None:
    journal = MemoryJournal()

    async def before(own: Blueworld) -> None:
        await own.account()
        await own.hook("receive", {"url": HOOK, "secret": "hush"})
        await own.text(ORDINARY)
        late = asyncio.create_task(own.text(number(Script.LATE)))
        await asyncio.sleep(0.01)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)

    async def after(own: Blueworld) -> None:
        hooks = (await own.call("GET", "/api/account/webhooks")).json()["webhooks"]
        assert hooks["receive"] == [{"url": HOOK, "secret": "hush"}]
        assert len(await own.received()) == 1
        await asyncio.sleep(10)
        assert [item["to"] for item in await own.received()] == [ORDINARY, number(Script.LATE)]
        assert own.told() == ["DELIVERED", "SENT", "DELIVERED"]
        listed = (await own.call("GET", "/api/v2/messages", order_direction="asc", limit="1", offset="1")).json()
        assert (listed["data"][0]["number"], listed["pagination"]["hasMore"]) == (number(Script.LATE), False)

    live(before, journal)
    live(after, journal)
