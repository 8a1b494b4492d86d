"""What a Mac reports by webhook: every event that we know, and the rest, which must be nothing and never an error."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from blue import GUID, MAC, MADE_AT, MET_AT, NOW_MS, PHONE, Json, attachment, chat, handle, row
from hypothesis import given
from hypothesis import strategies as st

from posthaste.channels.base import Connection
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.http import open_client
from posthaste.core.hooks import HookCall
from posthaste.core.signals import Echo, Inbound, InboundFile, Reaction, Receipt, Signal, Typing

CHANNEL = BlueBubbles(open_client(), lambda: NOW_MS)
INBOUND = Inbound("theirs", 41, PHONE, "Yes", MADE_AT)


def theirs(**fields: object) -> Json:
    return row(**{"guid": "theirs", "isFromMe": False, "text": "Yes", "handle": handle(), **fields})


HOUSE = InboundFile("at_0_1", "house.jpg", "image/jpeg")


def with_files(text: str, *files: InboundFile) -> Inbound:
    return replace(INBOUND, text=text, files=files)


def without_chats(**fields: object) -> Json:
    return {name: value for name, value in row(**fields).items() if name != "chats"}


def heard(body: bytes, device: Connection = MAC) -> Sequence[Signal]:
    taken = CHANNEL.hear(device, HookCall("POST", "", {}, body))
    assert taken is not None
    return taken.signals


def report(event: str, data: object, device: Connection = MAC) -> Sequence[Signal]:
    return heard(json.dumps({"type": event, "data": data}).encode(), device)


NEW: dict[str, tuple[Json, Signal]] = {
    "a send that was matched": (row(tempGuid="marker-1"), Echo(GUID, 41, "marker-1")),
    "the same again, unmatched": (row(), Echo(GUID, 41)),
    "a send that is already delivered": (row(dateDelivered=5), Echo(GUID, 41, delivered_at=5)),
    "what a person wrote": (theirs(), INBOUND),
    "what a person wrote to an older Mac": (theirs(chats=[chat(f"iMessage;-;{PHONE}")]), INBOUND),
    "a text message by way of an iPhone": (theirs(chats=[chat(f"SMS;-;{PHONE}")]), INBOUND),
    "a person with an e-mail address": (
        theirs(handle=handle("Ana@Example.com")),
        Inbound("theirs", 41, "ana@example.com", "Yes", MADE_AT),
    ),
    "a person known by the chat alone": (theirs(handle=None), INBOUND),
    "something without a text": (theirs(text=None), Inbound("theirs", 41, PHONE, "", MADE_AT)),
    "a picture": (theirs(text="\ufffc", attachments=[attachment()]), with_files("", HOUSE)),
    "a picture whose text is not shown": (theirs(text=None, attachments=[attachment()]), with_files("", HOUSE)),
    "two pictures and a text": (
        theirs(text="\ufffc\ufffcYes", attachments=[attachment(), attachment("at_1_1", transferName=None, mimeType=None)]),
        with_files("Yes", HOUSE, InboundFile("at_1_1")),
    ),
    "a text with the preview of its link": (
        theirs(attachments=[attachment(transferName="A-B.pluginPayloadAttachment"), attachment(hideAttachment=True)]),
        INBOUND,
    ),
    "an attachment that says nothing of itself": (
        theirs(attachments=[{"guid": None}, 7, attachment()]),
        with_files("Yes", HOUSE),
    ),
    "a name that no database takes": (
        theirs(attachments=[attachment(transferName="ho\x00use.jpg", mimeType="image/\x00jpeg")]),
        with_files("Yes", HOUSE),
    ),
    "a text with a NUL": (theirs(text="Y\x00es"), INBOUND),
    "a text of a date beyond all dates": (theirs(dateCreated=2**60), Inbound("theirs", 41, PHONE, "Yes", 0)),
    "a thread's answer": (theirs(threadOriginatorGuid=GUID), replace(INBOUND, answers=(GUID,))),
    "an answer to a part, and what came before it": (
        theirs(threadOriginatorGuid=f"p:0/{GUID}", replyToGuid="before"),
        replace(INBOUND, answers=(GUID, "before")),
    ),
    "an answer to what came before it": (theirs(replyToGuid=GUID), replace(INBOUND, answers=(GUID,))),
    "an answer to something odd": (theirs(threadOriginatorGuid="a\x00b", replyToGuid=""), INBOUND),
    "an edited text": (theirs(dateEdited=5), INBOUND),
}
NOTHING_NEW: dict[str, Json] = {
    "a group": theirs(chats=[chat("any;+;chat1", 43)]),
    "a tapback in a group": theirs(
        associatedMessageGuid=f"p:0/{GUID}", associatedMessageType="love", chats=[chat("any;+;chat1", 43)]
    ),
    "a picture in a group": theirs(attachments=[attachment()], chats=[chat("any;+;chat1", 43)]),
    "a text that was taken back": theirs(text="", dateRetracted=5),
    "a sticker on a message": theirs(associatedMessageGuid=f"p:0/{GUID}", associatedMessageType="sticker"),
    "a tapback of a later version": theirs(associatedMessageGuid=f"p:0/{GUID}", associatedMessageType="2007"),
    "a tapback with an emoji that is not said": theirs(associatedMessageGuid=f"p:0/{GUID}", associatedMessageType="2006"),
    "a tapback on something odd": theirs(associatedMessageGuid="a\x00b", associatedMessageType="love"),
    "our own tapback": row(associatedMessageGuid=f"p:0/{GUID}", associatedMessageType=2000),
    "a renamed group": theirs(itemType=2),
    "a person without an address": theirs(handle=None, chats=[chat("any;-;")]),
    "a person without a chat": theirs(chats=[]),
    "a send that Apple did not acknowledge": row(error=4),
    "a guid that no database takes": theirs(guid="a\x00b"),
    "a number beyond all numbers": theirs(originalROWID=2**60),
    "a guid of nothing": theirs(guid=""),
}


@pytest.mark.parametrize(("data", "signal"), NEW.values(), ids=NEW)
def test_a_new_message_is_an_echo_or_what_a_person_wrote(data: Json, signal: Signal) -> None:
    assert list(report("new-message", data)) == [signal]


TAPBACK: Json = {"associatedMessageGuid": f"p:0/{GUID}", "associatedMessageType": "love"}


@pytest.mark.parametrize("what", [{}, TAPBACK], ids=["a text", "a tapback"])
def test_what_was_written_before_the_mac_was_met_is_no_answer_to_us_though_icloud_brings_it_now(what: Json) -> None:
    clocks_may_differ_by_ms = 15 * 60_000
    long_ago = theirs(dateCreated=MET_AT - clocks_may_differ_by_ms - 1, **what)
    assert list(report("new-message", long_ago)) == []
    assert len(report("new-message", theirs(dateCreated=MET_AT - clocks_may_differ_by_ms, **what))) == 1
    met_by_an_older_version = replace(MAC, options={"macos": "26.1"})
    assert len(report("new-message", long_ago, met_by_an_older_version)) == 1


TAPBACKS = {
    ("love", None): ("love", False),
    ("like", None): ("like", False),
    ("dislike", None): ("dislike", False),
    ("laugh", None): ("laugh", False),
    ("emphasize", None): ("emphasize", False),
    ("question", None): ("question", False),
    ("-love", None): ("love", True),
    ("-question", None): ("question", True),
    (2000, None): ("love", False),
    (2005, None): ("question", False),
    (3000, None): ("love", True),
    (3005, None): ("question", True),
    ("2003", None): ("laugh", False),
    ("2006", "🎉"): ("🎉", False),
    ("3006", "🎉"): ("🎉", True),
}


@pytest.mark.parametrize(("said", "meant"), TAPBACKS.items(), ids=str)
@pytest.mark.parametrize("named", [f"p:0/{GUID}", f"p:12/{GUID}", f"bp:{GUID}", f"bp:0/{GUID}", GUID])
def test_a_tapback_is_a_reaction(said: tuple[str | int, str | None], meant: tuple[str, bool], named: str) -> None:
    data = theirs(associatedMessageGuid=named, associatedMessageType=said[0], associatedMessageEmoji=said[1], text="Loved “Hi”")
    assert list(report("new-message", data)) == [Reaction("theirs", 41, PHONE, GUID, meant[0], MADE_AT, meant[1])]


@pytest.mark.parametrize(
    ("data", "signals"),
    [
        ({"display": True, "guid": f"any;-;{PHONE}"}, [Typing(PHONE, True)]),
        ({"display": False, "guid": "iMessage;-;Ana@Example.com"}, [Typing("ana@example.com", False)]),
        ({"display": True, "guid": "any;+;chat1"}, []),
        ({"display": True, "guid": ""}, []),
        ({"display": "yes", "guid": f"any;-;{PHONE}"}, []),
        ({"guid": f"any;-;{PHONE}"}, []),
        (None, []),
    ],
)
def test_the_three_dots_are_typing(data: Json | None, signals: list[Signal]) -> None:
    assert list(report("typing-indicator", data)) == signals


@pytest.mark.parametrize("data", NOTHING_NEW.values(), ids=NOTHING_NEW)
def test_what_is_no_text_between_two_is_nothing(data: Json) -> None:
    assert list(report("new-message", data)) == []


@pytest.mark.parametrize(
    ("fields", "receipt"),
    [
        ({"dateDelivered": 5}, Receipt(GUID, 5)),
        ({"dateDelivered": 5, "isDelivered": True, "dateRead": 6}, Receipt(GUID, 5, 6)),
        ({"dateRead": 6}, Receipt(GUID, None, 6)),
        # Delivered without saying when: the time of its making is the nearest that is known.
        ({"isDelivered": True}, Receipt(GUID, MADE_AT)),
        # A receipt beats the error of an earlier try.
        ({"dateDelivered": 5, "error": 25}, Receipt(GUID, 5)),
    ],
)
def test_an_update_without_chats_is_a_receipt(fields: Json, receipt: Receipt) -> None:
    assert list(report("updated-message", without_chats(**fields))) == [receipt]


def test_an_update_with_an_error_says_so() -> None:
    (receipt,) = report("updated-message", without_chats(error=22))
    assert isinstance(receipt, Receipt)
    assert receipt.external_id == GUID
    assert "22" in (receipt.error or "")


@pytest.mark.parametrize(
    "fields", [{}, {"dateEdited": 5}, {"dateRetracted": 5, "text": ""}, {"error": 4}, {"isFromMe": False, "dateRead": 5}]
)
def test_an_update_that_changes_nothing_for_us_is_nothing(fields: Json) -> None:
    assert list(report("updated-message", without_chats(**fields))) == []


def test_a_failed_send_is_an_echo_with_its_error_and_our_marker() -> None:
    (echo,) = report("message-send-error", without_chats(error=25, tempGuid="marker-1"))
    assert isinstance(echo, Echo)
    assert (echo.external_id, echo.cursor, echo.marker) == (GUID, 41, "marker-1")
    assert "25" in (echo.error or "")


@pytest.mark.parametrize("fields", [{"error": 0}, {"error": None}, {"error": 4}])
def test_a_failed_send_without_a_word_of_failure_is_nothing(fields: Json) -> None:
    assert list(report("message-send-error", without_chats(**fields))) == []


@pytest.mark.parametrize("event", ["typing-indicator", "hello-world", "chat-read-status-changed", "*", ""])
def test_other_events_are_nothing(event: str) -> None:
    assert list(report(event, row())) == []
    assert list(report(event, None)) == []


BROKEN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b'{"type":1}',
    b'{"type":"new-message"}',
    b'{"type":"new-message","data":{}}',
    b'{"type":"new-message","data":{"guid":"\\ud800"}}',
    b'{"type":"new-message","data":' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_report_is_nothing(body: bytes) -> None:
    assert list(heard(body)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def instants(signal: Signal) -> Sequence[int]:
    match signal:
        case Inbound(cursor=cursor, at=at) | Reaction(cursor=cursor, at=at):
            return [cursor, at]
        case Echo(cursor=cursor, delivered_at=delivered_at, read_at=read_at):
            return [cursor, delivered_at or 0, read_at or 0]
        case Receipt(delivered_at=delivered_at, read_at=read_at):
            return [delivered_at or 0, read_at or 0]
        case Typing():
            raise AssertionError("a message is no typing")


BASES = {
    "ours": row(attachments=[attachment()]),
    "theirs": theirs(attachments=[attachment()], threadOriginatorGuid=GUID, replyToGuid=None, dateRetracted=None),
    "tapback": theirs(associatedMessageGuid=f"p:0/{GUID}", associatedMessageType="2006", associatedMessageEmoji="🎉"),
}


@given(
    event=st.sampled_from(["new-message", "updated-message", "message-send-error"]),
    base=st.sampled_from(sorted(BASES)),
    data=st.data(),
)
def test_a_report_with_any_field_changed_is_signals_or_nothing(event: str, base: str, data: st.DataObject) -> None:
    whole = BASES[base]
    name = data.draw(st.sampled_from(sorted(whole)))
    for signal in report(event, whole | {name: data.draw(JSON)}):
        assert not isinstance(signal, Typing)
        assert signal.external_id
        assert "\x00" not in repr(signal)
        assert all(0 <= at < 2**53 for at in instants(signal))
