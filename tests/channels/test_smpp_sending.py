"""Sending by SMPP to two message centres that we did not write: every alphabet, both ways of a long text, every outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from smpp_centres import CENTRES, SILENCE, Centre, Submitted, centre_of, node_centre
from smpp_desk import DEFAULTS, LINE, NOW_MS, PERSON, Desk, desk_at, device_at

from posthaste.channels.base import NOWHERE, File, Order, Sender
from posthaste.channels.smpp.channel import Smpp
from posthaste.core.errors import Refused
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

T = TypeVar("T")

every_centre = pytest.mark.parametrize("name", CENTRES)
LONG = "".join(f"{number:03} " for number in range(75))
LONG_WIDE = "ż😀" * 60
SENT = Submitted(("16285551000", 1, 1), ("12025550143", 1, 1), "", 0, 0, 1, False)


def at(name: str, story: Callable[[Centre, Desk], Awaitable[T]], **config: str) -> T:
    """Run a story with a centre and a desk that is bound to it."""

    async def main() -> T:
        async with centre_of(name) as centre, desk_at(centre, **config) as desk:
            return await story(centre, desk)

    return asyncio.run(main())


async def _seen(centre: Centre, desk: Desk, text: str, count: int = 1) -> tuple[Outcome, list[Submitted]]:
    await centre.answer_next(*(f"id-{number}" for number in range(1, count + 1)))
    outcome = await desk.send(text)
    return outcome, [await centre.submitted() for _ in range(count)]


@every_centre
@pytest.mark.parametrize(
    ("text", "coding"), [("Hello", 0), ("price [5 €] {a} ~", 0), ("Żółć 😀", 8), ("a" * 160, 0), ("€" * 80, 0), ("ż" * 70, 8)]
)
def test_a_text_of_one_sms_arrives_as_it_was(name: str, text: str, coding: int) -> None:
    outcome, seen = at(name, lambda centre, desk: _seen(centre, desk, text))
    assert outcome == Accepted("id-1")
    wanted = Submitted(SENT.source, SENT.destination, text, coding, 0, 1, is_payload=False)
    assert seen == [wanted]


@pytest.mark.parametrize(("text", "parts", "way"), [("Hello", 1, "payload"), (LONG, 1, "payload"), (LONG, 2, "segments")])
@pytest.mark.parametrize(
    ("left_ms", "until"),
    [(None, None), (90_500, "2027-01-15T08:01:30.500Z"), (30 * 86_400_000, "2027-01-22T08:00:00.000Z")],
    ids=["for good", "90 s", "30 days"],
)
def test_a_carrier_is_told_until_when_a_text_may_go(text: str, parts: int, way: str, left_ms: int | None, until: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[str | None]:
        await desk.send(text, valid_until=None if left_ms is None else NOW_MS + left_ms)
        return [(await centre.submitted()).valid_until for _ in range(parts)]

    assert at("npm smpp", story, longText=way) == [until] * parts


@every_centre
@pytest.mark.parametrize(("text", "coding"), [(LONG, 0), (LONG_WIDE, 8), ("€" * 150, 0)])
def test_a_long_text_goes_whole_in_its_parameter(name: str, text: str, coding: int) -> None:
    outcome, seen = at(name, lambda centre, desk: _seen(centre, desk, text))
    assert outcome == Accepted("id-1")
    assert [(one.text, one.coding, one.is_payload, one.header) for one in seen] == [(text, coding, True, ())]


@every_centre
@pytest.mark.parametrize(("text", "coding", "parts"), [(LONG, 0, 2), (LONG_WIDE, 8, 3), ("€" * 150, 0, 2)])
def test_a_long_text_goes_in_parts_that_phones_join(name: str, text: str, coding: int, parts: int) -> None:
    outcome, seen = at(name, lambda centre, desk: _seen(centre, desk, text, parts), longText="segments")
    assert outcome == Accepted(f"id-{parts}")
    assert "".join(one.text for one in seen) == text
    assert {(one.coding, one.esm_class, one.is_payload) for one in seen} == {(coding, 0x40, False)}
    # One element: id 0, three bytes, the reference that they share, how many, and which.
    places = [_element(one.header) for one in seen]
    assert [place[1:] for place in places] == [(parts, number) for number in range(1, parts + 1)]
    assert len({place[0] for place in places}) == 1


def _element(header: tuple[int, ...]) -> tuple[int, ...]:
    # npm `smpp` gives the element with its id and length, smpp34 gives the bytes as they are.
    assert header[:2] == (0, 3)
    return header[2:]


@pytest.mark.parametrize(
    ("source", "seen_as"),
    [("", ("16285551000", 1, 1)), ("12345", ("12345", 3, 0)), ("ACME", ("ACME", 5, 0))],
)
def test_the_source_is_the_lines_number_a_short_code_or_a_name(source: str, seen_as: tuple[str, int, int]) -> None:
    config = {"source": source} if source else {}
    _, (seen,) = at("smpp34", lambda centre, desk: _seen(centre, desk, "Hello"), **config)
    assert seen.source == seen_as


def test_types_of_number_can_be_said() -> None:
    config = {"sourceTon": "0", "sourceNpi": "8", "destTon": "2", "destNpi": "0"}
    _, (seen,) = at("smpp34", lambda centre, desk: _seen(centre, desk, "Hello"), **config)
    assert (seen.source[1:], seen.destination[1:]) == ((0, 8), (2, 0))


# What is not taken


@every_centre
def test_what_is_throttled_surely_did_not_go_and_goes_later(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> list[Outcome]:
        await centre.answer_next(0x58, 0x14, "id-1")
        return [await desk.send("Hello") for _ in range(3)]

    first, second, third = at(name, story)
    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    assert not first.device_is_down
    assert third == Accepted("id-1")


@every_centre
@pytest.mark.parametrize(
    ("status", "refusal"),
    [(0x0B, Refusal.BAD_ADDRESS), (0x0A, Refusal.UNAUTHORIZED), (0x01, Refusal.BAD_CONTENT), (0x65, Refusal.OTHER)],
)
def test_a_refusal_says_why(name: str, status: int, refusal: Refusal) -> None:
    async def story(centre: Centre, desk: Desk) -> Outcome:
        await centre.answer_next(status)
        return await desk.send("Hello")

    outcome = at(name, story)
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is refusal
    assert f"0x{status:02X}" in outcome.detail


def test_a_carriers_own_status_is_a_no_and_the_session_stays() -> None:
    async def main() -> list[Outcome]:
        async with node_centre() as centre, desk_at(centre) as desk:
            await centre.answer_next(0x40A)
            return [await desk.send("Hello"), await desk.send("Again")]

    refused, taken = asyncio.run(main())
    assert isinstance(refused, Rejected)
    assert "0x40A" in refused.detail
    assert taken == Accepted("1")


@every_centre
def test_an_answer_that_does_not_come_leaves_it_in_doubt(name: str) -> None:
    async def main() -> Outcome:
        async with centre_of(name) as centre, desk_at(centre, answer_ms=200) as desk:
            await centre.answer_next(SILENCE)
            return await desk.send("Hello")

    assert isinstance(asyncio.run(main()), Ambiguous)


def test_a_connection_that_dies_after_the_text_left_leaves_it_in_doubt() -> None:
    async def main() -> Outcome:
        async with node_centre() as centre, desk_at(centre) as desk:
            await centre.answer_next("cut")
            return await desk.send("Hello")

    assert isinstance(asyncio.run(main()), Ambiguous)


@every_centre
def test_a_restart_with_texts_in_flight_leaves_each_in_doubt_and_none_is_sent_again(name: str) -> None:
    async def main() -> tuple[list[Outcome], Outcome, list[str]]:
        async with centre_of(name) as centre, desk_at(centre) as desk:
            await centre.answer_next(SILENCE, SILENCE, SILENCE)
            sends = [asyncio.create_task(desk.send(f"Text {number}")) for number in range(3)]
            seen = [(await centre.submitted()).text for _ in sends]
            await centre.restart()
            outcomes = await asyncio.gather(*sends)
            await centre.bound()
            await desk.is_up()
            after = await desk.send("After")
            return outcomes, after, [*seen, (await centre.submitted()).text]

    outcomes, after, seen = asyncio.run(main())
    assert all(isinstance(outcome, Ambiguous) for outcome in outcomes)
    assert isinstance(after, Accepted)
    assert sorted(seen) == ["After", "Text 0", "Text 1", "Text 2"]


def test_of_a_long_text_the_first_parts_refusal_is_clear() -> None:
    async def story(centre: Centre, desk: Desk) -> Outcome:
        await centre.answer_next(0x0B)
        return await desk.send(LONG)

    outcome = at("npm smpp", story, longText="segments")
    assert isinstance(outcome, Rejected)


@every_centre
@pytest.mark.parametrize("status", [0x0B, 0x08])
def test_of_a_long_text_a_later_parts_refusal_leaves_it_in_doubt(name: str, status: int) -> None:
    async def story(centre: Centre, desk: Desk) -> Outcome:
        await centre.answer_next("id-1", status)
        return await desk.send(LONG)

    outcome = at(name, story, longText="segments")
    assert isinstance(outcome, Ambiguous)
    assert "1 of 2" in outcome.detail


@every_centre
def test_a_later_part_that_is_throttled_follows(name: str) -> None:
    async def story(centre: Centre, desk: Desk) -> tuple[Outcome, list[str]]:
        await centre.answer_next("id-1", 0x58, 0x58, "id-2")
        outcome = await desk.send(LONG)
        return outcome, [(await centre.submitted()).text for _ in range(4)]

    outcome, texts = at(name, story, longText="segments")
    assert outcome == Accepted("id-2")
    assert texts[0] + texts[1] == LONG
    assert texts[1] == texts[2] == texts[3]


# What never leaves


def refused(order: Order, **config: str) -> Outcome | object:
    """Prepare and send an order where no centre listens; what is refused is refused before anybody is asked."""

    async def main() -> list[object]:
        channel = Smpp(_NoInbox(), lambda: 0)
        device = device_at(1, **config)
        try:
            return [await channel.prepare(device, order), await channel.send(device, order)]
        finally:
            await channel.close()

    prepared, sent = asyncio.run(main())
    assert prepared == sent
    return sent


class _NoInbox:
    async def put(self, device_id: str, signals: object) -> None:
        raise AssertionError("nothing comes in here")


@pytest.mark.parametrize("text", ["", " \n", "x" * 70_000, "half a pair \ud83d"], ids=["none", "blank", "too long", "broken"])
def test_a_text_that_cannot_travel_is_bad_content(text: str) -> None:
    outcome = refused(Order(PERSON, text, "m", NOWHERE, sender=Sender(LINE)))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT


def test_more_than_255_parts_are_bad_content() -> None:
    outcome = refused(Order(PERSON, "x" * 40_000, "m", NOWHERE, sender=Sender(LINE)), longText="segments")
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT


def test_a_file_is_bad_content() -> None:
    file = File("a.png", "image/png", 1, None, "https://ours.test/a.png")  # type: ignore[arg-type]
    outcome = refused(Order(PERSON, "Hello", "m", NOWHERE, sender=Sender(LINE), files=[file]))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is Refusal.BAD_CONTENT


def test_a_line_without_a_number_cannot_send() -> None:
    assert isinstance(refused(Order(PERSON, "Hello", "m", NOWHERE)), Rejected)


def test_where_no_centre_listens_the_device_is_down() -> None:
    outcome = refused(Order(PERSON, "Hello", "m", NOWHERE, sender=Sender(LINE)))
    assert outcome == Deferred("no connection to the message centre could be made", device_is_down=True)


# Settings


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"password": "nine char"}, "password"),
        ({"password": "pässword"}, "password"),
        ({"systemId": "a system id that is long"}, "systemId"),
        ({"systemType": "thirteen char"}, "systemType"),
        ({"port": "0"}, "port"),
        ({"port": "65536"}, "port"),
        ({"bindMode": "receiver"}, "bindMode"),
        ({"sourceTon": "7"}, "sourceTon"),
        ({"host": ""}, "host"),
    ],
)
def test_a_setting_that_smpp_has_no_room_for_is_refused_by_name(changed: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as raised:
        Smpp.kind.setup_from({"host": "smpp.carrier.test", "systemId": "us", "password": "secret-1"} | changed)
    assert field in str(raised.value)
    assert "nine char" not in str(raised.value)


def test_the_defaults_are_those_of_most_carriers() -> None:
    setup = Smpp.kind.setup_from({"host": "smpp.carrier.test", "systemId": "us", "password": "secret-1"})
    assert setup.config == DEFAULTS | {"host": "smpp.carrier.test", "systemId": "us"}
    assert setup.secrets == {"password": "secret-1"}
