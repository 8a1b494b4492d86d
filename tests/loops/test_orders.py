"""What a channel is told of a message beyond its words."""

from pathlib import Path

from office import Office, run


def test_a_channel_is_told_until_when_a_message_may_go(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        until = it.clock.now + 3_600_000
        await it.until(await it.accept(valid_until=until, to=1))
        await it.until(await it.accept(to=2))
        assert [order.valid_until for order in it.post.orders] == [until, None]

    run(body, tmp_path)
