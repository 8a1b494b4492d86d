"""Looking for an attempt at Twilio, whose answer never came: found, surely absent, or not to be decided."""

import asyncio
from dataclasses import replace

import httpx2
import pytest
from twil import (
    AT,
    BY_SERVICE,
    FROM_SERVICE,
    LINE,
    MESSAGE,
    PHONE,
    SERVICE,
    TEXT,
    TRACE,
    Json,
    ask,
    bad,
    date,
    now,
    page,
    query,
    row,
)
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import Connection, Trace
from posthaste.channels.twilio.channel import Twilio
from posthaste.core.outcomes import Absent, Accepted, CannotTell, Finding, Found, Refusal, Rejected

OTHER = "SM" + "c" * 32
MINUTE = 60_000


def find(trace: Trace, *steps: Step, device: Connection = LINE) -> Finding:
    async def main() -> Finding:
        async with Wire(*steps) as wire:
            return await Twilio(wire.client, now).find(device, trace)

    return asyncio.run(main())


def find_among(*rows: Json, trace: Trace = TRACE) -> Finding:
    return find(trace, ask("/Messages.json", says(200, page(*rows)), **query()))


def test_our_text_to_our_person_is_the_attempt() -> None:
    assert find_among(row()) == Found(Accepted(MESSAGE))


def test_what_is_known_of_it_comes_along() -> None:
    assert find_among(row(status="delivered", date_updated=date(AT + MINUTE))) == Found(Accepted(MESSAGE, AT + MINUTE))
    failed = find_among(row(status="undelivered", error_code=30005))
    assert isinstance(failed, Found)
    assert isinstance(failed.error, Rejected)
    assert (failed.accepted, failed.error.refusal) == (Accepted(MESSAGE), Refusal.BAD_ADDRESS)


def test_what_twilio_does_to_a_text_on_the_way_does_not_matter() -> None:
    shown = "Sent from your Twilio trial account - " + TEXT.replace("  ", " ").replace("\n", "\r\n")
    assert find_among(row(body=shown)) == Found(Accepted(MESSAGE))


def test_of_several_the_oldest_that_no_other_attempt_has_is_ours() -> None:
    late, early = row(sid=OTHER, date_created=date(AT + MINUTE)), row()
    assert find_among(late, early) == Found(Accepted(MESSAGE))
    assert find_among(late, early, trace=replace(TRACE, bound=frozenset({MESSAGE}))) == Found(Accepted(OTHER))


@pytest.mark.parametrize(
    "theirs",
    [
        row(direction="inbound"),
        row(to="+16285550999"),
        row(date_created=date(AT - 16 * MINUTE)),
    ],
)
def test_what_cannot_be_it_does_not_count(theirs: Json) -> None:
    assert find_among(theirs) == Absent()


def test_a_clock_that_is_a_little_off_hides_nothing() -> None:
    assert find_among(row(date_created=date(AT - 10 * MINUTE))) == Found(Accepted(MESSAGE))


def test_nothing_to_this_person_is_absence() -> None:
    assert find_among() == Absent()
    assert find_among(row(), trace=replace(TRACE, bound=frozenset({MESSAGE}))) == Absent()


@pytest.mark.parametrize("other", [row(body="Something else"), row(body=None), row(num_media="1")])
def test_a_message_that_may_be_it_in_other_words_leaves_it_open(other: Json) -> None:
    assert isinstance(find_among(other), CannotTell)


def test_an_attachment_is_looked_for_with_its_text() -> None:
    trace = replace(TRACE, files=1, text="")
    assert find_among(row(body="", num_media="1"), trace=trace) == Found(Accepted(MESSAGE))


def test_a_messaging_service_may_have_chosen_any_number() -> None:
    steps = ask(
        "/Messages.json",
        says(
            200, page(row(sid=OTHER, messaging_service_sid="MG" + "9" * 32), row(**{"from": None}, messaging_service_sid=SERVICE))
        ),
        **query(sender=None),
    )
    assert find(replace(TRACE, target=FROM_SERVICE), steps, device=BY_SERVICE) == Found(Accepted(MESSAGE))


@pytest.mark.parametrize(
    "changed", [{"accountSid": "AC" + "9" * 32}, {"messagingServiceSid": "MG" + "9" * 32}, {"messagingServiceSid": ""}]
)
def test_what_went_another_way_than_the_line_goes_now_cannot_be_told(changed: dict[str, str]) -> None:
    line = replace(BY_SERVICE, config={**BY_SERVICE.config, **changed})
    assert isinstance(find(replace(TRACE, target=FROM_SERVICE), device=line), CannotTell)


def test_it_is_looked_for_page_by_page_down_to_the_hand_over() -> None:
    following = "/2010-04-01/Accounts/else/Messages.json?To=%2B16285550123&PageSize=200&Page=1&PageToken=PA1"
    first = ask("/Messages.json", says(200, page(row(sid=OTHER, to="+1"), following=following)), **query())
    older = page(row(date_created=date(AT - 60 * MINUTE)), following="/x?Page=2")
    second = ask("/Messages.json", says(200, older), To=PHONE, PageSize="200", Page="1", PageToken="PA1")
    assert find(TRACE, first, second) == Absent()


def test_too_many_pages_leave_it_open() -> None:
    endless = says(200, page(row(to="+1"), following="/x?To=%2B16285550123&PageSize=200&From=%2B16285550100"))
    steps = [ask("/Messages.json", endless, **query()) for _ in range(5)]
    assert isinstance(find(TRACE, *steps), CannotTell)


@pytest.mark.parametrize(
    "answer",
    [
        says(401, bad(20003, 401)),
        says(404, bad(20404, 404)),
        says(500, bad(20500, 500)),
        says(200, "<html>welcome</html>"),
        says(200, {"messages": None}),
        says(302, "", location="/"),
        breaks(httpx2.ConnectError),
        breaks(httpx2.ReadTimeout),
    ],
)
def test_an_answer_that_is_none_is_not_absence(answer: Answerer) -> None:
    assert isinstance(find(TRACE, ask("/Messages.json", answer, **query())), CannotTell)
