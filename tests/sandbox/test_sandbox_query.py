"""What can be asked of a Mac's database over BlueBubbles: messages by query and by guid, chats, counts."""

import msgspec
import pytest
from miniworld import LINE, ORDINARY, Json, Miniworld, answer_to, later, live, texts

CHAT = f"iMessage;-;{ORDINARY}"


def test_message_query_sorts_pages_and_filters() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        for word in ("one", "two", "three"):
            await mini.text(ORDINARY, word)
            await later(1_000)
        await mini.text("+12025550144", "four")
        assert texts(await mini.rows()) == ["one", "two", "three", "four"]
        assert texts(await mini.rows(sort="DESC", limit=2)) == ["four", "three"]
        assert texts(await mini.rows(offset=1, limit=2)) == ["two", "three"]
        assert texts(await mini.rows(chatGuid="iMessage;-;+12025550144")) == ["four"]
        created = [row["dateCreated"] for row in await mini.rows()]
        assert texts(await mini.rows(after=created[1], before=created[3])) == ["two", "three"]
        answer = (await mini.call("POST", "/message/query", {"limit": 1, "with": ["chat"]})).json()
        assert (answer["message"], answer["metadata"]) == (
            "Successfully fetched messages!",
            {"offset": 0, "limit": 1, "total": 4, "count": 1},
        )
        assert answer["data"][0]["chats"][0]["guid"] == "iMessage;-;+12025550144"
        assert [row["chats"] for row in await mini.rows(limit=1)] == [[]]

    live(story)


def where(statement: str, **args: object) -> Json:
    return {"where": [{"statement": statement, "args": args}]}


WHERES = [
    (where("message.ROWID > :rowid", rowid=1), ["b", "c"]),
    (where("message.ROWID > :last", last="2"), ["c"]),
    (where("message.ROWID > :a AND message.ROWID <= :b", a=1, b=2), ["b"]),
    (where("message.ROWID >= :a", a=3), ["c"]),
    (where("(message.ROWID = :a)", a=2), ["b"]),
    (where("message.ROWID > :a", a=3), []),
    (where("message.guid IN (:...guids)", guids=["G-OF-B", "nonsense"]), ["b"]),
    (where("message.guid IN (:...guids)", guids=[]), []),
    (where("message.guid = :g", g="G-OF-C"), ["c"]),
    (where("message.isFromMe = :me", me=1), ["a", "c"]),
    (where("message.is_from_me = :me", me=0), ["b"]),
    (where("message.error = :e", e=0), ["a", "b", "c"]),
    (where("message.text = :text", text="B"), ["b"]),
    (where("message.text = :text", text="c"), ["c"]),
]


@pytest.mark.parametrize(("body", "found"), WHERES)
def test_message_query_understands_where(body: Json, found: list[str]) -> None:
    async def story(mini: Miniworld) -> list[str]:
        await mini.mac()
        await mini.text(ORDINARY, "a")
        await mini.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "b"})
        await mini.text(ORDINARY, "c")
        guids = {row["text"]: row["guid"] for row in await mini.rows()}
        spelt = msgspec.json.encode(body).decode().replace("G-OF-B", guids["b"]).replace("G-OF-C", guids["c"])
        return texts(await mini.rows(**msgspec.json.decode(spelt)))

    assert live(story) == found


@pytest.mark.parametrize(
    "body", [where("message.dateCreated > :d", d=1), where("DROP TABLE message"), where("message.ROWID > :a", b=1)]
)
def test_a_where_that_means_nothing_is_a_database_error_and_not_an_empty_list(body: Json) -> None:
    status, said = answer_to("POST", "/message/query", body)
    assert (status, said["message"]) == (500, "An unhandled error has occurred!")
    assert said["error"]["message"].startswith("SQLITE_ERROR")


def test_without_the_private_api_a_text_that_was_sent_cannot_be_found_by_its_text() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac(privateApi=False)
        await mini.text(ORDINARY, "sent", method="apple-script")
        await mini.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "sent"})
        found = await mini.rows(**where("message.text = :text", text="sent"))
        assert [row["isFromMe"] for row in found] == [False]
        assert texts(await mini.rows()) == ["sent", "sent"]

    live(story)


def test_a_message_is_found_by_its_guid_with_or_without_its_chat() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        guid = (await mini.text(ORDINARY)).json()["data"]["guid"]
        plain = (await mini.call("GET", f"/message/{guid}")).json()["data"]
        assert (plain["guid"], plain["chats"]) == (guid, [])
        full = (await mini.call("GET", f"/message/{guid}", **{"with": "chats,attachments"})).json()["data"]
        assert [chat["guid"] for chat in full["chats"]] == [CHAT]

    live(story)


def test_chats_are_found_with_people_and_last_message() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY, "first")
        await later(1_000)
        await mini.text("+12025550144", "second")
        all_chats = (await mini.call("POST", "/chat/query", {"with": ["lastMessage"]})).json()
        assert [chat["lastMessage"]["text"] for chat in all_chats["data"]] == ["second", "first"]
        assert all_chats["metadata"] == {"count": 2, "total": 2}
        [one] = (await mini.call("POST", "/chat/query", {"guid": CHAT, "limit": 5})).json()["data"]
        assert [person["address"] for person in one["participants"]] == [ORDINARY]
        single = (await mini.call("GET", f"/chat/{CHAT}", **{"with": "participants,lastmessage"})).json()["data"]
        assert (single["participants"][0]["address"], single["lastMessage"]["text"]) == (ORDINARY, "first")
        listed = (await mini.call("GET", f"/chat/{CHAT}/message", sort="ASC")).json()
        assert texts(listed["data"]) == ["first"]
        assert listed["metadata"] == {"offset": 0, "limit": 100, "total": 1, "count": 1}
        assert (await mini.call("GET", "/chat/count")).json()["data"] == {"total": 2, "breakdown": {"iMessage": 2}}

    live(story)


def test_messages_and_handles_are_counted() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY)
        await mini.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "hi"})
        counts = [
            (await mini.call("GET", path, **query)).json()["data"]["total"]
            for path, query in [
                ("/message/count", {}),
                ("/message/count", {"chatGuid": CHAT, "after": "0"}),
                ("/message/count", {"chatGuid": "iMessage;-;+1"}),
                ("/message/count/me", {}),
                ("/message/count/updated", {"after": "0"}),
                ("/handle/count", {}),
            ]
        ]
        assert counts == [2, 2, 0, 1, 2, 1]
        handles = (await mini.call("POST", "/handle/query", {"address": ORDINARY})).json()
        assert [handle["address"] for handle in handles["data"]] == [ORDINARY]

    live(story)
