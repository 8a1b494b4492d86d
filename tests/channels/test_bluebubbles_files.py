"""Attachments through BlueBubbles: what is put on the Mac beforehand, what the one sending request holds, and fetching
what came in.
"""

import asyncio
import email
import email.policy
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from blue import (
    GUID,
    MAC,
    NOW_MS,
    OLD_MAC,
    ORDER,
    PHONE,
    SECRET,
    TEXT,
    WRONG_PASSWORD,
    Json,
    attachment,
    bad,
    chat,
    good,
    row,
    step,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOWHERE, Connection, File, Order, Target, Unreachable
from posthaste.channels.bluebubbles.channel import CHAT, NEW, BlueBubbles
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

ANY_CHAT = step("GET", "/chat/any%3B-%3B%2B16285550123", says(200, good(chat())))
OLD_CHAT = step("GET", "/chat/iMessage%3B-%3B%2B16285550123", says(200, good(chat(f"iMessage;-;{PHONE}"))))
NO_CHATS = (
    step("GET", "/chat/any%3B-%3B%2B16285550123", says(404, bad(404, "Database Error", "Chat does not exist!"))),
    step("GET", "/chat/iMessage%3B-%3B%2B16285550123", says(404, bad(404, "Database Error", "Chat does not exist!"))),
)
# Every byte there is, and what separates the parts of a form.
CONTENT = bytes(range(256)) * 40 + b"\r\n--\r\n"
SENT = says(200, good(row(text="\ufffc", attachments=[attachment()])))


@pytest.fixture
def house(tmp_path: Path) -> File:
    return a_file(tmp_path, "house.jpg")


@pytest.fixture
def plan(tmp_path: Path) -> File:
    return a_file(tmp_path, "plan.pdf", "application/pdf")


def a_file(folder: Path, name: str, media_type: str = "image/jpeg", content: bytes = CONTENT) -> File:
    path = folder / f"copy-{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return File(name, media_type, len(content), path, "https://ours.test/f/1")


def prepare(device: Connection, order: Order, *steps: Step) -> Target | Deferred | Rejected:
    async def main() -> Target | Deferred | Rejected:
        async with Wire(*steps) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).prepare(device, replace(order, target=NOWHERE))

    return asyncio.run(main())


def send(device: Connection, order: Order, *steps: Step) -> Outcome:
    async def main() -> Outcome:
        async with Wire(*steps) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).send(device, order)

    return asyncio.run(main())


def form(then: Answerer, fields: Json, name: str, media_type: str = "image/jpeg") -> Answerer:
    """Expect a form of these fields and the file, read by a parser that is not ours, and answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        parsed = email.message_from_bytes(head + request.content, policy=email.policy.HTTP)
        *others, file = parsed.iter_parts()
        read = {part.get_param("name", header="content-disposition"): part.get_content() for part in others}
        assert read == fields
        assert file.get_param("name", header="content-disposition") == "attachment"
        assert (file.get_filename(), file.get_content_type()) == (name, media_type)
        # The parser of e-mail takes line ends for its own, so the bytes are looked for in the body.
        assert b"\r\n\r\n" + CONTENT + b"\r\n--" in request.content
        assert SECRET.encode() not in request.content
        return then(request)

    return answer


def uploads(name: str, path: str, media_type: str = "image/jpeg") -> Step:
    return step("POST", "/attachment/upload", form(says(200, good({"path": path})), {}, name, media_type))


# By the Private API


def test_attachments_are_put_on_the_mac_before_the_hand_over(house: File, plan: File) -> None:
    order = replace(ORDER, files=[house, plan])
    steps = ANY_CHAT, uploads("house.jpg", "u-1/house.jpg"), uploads("plan.pdf", "u-2/plan.pdf", "application/pdf")
    assert prepare(MAC, order, *steps) == Target(CHAT, f"any;-;{PHONE}", ("u-1/house.jpg", "u-2/plan.pdf"))


@pytest.mark.parametrize(("text", "parts"), [(TEXT, [{"partIndex": 2, "text": TEXT}]), ("", []), (" \n", [])])
def test_text_and_attachments_leave_in_one_request(house: File, plan: File, text: str, parts: list[Json]) -> None:
    target = Target(CHAT, f"any;-;{PHONE}", ("u-1/house.jpg", "u-2/plan.pdf"))
    body = {
        "chatGuid": f"any;-;{PHONE}",
        "tempGuid": "marker-1",
        "parts": [
            {"partIndex": 0, "attachment": "u-1/house.jpg", "name": "house.jpg"},
            {"partIndex": 1, "attachment": "u-2/plan.pdf", "name": "plan.pdf"},
            *parts,
        ],
    }
    order = replace(ORDER, text=text, target=target, files=[house, plan])
    assert send(MAC, order, step("POST", "/message/multipart", SENT, body)) == Accepted(GUID)


def test_to_somebody_new_they_cannot_go_and_nothing_is_uploaded(house: File) -> None:
    outcome = prepare(MAC, replace(ORDER, files=[house]), *NO_CHATS)
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT
    assert "no conversation with this person yet" in outcome.detail


UPLOADS: dict[str, tuple[Answerer, type[Outcome], bool | Refusal]] = {
    "the helper is gone": (says(500, bad(500, "iMessage Error", "Helper is not connected!")), Deferred, True),
    "a wrong password": (says(401, WRONG_PASSWORD), Deferred, True),
    "no answer": (breaks(httpx2.ReadTimeout), Deferred, True),
    "no connection": (breaks(httpx2.ConnectError), Deferred, True),
    "a crowd of our own": (breaks(httpx2.PoolTimeout), Deferred, False),
    "an answer without a path": (says(200, good({})), Deferred, True),
    "refused as it is": (says(400, bad(400, "Validation Error", "was empty!")), Rejected, Refusal.BAD_CONTENT),
    "too large": (says(413, bad(413, "Server Error", "large")), Rejected, Refusal.BAD_CONTENT),
    "too large for a tunnel": (says(413, "<html>"), Rejected, Refusal.BAD_CONTENT),
}


@pytest.mark.parametrize(("answer", "kind", "what"), UPLOADS.values(), ids=UPLOADS)
def test_an_upload_that_fails_is_surely_not_sent(
    house: File, answer: Answerer, kind: type[Outcome], what: bool | Refusal
) -> None:
    outcome = prepare(MAC, replace(ORDER, files=[house]), ANY_CHAT, step("POST", "/attachment/upload", answer))
    assert isinstance(outcome, kind)
    assert what == (outcome.device_is_down if isinstance(outcome, Deferred) else outcome.refusal)
    assert SECRET not in repr(outcome)


# By AppleScript


@pytest.mark.parametrize(
    ("target", "guid"), [(Target(CHAT, f"any;-;{PHONE}"), f"any;-;{PHONE}"), (Target(NEW, PHONE), f"iMessage;-;{PHONE}")]
)
def test_one_attachment_leaves_in_one_form(house: File, target: Target, guid: str) -> None:
    fields = {"chatGuid": guid, "name": "house.jpg", "tempGuid": "marker-1", "method": "apple-script"}
    order = replace(ORDER, text="", target=target, files=[house])
    assert send(OLD_MAC, order, step("POST", "/message/attachment", form(SENT, fields, "house.jpg"))) == Accepted(GUID)


def test_nothing_is_uploaded_beforehand(house: File) -> None:
    order = replace(ORDER, text=" ", files=[house])
    assert prepare(OLD_MAC, order, OLD_CHAT) == Target(CHAT, f"iMessage;-;{PHONE}")
    assert prepare(OLD_MAC, order, NO_CHATS[1]) == Target(NEW, PHONE)


@pytest.mark.parametrize(("text", "count"), [(TEXT, 1), ("", 2), (TEXT, 2)])
def test_what_takes_more_than_one_request_is_refused_without_any(house: File, text: str, count: int) -> None:
    order = replace(ORDER, text=text, files=[house] * count)
    for outcome in (prepare(OLD_MAC, order), send(OLD_MAC, order)):
        assert isinstance(outcome, Rejected)
        assert outcome.refusal is Refusal.BAD_CONTENT
        assert "switch the Private API on" in outcome.detail


# Either way


@pytest.mark.parametrize("device", [MAC, OLD_MAC])
def test_an_empty_attachment_is_refused_without_a_request(tmp_path: Path, device: Connection) -> None:
    outcome = prepare(device, replace(ORDER, text="", files=[a_file(tmp_path, "empty.txt", content=b"")]))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT


def test_a_copy_that_is_gone_is_surely_not_sent(house: File) -> None:
    house.path.unlink()
    order = replace(ORDER, text="", files=[house])
    assert prepare(MAC, order, ANY_CHAT) == send(OLD_MAC, order) == Deferred("an attachment could not be read here")


NAMES = {
    'a "b" c.jpg': "a _b_ c.jpg",
    "../../etc/passwd": "_.._etc_passwd",
    "C:\\my\\file.jpg": "C__my_file.jpg",
    "two\r\nlines.jpg": "two__lines.jpg",
    "späße.jpg": "späße.jpg",
    " . ": "attachment",
    "x" * 300 + ".jpg": "x" * 196 + ".jpg",
}


@pytest.mark.parametrize(("name", "sent"), NAMES.items())
def test_a_name_is_one_that_a_file_can_have(house: File, name: str, sent: str) -> None:
    fields = {"chatGuid": f"any;-;{PHONE}", "name": sent, "tempGuid": "marker-1", "method": "apple-script"}
    seen: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return SENT(request)

    order = replace(ORDER, text="", files=[replace(house, name=name)])
    assert send(OLD_MAC, order, step("POST", "/message/attachment", answer)) == Accepted(GUID)
    [body] = seen
    for field, value in fields.items():
        assert f'name="{field}"\r\n\r\n{value}\r\n'.encode() in body
    assert f'name="attachment"; filename="{sent}"\r\n'.encode() in body


def test_the_answer_is_waited_for_as_long_as_the_server_may_take(house: File) -> None:
    waits: list[float] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        waits.append(request.extensions["timeout"]["read"])
        return SENT(request)

    send(OLD_MAC, replace(ORDER, text="", files=[house]), step("POST", "/message/attachment", answer))
    target = replace(ORDER.target, files=("u/house.jpg",))
    send(MAC, replace(ORDER, target=target, files=[house]), step("POST", "/message/multipart", answer))
    send(MAC, ORDER, step("POST", "/message/text", answer))
    assert waits == [330, 330, 150]


DOUBTFUL = {
    "the server gave up and the send goes on": says(504, bad(504, "Gateway Timeout", "slow")),
    "no answer in time": breaks(httpx2.ReadTimeout),
    "broken while writing": breaks(httpx2.WriteError),
    "closed without an answer": breaks(httpx2.RemoteProtocolError),
    "a time-out waiting for the row": says(500, bad(500, "iMessage Error", "Failed", data=None)),
    "no such chat": says(500, bad(500, "iMessage Error", "Chat does not exist!")),
    "still in flight, which names no marker": says(400, bad(400, "Validation Error", "already queued to be sent!")),
    "success without a row": says(200, good()),
}
REFUSED = {
    "not registered": (says(500, bad(500, "iMessage Error", "x", data=row(error=22))), Refusal.NOT_ON_CHANNEL),
    "another error": (says(500, bad(500, "iMessage Error", "x", data=row(error=25))), Refusal.OTHER),
    "an error in a success": (says(200, good(row(error=22))), Refusal.NOT_ON_CHANNEL),
    "too large": (says(413, "<html>"), Refusal.BAD_CONTENT),
}


def both_ways(house: File, answer: Answerer) -> list[Outcome]:
    by_script = replace(ORDER, text="", files=[house])
    by_private_api = replace(by_script, target=replace(ORDER.target, files=("u/house.jpg",)))
    return [
        send(OLD_MAC, by_script, step("POST", "/message/attachment", answer)),
        send(MAC, by_private_api, step("POST", "/message/multipart", answer)),
    ]


@pytest.mark.parametrize("answer", DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_may_have_been_sent_is_ambiguous(house: File, answer: Answerer) -> None:
    assert all(isinstance(outcome, Ambiguous) for outcome in both_ways(house, answer))


@pytest.mark.parametrize(("answer", "refusal"), REFUSED.values(), ids=REFUSED)
def test_what_was_surely_refused_is_final(house: File, answer: Answerer, refusal: Refusal) -> None:
    for outcome in both_ways(house, answer):
        assert isinstance(outcome, Rejected)
        assert outcome.refusal is refusal


@pytest.mark.parametrize("answer", [breaks(httpx2.ConnectError), says(401, WRONG_PASSWORD), says(530, "error code: 1033")])
def test_what_surely_never_arrived_is_deferred(house: File, answer: Answerer) -> None:
    assert all(isinstance(outcome, Deferred) and outcome.device_is_down for outcome in both_ways(house, answer))


# Fetching what came in


def download(answer: Answerer, most_bytes: int = 100) -> bytes:
    async def main() -> bytes:
        path = "/attachment/p%3A%2Fat_0_1/download"
        async with Wire(step("GET", path, answer, query={"original": "true"})) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).download(MAC, "p:/at_0_1", most_bytes)

    return asyncio.run(main())


def bytes_of(size: int) -> Answerer:
    return lambda request: httpx2.Response(200, content=b"\xff" * size, headers={"content-type": "image/jpeg"})


def test_a_file_is_fetched_as_it_was_sent() -> None:
    assert download(bytes_of(100)) == b"\xff" * 100


@pytest.mark.parametrize(
    "answer",
    [
        bytes_of(101),
        bytes_of(10_000),
        says(404, bad(404, "Database Error", "Attachment does not exist!")),
        says(500, bad(500, "Server Error", f"?guid={SECRET} does not exist in disk!")),
        says(401, WRONG_PASSWORD),
        says(302, "", location="http://elsewhere.test/"),
        says(502, "<html>"),
        breaks(httpx2.ReadError),
        breaks(httpx2.ReadTimeout),
    ],
)
def test_a_file_that_cannot_be_had_is_none(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        download(answer, most_bytes=100)
    assert SECRET not in str(raised.value)


def test_why_a_file_cannot_be_had_is_said() -> None:
    with pytest.raises(Unreachable, match="Attachment does not exist!"):
        download(says(404, bad(404, "Database Error", "Attachment does not exist!")), most_bytes=1)
    with pytest.raises(Unreachable, match="larger than what is taken"):
        download(bytes_of(2), most_bytes=1)


def test_the_channel_says_how_long_attachments_may_still_arrive() -> None:
    assert BlueBubbles.kind.promises.has_attachments
    assert (BlueBubbles.kind.pace.files_arrival_ms or 0) > 20 * 60_000
