"""Each scripted number does what the list says: to the phone, to the program that sends, and in webhooks."""

import asyncio

import httpx2
import pytest
from miniworld import HOOK, LINE, ORDINARY, Json, Miniworld, Pinned, later, live, number, texts

from posthaste.sandbox.numbers import Script, course_of, script_of, scripted_numbers

SEND_WAYS = ("private-api", "apple-script")


async def sent_to(mini: Miniworld, to: str, **more: str) -> httpx2.Response:
    await mini.mac()
    answer = await mini.text(to, **more)
    await later(500)
    return answer


def receipts(mini: Miniworld) -> list[Pinned]:
    return mini.events("updated-message")


def test_the_hundred_numbers_cover_every_script_and_nothing_else_is_scripted() -> None:
    numbers = scripted_numbers()
    assert [numbers[0][0], numbers[-1][0]] == ["+16285550100", "+16285550199"]
    assert {script for _, script in numbers} == set(Script)
    assert len({number for number, _ in numbers}) == 100
    for other in ("+16285550099", "+16285550200", ORDINARY, "a@example.com"):
        assert script_of(other) is Script.DELIVERED


@pytest.mark.parametrize("to", [number(Script.DELIVERED), ORDINARY, "jo@example.com"])
def test_delivered_is_on_the_phone_and_has_one_receipt_and_is_never_read(to: str) -> None:
    async def story(mini: Miniworld) -> None:
        answer = await sent_to(mini, to)
        assert answer.json()["message"] == "Message sent!"
        assert [(item["to"], item["from"], item["text"], item["channel"]) for item in await mini.received()] == [
            (to, LINE, "Hello", "imessage")
        ]
        [receipt] = receipts(mini)
        assert receipt.data["guid"] == answer.json()["data"]["guid"]
        assert receipt.data["dateDelivered"] and receipt.data["isDelivered"] is True
        assert receipt.data["dateRead"] is None
        assert "chats" not in receipt.data

    live(story)


def test_read_is_delivered_then_read() -> None:
    async def story(mini: Miniworld) -> None:
        await sent_to(mini, number(Script.READ))
        assert [(r.at_ms, r.data["dateRead"] is not None) for r in receipts(mini)] == [(50, False), (150, True)]
        [row] = await mini.rows()
        assert row["dateRead"] > row["dateDelivered"] > row["dateCreated"]

    live(story)


def test_silent_is_on_the_phone_and_nothing_more_is_heard() -> None:
    async def story(mini: Miniworld) -> None:
        answer = await sent_to(mini, number(Script.SILENT))
        assert answer.status_code == 200
        assert len(await mini.received()) == 1
        assert receipts(mini) == []

    live(story)


def test_receipt_twice_sends_the_same_receipt_twice() -> None:
    async def story(mini: Miniworld) -> None:
        await sent_to(mini, number(Script.RECEIPT_TWICE))
        first, second = receipts(mini)
        assert first.data == second.data

    live(story)


def test_receipt_first_is_posted_before_the_send_is_answered() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.text(number(Script.RECEIPT_FIRST))
        assert [receipt.data["guid"] for receipt in receipts(mini)] == [answer.json()["data"]["guid"]]
        await later(500)
        assert len(receipts(mini)) == 1

    live(story)


@pytest.mark.parametrize("script", [Script.DELIVERED, Script.READ, Script.RECEIPT_TWICE])
def test_other_receipts_come_after_the_answer(script: Script) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(number(script))
        assert receipts(mini) == []

    live(story)


@pytest.mark.parametrize(("script", "reply"), [(Script.REPLIES, "Got it, thanks!"), (Script.STOPS, "STOP")])
def test_the_person_answers_after_a_second(script: Script, reply: str) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(number(script))
        await later(999)
        assert texts(await mini.rows()) == ["Hello"]
        await later(2)
        assert texts(await mini.rows()) == ["Hello", reply]
        inbound = mini.events("new-message")[-1].data
        assert (inbound["text"], inbound["isFromMe"]) == (reply, False)
        assert inbound["handle"]["address"] == number(script)
        assert inbound["chats"][0]["guid"] == f"iMessage;-;{number(script)}"
        assert len(await mini.received()) == 1, "what a person writes is not received by a phone"

    live(story)


@pytest.mark.parametrize("script", [Script.DELIVERED, Script.READ, Script.SILENT, Script.HANGUP, Script.LATE])
def test_nobody_else_answers(script: Script) -> None:
    async def story(mini: Miniworld) -> list[str]:
        await mini.mac()
        try:
            await mini.text(number(script))
        except httpx2.ReadError:
            assert script is Script.HANGUP
        await later(60_000)
        return [event.data["text"] for event in mini.events("new-message") if not event.data["isFromMe"]]

    assert live(story) == []


def test_hangup_has_the_text_on_the_phone_and_answers_nothing() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        with pytest.raises(httpx2.ReadError):
            await mini.text(number(Script.HANGUP))
        assert texts(await mini.received()) == ["Hello"]
        [row] = await mini.rows()
        assert (row["text"], row["error"]) == ("Hello", 0)

    live(story)


def test_late_answers_504_after_two_seconds_and_arrives_five_seconds_later() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.text(number(Script.LATE))
        assert (mini.elapsed_ms(), answer.status_code) == (2_000, 504)
        assert answer.json()["status"] == 504
        assert answer.json()["error"]["type"] == "Gateway Timeout"
        await later(4_999)
        assert (await mini.received(), await mini.rows()) == ([], [])
        await later(2)
        assert texts(await mini.received()) == texts(await mini.rows()) == ["Hello"]
        await later(100)
        assert len(receipts(mini)) == 1

    live(story)


def test_late_keeps_its_temp_guid_in_flight_until_the_text_arrived() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(number(Script.LATE))
        again = await mini.text(number(Script.LATE))
        assert (again.status_code, again.json()["error"]["message"]) == (
            400,
            "Message is already queued to be sent! (Temp GUID: temp-1)",
        )
        await later(5_001)
        assert (await mini.text(number(Script.LATE))).status_code == 504

    live(story)


def test_late_refuses_a_second_request_while_the_first_one_is_open() -> None:
    async def story(mini: Miniworld) -> list[int]:
        await mini.mac()
        both = await asyncio.gather(mini.text(number(Script.LATE)), mini.text(number(Script.LATE)))
        await later(10_000)
        assert len(await mini.received()) == 1
        return sorted(answer.status_code for answer in both)

    assert live(story) == [400, 504]


@pytest.mark.parametrize("way", SEND_WAYS)
@pytest.mark.parametrize(("script", "error"), [(Script.NO_IMESSAGE, 22), (Script.UNREACHABLE, 22), (Script.REFUSED, 25)])
def test_an_error_leaves_a_row_with_its_number_and_nothing_on_the_phone(script: Script, error: int, way: str) -> None:
    async def story(mini: Miniworld) -> Json:
        answer = await sent_to(mini, number(script), method=way)
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "iMessage Error"
        assert answer.json()["data"]["error"] == error
        assert await mini.received() == []
        assert [row["error"] for row in await mini.rows()] == [error]
        assert [event.event for event in mini.pinned] == ["message-send-error"]
        assert mini.pinned[0].data["tempGuid"] == "temp-1"
        body: Json = answer.json()
        return body

    said = live(story)
    words = {
        "private-api": ("Message sent with an error. See attached message", "Message failed to send!"),
        "apple-script": ("Message Send Error", "Failed to send message! See attached message error code."),
    }
    assert (said["message"], said["error"]["message"]) == words[way]


@pytest.mark.parametrize("script", list(Script))
def test_only_two_scripts_are_not_on_imessage(script: Script) -> None:
    async def story(mini: Miniworld) -> Json:
        await mini.mac()
        answer = await mini.call("GET", "/handle/availability/imessage", address=number(script))
        data: Json = answer.json()["data"]
        return data

    is_missing = script in (Script.NO_IMESSAGE, Script.UNREACHABLE)
    assert live(story) == {"available": not is_missing}
    assert course_of(number(script)).on_imessage is not is_missing


def test_one_send_with_a_temp_guid_is_told_twice_with_one_guid() -> None:
    async def story(mini: Miniworld) -> None:
        answer = await sent_to(mini, ORDINARY)
        told = mini.events("new-message")
        assert {event.data["guid"] for event in told} == {answer.json()["data"]["guid"]}
        assert sorted(event.data.get("tempGuid", "") for event in told) == ["", "temp-1"]
        assert answer.json()["data"]["tempGuid"] == "temp-1"
        assert {event.url for event in told} == {HOOK}

    live(story)


def test_one_send_without_a_temp_guid_is_told_once() -> None:
    async def story(mini: Miniworld) -> None:
        await sent_to(mini, ORDINARY, tempGuid="")
        assert len(mini.events("new-message")) == 1

    live(story)


def test_a_temp_guid_is_no_idempotency_key() -> None:
    async def story(mini: Miniworld) -> list[str]:
        await mini.mac()
        await mini.text(ORDINARY)
        await mini.text(ORDINARY)
        return texts(await mini.received())

    assert live(story) == ["Hello", "Hello"]
