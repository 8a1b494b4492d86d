"""Looking for an attempt whose answer was lost: found, absent, or honestly neither."""

import asyncio
from dataclasses import replace

import httpx2
import pytest
from blue import (
    GUID,
    MAC,
    NOW_MS,
    PHONE,
    SECRET,
    TEXT,
    TRACE,
    WRONG_PASSWORD,
    Json,
    above,
    attachment,
    chat,
    good,
    handle,
    row,
    rows_query,
    up_to,
)
from blue import step as ask
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Trace
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.core.outcomes import Absent, Accepted, CannotTell, Finding, Found, Refusal, Rejected

# The row at the cursor, which proves that the Mac still counts as it did.
SEEN = row(originalROWID=40, guid="seen", text="before", chats=[chat(f"any;-;{PHONE}9")])


def find(*steps: Step, trace: Trace = TRACE) -> Finding:
    async def main() -> Finding:
        async with Wire(*steps) as wire:
            return await BlueBubbles(wire.client, lambda: NOW_MS).find(MAC, trace)

    return asyncio.run(main())


def find_among(*rows: Json, trace: Trace = TRACE) -> Finding:
    return find(rows_query([above(39)], SEEN, *rows), trace=trace)


OURS = {
    "as it is": row(),
    "in a chat of the older name": row(chats=[chat(f"iMessage;-;{PHONE}")]),
    "in a chat without a style": row(chats=[chat(style=None)]),
    "known by the handle alone": row(chats=[], handle=handle()),
    "with other blanks and line ends": row(text="Hi José, it's Ana \r\nshall we talk?\ufffc"),
    "with accents composed otherwise": row(text=TEXT.replace("é", "e\u0301")),
    "on the Mac as a text message": row(chats=[chat(f"SMS;-;{PHONE}")]),
}
NOT_OURS = {
    "at the cursor": row(originalROWID=40),
    "written by the person": row(isFromMe=False, handle=handle()),
    "to somebody else": row(chats=[chat(f"any;-;{PHONE}0")]),
    "to a group with the person": row(chats=[chat("any;+;chat123", 43)], handle=handle()),
    "another text": row(text=TEXT + "!"),
    "another case": row(text=TEXT.upper()),
    "a picture": row(text=None, attachments=[{"guid": "a", "mimeType": "image/png"}]),
    "no text, to somebody else": row(text=None, chats=[chat(f"any;-;{PHONE}0")]),
    "a tapback that quotes it": row(associatedMessageGuid="p:0/x", associatedMessageType="love"),
    "a note in the conversation": row(itemType=2),
}


@pytest.mark.parametrize("ours", OURS.values(), ids=OURS)
def test_our_row_is_found(ours: Json) -> None:
    assert find_among(ours) == Found(Accepted(GUID))


@pytest.mark.parametrize("other", NOT_OURS.values(), ids=NOT_OURS)
def test_another_row_is_not_ours(other: Json) -> None:
    assert find_among(other) == Absent()


ONE_FILE = replace(TRACE, text="", files=1)
TWO_AND_TEXT = replace(TRACE, files=2)
PREVIEW = attachment("preview", transferName="x.pluginPayloadAttachment")
WITH_FILES: dict[str, tuple[Trace, Json]] = {
    "a picture, marked": (ONE_FILE, row(text="\ufffc", attachments=[attachment()])),
    "a picture, not marked": (ONE_FILE, row(text=None, attachments=[attachment()])),
    "a picture of which nothing is said": (ONE_FILE, row(text="", attachments=[{}])),
    "two and a text": (TWO_AND_TEXT, row(text=f"\ufffc\ufffc{TEXT}", attachments=[attachment("1"), attachment("2")])),
    "a text with the preview of its link": (TRACE, row(attachments=[PREVIEW, attachment("h", hideAttachment=True)])),
}


@pytest.mark.parametrize(("trace", "ours"), WITH_FILES.values(), ids=WITH_FILES)
def test_a_send_with_attachments_is_found_by_its_words_and_their_number(trace: Trace, ours: Json) -> None:
    assert find_among(ours, trace=trace) == Found(Accepted(GUID))


@pytest.mark.parametrize("text", [None, "", "\ufffc\ufffc"])
def test_a_message_of_other_attachments_alone_is_not_ours(text: str | None) -> None:
    two = row(guid="two", text=text, attachments=[attachment("1"), attachment("2")])
    assert find_among(two, trace=ONE_FILE) == Absent()
    ours = row(originalROWID=42, text=text, attachments=[attachment()])
    assert find_among(two, ours, trace=ONE_FILE) == Found(Accepted(GUID))
    assert find_among(ours, trace=replace(ONE_FILE, bound=frozenset({GUID}))) == Absent()


@pytest.mark.parametrize("trace", [TRACE, replace(TRACE, files=2)])
def test_our_text_with_another_number_of_attachments_decides_nothing(trace: Trace) -> None:
    other = row(guid="other", attachments=[attachment()])
    assert isinstance(find_among(other, trace=trace), CannotTell)


def test_a_row_that_shows_neither_text_nor_attachment_might_be_ours() -> None:
    assert isinstance(find_among(row(text=None, attachments=[]), trace=ONE_FILE), CannotTell)


def test_a_row_of_another_attempt_is_not_ours() -> None:
    assert find_among(row(), trace=replace(TRACE, bound=frozenset({GUID}))) == Absent()


def test_the_oldest_by_number_is_ours_whatever_the_dates_say() -> None:
    later = row(originalROWID=50, guid="later", dateCreated=1)
    assert find_among(later, row(originalROWID=41)) == Found(Accepted(GUID))


def test_an_e_mail_address_is_ours_in_any_case() -> None:
    trace = replace(TRACE, address="ana@example.com")
    assert find_among(row(chats=[chat("any;-;Ana@Example.com")]), trace=trace) == Found(Accepted(GUID))


def test_receipts_that_came_meanwhile_are_brought_along() -> None:
    assert find_among(row(dateDelivered=5, dateRead=6)) == Found(Accepted(GUID, 5, 6))


def test_a_row_with_an_error_is_found_with_it() -> None:
    found = find_among(row(error=22))
    assert isinstance(found, Found)
    assert isinstance(found.error, Rejected)
    assert (found.accepted, found.error.refusal) == (Accepted(GUID), Refusal.NOT_ON_CHANNEL)


def test_a_row_that_apple_did_not_acknowledge_decides_nothing() -> None:
    assert isinstance(find_among(row(error=4)), CannotTell)


@pytest.mark.parametrize("text", [None, ""])
def test_a_row_whose_text_is_not_shown_might_be_ours(text: str | None) -> None:
    unreadable = row(originalROWID=41, guid="unreadable", text=text)
    assert isinstance(find_among(unreadable), CannotTell)
    assert find_among(unreadable, row(originalROWID=42)) == Found(Accepted(GUID))


def test_a_row_that_was_edited_since_might_be_ours() -> None:
    edited = row(originalROWID=41, guid="edited", text="Hi José, shall we talk?", dateEdited=5)
    assert isinstance(find_among(edited), CannotTell)
    assert find_among(edited | {"text": TEXT}) == Found(Accepted("edited"))
    assert find_among(edited, trace=replace(TRACE, bound=frozenset({"edited"}))) == Absent()
    assert find_among(edited, row(originalROWID=42)) == Found(Accepted(GUID))


def test_a_row_that_cannot_be_read_might_be_ours() -> None:
    odd = row(originalROWID=41, guid="odd", handle=handle() | {"address": None})
    assert isinstance(find_among(odd), CannotTell)
    assert find_among(odd, row(originalROWID=42)) == Found(Accepted(GUID))


def test_a_mac_without_any_message_yet_can_say_absent() -> None:
    assert find(rows_query([above(0)]), trace=replace(TRACE, cursor=0)) == Absent()


def test_a_mac_that_counts_anew_cannot_say_absent() -> None:
    assert isinstance(find(rows_query([above(39)])), CannotTell)


@pytest.mark.parametrize(
    "answer",
    [
        says(401, WRONG_PASSWORD),
        says(504, "<html>"),
        says(200, "<html>"),
        says(200, good({"not": "rows"})),
        says(200, good([{"guid": 7}])),
        says(200, good([{"guid": GUID, "text": TEXT}])),
        breaks(httpx2.ConnectError),
        breaks(httpx2.ReadError),
    ],
)
def test_no_good_answer_is_no_absence(answer: Answerer) -> None:
    finding = find(ask("POST", "/message/query", answer))
    assert isinstance(finding, CannotTell)
    assert SECRET not in repr(finding)


def full_page() -> Step:
    """Answer that there is more than fits, in the order of dates; our row is in it, but not the oldest of ours."""
    return rows_query([above(39)], row(originalROWID=900, guid="later"), total=1_500)


def test_more_than_a_page_is_gone_through_by_numbers() -> None:
    first = rows_query([above(39), up_to(539)], SEEN)
    second = rows_query([above(539)], row(originalROWID=540))
    assert find(full_page(), first, second) == Found(Accepted(GUID))


def test_a_page_can_be_full_with_fewer_rows_than_its_limit() -> None:
    whole_but_for_one = rows_query([above(39)], SEEN, total=2)
    assert find(whole_but_for_one, rows_query([above(39), up_to(539)], SEEN, row())) == Found(Accepted(GUID))


def test_the_search_ends_and_then_cannot_tell() -> None:
    steps: list[Step] = []
    for number in range(10):
        cursor = 39 + 500 * number
        steps += [
            rows_query([above(cursor)], SEEN, total=9_999),
            rows_query([above(cursor), up_to(cursor + 500)], SEEN),
        ]
    assert isinstance(find(*steps), CannotTell)
