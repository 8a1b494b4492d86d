"""What the janitor does for files, and settings of attachments that refuse to start."""

import asyncio
from pathlib import Path

import pytest
from office import PNG, URL, Office, run

from posthaste.app import web_fetcher
from posthaste.channels.fetch.fetcher import WebFetcher
from posthaste.core.errors import SettingError
from posthaste.loops.janitor import Janitor
from posthaste.settings import Settings


def test_the_janitor_sweeps_uploads_and_this_machines_disk(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        await it.until(await it.accept(URL))
        await it.keep()
        tidied = asyncio.Event()

        def tidy() -> None:
            it.cache.tidy()
            tidied.set()

        async def clean() -> tuple[int, int]:
            tidied.clear()
            working = asyncio.create_task(Janitor(it.store, it.settings, tidy).run())
            await tidied.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            rows = await it.store.read(lambda tx: tx.rows("SELECT count(*) FROM files"))
            return rows[0][0], len(list(it.folder.iterdir()))

        assert await clean() == (1, 2)
        it.clock.now += it.settings.upload_unused_for_ms
        assert await clean() == (0, 0)
        assert it.post.contents == [PNG]

    run(body, tmp_path)


@pytest.mark.parametrize("written", ["http", "80;443", "0", "65536", "-1", "8 0", "²"])
def test_ports_that_are_none_refuse_to_start(written: str) -> None:
    with pytest.raises(SettingError, match="POSTHASTE_ATTACHMENT_PORTS is"):
        web_fetcher(Settings(attachment_ports=written))


@pytest.mark.parametrize("written", ["", "80", "80, 443", "80,"])
def test_ports_are_a_list(written: str) -> None:
    assert isinstance(web_fetcher(Settings(attachment_ports=written)), WebFetcher)
