"""What a person asks of a running server with its sandbox: can a line send, who is on iMessage, who has replied."""

from collections.abc import Iterator

import pytest
from programs import Server, running

ON, OFF, ANSWERS, STOPS = "+16285550100", "+16285550102", "+16285550109", "+16285550110"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("asking") / "data") as one:
        yield one


def test_a_line_says_that_it_can_send(server: Server) -> None:
    line = server.sandbox["lines"][0]["_id"]
    answer = server.call("GET", f"/api/lines/check-availability?id={line}").json()
    assert (answer["success"], answer["lineId"], answer["status"], answer["failures"]) == (True, line, "healthy", [])


def test_people_are_on_imessage_or_not(server: Server) -> None:
    asked = {"phones": [OFF, ON]}
    assert server.call("POST", "/api/check-availability-rr", asked).json() == {
        "available": True,
        "status": "available",
        "reason": f"{ON} is on iMessage",
    }
    off = server.call("POST", "/api/leads/check-availability", {"address": OFF}).json()
    assert (off["available"], off["status"]) == (False, "unavailable")
    lead = server.send("Hi", ON).json()["leadId"]
    one = server.call("GET", f"/api/leads/check-availability?id={lead}").json()
    assert (one["available"], one["status"]) == (True, "available")
    many = server.call("POST", "/api/leads/check-availability", {"leadIds": [lead]}).json()
    assert many["results"] == [{"leadId": lead, "available": True, "status": "available"}]


def test_a_reply_is_listed_and_stands_in_its_conversation(server: Server) -> None:
    sent = server.send("Are you there?", ANSWERS).json()
    lead = sent["leadId"]
    [reply] = server.until(f"/api/replies?leadId={lead}", lambda found: found["replies"])["replies"]
    assert (reply["message"], reply["parentMessages"][0]["message"]) == ("Got it, thanks!", "Are you there?")
    said = server.call("GET", f"/api/conversations/{lead}").json()["messages"]
    assert [(one["direction"], one["message"]) for one in said] == [("sent", "Are you there?"), ("received", "Got it, thanks!")]
    assert said[1]["replyTo"] == sent["message"]["_id"]


def test_who_replies_stop_is_on_the_list_and_gets_nothing_more(server: Server) -> None:
    server.send("Are you there?", STOPS)
    [entry] = server.until(f"/api/dnc?search={STOPS[1:]}", lambda found: found["entries"])["entries"]
    assert entry["phone"] == STOPS
    assert server.send("Once more", STOPS).json()["message"]["status"] == "blocked"
    assert server.call("DELETE", f"/api/dnc?id={entry['_id']}").json() == {"success": True}
    assert server.send("And again", STOPS).json()["status"] == "sent"
    assert server.received(STOPS) == ["Are you there?", "And again"]
