"""The local server of the simulated Android phone: what it takes, what it refuses, and how it reports."""

import hashlib
import hmac

import msgspec
import pytest
from android_world import ANDROID, HOOK, PASSWORD, SIGNING_KEY, USERNAME, AndroidWorld, Json, live
from miniworld import ORDINARY, later, number

from posthaste.sandbox.numbers import Script

TAKEN = [Script.READ, Script.DELIVERED, Script.NO_IMESSAGE, Script.RECEIPT_TWICE, Script.REPLIES, Script.STOPS]


def test_a_message_is_sent_once_under_one_id() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.text(ORDINARY)).status_code == 202
        again = await own.text(ORDINARY, text="Something else")
        assert (again.status_code, list(again.json())) == (409, ["message"])
        assert [item["text"] for item in await own.received()] == ["Hello"]

    live(story)


def test_a_message_without_an_id_gets_one() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        made = [(await own.text(ORDINARY, id=None)).json()["id"] for _ in range(2)]
        assert len(set(made)) == 2
        assert (await own.state(made[0]))["id"] == made[0]

    live(story)


BAD: list[Json] = [
    {"phoneNumbers": []},
    {"phoneNumbers": "+1"},
    {"textMessage": None},
    {"textMessage": {"text": ""}},
    {"textMessage": {}},
    {"message": "and this"},
    {"dataMessage": {"data": "SGk=", "port": 1}},
    {"simNumber": 0},
    {"simNumber": 4},
    {"ttl": 10, "validUntil": "2030-01-01T00:00:00Z"},
    {"deviceId": "another"},
    {"id": ""},
    {"id": "x" * 37},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_a_message_that_makes_no_sense_is_refused(change: Json) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        answer = await own.text(ORDINARY, **change)
        assert (answer.status_code, list(answer.json())) == (400, ["message"])
        assert await own.received() == []

    live(story)


@pytest.mark.parametrize("auth", [None, (USERNAME, "wrong"), ("wrong", PASSWORD), (USERNAME, "")])
def test_whoever_does_not_know_the_password_learns_and_sends_nothing(auth: tuple[str, str] | None) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        for method, path in [("POST", "/messages"), ("GET", "/messages"), ("GET", "/webhooks"), ("GET", "/inbox"), ("GET", "/")]:
            answer = await own.client.request(method, f"/androids/android{path}", auth=auth)  # type: ignore[arg-type]
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        assert (await own.client.get("/androids/android/health")).status_code == 200

    live(story)


@pytest.mark.parametrize("header", ["Bearer abc", "Basic %%%", "Basic", "nonsense"])
def test_odd_credentials_are_wrong_ones(header: str) -> None:
    async def story(own: AndroidWorld) -> int:
        await own.phone()
        return (await own.client.get("/androids/android/webhooks", headers={"Authorization": header})).status_code

    assert live(story) == 401


def test_messages_are_listed_newest_first_in_pages_and_by_state() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        for place, to in enumerate([ORDINARY, number(Script.SILENT), number(Script.UNREACHABLE)]):
            await own.text(to, id=f"m-{place}")
        await later(500)

        async def listed(**query: str) -> list[str]:
            answer = await own.call("GET", "/messages", **query)
            assert int(answer.headers["x-total-count"]) >= len(answer.json())
            return [message["id"] for message in answer.json()]

        assert await listed() == ["m-2", "m-1", "m-0"]
        assert await listed(limit="1", offset="1") == ["m-1"]
        assert await listed(state="Failed") == ["m-2"]
        assert await listed(to="2020-01-01T00:00:00Z") == []
        for query in ({"state": "Lost"}, {"limit": "0"}, {"limit": "101"}, {"from": "yesterday"}, {"deviceId": "x"}):
            assert (await own.call("GET", "/messages", **query)).status_code == 400

    live(story)


def test_webhooks_are_replaced_by_id_and_deleted() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.client.post("/devices", json=ANDROID)
        made = await own.call("POST", "/webhooks", {"id": "w", "url": HOOK, "event": "sms:sent"})
        assert (made.status_code, made.json()) == (201, {"id": "w", "url": HOOK, "event": "sms:sent"})
        await own.call("POST", "/webhooks", {"id": "w", "url": "http://127.0.0.1:1/x", "event": "sms:failed"})
        nameless = (await own.call("POST", "/webhooks", {"url": HOOK, "event": "sms:sent"})).json()
        assert [hook["id"] for hook in (await own.call("GET", "/webhooks")).json()] == ["w", nameless["id"]]
        for hook_id in ("w", "w", nameless["id"]):
            assert (await own.call("DELETE", f"/webhooks/{hook_id}")).status_code == 204
        assert (await own.call("GET", "/webhooks")).json() == []

    live(story)


@pytest.mark.parametrize(
    "url", ["http://posthaste.example/x", "http://192.168.0.2/x", "ftp://a/x", "https://", "x", "http://[x/"]
)
def test_the_app_posts_to_no_address_without_tls_but_its_own(url: str) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.client.post("/devices", json=ANDROID)
        assert (await own.call("POST", "/webhooks", {"url": url, "event": "sms:sent"})).status_code == 400
        assert (await own.call("POST", "/webhooks", {"url": HOOK, "event": "sms:eaten"})).status_code == 400
        assert (await own.call("GET", "/webhooks")).json() == []

    live(story)


def test_a_webhook_is_signed_with_the_apps_own_key() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY)
        await later(500)
        for pinned in own.pinned:
            timestamp = pinned.headers["x-timestamp"]
            assert timestamp == "1800000000"
            signed = hmac.new(SIGNING_KEY.encode(), pinned.body + timestamp.encode(), hashlib.sha256).hexdigest()
            assert pinned.headers["x-signature"] == signed
            told = msgspec.json.decode(pinned.body)
            assert (told["deviceId"], told["webhookId"]) == ("android", pinned.event)

    live(story)


def test_a_webhook_that_nobody_takes_comes_again_later_each_time() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        own.refusals = 3
        await own.text(number(Script.SILENT))
        await later(300_000)
        assert [pinned.at_ms for pinned in own.pinned] == [20, 10_020, 30_020, 70_020]
        assert len({pinned.body for pinned in own.pinned}) == 1

    live(story)


def test_paths_that_the_simulation_does_not_know_are_not_there() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.call("GET", "/settings")).status_code == 404
        assert (await own.client.get("/androids/nobody/health")).status_code == 404
        assert (await own.call("GET", "/")).json()["status"] == "ok"
        for path in ("/device", "/devices"):
            [device] = (await own.call("GET", path)).json()
            assert device["id"] == "android"

    live(story)
