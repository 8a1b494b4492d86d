"""Each scripted number does with a text message what the list says: to the person's phone, to the program, and in webhooks."""

import asyncio

import httpx2
import pytest
from android_world import LINE, AndroidWorld, Json, live
from miniworld import ORDINARY, later, number

from posthaste.sandbox.journal import MemoryJournal
from posthaste.sandbox.numbers import Script

TAKEN = [Script.READ, Script.DELIVERED, Script.NO_IMESSAGE, Script.RECEIPT_TWICE, Script.REPLIES, Script.STOPS]


def states(message: Json) -> tuple[str, list[str]]:
    return message["state"], list(message["states"])


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


@pytest.mark.parametrize("script", [Script.LATE, Script.RECEIPT_FIRST, Script.REPLIES])
def test_a_text_whose_time_is_over_fails_and_is_on_no_phone(script: Script) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        # The world begins at 08:00:00, and what is late arrives after seven seconds.
        until = "2027-01-15T03:00:06.999-05:00" if script is Script.LATE else "2027-01-15T08:00:00Z"
        await own.text(number(script), validUntil=until)
        await later(60_000)
        message = await own.state()
        assert states(message) == ("Failed", ["Pending", "Failed"])
        assert message["recipients"][0]["error"] == "TTL expired"
        assert await own.received() == []
        assert [(one.event, one.payload["reason"]) for one in own.pinned] == [("sms:failed", "TTL expired")]

    live(story)


@pytest.mark.parametrize("time", [{"ttl": 8}, {"validUntil": "2027-01-15T08:00:07.001Z"}])
def test_a_text_that_arrives_in_time_goes(time: Json) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(Script.LATE), **time)
        await later(60_000)
        assert (await own.state())["state"] == "Delivered"
        assert len(await own.received()) == 1

    live(story)


def test_a_text_that_is_late_still_ends_in_time_after_the_world_started_again() -> None:
    journal = MemoryJournal()

    async def before(own: AndroidWorld) -> None:
        await own.phone()
        await own.text(number(Script.LATE), ttl=6)

    async def after(own: AndroidWorld) -> None:
        await later(60_000)
        assert (await own.state())["state"] == "Failed"
        assert await own.received() == []

    live(before, journal)
    live(after, journal)


@pytest.mark.parametrize("time", [{"ttl": 4}, {"validUntil": "tomorrow"}, {"ttl": 60, "validUntil": "2027-01-15T09:00:00Z"}])
def test_a_time_that_makes_no_sense_is_refused(time: Json) -> None:
    async def story(own: AndroidWorld) -> None:
        await own.phone()
        assert (await own.text(ORDINARY, **time)).status_code == 400
        assert await own.received() == []

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
