"""The channel against the simulated Macs over real sockets: every script, both generations of macOS, both ways to send.

Each device writes to its number twice, first in a chat that the send opens and then in the chat that is there. What the
phones received is read from the sandbox's own list, so the channel cannot vouch for itself.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from blue_desk import NUMBERS, PRIVATE_15, PRIVATE_26, SCRIPT_15, SCRIPT_26, WORKING, Desk, Kind, desk, timeless
from hearing import Here, run_here

from posthaste.channels.base import NOWHERE, Order, Unreachable
from posthaste.channels.bluebubbles.channel import CHAT, NEW
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Found,
    Refusal,
    Rejected,
)
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

TAKEN = ["read", "delivered", "receipt-twice", "receipt-first", "replies", "stops", "silent"]
REFUSED = {"no-imessage": Refusal.NOT_ON_CHANNEL, "unreachable": Refusal.NOT_ON_CHANNEL, "refused": Refusal.OTHER}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    yield from run_here(tmp_path_factory.mktemp("sandbox"), "bluebubbles")


@pytest.mark.parametrize("kind", WORKING, ids=str)
@pytest.mark.parametrize("script", TAKEN)
def test_a_text_that_is_taken_is_on_the_phone_once(here: Here, kind: Kind, script: str) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            first, opening = await own.send(NUMBERS[script], "One")
            second, known = await own.send(NUMBERS[script], "Two")
            assert (opening.target.kind, known.target.kind) == (NEW, CHAT)
            assert known.target.chat == f"{'any' if kind == PRIVATE_26 else 'iMessage'};-;{NUMBERS[script]}"
            assert isinstance(first, Accepted)
            assert isinstance(second, Accepted)
            assert first.external_id != second.external_id
            assert await own.on_phone(NUMBERS[script]) == {"One": 1, "Two": 1}
            await own.hears(Echo(first.external_id, 0), Echo(second.external_id, 0, known.marker))
            found = await own.channel.find(own.device, known)
            assert isinstance(found, Found)
            assert found.accepted.external_id == second.external_id

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
@pytest.mark.parametrize("script", REFUSED)
def test_a_text_that_is_refused_is_on_no_phone(here: Here, kind: Kind, script: str) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            first, opening = await own.send(NUMBERS[script], "One")
            second, known = await own.send(NUMBERS[script], "Two")
            # AppleScript opens a chat without saying why it could not, but writes it down.
            assert isinstance(first, Ambiguous if kind == SCRIPT_15 else Rejected)
            assert isinstance(second, Rejected)
            assert second.refusal is REFUSED[script]
            for trace in (opening, known):
                found = await own.channel.find(own.device, trace)
                assert isinstance(found, Found)
                assert found.error
                assert found.error.refusal is REFUSED[script]
            assert await own.on_phone(NUMBERS[script]) == {}
            await own.hears(Echo(second.external_id or "", 0, known.marker, error=""))

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
def test_a_lost_answer_is_looked_up(here: Here, kind: Kind) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            # The same text twice, each found once: what belongs to one attempt is not the other's.
            first, opening = await own.send(NUMBERS["hangup"], "Hello")
            second, known = await own.send(NUMBERS["hangup"], "Hello")
            assert isinstance(first, Ambiguous)
            assert isinstance(second, Ambiguous)
            found = await own.channel.find(own.device, opening)
            assert isinstance(found, Found)
            taken = frozenset({found.accepted.external_id})
            for trace in (opening, known):
                other = await own.channel.find(own.device, replace(trace, bound=taken))
                assert isinstance(other, Found)
                assert other.accepted.external_id not in taken
            assert await own.on_phone(NUMBERS["hangup"]) == {"Hello": 2}

    here.run(main())


def test_a_late_text_is_absent_until_it_arrives(here: Here) -> None:
    async def late(kind: Kind) -> None:
        async with desk(here, kind) as own:
            outcome, trace = await own.send(NUMBERS["late"], "Hello")
            assert isinstance(outcome, Ambiguous)
            assert await own.channel.find(own.device, trace) == Absent()
            await own.hears()
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert await own.on_phone(NUMBERS["late"]) == {"Hello": 1}

    async def main() -> None:
        await asyncio.gather(*(late(kind) for kind in WORKING))

    here.run(main())


def test_applescript_on_macos_26_sends_nothing_and_the_look_up_says_so(here: Here) -> None:
    async def main() -> None:
        async with desk(here, SCRIPT_26) as own:
            outcome, trace = await own.send(NUMBERS["delivered"], "Hello")
            assert isinstance(outcome, Ambiguous)
            assert await own.channel.find(own.device, trace) == Absent()
            assert await own.on_phone(NUMBERS["delivered"]) == {}

    here.run(main())


@pytest.mark.parametrize("kind", WORKING, ids=str)
def test_receipts_and_replies_come_by_webhook_and_again_by_polling(here: Here, kind: Kind) -> None:
    async def main() -> None:
        async with desk(here, kind) as own:
            ids = [await accepted(own, script) for script in ("read", "delivered", "receipt-first", "silent")]
            read, delivered, early, silent = ids
            await accepted(own, "stops")
            expected: set[Signal] = {
                Receipt(read, 1, 1), Receipt(delivered, 1), Receipt(early, 1),
                Inbound("", 0, NUMBERS["stops"], "STOP", 0),
            }  # fmt: skip
            await own.hears(*expected)
            news = await own.channel.poll(own.device, 0, [*ids, "nobody's"])
            polled = {timeless(signal) for signal in news.signals}
            assert news.is_complete
            assert expected | {Echo(external_id, 0) for external_id in ids} <= polled
            assert not any(isinstance(signal, Receipt) and signal.external_id == silent for signal in polled)
            later = await own.channel.poll(own.device, news.cursor, [])
            assert (later.signals, later.cursor) == ([], news.cursor)

    here.run(main())


async def accepted(own: Desk, script: str) -> str:
    outcome, _ = await own.send(NUMBERS[script], "Hello")
    assert isinstance(outcome, Accepted)
    return outcome.external_id


def test_registering_anew_leaves_one_webhook(here: Here) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_26) as own:
            await own.channel.listen(replace(own.device, hook_url=f"{own.hook_url}?again=1"))
            await own.channel.listen(replace(own.device, hook_url=own.hook_url))
            listed = await own.client.get(f"{own.device.url}/api/v1/webhook", params={"guid": own.device.secrets["password"]})
            assert [hook["url"] for hook in listed.json()["data"]] == [own.hook_url]

    here.run(main())


def test_only_the_private_api_tells_who_is_on_imessage(here: Here) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_15) as own, desk(here, SCRIPT_15) as other:
            told = [await own.channel.check(own.device, NUMBERS[script]) for script in ("delivered", "no-imessage")]
            assert [availability.is_available for availability in told] == [True, False]
            assert (await other.channel.check(other.device, NUMBERS["delivered"])).is_available is None

    here.run(main())


def test_a_mac_that_is_down_decides_nothing(here: Here) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_26) as own:
            _, trace = await own.send(NUMBERS["delivered"], "One")
            switch = f"{here.sandbox}/devices/{own.device.device_id}"
            await own.client.post(switch, json={"state": "down"})
            assert not (await own.channel.ping(own.device)).is_up
            assert isinstance(await own.channel.prepare(own.device, Order(NUMBERS["read"], "Two", "marker-2", NOWHERE)), Deferred)
            lost = await own.channel.send(own.device, Order(trace.address, "Two", "marker-2", trace.target))
            assert isinstance(lost, Ambiguous)
            assert isinstance(await own.channel.find(own.device, replace(trace, text="Two")), CannotTell)
            with pytest.raises(Unreachable):
                await own.channel.poll(own.device, 0, [])
            await own.client.post(switch, json={"state": "up"})
            assert await own.channel.find(own.device, replace(trace, text="Two", cursor=1)) == Absent()
            assert await own.on_phone(NUMBERS["delivered"]) == {"One": 1}

    here.run(main())


def test_a_wrong_password_sends_nothing_and_says_why(here: Here) -> None:
    async def main() -> None:
        async with desk(here, PRIVATE_26) as own:
            wrong = replace(own.device, secrets={"password": "nope"})
            _, trace = await own.send(NUMBERS["delivered"], "One")
            outcome = await own.channel.send(wrong, Order(trace.address, "Two", "marker-2", trace.target))
            assert outcome == Deferred("the server password is wrong", device_is_down=True)
            assert (await own.channel.ping(wrong)).detail == "the server password is wrong"
            assert await own.on_phone(NUMBERS["delivered"]) == {"One": 1}

    here.run(main())
