"""Polling Sendblue: what people wrote while no webhook came, and the receipts of what is open."""

from dataclasses import replace

import pytest
from sendblue_cases import (
    DEVICE,
    HANDLE,
    LATER,
    LATER_AT,
    LINE,
    MADE_AT,
    NO_ANSWERS,
    NOW_MS,
    OF_NUMBER,
    PERSON,
    SECRET,
    ask,
    page,
    row,
    step,
    wrote,
)
from wire import Answerer, Step, says

from posthaste.channels.base import Connection, News, Unreachable
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.core.signals import Inbound, Receipt

SINCE = {"is_outbound": "false", "created_at_gte": "2026-11-24T19:20:46.000Z"}


def poll(cursor: int, open_ids: list[str], *steps: Step, device: Connection = DEVICE) -> News:
    return ask(lambda channel: channel.poll(device, cursor, open_ids), *steps)


def status(handle: str, answer: Answerer) -> Step:
    return step("GET", "/api/status", answer, query={"handle": handle})


def test_what_was_written_is_news_and_moves_the_cursor() -> None:
    news = poll(MADE_AT, [], page(wrote(), wrote(message_handle="two", date_sent=LATER), query=SINCE))
    assert news == News(
        [Inbound(HANDLE, MADE_AT, PERSON, "Yes", MADE_AT, LINE), Inbound("two", LATER_AT, PERSON, "Yes", LATER_AT, LINE)],
        LATER_AT,
        True,
    )


def test_a_line_with_a_number_asks_for_that_alone() -> None:
    assert poll(MADE_AT, [], page(query={**SINCE, "sendblue_number": LINE}), device=OF_NUMBER) == News([], MADE_AT, True)


def test_a_line_without_a_cursor_does_not_dig_up_the_past() -> None:
    assert poll(0, []) == News([], 0, True)


def test_a_long_outage_is_made_up_portion_by_portion() -> None:
    pages = [page(wrote(date_sent=LATER), query=SINCE, offset=100 * number, more=True) for number in range(10)]
    news = poll(MADE_AT, [], *pages)
    assert (news.cursor, news.is_complete) == (LATER_AT, False)


def test_the_wrong_clock_of_a_person_does_not_hide_what_others_write_after() -> None:
    ahead = "2031-01-01T00:00:00Z"
    news = poll(MADE_AT, [], page(wrote(date_sent=ahead), wrote(message_handle="two", date_sent=LATER), query=SINCE))
    assert (len(news.signals), news.cursor) == (2, NOW_MS)
    assert poll(MADE_AT, [], page(wrote(date_sent=ahead), query=SINCE)).cursor == NOW_MS


def test_a_cursor_that_lies_ahead_hides_nothing_and_never_goes_back() -> None:
    later = NOW_MS + 3_600_000
    since = SINCE | {"created_at_gte": "2026-11-24T19:26:40.000Z"}
    assert poll(later, [], page(wrote(date_sent="2031-01-01T00:00:00Z"), query=since)).cursor == later


def test_pages_without_times_do_not_go_round_for_ever() -> None:
    timeless = wrote(date_sent=None, date_updated=None)
    pages = [page(timeless, query=SINCE, offset=100 * number, more=True) for number in range(10)]
    news = poll(MADE_AT, [], *pages)
    assert (news.cursor, news.is_complete) == (MADE_AT, True)


def test_one_message_that_cannot_be_read_does_not_hide_the_rest() -> None:
    odd = wrote(message_handle="odd", content=7)
    news = poll(MADE_AT, [], page(odd, wrote(), query=SINCE))
    assert news == News([Inbound(HANDLE, MADE_AT, PERSON, "Yes", MADE_AT, LINE)], MADE_AT, True)
    with pytest.raises(Unreachable):
        poll(MADE_AT, [], page(odd, query=SINCE))


def test_open_messages_are_asked_after() -> None:
    delivered = says(200, row(message_handle="one", status="DELIVERED", date_updated=LATER))
    news = poll(
        0, ["one", "two", "three"], status("one", delivered), status("two", says(200, row())), status("three", says(404, {}))
    )
    assert news.signals == [Receipt("one", LATER_AT)]


@pytest.mark.parametrize("answer", [says(404, {}), says(400, {"status": "ERROR"}), says(200, row(content=7))])
def test_one_receipt_that_cannot_be_had_does_not_hide_what_was_written(answer: Answerer) -> None:
    assert len(poll(MADE_AT, ["one"], page(wrote(), query=SINCE), status("one", answer)).signals) == 1


@pytest.mark.parametrize("answer", NO_ANSWERS[:2] + NO_ANSWERS[3:])
def test_an_account_that_tells_no_receipt_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable):
        poll(0, ["one"], status("one", answer))


def test_a_message_that_cannot_be_asked_about_hides_neither_what_was_written_nor_the_others() -> None:
    delivered = says(200, row(message_handle="two", status="DELIVERED", date_updated=LATER))
    written = page(wrote(), query=SINCE)

    async def twice(channel: Sendblue) -> list[News]:
        return [await channel.poll(DEVICE, MADE_AT, ["one", "two"]) for _ in range(2)]

    broken = status("one", says(500, "x"))
    first, second = ask(twice, written, broken, written, status("two", delivered), broken)
    assert [type(signal) for signal in first.signals] == [Inbound]
    assert second.signals[1:] == [Receipt("two", LATER_AT)]


def test_many_open_messages_take_turns() -> None:
    handles = [f"h-{number}" for number in range(70)]
    turns = [*handles[:50], *handles[50:], *handles[:30]]

    async def both(channel: Sendblue) -> None:
        await channel.poll(DEVICE, 0, handles)
        await channel.poll(DEVICE, 0, handles)

    ask(both, *(status(handle, says(200, row(message_handle=handle))) for handle in turns))


def test_each_account_has_turns_of_its_own() -> None:
    handles = [f"h-{number}" for number in range(100)]
    other = replace(DEVICE, device_id="device-2")

    async def in_turn(channel: Sendblue) -> None:
        for device in (DEVICE, other, DEVICE, other):
            await channel.poll(device, 0, handles)

    turns = [*handles[:50], *handles[:50], *handles[50:], *handles[50:]]
    ask(in_turn, *(status(handle, says(200, row(message_handle=handle))) for handle in turns))


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_cannot_be_polled_is_unreachable(answer: Answerer) -> None:
    with pytest.raises(Unreachable) as raised:
        poll(MADE_AT, [], step("GET", "/api/v2/messages", answer))
    assert SECRET not in str(raised.value)
