"""SIGTERM in the middle of sending: what is in hand ends and is recorded, the rest waits, and nothing is left in between."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from fixtures.processes import Caller, Program, Site, caller, chosen_seed, site, until

ROUNDS, EACH = 4, 30


@pytest.mark.parametrize(("role", "database"), [("serve", "sqlite"), ("serve", "postgres"), ("worker", "postgres")])
def test_a_stop_in_the_middle_of_sending_leaves_nothing_in_between(
    role: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database_url = "" if database == "sqlite" else str(request.getfixturevalue("postgres_url"))

    async def main() -> None:
        random = Random(chosen_seed())
        async with site(tmp_path, database_url) as made:
            first = await made.started("api" if role == "worker" else "serve")
            stopped = made.program("worker") if role == "worker" else first
            if role == "worker":
                stopped.start()
            async with caller([first]) as calls:
                for number in range(ROUNDS):
                    await stopped.ready()
                    await _stop_in_the_middle(made, calls, stopped, random, number)
                    stopped.start()
                await stopped.ready()
                await until(lambda: _done(made) == ROUNDS * EACH, "the rest is sent")
            phones = Counter(one["text"] for one in await made.received())
            assert set(phones.values()) == {1}
            assert len(phones) == ROUNDS * EACH

    asyncio.run(main())


async def _stop_in_the_middle(made: Site, calls: Caller, stopped: Program, random: Random, number: int) -> None:
    done = _done(made)
    for n in range(EACH):
        answer = await calls.send({"message": f"Stop {number}-{n}", "recipientPhone": f"+1202555{6000 + n}"})
        assert answer.status_code in (200, 201), answer.text
        if n == EACH // 2:
            enough = done + random.randrange(12)
            await until(lambda enough=enough: _done(made) >= enough, "some are sent")  # type: ignore[misc]
    assert await stopped.stop() == 0, stopped.tail()
    assert made.number("SELECT count(*) FROM messages WHERE status NOT IN ('waiting', 'sent', 'delivered')") == 0
    assert made.number("SELECT count(*) FROM attempts WHERE state <> 'done'") == 0
    assert made.number("SELECT count(*) FROM devices WHERE in_flight <> 0") == 0
    on_phones = {one["text"] for one in await made.received()}
    assert on_phones == {text for (text,) in made.rows("SELECT text FROM messages WHERE status IN ('sent', 'delivered')")}


def _done(made: Site) -> int:
    return made.number("SELECT count(*) FROM messages WHERE status IN ('sent', 'delivered')")
