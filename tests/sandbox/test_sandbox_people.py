"""What a person does on a phone of the sandbox besides writing: react, type, read, answer a certain message."""

import pytest
from miniworld import LINE, ORDINARY, Json, Miniworld, later, live, number, texts

from posthaste.sandbox.numbers import Script

CHAT = f"iMessage;-;{ORDINARY}"


async def tapbacks(mini: Miniworld) -> list[str]:
    [phone] = (await mini.client.get("/state")).json()["phones"]
    return [tapback for bubble in phone["bubbles"] for tapback in bubble["tapbacks"]]


def test_a_tapback_is_a_row_and_a_webhook_and_no_text_on_a_phone() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        sent = (await mini.text(ORDINARY, "Shall we?")).json()["data"]["guid"]
        done = await mini.person("react", text="Shall we?", reaction="like")
        assert (done.status_code, done.json()["on"], done.json()["reaction"]) == (201, sent, "like")
        await later(1)
        told = mini.events("new-message")[-1].data
        assert (told["associatedMessageGuid"], told["associatedMessageType"]) == (f"p:0/{sent}", "like")
        assert (told["text"], told["isFromMe"], told["handle"]["address"]) == ("Liked “Shall we?”", False, ORDINARY)
        assert [chat["guid"] for chat in told["chats"]] == [CHAT]
        assert texts(await mini.rows()) == ["Shall we?", "Liked “Shall we?”"]
        assert texts(await mini.received()) == ["Shall we?"]
        assert await tapbacks(mini) == ["like"]

    live(story)


def test_a_person_thinks_one_thing_at_a_time_and_may_take_it_back() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        guid = (await mini.text(ORDINARY)).json()["data"]["guid"]
        for reaction, shown in (("love", ["love"]), ("question", ["question"]), ("-question", []), ("-question", [])):
            assert (await mini.person("react", guid=guid, reaction=reaction)).status_code == 201
            assert await tapbacks(mini) == shown
        rows = await mini.rows()
        assert [row["associatedMessageType"] for row in rows] == [None, "love", "question", "-question", "-question"]

    live(story)


def test_the_latest_message_with_a_text_is_meant_and_a_picture_has_none() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        guids = [(await mini.text(ORDINARY, "Same")).json()["data"]["guid"] for _ in range(2)]
        assert (await mini.person("react", text="Same", reaction="love")).json()["on"] == guids[1]
        picture = (await mini.file(ORDINARY)).json()["data"]["guid"]
        await mini.person("react", guid=picture, reaction="emphasize")
        assert (await mini.rows())[-1]["text"] == "Emphasized an attachment"

    live(story)


@pytest.mark.parametrize(
    "asked",
    [
        {"reaction": "love"},
        {"reaction": "love", "text": "Never sent"},
        {"reaction": "love", "guid": "nothing"},
        {"reaction": "joy", "text": "Hello"},
        {"text": "Hello"},
        {"to": "+16285559999", "reaction": "love", "text": "Hello"},
    ],
)
def test_a_tapback_on_nothing_is_refused(asked: Json) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY, "Hello")
        await mini.text(number(Script.REFUSED), "Refused")
        answer = await mini.person("react", **asked)
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
        assert (await mini.person("react", number(Script.REFUSED), text="Refused", reaction="love")).status_code == 400
        assert len(await mini.rows()) == 2

    live(story)


@pytest.mark.parametrize(("private_api", "told"), [(True, [True, False]), (False, [])])
def test_typing_is_told_by_the_private_api_alone(private_api: bool, told: list[bool]) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(privateApi=private_api)
        for typing in (True, False):
            answer = await mini.person("typing", typing=typing)
            assert (answer.status_code, answer.json()) == (200, {"from": ORDINARY, "to": LINE, "typing": typing})
        await later(1)
        events = mini.events("typing-indicator")
        assert [event.data["display"] for event in events] == told
        assert all(event.data == {"display": event.data["display"], "guid": CHAT} for event in events)
        assert await mini.rows() == []

    live(story)


def test_a_person_reads_everything_that_arrived() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        silent = number(Script.SILENT)
        for text in ("One", "Two"):
            await mini.text(silent, text)
        await mini.text(number(Script.REFUSED), "Refused")
        await mini.person("send", silent, text="Hi")
        assert (await mini.person("read", silent)).json() == {"from": silent, "to": LINE, "read": 2}
        await later(1)
        receipts = mini.events("updated-message")
        assert sorted(receipt.data["text"] for receipt in receipts) == ["One", "Two"]
        assert all(receipt.data["dateRead"] and receipt.data["dateDelivered"] for receipt in receipts)
        assert (await mini.person("read", silent)).json()["read"] == 0
        assert (await mini.person("read", number(Script.REFUSED))).json()["read"] == 0

    live(story)


def test_a_person_answers_a_certain_message() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        guid = (await mini.text(ORDINARY)).json()["data"]["guid"]
        await mini.person("send", text="Yes", replyTo=guid)
        await mini.person("send", text="And no")
        assert [row["threadOriginatorGuid"] for row in await mini.rows()] == [None, guid, None]

    live(story)


def test_the_page_shows_when_the_mac_types_until_it_sends() -> None:
    async def typing(mini: Miniworld) -> list[str]:
        [phone] = (await mini.client.get("/state")).json()["phones"]
        lines: list[str] = phone["typing"]
        return lines

    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY)
        version = (await mini.client.get("/state")).json()["version"]
        await mini.call("POST", f"/chat/{CHAT}/typing")
        assert (await mini.client.get("/state", params={"version": version})).status_code == 200
        assert await typing(mini) == [LINE]
        await mini.text(ORDINARY)
        assert await typing(mini) == []

    live(story)
