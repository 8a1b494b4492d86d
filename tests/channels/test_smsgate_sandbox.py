"""The channel against the simulated Android phone over real sockets: every script, both ways, and nothing twice.

What the people's phones received is read from the sandbox's own list, so the channel cannot vouch for itself. Reports
come over a real connection and are believed by their signature.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hearing import Here, run_here
from smsgate_desk import Desk, desk, timeless, wrote

from posthaste.channels.base import Unreachable
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Deferred, Found, Refusal, Rejected
from posthaste.core.signals import Inbound, Receipt, Signal
from posthaste.sandbox.numbers import scripted_numbers

NUMBERS = {script.value: number for number, script in reversed(scripted_numbers())}
TAKEN = ["read", "delivered", "no-imessage", "receipt-twice", "receipt-first", "replies", "stops", "silent"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    yield from run_here(tmp_path_factory.mktemp("sandbox"), "smsgate")


@pytest.mark.parametrize("script", TAKEN)
def test_a_text_that_is_taken_is_on_the_phone_once_however_often_it_is_handed_over(here: Here, script: str) -> None:
    async def main() -> None:
        async with desk(here) as own:
            to = NUMBERS[script]
            first, trace = await own.send(to, "One", "1")
            again, _ = await own.send(to, "One", "1")
            second, _ = await own.send(to, "Two", "2")
            assert first == again == Accepted(trace.key)
            assert second == Accepted(f"{own.device.device_id}-2")
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert found.accepted.external_id == trace.key
            await own.hears(Receipt(trace.key) if script == "silent" else Receipt(trace.key, 1))
            assert await own.on_phone(to) == {"One": 1, "Two": 1}

    here.run(main())


def test_a_text_that_the_network_refuses_fails_with_the_reason(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            outcome, trace = await own.send(NUMBERS["unreachable"], "One", "1")
            assert outcome == Accepted(trace.key)
            await own.hears(Receipt(trace.key, error=""))
            assert [one.error for one in own.heard if isinstance(one, Receipt)] == [
                "the phone could not send it: RESULT_ERROR_GENERIC_FAILURE"
            ]
            found = await own.channel.find(own.device, trace)
            assert isinstance(found, Found)
            assert found.error
            assert found.error.refusal is Refusal.OTHER
            news = await own.channel.poll(own.device, 0, [trace.key])
            assert {timeless(one) for one in news.signals} == {Receipt(trace.key, error="")}
            assert await own.on_phone(NUMBERS["unreachable"]) == {}

    here.run(main())


def test_a_text_that_is_refused_is_on_no_phone(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            outcome, trace = await own.send(NUMBERS["refused"], "One", "1")
            assert isinstance(outcome, Rejected)
            assert await own.channel.find(own.device, trace) == Absent()
            assert await own.on_phone(NUMBERS["refused"]) == {}

    here.run(main())


def test_a_lost_answer_is_looked_up_and_a_repeat_sends_nothing(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            outcome, trace = await own.send(NUMBERS["hangup"], "Hello", "1")
            assert isinstance(outcome, Ambiguous)
            assert isinstance(await own.channel.find(own.device, trace), Found)
            again, _ = await own.send(NUMBERS["hangup"], "Hello", "1")
            assert again == Accepted(trace.key)
            await own.hears(Receipt(trace.key, 1))
            assert await own.on_phone(NUMBERS["hangup"]) == {"Hello": 1}

    here.run(main())


def test_a_late_text_is_absent_until_it_arrives_and_a_repeat_meanwhile_is_the_only_one(here: Here) -> None:
    async def arrives(own: Desk) -> None:
        outcome, trace = await own.send(NUMBERS["late"], "Hello", "1")
        assert isinstance(outcome, Ambiguous)
        assert await own.channel.find(own.device, trace) == Absent()
        await own.hears(Receipt(trace.key, 1))
        assert isinstance(await own.channel.find(own.device, trace), Found)

    async def repeats(own: Desk) -> None:
        outcomes = await asyncio.gather(*(own.send(NUMBERS["late"], "Hello", "1") for _ in range(2)))
        assert all(isinstance(outcome, Ambiguous) for outcome, _ in outcomes)
        await own.hears(Receipt(outcomes[0][1].key, 1))

    async def main() -> None:
        async with desk(here) as one, desk(here) as other:
            await asyncio.gather(arrives(one), repeats(other))
            for own in (one, other):
                assert await own.on_phone(NUMBERS["late"]) == {"Hello": 1}

    here.run(main())


def test_receipts_come_by_webhook_and_again_by_polling(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            scripts = ["read", "delivered", "receipt-first", "silent"]
            keys = [(await own.send(NUMBERS[script], "Hello", script))[1].key for script in scripts]
            delivered: set[Signal] = {Receipt(key, 1) for key in keys[:3]}
            await own.hears(*delivered, Receipt(keys[3]))
            news = await own.channel.poll(own.device, 0, [*keys, "nobody's"])
            assert {timeless(one) for one in news.signals} == delivered
            by_webhook = {one for one in own.heard if isinstance(one, Receipt) and one.delivered_at}
            assert {(one.external_id, one.delivered_at) for one in by_webhook} == {
                (one.external_id, one.delivered_at) for one in news.signals if isinstance(one, Receipt)
            }

    here.run(main())


@pytest.mark.parametrize(("script", "reply"), [("replies", "Got it, thanks!"), ("stops", "STOP")])
def test_what_people_answer_has_one_name_both_ways(here: Here, script: str, reply: str) -> None:
    async def main() -> None:
        async with desk(here) as own:
            await own.send(NUMBERS[script], "Hello", "1")
            await own.hears(wrote(own, NUMBERS[script], reply))
            [heard] = [one for one in own.heard if isinstance(one, Inbound)]
            news = await own.channel.poll(own.device, 0, [])
            assert list(news.signals) == [heard]
            assert news.cursor == heard.at

    here.run(main())


def test_people_without_imessage_write_and_each_text_is_its_own(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            writer = NUMBERS["no-imessage"]
            for text in ("Hi", "It's me", "Hi 👋"):
                await own.person(writer, text)
            await own.hears(*(wrote(own, writer, text) for text in ("Hi", "It's me", "Hi 👋")))
            assert len({one.external_id for one in own.heard if isinstance(one, Inbound)}) == 3

    here.run(main())


def test_what_came_while_the_app_did_not_run_comes_once_we_listen_again(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            await own.person(NUMBERS["delivered"], "Before")
            cursor = (await own.channel.poll(own.device, 0, [])).cursor
            await own.turn("down")
            await own.person(NUMBERS["delivered"], "Meanwhile")
            assert not (await own.channel.ping(own.device)).is_up
            with pytest.raises(Unreachable):
                await own.channel.poll(own.device, cursor, [])
            await own.turn("up")
            await own.channel.listen(own.device)
            news = await own.channel.poll(own.device, cursor, [])
            assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Before", "Meanwhile"]

    here.run(main())


def test_what_came_first_of_all_while_the_app_did_not_run_comes_too(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            await own.turn("down")
            await own.person(NUMBERS["delivered"], "Is anybody there?")
            await own.turn("up")
            await own.channel.listen(own.device)
            await own.hears(wrote(own, NUMBERS["delivered"], "Is anybody there?"))
            news = await own.channel.poll(own.device, 0, [])
            assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Is anybody there?"]

    here.run(main())


def test_what_came_before_a_phone_was_met_is_no_reply(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            await own.person(NUMBERS["delivered"], "Long ago")
            written_at = SystemClock().now_ms()
            while SystemClock().now_ms() == written_at:
                pass  # What is written in the very millisecond in which they meet counts as an answer.
            met = replace(own.device, options=(await own.channel.ping(replace(own.device, options={}))).options)
            await own.person(NUMBERS["delivered"], "Now")
            news = await own.channel.poll(met, 0, [])
            assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Now"]

    here.run(main())


def test_listening_again_leaves_one_webhook_an_event(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            auth = ("sms", own.device.secrets["password"])
            stray = {"url": f"{own.device.hook_url}?old=1", "event": "sms:sent"}
            foreign = {"id": "foreign", "url": "https://else.example/hook", "event": "sms:sent"}
            for hook in (stray, foreign):
                await own.client.post(f"{own.device.url}/webhooks", json=hook, auth=auth)
            await own.channel.listen(own.device)
            hooks = (await own.client.get(f"{own.device.url}/webhooks", auth=auth)).json()
            ours = [hook["event"] for hook in hooks if hook["url"] == own.device.hook_url]
            assert sorted(ours) == ["sms:delivered", "sms:failed", "sms:received", "sms:sent"]
            assert [hook["id"] for hook in hooks if hook["url"] != own.device.hook_url] == ["foreign"]

    here.run(main())


def test_a_phone_that_may_not_call_us_is_polled(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            home = replace(own.device, device_id=f"{own.device.device_id}-home", hook_url="http://10.0.0.2/hooks/smsgate/t")
            await own.channel.listen(home)
            health = await own.channel.ping(home)
            assert health.is_up
            assert "is polled" in health.detail
            assert "is polled" not in (await own.channel.ping(own.device)).detail

    here.run(main())


def test_a_report_that_is_not_signed_by_the_phone_is_refused(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            wrong = replace(own.device, secrets={**own.device.secrets, "signingKey": "another"})
            here.reports.devices[own.device.device_id] = own.channel, wrong
            before = here.reports.refused
            await own.person(NUMBERS["delivered"], "Hi")
            await here.reports.wait_for(lambda: here.reports.refused > before)
            assert own.heard == []

    here.run(main())


def test_a_phone_that_is_down_decides_nothing(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            await own.turn("down")
            outcome, trace = await own.send(NUMBERS["delivered"], "Two", "1")
            assert isinstance(outcome, Ambiguous)
            assert isinstance(await own.channel.find(own.device, trace), CannotTell)
            with pytest.raises(Unreachable):
                await own.channel.listen(own.device)
            await own.turn("up")
            assert await own.channel.find(own.device, trace) == Absent()
            assert (await own.send(NUMBERS["delivered"], "Two", "1"))[0] == Accepted(trace.key)
            assert await own.on_phone(NUMBERS["delivered"]) == {"Two": 1}

    here.run(main())


def test_a_wrong_password_sends_nothing_and_says_why(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            right, own.device = own.device, replace(own.device, secrets={"password": "nope"})
            outcome, trace = await own.send(NUMBERS["delivered"], "One", "1")
            assert outcome == Deferred("the user name or password is wrong", device_is_down=True)
            assert (await own.channel.ping(own.device)).detail == "the user name or password is wrong"
            assert await own.channel.find(right, trace) == Absent()
            assert await own.on_phone(NUMBERS["delivered"]) == {}

    here.run(main())


def test_it_answers_within_twenty_milliseconds(here: Here) -> None:
    async def main() -> None:
        async with desk(here) as own:
            clock, times = asyncio.get_running_loop().time, []
            for place in range(20):
                began = clock()
                await own.send(NUMBERS["delivered"], "Quick", f"q{place}")
                times.append(clock() - began)
            assert sorted(times)[len(times) // 2] < 0.02

    here.run(main())
