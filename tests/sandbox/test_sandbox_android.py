"""The simulated Android phone: its local server's protocol, every script of a number, and what people write to it."""

import asyncio
import hashlib
import hmac
from pathlib import Path

import httpx2
import msgspec
import pytest
from android_world import ANDROID, HOOK, LINE, PASSWORD, SIGNING_KEY, USERNAME, AndroidWorld, Json, live
from miniworld import ORDINARY, later, number

from posthaste.sandbox.journal import DiskJournal, MemoryJournal
from posthaste.sandbox.numbers import Script

TAKEN = [Script.READ, Script.DELIVERED, Script.NO_IMESSAGE, Script.RECEIPT_TWICE, Script.REPLIES, Script.STOPS]


def states(message: Json) -> tuple[str, list[str]]:
    return message["state"], list(message["states"])


# What numbers do


@pytest.mark.parametrize("to", [ORDINARY, *(number(script) for script in TAKEN)])
def test_a_text_is_taken_sent_and_delivered_and_never_read(to: str) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        answer = await own.text(to)
        assert answer.status_code == 202
        taken = answer.json()
        assert (taken["id"], taken["deviceId"], taken["state"]) == ("m-1", "android", "Pending")
        assert taken["recipients"] == [{"phoneNumber": to, "state": "Pending"}]
        assert own.pinned == [], "nothing is told before the answer"
        await later(500)
        assert states(await own.state()) == ("Delivered", ["Pending", "Sent", "Delivered"])
        [text] = await own.received()
        assert (text["to"], text["from"], text["text"], text["channel"], text["guid"]) == (to, LINE, "Hello", "sms", "m-1")
        assert set(own.told()) == {"sms:sent", "sms:delivered"}

    live(story)


def test_receipts_name_the_message_and_both_ends() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY)
        await later(500)
        sent, delivered = own.pinned
        assert (sent.at_ms, delivered.at_ms) == (20, 50)
        people = {"messageId": "m-1", "phoneNumber": ORDINARY, "sender": LINE, "recipient": ORDINARY, "simNumber": 1}
        assert sent.payload == people | {"sentAt": "2027-01-15T03:00:00.020-05:00"}
        assert delivered.payload == people | {"deliveredAt": "2027-01-15T03:00:00.050-05:00"}

    live(story)


def test_a_text_that_the_network_refuses_fails_with_a_reason() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.text(number(Script.UNREACHABLE))).status_code == 202
        await later(500)
        message = await own.state()
        assert message["state"] == "Failed"
        assert message["recipients"][0]["error"] == "RESULT_ERROR_GENERIC_FAILURE"
        assert await own.received() == []
        [failed] = own.pinned
        assert (failed.event, failed.payload["reason"]) == ("sms:failed", "RESULT_ERROR_GENERIC_FAILURE")

    live(story)


def test_silent_is_sent_and_nothing_more_is_heard() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(Script.SILENT))
        await later(60_000)
        assert (await own.state())["state"] == "Sent"
        assert own.told() == ["sms:sent"]
        assert len(await own.received()) == 1

    live(story)


def test_receipt_twice_is_told_twice() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(Script.RECEIPT_TWICE))
        await later(500)
        _, first, second = own.pinned
        assert first.event == second.event == "sms:delivered"
        assert first.payload == second.payload

    live(story)


def test_receipt_first_is_told_before_the_send_is_answered() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(Script.RECEIPT_FIRST))
        assert own.told() == ["sms:delivered"]
        await later(500)
        assert own.told() == ["sms:delivered"]

    live(story)


@pytest.mark.parametrize(("script", "reply"), [(Script.REPLIES, "Got it, thanks!"), (Script.STOPS, "STOP")])
def test_the_person_answers_after_a_second(script: Script, reply: str) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(script))
        await later(999)
        assert "sms:received" not in own.told()
        await later(2)
        came = own.pinned[-1]
        assert (came.event, came.payload["message"], came.payload["sender"]) == ("sms:received", reply, number(script))

    live(story)


def test_hangup_has_the_text_on_the_phone_and_answers_nothing() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        with pytest.raises(httpx2.ReadError):
            await own.text(number(Script.HANGUP))
        assert len(await own.received()) == 1
        again = await own.text(number(Script.HANGUP))
        assert again.status_code == 409
        await later(500)
        assert (await own.state())["state"] == "Delivered"
        assert len(await own.received()) == 1

    live(story)


def test_late_answers_504_and_the_text_arrives_five_seconds_later() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.text(number(Script.LATE))).status_code == 504
        assert own.elapsed_ms() == 2_000
        assert (await own.call("GET", "/messages/m-1")).status_code == 404
        assert await own.received() == []
        await later(4_999)
        assert await own.received() == []
        await later(2)
        assert len(await own.received()) == 1
        await later(500)
        assert (await own.state())["state"] == "Delivered"

    live(story)


def test_a_late_request_that_came_again_meanwhile_sends_nothing_twice() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await asyncio.gather(own.text(number(Script.LATE)), own.text(number(Script.LATE)))
        await later(60_000)
        assert len(await own.received()) == 1

    live(story)


def test_refused_is_a_400_and_on_no_phone() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        answer = await own.text(number(Script.REFUSED))
        assert (answer.status_code, list(answer.json())) == (400, ["message"])
        await later(60_000)
        assert await own.received() == []
        assert (await own.call("GET", "/messages/m-1")).status_code == 404
        assert own.pinned == []

    live(story)


def test_nobody_is_told_of_a_delivery_that_was_not_asked_for() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY, withDeliveryReport=False)
        await later(500)
        assert own.told() == ["sms:sent"]

    live(story)


def test_several_recipients_have_a_state_each() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY, number(Script.UNREACHABLE), number(Script.SILENT))
        await later(500)
        message = await own.state()
        assert [one["state"] for one in message["recipients"]] == ["Delivered", "Failed", "Sent"]
        assert message["state"] == "Sent"
        assert len(await own.received()) == 2

    live(story)


# The protocol


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


# What people write


def test_what_a_person_writes_is_told_and_in_the_inbox() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        writer = number(Script.NO_IMESSAGE)
        written = await own.person(writer, "Hi there")
        assert written.status_code == 201
        assert written.json()["to"] == LINE
        await later(0)
        [came] = own.pinned
        assert came.payload == {
            "messageId": came.payload["messageId"], "message": "Hi there", "receivedAt": "2027-01-15T03:00:00.000-05:00",
            "phoneNumber": writer, "sender": writer, "recipient": LINE, "simNumber": 1,
        }  # fmt: skip
        [row] = (await own.call("GET", "/inbox")).json()
        assert (row["type"], row["sender"], row["recipient"], row["contentPreview"]) == ("SMS", writer, LINE, "Hi there")
        assert row["createdAt"] == came.payload["receivedAt"]
        assert row["id"] == written.json()["guid"]
        assert row["id"] != came.payload["messageId"], "the app has two names for one text"
        assert await own.received() == []

    live(story)


def test_only_somebody_with_a_number_writes_to_a_phone_that_there_is() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        for sender, to, text in [("jo@example.com", LINE, "hi"), (ORDINARY, "+16285559999", "hi"), (ORDINARY, LINE, "")]:
            assert (await own.person(sender, text, to)).status_code == 400
        assert (await own.call("GET", "/inbox")).json() == []

    live(story)


def test_the_inbox_shows_the_newest_first_in_pages_and_by_time() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        for text in ("One", "Two", "Three"):
            await own.person(ORDINARY, text)
            await later(1_000)

        async def listed(**query: str) -> list[str]:
            return [row["contentPreview"] for row in (await own.call("GET", "/inbox", **query)).json()]

        assert await listed() == ["Three", "Two", "One"]
        assert await listed(limit="1", offset="1") == ["Two"]
        assert await listed(type="MMS") == []
        assert await listed(**{"from": "2027-01-15T08:00:01.000Z"}) == ["Three", "Two"]
        assert await listed(**{"from": "2027-01-15T09:00:01.000+01:00", "to": "2027-01-15T08:00:01Z"}) == ["Two"]
        for query in (
            {"type": "FAX"},
            {"limit": "501"},
            {"from": "x"},
            {"deviceId": "x"},
            {"to": "2020-01-01", "from": "2021-01-01"},
        ):
            assert (await own.call("GET", "/inbox", **query)).status_code == 400

    live(story)


def test_an_app_that_did_not_run_knows_what_came_only_once_it_looks() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.turn("down"))["state"] == "down"
        with pytest.raises(httpx2.ReadError):
            await own.call("GET", "/webhooks")
        await own.person(ORDINARY, "Anybody there?")
        await own.turn("up")
        assert (await own.call("GET", "/inbox")).json() == []
        span = {"since": "2027-01-15T08:00:00Z", "until": "2100-01-01T00:00:00Z"}
        for bad in (
            {},
            {"since": "x", "until": "x"},
            span | {"messageTypes": []},
            span | {"messageTypes": ["FAX"]},
            {"until": "x"},
        ):
            assert (await own.call("POST", "/inbox/refresh", bad)).status_code == 400
        assert (await own.call("POST", "/inbox/refresh", span | {"messageTypes": ["MMS"]})).status_code == 202
        assert (await own.call("GET", "/inbox")).json() == []
        assert (await own.call("POST", "/inbox/refresh", span)).status_code == 202
        assert len((await own.call("GET", "/inbox")).json()) == 1
        assert own.pinned == []
        assert (await own.call("POST", "/inbox/refresh", span | {"triggerWebhooks": True})).status_code == 202
        await later(0)
        assert own.pinned == [], "what the app knows it does not tell again"

    live(story)


def test_an_app_that_looks_tells_of_what_it_finds_if_asked_to() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.turn("down")
        await own.person(ORDINARY, "Anybody there?")
        await own.turn("up")
        span = {"since": "2027-01-15T08:00:00Z", "until": "2100-01-01T00:00:00Z", "triggerWebhooks": True}
        await own.call("POST", "/inbox/refresh", span)
        await later(0)
        assert own.told() == ["sms:received"]

    live(story)


def test_a_phone_that_is_down_answers_and_tells_nothing() -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY)
        await own.turn("down")
        for path in ("/health", "/messages/m-1", "/nowhere"):
            with pytest.raises(httpx2.ReadError):
                await own.call("GET", path)
        await later(500)
        assert own.pinned == []
        await own.turn("up")
        assert (await own.state())["state"] == "Delivered"

    live(story)


# The sandbox's own API


def test_an_android_is_made_once_and_listed_beside_the_macs() -> None:
    async def story(own: AndroidWorld) -> None:
        first = await own.client.post("/devices", json=ANDROID)
        again = await own.client.post("/devices", json=ANDROID)
        assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
        assert first.json() == ANDROID | {"url": "http://sandbox.example/androids/android", "deviceId": "android", "state": "up"}
        await own.client.post("/devices", json={"id": "mac", "phone": "+16285551000", "password": "p"})
        assert [(one["kind"], one["id"]) for one in (await own.client.get("/devices")).json()] == [
            ("mac", "mac"), ("android", "android"),
        ]  # fmt: skip
        changed = await own.client.post("/devices", json=ANDROID | {"password": "other"})
        assert (changed.status_code, changed.json()["password"]) == (200, "other")

    live(story)


def test_an_app_makes_a_signing_key_of_its_own_and_keeps_it() -> None:
    async def story(own: AndroidWorld) -> None:
        keyless = {name: value for name, value in ANDROID.items() if name != "signingKey"}
        first = (await own.client.post("/devices", json=keyless)).json()
        assert first["signingKey"]
        assert (await own.client.post("/devices", json=keyless)).json() == first

    live(story)


@pytest.mark.parametrize(
    "change",
    [{"kind": "fax"}, {"kind": 7}, {"phone": "jo@example.com"}, {"username": ""}, {"password": ""}, {"id": "a/b"}, {"id": "mac"}],
    ids=str,
)
def test_an_android_that_makes_no_sense_is_refused(change: Json) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.client.post("/devices", json={"id": "mac", "phone": "+16285551000", "password": "p"})
        answer = await own.client.post("/devices", json=ANDROID | change)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
        assert own.world.androids == {}

    live(story)


def test_the_id_of_an_android_is_not_a_macs_too() -> None:
    async def story(own: AndroidWorld) -> int:
        await own.client.post("/devices", json=ANDROID)
        return (await own.client.post("/devices", json={"id": "android", "phone": LINE, "password": "p"})).status_code

    assert live(story) == 400


# Across a restart


def test_a_world_that_starts_again_has_it_all_and_goes_on() -> None:
    journal = MemoryJournal()

    async def before(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY, id="early")
        await own.text(number(Script.LATE), id="late")
        await own.person(ORDINARY, "Hi")
        await own.text(ORDINARY, id="pending")

    async def after(own: AndroidWorld) -> None:
        assert [item["text"] for item in await own.received()] == ["Hello", "Hello"]
        assert len((await own.call("GET", "/inbox", to="2100-01-01T00:00:00Z")).json()) == 1, "its clock began anew"
        await later(8_000)
        assert len(await own.received()) == 3
        for message_id in ("early", "late", "pending"):
            assert (await own.state(message_id))["state"] == "Delivered"
        assert own.told().count("sms:delivered") == 2, "what was told before is not told again"

    live(before, journal)
    live(after, journal)


def test_the_journal_on_disk_knows_each_kind_of_entry(tmp_path: Path) -> None:
    journal = DiskJournal(tmp_path)

    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(ORDINARY, id="a")
        await own.text(number(Script.LATE), id="b")
        await later(8_000)
        await own.turn("down")
        await own.person(ORDINARY, "Hi")
        await own.turn("up")
        await own.call("DELETE", "/webhooks/sms:sent")

    async def again(own: AndroidWorld) -> None:
        assert len(own.world.androids["android"].came) == 1
        assert len((await own.call("GET", "/webhooks")).json()) == 7
        assert len(await own.received()) == 2

    live(story, journal)
    live(again, journal)
    journal.close()
