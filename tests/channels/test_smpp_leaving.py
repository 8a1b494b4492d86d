"""When a session is let go: its device is another now, or gone, nobody uses it, or the process ends."""

import asyncio
from dataclasses import replace

from smpp_centres import node_centre
from smpp_desk import QUICK, desk_at, device_at

from posthaste.core.outcomes import Accepted


def test_other_settings_make_another_session() -> None:
    async def main() -> list[str]:
        async with node_centre() as centre, desk_at(centre) as desk:
            changed = device_at(centre.port, systemId="other")
            assert (await desk.channel.ping(changed)).is_up
            await centre.told("unbound")
            return [(await centre.told("bound"))["systemId"]]

    assert asyncio.run(main()) == ["other"]


def test_a_device_that_is_forgotten_is_unbound_and_bound_again_when_needed() -> None:
    async def main() -> object:
        async with node_centre() as centre, desk_at(centre) as desk:
            desk.channel.forget("another")
            assert isinstance(await desk.send("Before"), Accepted)
            assert centre.count_of("unbound") == 0
            desk.channel.forget(desk.device.device_id)
            await centre.told("unbound")
            outcome = await desk.send("After")
            await centre.bound()
            return outcome

    assert isinstance(asyncio.run(main()), Accepted)


def test_a_text_that_is_under_way_when_its_device_is_forgotten_gets_its_answer() -> None:
    async def main() -> object:
        async with node_centre() as centre, desk_at(centre, longText="segments") as desk:
            await centre.answer_next({"wait": True}, {"id": "second"})
            sending = asyncio.create_task(desk.send("A long text. " * 15))
            await centre.submitted()
            desk.channel.forget(desk.device.device_id)
            await centre.order("answer", id="first")
            outcome = await sending
            await centre.told("unbound")
            return outcome

    assert asyncio.run(main()) == Accepted("second")


def test_a_session_that_nobody_uses_is_let_go_and_made_again_when_needed() -> None:
    async def main() -> object:
        pauses = replace(QUICK, unused_ms=100)
        async with node_centre() as centre, desk_at(centre, pauses=pauses) as desk:
            await centre.told("unbound")
            outcome = await desk.send("Hello")
            await centre.bound()
            return outcome

    assert isinstance(asyncio.run(main()), Accepted)


def test_closing_says_good_bye() -> None:
    async def main() -> bool:
        async with node_centre() as centre:
            async with desk_at(centre):
                pass
            await centre.told("unbound")
            return True

    assert asyncio.run(main())
