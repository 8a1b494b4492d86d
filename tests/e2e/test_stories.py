"""What becomes of a message on a running server with its sandbox, as its story tells whoever reads one for the first time."""

from collections.abc import Iterator

import pytest
from programs import Server, running, said

OFF, REFUSES, FRIEND = "+16285550102", "+16285550106", "+16285550123"
ANSWERS, BOUNCES = "replies@people.example", "bounces@people.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("stories") / "data") as one:
        yield one


def story(server: Server, message_id: str) -> list[str]:
    return [one["says"] for one in server.call("GET", f"/api/messages/{message_id}/timeline").json()["timeline"]]


def mail(server: Server, to: str) -> str:
    body = {"message": "Are you there?", "messageType": "email", "recipientEmail": to}
    return str(server.call("POST", "/api/messages", body).json()["message"]["_id"])


def test_who_is_not_on_imessage_gets_an_sms_and_both_stories_say_so(server: Server) -> None:
    ended = server.send("Are you there?", OFF).json()["message"]
    assert ended["status"] == "fallback"
    path = f"/api/messages/{ended['fallbackMessageId']}"
    sms = server.until(path, lambda found: found["message"]["status"] == "delivered")["message"]
    assert (sms["messageType"], sms["fallbackOf"], sms["message"]) == ("sms", ended["_id"], ended["message"])
    assert story(server, ended["_id"])[-3:] == [
        f"{OFF} is not on iMessage (checked now).",
        f"No address of the person is on iMessage ({OFF}).",
        f"An SMS takes its place: message {sms['_id']} on line {sms['fromLineId']}.",
    ]
    told = story(server, sms["_id"])
    assert told[1] == f"It takes the place of message {ended['_id']}, which found none of the person's addresses on iMessage."
    assert told[-1].startswith("Delivered")
    assert server.received(OFF) == ["Are you there?"]


def test_what_failed_falls_back_where_the_message_asks_for_it(server: Server) -> None:
    body = {"message": "Are you there?", "recipientPhone": REFUSES}
    assert "fallbackMessageId" not in server.call("POST", "/api/messages", body).json()["message"]
    asking = {**body, "message": "Please answer", "sendFallbackSmsOnFailed": True}
    failed = server.call("POST", "/api/messages", asking).json()["message"]
    assert failed["status"] == "failed"
    assert story(server, failed["fallbackMessageId"])[1] == f"It takes the place of message {failed['_id']}, which failed."


def test_start_lifts_stop_and_what_stop_cancelled_says_why(server: Server) -> None:
    later = {"message": "See you", "recipientPhone": FRIEND, "scheduledDate": "2031-01-01T00:00:00Z"}
    waiting = server.call("POST", "/api/messages", later).json()["message"]
    server.person_writes(FRIEND, waiting["fromLinePhone"], "Stop!")
    server.until(f"/api/messages/{waiting['_id']}", lambda found: found["message"]["status"] == "cancelled")
    assert story(server, waiting["_id"])[-2:] == [
        "Held until 2031-01-01T00:00:00.000Z: it was scheduled for then.",
        "Cancelled before it was handed over: the person replied with a word that opts out.",
    ]
    blocked = server.send("Once more", FRIEND)
    assert (blocked.status_code, blocked.json()["status"]) == (200, "failed")
    assert blocked.json()["error"] == "the address is on the do-not-contact list"
    server.person_writes(FRIEND, waiting["fromLinePhone"], "start")
    server.until(f"/api/dnc?search={FRIEND[1:]}", lambda found: not found["entries"])
    assert server.send("Welcome back", FRIEND).json()["status"] == "sent"
    assert server.received(FRIEND) == ["Welcome back"]


def test_an_email_is_answered(server: Server) -> None:
    message_id = mail(server, ANSWERS)
    [reply] = server.until(f"/api/replies?recipientEmail={ANSWERS}", lambda found: found["replies"])["replies"]
    assert (reply["message"], reply["recipientEmail"]) == ("Got it, thanks!", ANSWERS)
    assert [one["messageId"] for one in reply["parentMessages"]] == [message_id]
    assert server.received(ANSWERS) == ["Are you there?"]


def test_an_email_that_comes_back_has_failed_and_says_why(server: Server) -> None:
    message_id = mail(server, BOUNCES)
    found = server.until(f"/api/messages/{message_id}", lambda found: found["message"]["status"] == "failed")["message"]
    assert "No such user" in found["errorMessage"]
    assert story(server, message_id)[-1].startswith("Failed: 5.1.1")


def test_every_line_of_the_sandbox_can_be_tested(server: Server) -> None:
    lines = server.call("GET", "/api/lines/by-user").json()["lines"]
    answers = {line["channel"]: said("lines", "test", line["_id"], "--data", server.folder) for line in lines}
    assert answers.keys() == {"bluebubbles", "smsgate", "email"}
    assert all(answer.startswith("up: ") for answer in answers.values())
