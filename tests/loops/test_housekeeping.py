"""What the janitor does for people who write: a long reply of which a part never comes is given out."""

import asyncio
from pathlib import Path

from office import Office, run

from fixtures.rows import MINUTE
from posthaste.actions.receive import receive
from posthaste.core.signals import InboundPart
from posthaste.loops.janitor import Janitor
from posthaste.store import lines
from posthaste.store.transaction import Transaction


def test_the_janitor_gives_out_what_never_became_whole(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        line = (await it.store.read(lines.by_ids, it.lines))[it.lines[0]]
        part = InboundPart("print", "+12025550143", "+16462230920", "One. ", it.clock.now, 42, 2, 1)
        await it.store.write(receive, it.settings, line.device_id, [part], "its connection")
        await clean(it)
        assert await it.store.read(_texts) == []
        it.clock.now += 11 * MINUTE
        await clean(it)
        assert await it.store.read(_texts) == ["One. …"]

    run(body, tmp_path)


async def clean(it: Office) -> None:
    """Let the janitor go round once."""
    tidied = asyncio.Event()
    working = asyncio.create_task(Janitor(it.store, it.settings, tidied.set).run())
    await tidied.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def _texts(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.rows("SELECT text FROM messages WHERE direction = 'received'")]
