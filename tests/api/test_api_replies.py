"""Replies and conversations over the API: who has written, what was said, page by page, and nobody else's."""

from api.house import House, house, run
from posthaste.core.signals import Reaction, Typing


def phone(number: int) -> str:
    return f"+1202555{number:04d}"


async def spoken(it: House, number: int, text: str = "Hello") -> str:
    """Send somebody a message and have it go out; return its id."""
    answer = await it.send({"message": text, "recipientPhone": phone(number), "recipientName": f"Ann{number} Lee"})
    await it.settle()
    it.clock.now += 1_000
    return str(answer.json()["message"]["_id"])


async def hear(it: House, number: int, text: str) -> str:
    it.clock.now += 1_000
    return await it.person_writes(phone(number), text)


def test_the_latest_reply_comes_first_and_each_lead_once() -> None:
    async def main() -> None:
        async with house() as it:
            for number in range(4):
                await spoken(it, number)
            await hear(it, 1, "one")
            await hear(it, 2, "two")
            last = await hear(it, 1, "one again")
            body = (await it.get("/api/replies")).json()
            assert [one["message"] for one in body["replies"]] == ["one again", "two"]
            assert (body["total"], body["totalPages"]) == (2, 1)
            assert body["replies"][0]["messageId"] == last
            assert [one["message"] for one in body["replies"][0]["recentReplies"]] == ["one again", "one"]
            first = (await it.get("/api/replies", page="1", limit="1")).json()
            second = (await it.get("/api/replies", page="2", limit="1")).json()
            assert [one["message"] for one in first["replies"] + second["replies"]] == ["one again", "two"]
            assert (first["totalPages"], second["page"], second["limit"]) == (2, 2, 1)
            assert (await it.get("/api/replies", page="3", limit="1")).json()["replies"] == []

    run(main)


def test_no_more_than_ten_of_each_are_told() -> None:
    async def main() -> None:
        async with house() as it:
            for number in range(12):
                await spoken(it, 1, f"ours {number}")
                await hear(it, 1, f"theirs {number}")
            [reply] = (await it.get("/api/replies")).json()["replies"]
            assert [one["message"] for one in reply["recentReplies"]] == [f"theirs {n}" for n in range(11, 1, -1)]
            assert [one["message"] for one in reply["parentMessages"]] == [f"ours {n}" for n in range(11, 1, -1)]

    run(main)


def test_messages_around_a_reply_are_told_in_the_order_in_which_they_were_sent() -> None:
    async def main() -> None:
        async with house() as it:
            planned = {"message": "planned", "recipientPhone": phone(1), "scheduledDate": "2026-03-12T13:00:00Z"}
            assert (await it.send(planned)).json()["status"] == "scheduled"
            await spoken(it, 1, "at once")
            it.clock.now += 3_600_000
            await it.settle()
            await hear(it, 1, "theirs")
            [reply] = (await it.get("/api/replies")).json()["replies"]
            assert [one["message"] for one in reply["parentMessages"]] == ["planned", "at once"]

    run(main)


def test_filters_mean_one_lead() -> None:
    async def main() -> None:
        async with house() as it:
            both = {"message": "Hi", "recipientPhone": phone(1), "recipientEmail": "ann@example.com"}
            lead = (await it.send(both)).json()["leadId"]
            other = (await it.send({"message": "Hi", "recipientPhone": phone(2)})).json()["leadId"]
            await it.settle()
            await hear(it, 1, "one")
            await hear(it, 2, "two")

            async def found(**query: str) -> list[str]:
                return [one["message"] for one in (await it.get("/api/replies", **query)).json()["replies"]]

            assert await found(leadId=lead) == ["one"]
            assert await found(recipientEmail="Ann@Example.com") == ["one"]
            assert await found(recipientPhone=phone(2)) == ["two"]
            assert await found(leadId=lead, recipientPhone=phone(1)) == ["one"]
            assert await found(leadId=other, recipientPhone=phone(1)) == []
            assert await found(recipientPhone=phone(3)) == []
            assert await found(leadId=lead, page="2") == []
            assert (await it.get("/api/replies", recipientPhone="12")).json()["code"] == "INVALID_PHONE"

    run(main)


def test_nobody_sees_anothers_replies_or_conversations() -> None:
    async def main() -> None:
        async with house() as it:
            await spoken(it, 1)
            await hear(it, 1, "one")
            lead = (await it.get("/api/replies")).json()["replies"][0]["leadId"]
            _, key = await it.another()
            theirs = {"Authorization": f"Bearer {key}"}
            assert (await it.client.get("/api/replies", headers=theirs)).json()["total"] == 0
            assert (await it.client.get(f"/api/replies?leadId={lead}", headers=theirs)).status_code == 404
            assert (await it.client.get("/api/conversations", headers=theirs)).json()["conversations"] == []
            assert (await it.client.get(f"/api/conversations?leadId={lead}", headers=theirs)).json()["conversations"] == []
            assert (await it.client.get("/api/conversations?search=ann", headers=theirs)).json()["conversations"] == []
            assert (await it.client.get(f"/api/conversations/{lead}", headers=theirs)).status_code == 404

    run(main)


def test_conversations_stand_in_the_order_of_their_last_message() -> None:
    async def main() -> None:
        async with house(lines=2) as it:
            for number in range(3):
                await spoken(it, number)
            await hear(it, 0, "zero")
            body = (await it.get("/api/conversations")).json()
            assert [one["name"] for one in body["conversations"]] == ["Ann0 Lee", "Ann2 Lee", "Ann1 Lee"]
            assert body["pagination"] == {"page": 1, "limit": 50, "totalCount": 3, "totalPages": 1}
            assert body["conversations"][0]["lastMessage"]["message"] == "zero"
            paged = [(await it.get("/api/conversations", page=str(n), limit="1")).json() for n in (1, 2, 3, 4)]
            assert [[one["name"] for one in page["conversations"]] for page in paged] == [
                ["Ann0 Lee"],
                ["Ann2 Lee"],
                ["Ann1 Lee"],
                [],
            ]

    run(main)


def test_conversations_are_found_by_lead_line_name_and_number() -> None:
    async def main() -> None:
        async with house(lines=2) as it:
            for number in range(4):
                await spoken(it, number)

            async def found(**query: str) -> list[str]:
                body = (await it.get("/api/conversations", **query)).json()
                assert body["pagination"]["totalCount"] == len(body["conversations"])
                return [one["name"][:4] for one in body["conversations"]]

            every = (await it.get("/api/conversations")).json()["conversations"]
            by_line = {line.line.id: [one["name"][:4] for one in every if one["lineId"] == line.line.id] for line in it.lines}
            assert all(by_line.values())
            for line_id, names in by_line.items():
                assert await found(lineId=line_id) == names
                assert await found(lineId=line_id, search="lee") == names
            assert await found(leadId=every[0]["leadId"]) == ["Ann3"]
            assert await found(leadId=every[0]["leadId"], search="ann2") == []
            assert await found(search="ANN2") == ["Ann2"]
            assert await found(search="(202) 555-0001") == ["Ann1"]
            assert await found(search="555-0001") == ["Ann1"]
            assert await found(search="%") == []
            assert await found(search="_nn2") == []
            assert await found(search="nobody") == []

    run(main)


def test_a_conversation_shows_both_directions_page_by_page() -> None:
    async def main() -> None:
        async with house() as it:
            first = await spoken(it, 1, "Hello")
            await hear(it, 1, "Hi")
            await spoken(it, 1, "How are you?")
            await it.report(Reaction("r-1", 1, phone(1), f"guid-{first}", "love", it.clock.now))
            lead = (await it.get("/api/conversations")).json()["conversations"][0]["leadId"]
            body = (await it.get(f"/api/conversations/{lead}")).json()
            assert [(one["direction"], one["message"]) for one in body["messages"]] == [
                ("sent", "Hello"),
                ("received", "Hi"),
                ("sent", "How are you?"),
            ]
            assert [[said["kind"] for said in one["reactions"]] for one in body["messages"]] == [["love"], [], []]
            assert body["messages"][1]["replyTo"] == first
            second = (await it.get(f"/api/conversations/{lead}", page="2", limit="2")).json()
            assert [one["message"] for one in second["messages"]] == ["How are you?"]
            assert second["pagination"] == {"page": 2, "limit": 2, "totalCount": 3, "totalPages": 2}

    run(main)


def test_somebody_types_until_they_stop_write_or_a_minute_has_passed() -> None:
    async def main() -> None:
        async with house() as it:
            await spoken(it, 1)

            async def types() -> bool:
                return bool((await it.get("/api/conversations")).json()["conversations"][0]["isTyping"])

            assert not await types()
            await it.report(Typing(phone(1), is_typing=True))
            assert await types()
            await it.report(Typing(phone(1), is_typing=False))
            assert not await types()
            await it.report(Typing(phone(1), is_typing=True))
            it.clock.now += 60_001
            assert not await types()
            await it.report(Typing(phone(1), is_typing=True))
            await hear(it, 1, "done")
            assert not await types()

    run(main)


def test_lists_of_messages_hold_both_directions_or_one() -> None:
    async def main() -> None:
        async with house() as it:
            await spoken(it, 1, "Hello")
            await hear(it, 1, "Hi")

            async def found(**query: str) -> list[str]:
                return [one["message"] for one in (await it.get("/api/messages", **query)).json()["messages"]]

            assert await found() == ["Hi", "Hello"]
            assert await found(direction="sent") == ["Hello"]
            assert await found(direction="received") == ["Hi"]
            assert await found(direction="received", status="delivered") == ["Hi"]

    run(main)


def test_an_sms_says_how_many_parts_it_takes() -> None:
    async def main() -> None:
        async with house() as it:
            await it.add_line("sms")
            for text, parts in (("a" * 160, 1), ("a" * 161, 2), ("é", 1), ("€" * 80, 1), ("ж" * 71, 2)):
                answer = await it.send({"message": text, "messageType": "sms", "recipientPhone": phone(1)})
                assert answer.json()["message"]["segments"] == parts
            imessage = await it.send({"message": "a", "recipientPhone": phone(1)})
            assert "segments" not in imessage.json()["message"]

    run(main)
