"""What two message centres that we did not write hand over: receipts, replies, repeats; stored, then taken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from smpp_centres import CENTRES, SILENCE, Centre, Handing, NodeCentre, centre_of, node_centre
from smpp_desk import LINE, NOW_MS, PERSON, Desk, desk_at

from posthaste.core.outcomes import Accepted, Ambiguous
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

T = TypeVar("T")

every_centre = pytest.mark.parametrize("name", CENTRES)
RECEIPT_CLASS, WIDE = 0x04, 8
TAKEN, TRY_AGAIN = 0x00, 0x64
LONG = "One. " * 35 + "Two. " * 35 + "Three."


def at(name: str, story: Callable[[Centre, Desk], Awaitable[T]], **config: str) -> T:
    async def main() -> T:
        async with centre_of(name) as centre, desk_at(centre, **config) as desk:
            return await story(centre, desk)

    return asyncio.run(main())


def receipt(message_id: str, stat: str = "DELIVRD", error: str = "000", **params: bytes) -> Handing:
    """Make a receipt as centres do, with seconds in its dates as some have them."""
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:261124193046 done date:261124193050 stat:{stat} err:{error} text:Hello"
    tags = {int(name[1:], 16): value for name, value in params.items()}
    return Handing(text.encode(), esm_class=RECEIPT_CLASS, params=tags)


def heard(signals: list[Signal]) -> list[Signal]:
    """Take the ids that we gave to what people wrote out of the comparison."""
    return [Inbound("", 0, one.address, one.text, one.at, one.to) if isinstance(one, Inbound) else one for one in signals]


def wrote(text: str) -> Inbound:
    return Inbound("", 0, PERSON, text, NOW_MS, LINE)


# Receipts


@every_centre
@pytest.mark.parametrize(
    ("handing", "signal"),
    [
        (receipt("id-1"), Receipt("id-1", NOW_MS)),
        (receipt("ID-1"), Receipt("id-1", NOW_MS)),
        (receipt("id-1", x001E=b"id-1\x00", x0427=b"\x02"), Receipt("id-1", NOW_MS)),
        (receipt("?", "?", x001E=b"id-1\x00", x0427=b"\x02"), Receipt("id-1", NOW_MS)),
        (
            receipt("id-1", "UNDELIV", "00A"),
            Receipt("id-1", error="the carrier could not deliver it (UNDELIV, error 00A)"),
        ),
        (
            receipt("id-1", "EXPIRED"),
            Receipt("id-1", error="it expired at the carrier before it could be delivered (EXPIRED, error 000)"),
        ),
    ],
)
def test_a_receipt_says_what_became_of_a_text(name: str, handing: Handing, signal: Receipt) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[int, list[Signal]]:
        await centre.answer_next("id-1")
        assert await desk.send("Hello") == Accepted("id-1")
        return await centre.hand(handing), list(desk.inbox.signals)

    assert at(name, story) == (TAKEN, [signal])


@every_centre
@pytest.mark.parametrize("stat", ["ENROUTE", "ACCEPTD", "UNKNOWN"])
def test_a_receipt_of_a_text_under_way_says_nothing(name: str, stat: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[int, list[Signal]]:
        await centre.answer_next("id-1")
        await desk.send("Hello")
        return await centre.hand(receipt("id-1", stat)), list(desk.inbox.signals)

    assert at(name, story) == (TAKEN, [])


@every_centre
def test_an_id_in_another_base_is_known_and_the_way_is_kept(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[list[Signal], object]:
        await centre.answer_next("00A1B2C3", "00a1b2c4")
        await desk.send("One")
        await desk.send("Two")
        await centre.hand(receipt(str(0xA1B2C4)))
        await centre.hand(receipt(str(0xA1B2C3).zfill(12)))
        health = await desk.channel.ping(desk.device)
        return desk.inbox.signals, health.options

    signals, options = at(name, story)
    assert signals == [Receipt("00a1b2c4", NOW_MS), Receipt("00A1B2C3", NOW_MS)]
    assert options == {"receipt_ids": "decimal"}


@every_centre
def test_a_long_text_has_arrived_when_all_its_parts_have(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[list[Signal], list[Signal]]:
        await centre.answer_next("a-1", "a-2", "a-3")
        assert await desk.send(LONG) == Accepted("a-3")
        await centre.hand(receipt("a-3"))
        await centre.hand(receipt("a-1"))
        before = list(desk.inbox.signals)
        await centre.hand(receipt("a-2"))
        return before, list(desk.inbox.signals)

    before, after = at(name, story, longText="segments")
    assert before == []
    assert after == [Receipt("a-3", NOW_MS)]


@every_centre
def test_a_long_text_has_failed_when_one_part_has(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[Signal]:
        await centre.answer_next("a-1", "a-2", "a-3")
        await desk.send(LONG)
        await centre.hand(receipt("a-2", "UNDELIV"))
        return list(desk.inbox.signals)

    (failed,) = at(name, story, longText="segments")
    assert isinstance(failed, Receipt)
    assert (failed.external_id, failed.delivered_at) == ("a-3", None)
    assert failed.error


def test_a_receipt_that_overtakes_the_answer_is_there_for_the_next_poll() -> None:
    async def story(centre: NodeCentre, desk: Desk) -> tuple[object, object, object]:
        await centre.answer_next({"wait": True})
        sending = asyncio.create_task(desk.send("Hello"))
        await centre.submitted()
        await centre.hand(receipt("id-1"))
        await centre.order("answer", id="id-1")
        return await sending, await desk.channel.poll(desk.device, 7, ["id-0", "id-1"]), list(desk.inbox.signals)

    async def main() -> tuple[object, object, object]:
        async with node_centre() as centre, desk_at(centre) as desk:
            return await story(centre, desk)

    outcome, news, signals = asyncio.run(main())
    assert outcome == Accepted("id-1")
    assert signals == [Receipt("id-1", NOW_MS)]
    assert (news.signals, news.cursor, news.is_complete) == (signals, 7, True)  # type: ignore[attr-defined]


def test_an_answer_that_comes_too_late_still_tells_that_the_text_was_taken() -> None:
    async def main() -> tuple[object, object]:
        async with node_centre() as centre, desk_at(centre, answer_ms=150) as desk:
            await centre.answer_next({"wait": True})
            outcome = await desk.send("Hello")
            await centre.order("answer", id="id-1")
            return outcome, await desk.inbox.has(1)

    outcome, signals = asyncio.run(main())
    assert isinstance(outcome, Ambiguous)
    assert signals == [Echo("id-1", 0, "marker-1")]


# What people write


@every_centre
@pytest.mark.parametrize(
    ("handing", "text"),
    [
        (Handing(b"STOP"), "STOP"),
        (Handing(b"\x00 \x1be\x04"), "@ €è"),
        (Handing("Żółć 😀".encode("utf-16-be"), WIDE), "Żółć 😀"),
        (Handing("né".encode("latin-1"), 3), "né"),
        (Handing(b"Flash", 0xF0), "Flash"),
        (Handing(b"nul\x00", 1), "nul"),
        (Handing(b"", params={0x0424: b"In a parameter"}), "In a parameter"),
        (Handing(b"Odd", 0x0D), "Odd"),
    ],
)
def test_what_a_person_writes_comes_in_as_it_was(name: str, handing: Handing, text: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[int, list[Signal]]:
        return await centre.hand(handing), list(desk.inbox.signals)

    status, signals = at(name, story)
    assert (status, heard(signals)) == (TAKEN, [wrote(text)])


# Stored first


@every_centre
def test_what_cannot_be_stored_is_not_acknowledged_and_is_one_text_when_it_comes_again(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[int, int, list[Signal]]:
        desk.inbox.refuses = 1
        return await centre.hand(Handing(b"STOP")), await centre.hand(Handing(b"STOP")), list(desk.inbox.signals)

    first, second, signals = at(name, story)
    assert (first, second) == (TRY_AGAIN, TAKEN)
    assert heard(signals) == [wrote("STOP")]


@every_centre
def test_nothing_is_acknowledged_before_it_is_stored(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[bool, int]:
        desk.inbox.opens.clear()
        handing = asyncio.create_task(centre.hand(Handing(b"Hello")))
        # The centre answers our question, which it was asked after it had handed over, so its text is here.
        assert (await desk.channel.ping(desk.device)).is_up
        is_taken = handing.done()
        desk.inbox.opens.set()
        return is_taken, await handing

    assert at(name, story) == (False, TAKEN)


@every_centre
def test_a_text_that_was_taken_as_the_connection_died_keeps_its_id_when_it_comes_again(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[Signal]:
        await centre.hand(Handing(b"Yes"))
        await centre.restart()
        await centre.bound()
        await desk.is_up()
        await centre.hand(Handing(b"Yes"))
        await centre.hand(Handing(b"Yes"))
        return list(desk.inbox.signals)

    first, again, third = at(name, story)
    assert isinstance(first, Inbound)
    assert again == first
    assert isinstance(third, Inbound)
    assert third.external_id != first.external_id, "somebody who says it once more says something new"


@every_centre
def test_the_same_words_twice_are_two_texts(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[Signal]:
        await centre.hand(Handing(b"Yes"))
        await centre.hand(Handing(b"Yes"))
        return list(desk.inbox.signals)

    first, second = at(name, story)
    assert isinstance(first, Inbound)
    assert isinstance(second, Inbound)
    assert first.external_id != second.external_id


@every_centre
def test_a_full_session_answers_while_a_text_waits_to_be_stored(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> object:
        desk.inbox.opens.clear()
        handing = asyncio.create_task(centre.hand(Handing(b"Hello")))
        outcome = await desk.send("Out")
        desk.inbox.opens.set()
        await handing
        return outcome

    assert isinstance(at(name, story), Accepted)


def test_a_silent_centre_is_found_out_and_what_was_silent_stays_in_doubt() -> None:
    async def story(centre: Centre, desk: Desk) -> object:
        await centre.answer_next(SILENCE)
        return await desk.send("Hello")

    async def main() -> object:
        async with node_centre() as centre, desk_at(centre, answer_ms=50) as desk:
            return await story(centre, desk)

    assert isinstance(asyncio.run(main()), Ambiguous)
