"""Real processes, SIGKILL at random moments, and a sandbox apart that counts what the phones got.

Whatever is killed and whenever: every accepted message is on its phone exactly once, or failed because its number refuses,
or is honestly unknown; who is not on iMessage has the SMS instead, and what people write is stored once. SEED repeats
the moments and the messages; the machine's own timing it cannot repeat.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from traffic import Traffic, planned
from verdict import census, check, doubts, heard, settled

from fixtures.processes import Program, Site, caller, chosen_seed, site, until

MESSAGES, KILLS = 300, 20
POLL_EVERY_MS = 1_500


def test_nothing_is_lost_or_doubled_when_the_server_is_killed_on_sqlite(tmp_path: Path) -> None:
    async def main() -> None:
        random = Random(chosen_seed())
        async with site(tmp_path, "", poll_every_ms=POLL_EVERY_MS) as made:
            server = await made.started("serve")
            traffic = await planned(made, server, random, MESSAGES)
            began = time.monotonic()
            async with caller([server]) as calls, asyncio.TaskGroup() as group:
                group.create_task(traffic.post_all(calls))
                for _ in range(KILLS):
                    await _let_live(made, traffic, [server], random)
                    server.kill()
                    server.start()
            await _finish(made, traffic, [server], f"{KILLS} kills", began)

    asyncio.run(main())


def test_nothing_is_lost_or_doubled_when_workers_and_api_are_killed_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    async def main() -> None:
        random = Random(chosen_seed())
        async with site(tmp_path, postgres_url, lease_ms=2_000, poll_every_ms=POLL_EVERY_MS) as made:
            api = await made.started("api")
            workers = [made.program("worker") for _ in range(2)]
            for worker in workers:
                worker.start()
            traffic = await planned(made, api, random, MESSAGES)
            api_kills = set(random.sample(range(KILLS), 3))
            began = time.monotonic()
            async with caller([api]) as calls, asyncio.TaskGroup() as group:
                group.create_task(traffic.post_all(calls))
                for number in range(KILLS):
                    victims = random.sample(workers, random.choice([1, 2])) + [api] * (number in api_kills)
                    await _let_live(made, traffic, victims, random)
                    for victim in victims:
                        victim.kill()
                        victim.start()
            await _finish(
                made, traffic, [api, *workers], f"{KILLS} times one or two workers killed, {len(api_kills)} times the api", began
            )

    asyncio.run(main())


def test_nothing_is_lost_or_doubled_when_every_connection_to_the_database_is_cut(tmp_path: Path, postgres_url: str) -> None:
    cuts, messages = 8, 120

    async def main() -> None:
        random = Random(chosen_seed())
        async with site(tmp_path, postgres_url, lease_ms=2_000, poll_every_ms=POLL_EVERY_MS) as made:
            programs = [await made.started("api"), await made.started("worker"), await made.started("worker")]
            traffic = await planned(made, programs[0], random, messages)
            began = time.monotonic()
            async with caller(programs[:1]) as calls, asyncio.TaskGroup() as group:
                group.create_task(traffic.post_all(calls))
                for _ in range(cuts):
                    traffic.allow(messages // cuts)
                    # Not a wait for anything: the moment of the cut is what is random here.
                    await asyncio.sleep(random.uniform(0.05, 1.0))
                    made.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
            await _finish(made, traffic, programs, f"{cuts} times all connections cut", began)

    asyncio.run(main())


async def _let_live(made: Site, traffic: Traffic, victims: Sequence[Program], random: Random) -> None:
    """Let processes live until the moment of their death: before they are ready, in the middle of a send, or at any time."""
    if random.random() < 0.1:
        traffic.allow(MESSAGES // KILLS)
        await asyncio.sleep(random.uniform(0.0, 0.5))
        return
    for victim in victims:
        await victim.ready()
    traffic.allow(MESSAGES // KILLS)
    if random.random() < 0.7:
        latest = time.monotonic() + 1.0
        await until(lambda: _is_sending(made) or time.monotonic() > latest, "something is being sent")
    # Not a wait for anything: the moment of death is what is random here.
    await asyncio.sleep(random.choice([0.0, random.uniform(0.0, 0.02), random.uniform(0.0, 0.6)]))


def _is_sending(made: Site) -> bool:
    return made.number("SELECT count(*) FROM attempts WHERE state <> 'done' AND occupies = 1") > 0


async def _finish(made: Site, traffic: Traffic, programs: Sequence[Program], kills: str, began: float) -> None:
    posted_s = time.monotonic() - began
    for program in programs:
        await program.ready()
    await settled(made)
    moved_s = time.monotonic() - began
    unknown = await check(made, traffic)
    replies = await heard(made)
    for program in reversed(programs):
        assert await program.stop() == 0, program.tail()
    told = (
        f"{kills}, {len(traffic.plan)} messages, {unknown} unknown, {replies} replies, {census(made)}, {doubts(made)}",
        f"client retries {dict(traffic.retries)}, killing took {posted_s:.1f} s, all settled after {moved_s:.1f} s",
    )
    print("crash:", *told, sep="\n  ")
