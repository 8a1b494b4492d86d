"""Files on a simulated Mac: put there, sent in both ways, shown in rows and webhooks, and fetched."""

from typing import Any

import httpx2
import pytest
from miniworld import ORDINARY, PASSWORD, Json, Miniworld, later, listed, live, number

from posthaste.sandbox.files import FILE_BYTES_MAX
from posthaste.sandbox.numbers import Script

CHAT = f"iMessage;-;{ORDINARY}"
FORM: Json = {"chatGuid": CHAT, "name": "house.jpg", "tempGuid": "t", "method": "apple-script"}
PARTS: Json = {"chatGuid": CHAT, "parts": [{"partIndex": 0, "text": "Hello"}]}
NO_ATTACHMENT = "Attachment not provided or was empty!"
WAYS = ["script", "private", "multipart"]


async def send(mini: Miniworld, way: str, to: str) -> httpx2.Response:
    match way:
        case "script":
            return await mini.file(to)
        case "private":
            return await mini.file(to, method="private-api")
        case _:
            return await mini.files(to, b"house", text="Hello")


# Refusals


BAD_FORMS: list[tuple[Json, bytes | None, str]] = [
    ({"chatGuid": ""}, b"x", "The chatGuid field is required."),
    ({"name": ""}, b"x", "The name field is required."),
    ({"method": "pigeon"}, b"x", "The selected method is invalid."),
    ({"partIndex": "-1"}, b"x", "The partIndex must be at least 0."),
    ({"isAudioMessage": "perhaps"}, b"x", "The isAudioMessage must be true or false."),
    ({"tempGuid": ""}, b"x", "A 'tempGuid' is required when sending via AppleScript"),
    ({}, b"", NO_ATTACHMENT),
    ({}, None, NO_ATTACHMENT),
]


@pytest.mark.parametrize(("fields", "content", "error"), BAD_FORMS)
def test_a_bad_form_is_refused_in_the_servers_words(fields: Json, content: bytes | None, error: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.form("/message/attachment", FORM | fields, content)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, error)
        assert await mini.received() == []

    live(story)


BAD_PARTS: list[tuple[Json, str]] = [
    ({"chatGuid": ""}, "The chatGuid field is required."),
    ({"parts": None}, "The parts field is required."),
    ({"parts": "Hello"}, "The parts must be an array."),
    ({"parts": ["Hello"]}, "Each part must be a dictionary"),
    ({"parts": [{"text": "Hello"}]}, "Each part must have a partIndex"),
    ({"parts": [{"partIndex": "0", "text": "Hello"}]}, "Each partIndex must be a number"),
    ({"parts": [{"partIndex": 0}]}, "Each part must have either a text or attachment"),
    ({"parts": [{"partIndex": 0, "attachment": "a/b"}]}, "Each attachment must have a name"),
    ({"parts": [{"partIndex": 0, "attachment": "a/b", "name": "b"}]}, "Attachment 'a/b' does not exist"),
]


@pytest.mark.parametrize(("fields", "error"), BAD_PARTS)
def test_bad_parts_are_refused_in_the_servers_words(fields: Json, error: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.call("POST", "/message/multipart", PARTS | fields)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, error)
        assert await mini.received() == []

    live(story)


@pytest.mark.parametrize("content", [None, b""])
def test_an_upload_without_a_file_is_refused(content: bytes | None) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.form("/attachment/upload", {}, content)
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, NO_ATTACHMENT)

    live(story)


def test_a_file_that_is_too_large_is_an_unhandled_error_and_goes_nowhere() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        for size in (FILE_BYTES_MAX + 1, FILE_BYTES_MAX + 10**6):
            for path in ("/attachment/upload", "/message/attachment"):
                answer = await mini.form(path, FORM, bytes(size))
                assert (answer.status_code, answer.json()["message"]) == (500, "An unhandled error has occurred!")
        assert (await mini.received(), await mini.rows()) == ([], [])

    live(story)


@pytest.mark.parametrize("body", [b"", b"--x\r\nnonsense", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"])
def test_a_broken_form_is_refused(body: bytes) -> None:
    async def story(mini: Miniworld) -> int:
        await mini.mac()
        headers = {"content-type": "multipart/form-data; boundary=x"}
        url = "/macs/mac/api/v1/message/attachment"
        return (await mini.client.post(url, params={"password": PASSWORD}, content=body, headers=headers)).status_code

    assert live(story) in (400, 500)


def test_without_the_private_api_there_is_neither_upload_nor_multipart() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(privateApi=False)
        uploaded = await mini.form("/attachment/upload", {}, b"x")
        assert (uploaded.status_code, uploaded.json()["error"]["message"]) == (500, "iMessage Private API is not enabled!")
        sent = await mini.call("POST", "/message/multipart", PARTS)
        assert (sent.status_code, sent.json()["error"]["message"]) == (500, "iMessage Private API is not enabled!")
        refused = await mini.file(ORDINARY, method="private-api")
        assert refused.json()["message"] == "Attachment Send Error"
        assert await mini.received() == []
        assert (await mini.file(ORDINARY)).status_code == 200

    live(story)


def test_without_a_conversation_only_applescript_gets_through() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        for answer in (
            await mini.call("POST", "/message/multipart", PARTS),
            await mini.form("/message/attachment", FORM | {"method": "private-api"}, b"x"),
        ):
            assert (answer.status_code, answer.json()["error"]["message"]) == (500, "Chat does not exist!")
        assert await mini.received() == []
        assert (await mini.form("/message/attachment", FORM, b"x")).json()["message"] == "Attachment sent!"
        assert [item["to"] for item in await mini.received()] == [ORDINARY]

    live(story)


def test_applescript_sends_no_file_from_macos_26_on() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(macosVersion="26.1")
        answer = await mini.file(ORDINARY)
        assert (answer.status_code, answer.json()["message"]) == (500, "Attachment Send Error")
        assert "-1700" in answer.json()["error"]["message"]
        assert (await mini.files(ORDINARY, b"x")).status_code == 200
        assert len(await mini.received()) == 1

    live(story)


# What is sent


def test_one_file_by_applescript_is_on_the_phone_and_in_the_answer() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.file(ORDINARY, b"a house", "house.jpg")
        assert (answer.status_code, answer.json()["message"]) == (200, "Attachment sent!")
        sent = answer.json()["data"]
        assert (sent["text"], sent["isFromMe"], sent["error"]) == ("\ufffc", True, 0)
        assert "tempGuid" not in sent
        [file] = sent["attachments"]
        assert (file["transferName"], file["mimeType"], file["uti"]) == ("house.jpg", "image/jpeg", "public.jpeg")
        assert (file["totalBytes"], file["isOutgoing"], file["originalROWID"]) == (7, True, 1)
        [item] = await mini.received()
        assert (item["text"], item["guid"]) == ("", sent["guid"])
        assert item["attachments"] == [listed("house.jpg", "image/jpeg", b"a house")]

    live(story)


def test_text_and_files_are_one_message() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.files(ORDINARY, b"one", b"two", text="Both of them")
        assert (answer.status_code, answer.json()["message"]) == (200, "Message sent!")
        sent = answer.json()["data"]
        assert (sent["text"], sent["tempGuid"], sent["partCount"]) == ("\ufffc\ufffcBoth of them", "temp-1", 3)
        assert sent["attachments"] == [], "the answer to the Private API's way does not load them"
        [item] = await mini.received()
        assert item["text"] == "Both of them"
        assert item["attachments"] == [listed("0.png", "image/png", b"one"), listed("1.png", "image/png", b"two")]
        assert len(await mini.rows()) == 1

    live(story)


def test_a_text_alone_can_be_a_multipart_and_an_upload_can_be_sent_twice() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        assert (await mini.files(ORDINARY, text="Alone")).status_code == 200
        path = await mini.upload(b"x")
        body = {"chatGuid": CHAT, "parts": [{"partIndex": 0, "attachment": path, "name": "x.pdf"}]}
        assert [(await mini.call("POST", "/message/multipart", body)).status_code for _ in range(2)] == [200, 200]
        assert [item.get("attachments") for item in await mini.received()] == [
            None,
            [listed("x.pdf", "application/pdf", b"x")],
            [listed("x.pdf", "application/pdf", b"x")],
        ]
        guids = [row["attachments"][0]["guid"] for row in (await mini.rows(**{"with": ["attachments"]}))[1:]]
        assert len(set(guids)) == 2

    live(story)


def test_a_name_is_the_last_part_of_a_path() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.file(ORDINARY, name="../../etc/passwd")
        assert "/" not in (await mini.upload(b"x", "../../a.png")).partition("/")[2]
        assert (await mini.received())[0]["attachments"][0]["name"] == "passwd"

    live(story)


# How it is told


def test_rows_show_attachments_to_those_who_ask() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.file(ORDINARY)
        [bare] = await mini.rows()
        assert bare["attachments"] == []
        for names in (["attachment"], ["chats", "Attachments"], ["attachments.metadata"]):
            [row] = await mini.rows(**{"with": names})
            assert len(row["attachments"]) == 1
        found = (await mini.call("GET", f"/message/{bare['guid']}", **{"with": "attachments"})).json()["data"]
        assert found["attachments"] == row["attachments"]
        [listed_row] = (await mini.call("GET", f"/chat/{CHAT}/message", **{"with": "attachment"})).json()["data"]
        assert listed_row["attachments"] == row["attachments"]
        assert set(row["attachments"][0]) == {
            "originalROWID", "guid", "uti", "mimeType", "transferName", "totalBytes", "height", "width", "metadata",
            "transferState", "isOutgoing", "hideAttachment", "isSticker", "originalGuid", "hasLivePhoto",
        }  # fmt: skip

    live(story)


@pytest.mark.parametrize(("way", "told"), [("script", ["", "temp-1"]), ("private", ["", "temp-1"]), ("multipart", [""])])
def test_webhooks_show_attachments_and_only_some_sends_are_matched(way: str, told: list[str]) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await send(mini, way, ORDINARY)
        await later(500)
        events = mini.events("new-message")
        assert sorted(event.data.get("tempGuid", "") for event in events) == told
        for event in [*events, *mini.events("updated-message")]:
            [file] = event.data["attachments"]
            assert set(file) == {
                "originalROWID", "guid", "uti", "mimeType", "transferName", "totalBytes", "height", "width", "metadata",
            }  # fmt: skip
            assert event.data["text"].startswith("\ufffc")

    live(story)


# Fetching


def test_an_attachment_is_found_by_its_guid_whatever_stands_before_it_and_fetched() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        content = bytes(range(256)) * 9
        await mini.files(ORDINARY, content, b"other")
        [row] = await mini.rows(**{"with": ["attachments"]})
        guid = row["attachments"][0]["guid"]
        for named in (guid, f"at_0_{guid}", f"p%3A%2F{guid}"):
            found = (await mini.call("GET", f"/attachment/{named}")).json()["data"]
            assert (found["guid"], found["transferName"]) == (guid, "0.png")
            fetched = await mini.call("GET", f"/attachment/{named}/download", original="true", force="false")
            assert (fetched.content, fetched.headers["content-type"]) == (content, "image/png")
        assert (await mini.call("GET", "/attachment/count")).json()["data"] == {"total": 2}
        for path in ("/attachment/nothing", "/attachment/nothing/download"):
            missing = await mini.call("GET", path)
            assert (missing.status_code, missing.json()["error"]["message"]) == (404, "Attachment does not exist!")
        bad = await mini.call("GET", f"/attachment/{guid}/download", quality="superb")
        assert bad.json()["error"]["message"] == "The selected quality is invalid."
        assert (await mini.client.get(f"/macs/mac/api/v1/attachment/{guid}/download")).status_code == 401

    live(story)


# The scripts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("script", list(Script))
def test_every_script_goes_the_same_with_files(script: Script, way: str) -> None:
    """Told apart by number alone: what the phone has, what the Mac has, the status, and the receipts."""

    async def told(mini: Miniworld, sent: Any) -> list[Any]:
        try:
            answer = await sent
        except httpx2.ReadError:
            answer = None
        early = len(mini.events("updated-message"))
        await later(20_000)
        theirs = [row["text"] for row in await mini.rows() if not row["isFromMe"]]
        return [
            answer.status_code if answer else None,
            len(await mini.received()),
            [(row["error"], row["isDelivered"], row["dateRead"] is not None) for row in await mini.rows()],
            (early, len(mini.events("updated-message")), len(mini.events("message-send-error"))),
            theirs,
        ]

    async def with_files(mini: Miniworld) -> list[Any]:
        await mini.mac()
        return await told(mini, send(mini, way, number(script)))

    async def with_text(mini: Miniworld) -> list[Any]:
        await mini.mac()
        return await told(mini, mini.text(number(script)))

    status, *rest = live(with_files)
    expected, *others = live(with_text)
    is_blind = way == "private" and expected == 500
    assert status == (200 if is_blind else expected), "what the Private API said of one file is passed on unread"
    assert rest == others


@pytest.mark.parametrize("way", WAYS)
def test_an_error_leaves_a_row_with_its_files_and_nothing_on_the_phone(way: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await send(mini, way, number(Script.NO_IMESSAGE))
        assert answer.json()["data"]["error"] == 22
        [row] = await mini.rows(**{"with": ["attachments"]})
        assert (row["error"], len(row["attachments"])) == (22, 1)
        assert await mini.received() == []

    live(story)


@pytest.mark.parametrize("way", ["script", "multipart"])
def test_a_late_file_keeps_a_second_request_out(way: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        assert (await send(mini, way, number(Script.LATE))).status_code == 504
        again = await send(mini, way, number(Script.LATE))
        assert (again.status_code, "is already queued to be sent!" in again.json()["error"]["message"]) == (400, True)
        await later(6_000)
        assert len(await mini.received()) == 1
        assert (await send(mini, way, number(Script.LATE))).status_code == 504

    live(story)
