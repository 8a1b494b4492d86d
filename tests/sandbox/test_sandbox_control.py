"""The sandbox's own API: Macs, phones, the list of what was received, and the page for a person."""

import re

import httpx2
import pytest
from miniworld import HOOK, LINE, ORDINARY, PASSWORD, STARTED_AT, Json, Miniworld, later, live, number, texts

from posthaste.sandbox.instants import iso
from posthaste.sandbox.numbers import Script

MAC: Json = {"id": "mac", "phone": LINE, "password": PASSWORD}


def test_a_mac_is_made_once_and_takes_new_settings_without_losing_its_messages() -> None:
    async def story(mini: Miniworld) -> None:
        first = await mini.client.post("/devices", json=MAC)
        assert first.status_code == 201
        made = first.json()
        assert (made["id"], made["url"], made["phone"], made["password"], made["state"]) == (
            "mac", "http://sandbox.example/macs/mac", LINE, PASSWORD, "up",
        )  # fmt: skip
        before = mini.world.version
        again = await mini.client.post("/devices", json=MAC)
        assert (again.status_code, again.json(), mini.world.version) == (200, made, before)
        await mini.text(ORDINARY)
        changed = await mini.client.post("/devices", json=MAC | {"password": "other", "macosVersion": "26.1"})
        assert (changed.status_code, changed.json()["password"]) == (200, "other")
        assert (await mini.call("GET", "/ping")).status_code == 401
        assert (await mini.call("GET", "/message/count", guid="other")).json()["data"] == {"total": 1}
        assert [mac["id"] for mac in (await mini.client.get("/devices")).json()] == ["mac"]

    live(story)


def test_a_mac_without_an_id_gets_one() -> None:
    async def story(mini: Miniworld) -> None:
        made = [(await mini.client.post("/devices", json={"phone": LINE, "password": "p"})).json() for _ in range(2)]
        assert made[0]["id"] != made[1]["id"]
        assert (await mini.client.get(f"{made[0]['url']}/api/v1/ping?guid=p")).status_code == 200

    live(story)


BAD = [
    ("/devices", b"{", None),
    ("/devices", b"[" * 100_000, None),
    ("/devices", None, {"phone": LINE}),
    ("/devices", None, {"phone": "none", "password": "p"}),
    ("/devices", None, {"phone": LINE, "password": ""}),
    ("/devices", None, MAC | {"id": "a/b"}),
    ("/devices", None, MAC | {"id": ""} | {"id": "x" * 65}),
    ("/devices", None, MAC | {"macosVersion": "Tahoe"}),
    ("/devices", None, MAC | {"privateApi": "yes"}),
    ("/devices/mac", None, {"state": "sideways"}),
    ("/devices/nobody", None, {"state": "up"}),
    ("/phones/none/send", None, {"to": LINE, "text": "hi"}),
    (f"/phones/{ORDINARY}/send", None, {"to": "+16285559999", "text": "hi"}),
    (f"/phones/{ORDINARY}/send", None, {"to": LINE}),
    (f"/phones/{ORDINARY}/send", None, {"to": LINE, "text": ""}),
    (f"/phones/{number(Script.NO_IMESSAGE)}/send", None, {"to": LINE, "text": "hi"}),
]


@pytest.mark.parametrize(("path", "raw", "body"), BAD)
def test_bad_input_is_a_400_that_says_why_and_changes_nothing(path: str, raw: bytes | None, body: Json | None) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.client.post("/devices", json=MAC)
        before = mini.world.version
        answer = await mini.client.post(path, **({"content": raw} if raw else {"json": body}))
        assert answer.status_code == 400
        assert answer.json()["error"]
        assert mini.world.version == before

    live(story)


def test_received_is_filtered_by_phone_and_by_time() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY, "one")
        await later(1_000)
        await mini.text("+12025550144", "two")
        every = await mini.received()
        assert [set(item) for item in every] == [{"to", "from", "text", "channel", "guid", "receivedAt"}] * 2
        assert every[0]["receivedAt"] == iso(STARTED_AT)
        assert texts(await mini.received(to="12025550144")) == ["two"]
        assert texts((await mini.client.get("/received?to=+12025550143")).json()) == ["one"]
        assert await mini.received(to="+12025550145") == []
        for after in (every[0]["receivedAt"], str(STARTED_AT), "2027-01-15T09:00:00.000+01:00"):
            assert texts(await mini.received(after=after)) == ["two"]
        assert texts((await mini.client.get("/received?after=2027-01-15T09:00:00+01:00")).json()) == ["two"]
        assert await mini.received(after=every[1]["receivedAt"]) == []
        assert (await mini.client.get("/received?after=yesterday")).status_code == 400

    live(story)


@pytest.mark.parametrize("spelt", [ORDINARY, "12025550143", "%2B12025550143", "+1%20202%20555%200143"])
def test_a_person_writes_to_a_line_and_the_mac_tells_of_it(spelt: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.client.post(f"/phones/{spelt}/send", json={"to": "1 628-555-1000", "text": "Hi"})
        assert (answer.status_code, answer.json()["from"], answer.json()["to"]) == (201, ORDINARY, LINE)
        await later(1)
        [told] = mini.pinned
        assert (told.event, told.url) == ("new-message", HOOK)
        assert (told.data["text"], told.data["isFromMe"], told.data["guid"]) == ("Hi", False, answer.json()["guid"])
        assert told.data["handle"] == {"originalROWID": 1, "address": ORDINARY, "service": "iMessage"}
        assert [chat["guid"] for chat in told.data["chats"]] == [f"iMessage;-;{ORDINARY}"]
        assert await mini.received() == []

    live(story)


def test_a_mac_that_is_down_answers_nothing_tells_nothing_and_keeps_what_comes() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY, "before")
        await later(1)
        down = await mini.client.post("/devices/mac", json={"state": "down"})
        assert (down.status_code, down.json()["state"]) == (200, "down")
        for method, path in (("GET", "/ping"), ("POST", "/message/text"), ("GET", "/nothing"), ("PUT", "/ping")):
            with pytest.raises(httpx2.ReadError):
                await mini.call(method, path, {})
        wrote = await mini.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "while down"})
        assert wrote.status_code == 201
        told = len(mini.pinned)
        await later(10_000)
        assert len(mini.pinned) == told, "neither the receipt that fell due nor what a person wrote was told"
        await mini.client.post("/devices/mac", json={"state": "up"})
        await later(10_000)
        assert len(mini.pinned) == told, "waking up, it tells nothing of the time before"
        assert [(row["text"], row["isDelivered"]) for row in await mini.rows()] == [
            ("before", True),
            ("while down", False),
        ]

    live(story)


def test_a_mac_that_goes_down_during_a_send_does_not_answer_it() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        mini.world.later(1_000, lambda: mini.world.macs["mac"].__setattr__("is_up", False))
        with pytest.raises(httpx2.ReadError):
            await mini.text(number(Script.LATE))
        await later(10_000)
        assert texts(await mini.received()) == ["Hello"]

    live(story)


def test_only_the_mac_that_is_down_is_down() -> None:
    async def story(mini: Miniworld) -> int:
        await mini.mac("mac")
        await mini.mac("other", phone="+16285551001")
        await mini.client.post("/devices/mac", json={"state": "down"})
        return (await mini.call("GET", "/ping", mac="other")).status_code

    assert live(story) == 200


def test_the_numbers_are_listed_with_what_they_do() -> None:
    async def story(mini: Miniworld) -> list[Json]:
        listed: list[Json] = (await mini.client.get("/numbers")).json()
        return listed

    listed = live(story)
    assert all(set(item) == {"number", "script", "says"} and item["says"] for item in listed)
    assert {item["script"] for item in listed} == {
        "read", "delivered", "no-imessage", "unreachable", "hangup", "late", "refused", "receipt-twice",
        "receipt-first", "replies", "stops", "silent",
    }  # fmt: skip


def test_it_says_that_it_is_well() -> None:
    async def story(mini: Miniworld) -> tuple[int, Json]:
        answer = await mini.client.get("/healthz")
        return answer.status_code, answer.json()

    assert live(story) == (200, {"status": "ok"})


def test_the_page_and_its_files_come_from_the_package_and_fetch_nothing_from_outside() -> None:
    async def story(mini: Miniworld) -> None:
        page = await mini.client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in page.headers["content-security-policy"]
        linked = set(re.findall(r'(?:src|href)="([^"#]+)"', page.text))
        assert linked == {"assets/app.css", "assets/app.js", "assets/icon.svg"}
        for path in linked:
            found = await mini.client.get(f"/{path}")
            assert found.status_code == 200
            assert not re.findall(r"(?:https?:)?//[a-z][\w.]*\.\w+", found.text.replace("http://www.w3.org/2000/svg", ""))
        assert (await mini.client.get("/assets/app.py")).status_code == 404

    live(story)


def test_the_page_is_told_what_changed_and_never_a_password() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(number(Script.REPLIES), "<b>Hi</b>")
        await later(2_000)
        answer = await mini.client.get("/state")
        shown = answer.json()
        assert PASSWORD not in answer.text
        [phone] = shown["phones"]
        assert [(b["text"], b["isOwn"], b["receipt"]) for b in phone["bubbles"]] == [
            ("<b>Hi</b>", False, "delivered"),
            ("Got it, thanks!", True, ""),
        ]
        assert (phone["script"], phone["lines"]) == ("replies", [LINE])
        unchanged = await mini.client.get("/state", params={"version": shown["version"]})
        assert (unchanged.status_code, unchanged.content) == (204, b"")
        await mini.text(ORDINARY)
        assert (await mini.client.get("/state", params={"version": shown["version"]})).status_code == 200

    live(story)
