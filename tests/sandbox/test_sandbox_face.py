"""The BlueBubbles face answers in the words of a real server: envelopes, refusals, and the rules of each route."""

import asyncio

import httpx2
import pytest
from miniworld import HOOK, LINE, ORDINARY, PASSWORD, Json, Miniworld, answer_to, later, live, number, texts

from posthaste.sandbox.numbers import Script
from posthaste.sandbox.webhooks import EVENTS

BAD_REQUEST = "You've made a bad request! Please check your request params & body"
NOT_ALLOWED = "You are not authorized to access this resource"
SET_UP_FIRST = "Please make sure you have completed the setup for the Private API, and your helper is connected!"
CHAT = f"iMessage;-;{ORDINARY}"
TEXT: Json = {"chatGuid": CHAT, "message": "Hello", "tempGuid": "t", "method": "private-api"}
NEW: Json = {"addresses": [ORDINARY], "message": "Hello"}


def without(body: Json, *names: str) -> Json:
    return {name: value for name, value in body.items() if name not in names}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, "Missing server password!"),
        ({"password": ""}, "Missing server password!"),
        ({"password": "wrong"}, "Unauthorized"),
        ({"guid": "wrong", "password": PASSWORD}, "Unauthorized"),
        ({"password": "wrong", "token": PASSWORD}, "Unauthorized"),
    ],
)
@pytest.mark.parametrize("path", ["/ping", "/server/info", "/message/count"])
def test_without_the_password_nothing_is_told(path: str, query: dict[str, str], error: str) -> None:
    async def story(mini: Miniworld) -> tuple[int, Json]:
        await mini.mac()
        answer = await mini.client.get(f"/macs/mac/api/v1{path}", params=query)
        return answer.status_code, answer.json()

    refusal = {"status": 401, "message": NOT_ALLOWED, "error": {"type": "Authentication Error", "message": error}}
    assert live(story) == (401, refusal)


@pytest.mark.parametrize("name", ["guid", "password", "token"])
def test_the_password_goes_by_three_names(name: str) -> None:
    async def story(mini: Miniworld) -> Json:
        await mini.mac()
        answer: Json = (await mini.client.get("/macs/mac/api/v1/ping", params={name: f" {PASSWORD} "})).json()
        return answer

    assert live(story) == {"status": 200, "message": "Ping received!", "data": "pong"}


@pytest.mark.parametrize(("private_api", "version"), [(True, "15.6"), (False, "26.1")])
def test_server_info_tells_what_the_mac_can(private_api: bool, version: str) -> None:
    status, body = answer_to("GET", "/server/info", privateApi=private_api, macosVersion=version)
    assert (status, body["status"], body["message"]) == (200, 200, "Success")
    told = body["data"]
    assert (told["private_api"], told["helper_connected"], told["os_version"]) == (private_api, private_api, version)
    assert told["server_version"] == "1.9.9"
    assert set(told) == {
        "computer_id", "os_version", "server_version", "private_api", "proxy_service", "helper_connected",
        "detected_icloud", "detected_imessage", "macos_time_sync", "local_ipv4s", "local_ipv6s",
    }  # fmt: skip


INVALID = [
    ("/message/text", without(TEXT, "chatGuid"), "The chatGuid field is required."),
    ("/message/text", TEXT | {"chatGuid": ""}, "The chatGuid field is required."),
    ("/message/text", {}, "The chatGuid field is required."),
    ("/message/text", [], "The chatGuid field is required."),
    ("/message/text", without(TEXT, "message"), "The message field must be present (but can be empty)."),
    ("/message/text", TEXT | {"method": "pigeon"}, "The selected method is invalid."),
    ("/message/text", TEXT | {"partIndex": -1}, "The partIndex must be at least 0."),
    ("/message/text", without(TEXT, "tempGuid", "method"), "A 'tempGuid' is required when sending via AppleScript"),
    ("/message/text", TEXT | {"method": "apple-script", "message": ""},
     "A 'message' is required when sending via AppleScript"),
    ("/message/text", TEXT | {"message": ""},
     "A 'message' or 'subject' is required when sending via the Private API"),
    ("/chat/new", {}, "The addresses field is required."),
    ("/chat/new", NEW | {"addresses": ORDINARY}, "The addresses must be an array."),
    ("/chat/new", NEW | {"method": "pigeon"}, "The selected method is invalid."),
    ("/chat/new", NEW | {"service": "Pigeon"}, "The selected service is invalid."),
    ("/chat/query", {"limit": 1001}, "The limit may not be greater than 1000."),
    ("/message/query", {"limit": 1001}, "The limit may not be greater than 1000."),
    ("/message/query", {"limit": 0}, "The limit must be at least 1."),
    ("/message/query", {"sort": "up"}, "The selected sort is invalid."),
    ("/message/query", {"after": "yesterday"}, "The after must be a number."),
    ("/webhook", {"events": ["*"]}, "The url field is required."),
    ("/webhook", {"url": HOOK}, "The events field is required."),
    ("/webhook", {"url": "ftp://x", "events": ["*"]}, "Webhook URL must include an HTTP scheme!"),
    ("/webhook", {"url": "http://x", "events": [1]}, "Webhook events must be strings!"),
    ("/webhook", {"url": "http://x", "events": ["message"]},
     f"Invalid webhook event: message! Webhook must be one of: {','.join(EVENTS)}"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "error"), INVALID)
def test_a_bad_field_is_refused_in_the_servers_words(path: str, body: object, error: str) -> None:
    refusal = {"status": 400, "message": BAD_REQUEST, "error": {"type": "Validation Error", "message": error}}
    assert answer_to("POST", path, body) == (400, refusal)


def test_an_address_to_check_is_required() -> None:
    status, body = answer_to("GET", "/handle/availability/imessage")
    assert (status, body["error"]["message"]) == (400, "The address field is required.")


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/handle/availability/imessage", {"address": ORDINARY}),
        ("POST", f"/chat/{CHAT}/typing", {}),
        ("DELETE", f"/chat/{CHAT}/typing", {}),
        ("POST", f"/chat/{CHAT}/read", {}),
    ],
)
def test_what_needs_the_private_api_says_so_without_it(method: str, path: str, query: Json) -> None:
    refusal = {
        "status": 500,
        "message": SET_UP_FIRST,
        "error": {"type": "iMessage Error", "message": "iMessage Private API is not enabled!"},
    }
    assert answer_to(method, path, query=query, privateApi=False) == (500, refusal)
    assert answer_to(method, path, query=query)[0] == 200


MISSING = [
    ("GET", "/chat/any;-;+12025550143", "Chat does not exist!"),
    ("GET", "/chat/iMessage;-;+12025550199/message", "Chat does not exist!"),
    ("POST", "/chat/iMessage;-;+12025550199/read", "Chat does not exist!"),
    ("GET", "/message/NO-SUCH-GUID", "Message does not exist!"),
    ("DELETE", "/webhook/99", "Webhook does not exist!"),
]


@pytest.mark.parametrize(("method", "path", "error"), MISSING)
def test_what_is_not_there_is_a_database_error(method: str, path: str, error: str) -> None:
    refusal = {
        "status": 404,
        "message": "The requested resource was not found",
        "error": {"type": "Database Error", "message": error},
    }
    assert answer_to(method, path) == (404, refusal)


UNSENDABLE = [
    ("/message/text", TEXT | {"chatGuid": "iMessage;-;+12025550199"}, {}, "Message Send Error", "Chat does not exist!"),
    ("/message/text", TEXT, {"privateApi": False}, "Message Send Error", "iMessage Private API is not enabled!"),
    ("/message/text", TEXT | {"method": "apple-script", "subject": "s"}, {"privateApi": False},
     "Message Send Error", "iMessage Private API is not enabled!"),
    ("/chat/new", NEW | {"method": "private-api"}, {"privateApi": False},
     "An unhandled error has occurred!", "iMessage Private API is not enabled!"),
    ("/chat/new", NEW | {"addresses": [ORDINARY, LINE]}, {},
     "An unhandled error has occurred!", "Cannot create group chats on macOS Big Sur or newer!"),
    ("/chat/new", without(NEW, "message"), {},
     "An unhandled error has occurred!", "A message is required when creating chats on macOS Big Sur or newer!"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "mac", "message", "error"), UNSENDABLE)
def test_what_cannot_be_sent_is_a_500_and_reaches_no_phone(path: str, body: Json, mac: Json, message: str, error: str) -> None:
    async def story(mini: Miniworld) -> tuple[int, Json]:
        await mini.mac(**mac)
        mini.world.open_chat(mini.world.macs["mac"], ORDINARY)
        answer = await mini.call("POST", path, body)
        await later(10_000)
        assert (await mini.received(), await mini.rows(), mini.pinned) == ([], [], [])
        return answer.status_code, answer.json()

    status, said = live(story)
    assert (status, said["message"], said["error"]["message"]) == (500, message, error)


@pytest.mark.parametrize("path", ["/message/text", "/chat/new"])
def test_apple_script_is_broken_from_macos_26_on_and_the_private_api_is_not(path: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(macosVersion="26.1")
        chat = mini.world.open_chat(mini.world.macs["mac"], ORDINARY)
        body = TEXT | NEW | {"chatGuid": chat.guid, "method": "apple-script"}
        refused = await mini.call("POST", path, body)
        assert refused.status_code == 500
        assert "-1700" in refused.json()["error"]["message"]
        assert await mini.received() == []
        assert (await mini.call("POST", path, body | {"method": "private-api"})).status_code == 200
        assert len(await mini.received()) == 1

    live(story)


@pytest.mark.parametrize(("version", "form", "other"), [("15.6", "iMessage", "any"), ("26.1", "any", "iMessage")])
def test_a_conversation_is_named_by_its_macos_and_by_no_other_name(version: str, form: str, other: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(macosVersion=version)
        made = (await mini.new_chat(ORDINARY)).json()
        assert made["message"] == "Successfully created chat!"
        assert made["data"]["guid"] == f"{form};-;{ORDINARY}"
        assert (await mini.call("GET", f"/chat/{form};-;%2B12025550143")).status_code == 200
        assert (await mini.call("GET", f"/chat/{other};-;%2B12025550143")).status_code == 404
        text = await mini.call("POST", "/message/text", TEXT | {"chatGuid": f"{other};-;{ORDINARY}"})
        assert (text.status_code, text.json()["error"]["message"]) == (500, "Chat does not exist!")

    live(story)


def test_a_new_chat_comes_with_its_person_and_its_message() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        made = (await mini.new_chat("+1 (202) 555-0143", tempGuid="mine")).json()["data"]
        assert [person["address"] for person in made["participants"]] == [ORDINARY]
        [message] = made["messages"]
        assert (message["text"], message["error"], message["tempGuid"]) == ("Hello", 0, "mine")
        assert (made["style"], made["chatIdentifier"]) == (45, ORDINARY)
        again = (await mini.new_chat(ORDINARY, "Again")).json()["data"]
        assert (again["guid"], again["originalROWID"]) == (made["guid"], made["originalROWID"])
        assert texts(await mini.received(to=ORDINARY)) == ["Hello", "Again"]

    live(story)


def test_a_new_chat_by_private_api_is_a_success_even_if_its_message_failed() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.new_chat(number(Script.NO_IMESSAGE))
        assert answer.status_code == 200
        assert answer.json()["data"]["messages"][0]["error"] == 22
        assert await mini.received() == []
        await later(1)
        assert [event.event for event in mini.pinned] == ["message-send-error"]

    live(story)


@pytest.mark.parametrize(("script", "status"), [(Script.HANGUP, None), (Script.LATE, 504)])
def test_a_new_chat_hangs_up_and_is_late_like_any_send(script: Script, status: int | None) -> None:
    async def story(mini: Miniworld) -> int | None:
        await mini.mac()
        try:
            answer = await mini.new_chat(number(script))
        except httpx2.ReadError:
            answer = None
        await later(10_000)
        assert texts(await mini.received()) == ["Hello"]
        return answer.status_code if answer else None

    assert live(story) == status


def test_a_webhook_registered_again_stays_as_it_was_until_it_is_deleted() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.client.post("/devices", json={"id": "mac", "phone": LINE, "password": PASSWORD})
        ask = {"url": HOOK, "events": ["new-message"]}
        first = (await mini.call("POST", "/webhook", ask)).json()
        assert first["message"] == "Successfully created webhook!"
        again = (await mini.call("POST", "/webhook", ask | {"events": ["updated-message"]})).json()
        assert again["data"] == first["data"]
        assert first["data"]["events"] == ["new-message"]
        listed = (await mini.call("GET", "/webhook", url=HOOK)).json()
        assert (listed["message"], len(listed["data"])) == ("Successfully fetched webhooks!", 1)
        assert (await mini.call("GET", "/webhook", url="http://other.example")).json()["data"] == []
        await mini.text(ORDINARY)
        await later(500)
        assert {event.event for event in mini.pinned} == {"new-message"}
        gone = (await mini.call("DELETE", f"/webhook/{first['data']['id']}")).json()
        assert gone == {"status": 200, "message": "Successfully deleted webhook!"}
        anew = (await mini.call("POST", "/webhook", ask | {"events": ["updated-message"]})).json()
        assert anew["data"]["events"] == ["updated-message"]
        assert anew["data"]["id"] > first["data"]["id"]

    live(story)


def test_typing_and_reading_are_acknowledged_and_reading_is_announced() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY)
        said = [
            (await mini.call(method, f"/chat/{CHAT}/{what}")).json()["message"]
            for method, what in [("POST", "typing"), ("DELETE", "typing"), ("POST", "read")]
        ]
        assert said == [
            "Successfully started typing!",
            "Successfully stopped typing!",
            "Successfully marked chat as read!",
        ]
        await later(1)
        [read] = mini.events("chat-read-status-changed")
        assert read.data == {"chatGuid": CHAT, "read": True}

    live(story)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_an_unhandled_error(body: bytes) -> None:
    async def story(mini: Miniworld) -> tuple[int, str]:
        await mini.mac()
        url = f"/macs/mac/api/v1/message/text?password={PASSWORD.replace(' ', '%20').replace('&', '%26')}"
        answer = await mini.client.post(url, content=body)
        return answer.status_code, answer.json()["message"]

    assert live(story) == (500, "An unhandled error has occurred!")


def test_many_sends_at_once_get_rows_without_gaps() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await asyncio.gather(*(mini.text(f"+1202555{n:04}", f"text {n}", tempGuid=f"t{n}") for n in range(200)))
        rows = await mini.rows(limit=1000)
        assert sorted(row["originalROWID"] for row in rows) == list(range(1, 201))
        assert len({row["guid"] for row in rows}) == 200

    live(story)


def test_a_mac_that_nobody_made_is_not_found() -> None:
    async def story(mini: Miniworld) -> int:
        return (await mini.call("GET", "/ping", mac="nobody")).status_code

    assert live(story) == 404
