"""What callers decide about people: whom not to write to, what to take back, and whether an SMS takes a message's place."""

import httpx2

from api.house import House, house, run
from posthaste.core.outcomes import Refusal, Rejected

FLAGGED = {"message": "Hi", "recipientPhone": "+12025550101", "sendFallbackSmsOnFailed": True}


async def post(it: House, path: str, **body: object) -> httpx2.Response:
    return await it.client.post(path, json=body, headers=it.auth)


async def configure(it: House, **body: object) -> httpx2.Response:
    return await it.client.patch("/api/workspace/fallback-config", json=body, headers=it.auth)


async def status_of(it: House, message: dict[str, str]) -> tuple[str, str | None]:
    document = (await it.get(f"/api/messages/{message['_id']}")).json()["message"]
    return document["status"], document.get("code")


def test_who_is_blocked_gets_nothing_and_what_waited_ends() -> None:
    async def main() -> None:
        async with house() as it:
            both = {"message": "A", "recipientPhone": "+12025550101", "recipientEmail": "ann@example.com"}
            waiting = (await it.send(both)).json()["message"]
            blocked = await post(it, "/api/dnc", phone="+12025550101", reason="asked us to")
            assert blocked.status_code == 201
            assert await status_of(it, waiting) == ("blocked", "DO_NOT_CONTACT")
            later = await it.send({"message": "B", "recipientEmail": "ann@example.com"})
            assert later.json()["message"]["status"] == "blocked", "all addresses of the person count"
            assert await it.settle() == 0
            entries = (await it.get("/api/dnc")).json()["entries"]
            assert {one.get("phone") or one["email"] for one in entries} == {"+12025550101", "ann@example.com"}
            assert {one["reason"] for one in entries} == {"asked us to"}
            assert (await post(it, "/api/dnc", email="ann@example.com")).status_code == 200

    run(main)


def test_who_is_taken_off_the_list_is_written_to_again_at_all_addresses() -> None:
    async def main() -> None:
        async with house() as it:
            both = {"message": "A", "recipientPhone": "+12025550101", "recipientEmail": "ann@example.com"}
            await it.send(both)
            entry = (await post(it, "/api/dnc", phone="+12025550101")).json()["entry"]
            lifted = await it.client.delete(f"/api/dnc?id={entry['_id']}", headers=it.auth)
            assert lifted.json() == {"success": True}
            assert (await it.get("/api/dnc")).json()["pagination"]["totalCount"] == 0
            again = await it.send({"message": "B", "recipientEmail": "ann@example.com"})
            assert again.json()["message"]["status"] == "pending"
            assert (await it.client.delete(f"/api/dnc?id={entry['_id']}", headers=it.auth)).status_code == 404

    run(main)


def test_a_list_is_its_workspaces_own() -> None:
    async def main() -> None:
        async with house() as it:
            entry = (await post(it, "/api/dnc", phone="+12025550101")).json()["entry"]
            _, key = await it.another()
            theirs = {"Authorization": f"Bearer {key}"}
            assert (await it.client.get("/api/dnc", headers=theirs)).json()["entries"] == []
            assert (await it.client.delete(f"/api/dnc?id={entry['_id']}", headers=theirs)).status_code == 404
            assert (await it.get("/api/dnc")).json()["pagination"]["totalCount"] == 1

    run(main)


def test_two_people_named_at_once_are_both_blocked() -> None:
    async def main() -> None:
        async with house() as it:
            first = (await it.send({"message": "A", "recipientPhone": "+12025550101"})).json()["message"]
            second = (await it.send({"message": "B", "recipientEmail": "bob@example.com"})).json()["message"]
            await post(it, "/api/dnc", phone="+12025550101", email="bob@example.com")
            assert await status_of(it, first) == await status_of(it, second) == ("blocked", "DO_NOT_CONTACT")

    run(main)


def test_what_waits_for_a_person_is_cancelled_on_all_lines_and_addresses() -> None:
    async def main() -> None:
        async with house(lines=2) as it:
            later = {"scheduledDate": "2031-01-01T00:00:00Z"}
            first = (await it.send({"message": "A", "recipientPhone": "+12025550101", **later})).json()
            lead = first["leadId"]
            other = {"message": "B", "leadId": lead, "recipientEmail": "else@example.com", **later}
            second = (await it.send(other)).json()["message"]
            foreign = (await it.send({"message": "C", "recipientPhone": "+12025550102", **later})).json()["message"]
            answer = (await post(it, "/api/messages/cancel-for-lead", leadId=lead)).json()
            assert sorted(answer["messageIds"]) == sorted([first["message"]["_id"], second["_id"]])
            assert await status_of(it, second) == ("cancelled", None)
            assert (await status_of(it, foreign))[0] == "scheduled"
            by_address = await post(it, "/api/messages/cancel-for-lead", recipientEmail="else@example.com")
            assert (by_address.json()["leadId"], by_address.json()["cancelledCount"]) == (None, 0)
            unknown = await post(it, "/api/messages/cancel-for-lead", leadId="0123456789abcdef01234567")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "LEAD_NOT_FOUND")

    run(main)


def test_an_address_that_nobody_has_is_cancelled_for_by_itself() -> None:
    async def main() -> None:
        async with house() as it:
            lead = (await it.send({"message": "A", "recipientPhone": "+12025550101"})).json()["leadId"]
            body = {"message": "B", "leadId": lead, "recipientPhone": "+12025550199"}
            overridden = (await it.send(body)).json()["message"]
            answer = (await post(it, "/api/messages/cancel-for-lead", recipientPhone="+12025550199")).json()
            assert (answer["leadId"], answer["messageIds"]) == (None, [overridden["_id"]])

    run(main)


def test_the_flag_is_taken_as_soon_as_a_fallback_is_there() -> None:
    async def main() -> None:
        async with house() as it:
            sms = (await it.add_line("sms")).line.id
            assert (await it.send(FLAGGED)).json()["code"] == "FALLBACK_NOT_CONFIGURED"
            assert (await configure(it, enabled=True, lineId=sms)).status_code == 200
            # No moment has passed: the key is still remembered with the workspace as it was.
            accepted = await it.send(FLAGGED)
            assert accepted.status_code == 201
            assert accepted.json()["message"]["sendFallbackSmsOnFailed"] is True

    run(main)


def test_a_failed_message_with_the_flag_is_followed_by_an_sms() -> None:
    async def main() -> None:
        async with house() as it:
            sms = (await it.add_line("sms")).line.id
            await configure(it, enabled=True, lineId=sms)
            message = (await it.send(FLAGGED)).json()["message"]
            await it.settle(Rejected(Refusal.BAD_CONTENT, "it says no"))
            document = (await it.get(f"/api/messages/{message['_id']}")).json()["message"]
            linked = (await it.get(f"/api/messages/{document['fallbackMessageId']}")).json()["message"]
            assert (linked["messageType"], linked["fallbackOf"], linked["fromLineId"]) == ("sms", message["_id"], sms)

    run(main)


def test_a_fallback_is_changed_by_what_is_given() -> None:
    async def main() -> None:
        async with house() as it:
            sms = (await it.add_line("sms")).line.id
            await configure(it, enabled=True, lineId=sms)
            assert (await configure(it, sendFallbackSmsOnFailed=True)).json()["sendFallbackSmsOnFailed"] is True
            off = (await configure(it, enabled=False)).json()
            assert off == {"enabled": False, "lineId": sms, "sendFallbackSmsOnFailed": True}
            assert (await it.get("/api/workspace/fallback-config")).json() == off

    run(main)


def test_only_an_active_sms_line_of_the_workspace_can_be_fallen_back_to() -> None:
    async def main() -> None:
        async with house() as it:
            sms = (await it.add_line("sms")).line.id
            await it.client.patch(f"/api/lines/{sms}", json={"isActive": False}, headers=it.auth)
            for line_id in (sms, it.lines[0].line.id, "0123456789abcdef01234567"):
                refused = await configure(it, enabled=True, lineId=line_id)
                assert (refused.status_code, refused.json()["code"]) == (400, "FALLBACK_LINE_INVALID")
                assert line_id in refused.json()["error"]
            assert (await configure(it, lineId="x")).json()["code"] == "INVALID_ID"
            assert (await it.get("/api/workspace/fallback-config")).json()["enabled"] is False

    run(main)


def test_an_email_has_a_subject_and_html_and_other_types_do_not() -> None:
    async def main() -> None:
        async with house() as it:
            await it.add_line("email", phone=None, email="us@example.com")
            body = {"message": "Hi", "subject": "Hello {firstName}", "html": "<p>Hi</p>", "recipientEmail": "ann@example.com"}
            letter = (await it.send({**body, "messageType": "email"})).json()["message"]
            assert (letter["subject"], letter["html"]) == ("Hello {firstName}", "<p>Hi</p>")
            text = (await it.send(body)).json()["message"]
            assert not {"subject", "html"} & text.keys()

    run(main)
