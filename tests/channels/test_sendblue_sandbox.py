"""The channel against the sandbox's Sendblue account over real sockets: every script, and nothing twice.

What the phones received is read from the sandbox's own list, so the channel cannot vouch for itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hearing import PICTURE, Here, run_here
from sendblue_desk import desk_at

from posthaste.channels.base import Availability, File, Unreachable
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Deferred, Found, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, Typing
from posthaste.sandbox.numbers import scripted_numbers

NUMBERS = {script.value: number for number, script in reversed(scripted_numbers())}
TAKEN = ["read", "delivered", "receipt-twice", "receipt-first", "replies", "stops", "silent"]
ORDINARY = "+12025550143"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    yield from run_here(tmp_path_factory.mktemp("sandbox"), "sendblue")


@pytest.mark.parametrize("script", TAKEN)
def test_a_text_that_is_taken_is_on_the_phone_once(here: Here, script: str) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            outcome, trace = await own.send(NUMBERS[script], "Hello")
            assert isinstance(outcome, Accepted)
            assert await own.on_phone(NUMBERS[script]) == {("Hello", "imessage"): 1}
            if script != "silent":
                await own.hears(Echo(outcome.external_id, 0, trace.marker, 1))
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert found.accepted.external_id == outcome.external_id

    here.run(main())


def test_who_is_not_on_imessage_gets_an_sms_and_that_counts_as_arrived(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            number = NUMBERS["no-imessage"]
            assert await own.channel.check(own.device, number) == Availability(False, "not on iMessage")
            outcome, trace = await own.send(number, "Hello")
            assert isinstance(outcome, Accepted)
            assert await own.on_phone(number) == {("Hello", "sms"): 1}
            await own.hears(Echo(outcome.external_id, 0, trace.marker, 1))

    here.run(main())


def test_what_the_network_cannot_deliver_fails_later(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            number = NUMBERS["unreachable"]
            outcome, trace = await own.send(number, "Hello")
            assert isinstance(outcome, Accepted)
            await own.hears(Echo(outcome.external_id, 0, trace.marker, error=""))
            assert await own.on_phone(number) == {}
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert found.error

    here.run(main())


def test_a_text_that_is_refused_is_on_no_phone(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            outcome, _ = await own.send(NUMBERS["refused"], "Hello")
            assert isinstance(outcome, Rejected)
            assert outcome.refusal is Refusal.OTHER
            assert await own.on_phone(NUMBERS["refused"]) == {}

    here.run(main())


def test_a_lost_answer_is_looked_up_and_told_by_callback(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            # The same text twice, each found once: what belongs to one attempt is not the other's.
            number = NUMBERS["hangup"]
            (first, one), (second, two) = await own.send(number, "Hello"), await own.send(number, "Hello")
            assert isinstance(first, Ambiguous)
            assert isinstance(second, Ambiguous)
            found = await own.channel.find(own.device, one)
            assert isinstance(found, Found)
            other = await own.channel.find(own.device, replace(two, bound=frozenset({found.accepted.external_id})))
            assert isinstance(other, Found)
            assert other.accepted.external_id != found.accepted.external_id
            assert await own.on_phone(number) == {("Hello", "imessage"): 2}
            await own.hears(
                Echo(found.accepted.external_id, 0, one.marker, 1), Echo(other.accepted.external_id, 0, two.marker, 1)
            )

    here.run(main())


def test_a_text_that_arrives_late_is_absent_until_it_is_there(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            outcome, trace = await own.send(NUMBERS["late"], "Hello")
            assert isinstance(outcome, Ambiguous)
            assert isinstance(await own.channel.find(own.device, trace), Absent)
            await here.reports.wait_for(lambda: any(isinstance(one, Echo) for one in own.heard))
            assert isinstance(await own.channel.find(own.device, trace), Found)
            assert await own.on_phone(NUMBERS["late"]) == {("Hello", "imessage"): 1}

    here.run(main())


@pytest.mark.parametrize(("script", "words"), [("replies", "Got it, thanks!"), ("stops", "STOP")])
def test_an_answer_is_heard_and_found_by_a_poll(here: Here, script: str, words: str) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            began_at = SystemClock().now_ms()
            await own.send(NUMBERS[script], "Hello")
            await own.hears(Inbound("", 0, NUMBERS[script], words, 0, own.phone))
            (told,) = [one for one in own.heard if isinstance(one, Inbound)]
            news = await own.channel.poll(own.device, began_at, [])
            assert (list(news.signals), news.cursor, news.is_complete) == ([told], told.at, True)

    here.run(main())


def test_a_file_goes_and_a_file_comes(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            file = File("photo.png", "image/png", len(PICTURE), Path("photo.png"), f"{here.reports.url}/photo.png")
            outcome, trace = await own.send(ORDINARY, "Look", file)
            assert isinstance(outcome, Accepted)
            assert isinstance(await own.channel.find(own.device, trace), Found)
            assert isinstance(await own.channel.find(own.device, replace(trace, files=0)), Absent)
            content = {"name": "back.png", "contentBase64": "iVBORw0KGgo="}
            await own.person(ORDINARY, "send", text="And you?", attachments=[content])
            await here.reports.wait_for(lambda: any(isinstance(one, Inbound) for one in own.heard))
            (written,) = [one for one in own.heard if isinstance(one, Inbound)]
            assert await own.channel.download(own.device, written.files[0].ref, 1_000) == b"\x89PNG\r\n\x1a\n"
            with pytest.raises(Unreachable):
                await own.channel.download(own.device, written.files[0].ref, 4)

    here.run(main())


def test_the_dots_are_heard(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            await own.person(ORDINARY, "typing", typing=True)
            await own.hears(Typing(ORDINARY, True))
            await own.person(ORDINARY, "typing", typing=False)
            await own.hears(Typing(ORDINARY, False))

    here.run(main())


def test_an_account_that_is_down_is_down_and_loses_nothing(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            began_at = SystemClock().now_ms()
            outcome, trace = await own.send(NUMBERS["silent"], "Before")
            assert isinstance(outcome, Accepted)
            await own.turn("down")
            assert not (await own.channel.ping(own.device)).is_up
            assert isinstance(await own.channel.find(own.device, trace), CannotTell)
            lost, after = await own.send(ORDINARY, "Down")
            assert isinstance(lost, Ambiguous)
            await own.person(ORDINARY, "send", text="Are you there?")
            await own.turn("up")
            assert isinstance(await own.channel.find(own.device, after), Absent)
            news = await own.channel.poll(own.device, began_at, [outcome.external_id])
            assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Are you there?"]
            assert own.heard == [one for one in own.heard if not isinstance(one, Inbound)]

    here.run(main())


def test_a_receipt_that_no_callback_told_is_found_by_a_poll(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            outcome, trace = await own.send(ORDINARY, "Hello")
            assert isinstance(outcome, Accepted)
            await own.hears(Echo(outcome.external_id, 0, trace.marker, 1))
            (receipt,) = (await own.channel.poll(own.device, 0, [outcome.external_id])).signals
            assert receipt.external_id == outcome.external_id  # type: ignore[union-attr]

    here.run(main())


def test_registering_again_changes_nothing_and_an_old_address_is_replaced(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            headers = {"sb-api-key-id": "key", "sb-api-secret-key": "s3cret"}
            url = f"{own.device.config['baseUrl']}/api/account/webhooks"
            before = (await own.client.get(url, headers=headers)).json()
            await own.channel.listen(own.device)
            assert (await own.client.get(url, headers=headers)).json() == before
            elsewhere = replace(own.device, hook_url=own.device.hook_url.replace("127.0.0.1", "localhost"))
            await own.channel.listen(elsewhere)
            hooks = (await own.client.get(url, headers=headers)).json()["webhooks"]
            assert [one["url"] for one in hooks["receive"]] == [elsewhere.hook_url]

    here.run(main())


def test_a_wrong_key_is_said_in_words(here: Here) -> None:
    async def main() -> None:
        async with desk_at(here) as own:
            device = replace(own.device, secrets={"apiSecretKey": "wrong"})
            assert (await own.channel.ping(device)).detail == "Sendblue does not take the API key and its secret"
            order, _ = await own.send(ORDINARY, "Hello")
            assert isinstance(order, Accepted)
            refused = await replace(own, device=device).send(ORDINARY, "Refused")
            assert isinstance(refused[0], Deferred)
            assert refused[0].device_is_down
            assert await own.on_phone(ORDINARY) == {("Hello", "imessage"): 1}

    here.run(main())
