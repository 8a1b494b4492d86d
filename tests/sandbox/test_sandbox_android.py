"""The simulated Android phone: what people write to it, how it is made and switched, and what it keeps."""

from pathlib import Path

import httpx2
import pytest
from android_world import ANDROID, LINE, AndroidWorld, Json, live
from miniworld import ORDINARY, later, number

from posthaste.sandbox.journal import DiskJournal, MemoryJournal
from posthaste.sandbox.numbers import Script

TAKEN = [Script.READ, Script.DELIVERED, Script.NO_IMESSAGE, Script.RECEIPT_TWICE, Script.REPLIES, Script.STOPS]


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
