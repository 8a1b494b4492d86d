"""An upload whose time is over, named by a message at the moment at which it is swept: it stays, or is not used."""

import asyncio

from stock import stock

from fixtures.tiny_files import TINY
from posthaste.actions.accept import Acceptance
from posthaste.actions.files import find, sweep_files, upload
from posthaste.core import files
from posthaste.core.files import upload_url
from posthaste.core.messages import Sending
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

ROUNDS = 40
SETTINGS = Settings(upload_unused_for_ms=1)


def test_no_message_is_left_with_a_file_that_was_swept_beneath_it(postgres_url: str) -> None:
    async def main() -> None:
        outcomes = set()
        async with stock(postgres_url, SETTINGS, stores=2) as it:
            for number in range(ROUNDS):
                file = await it.store.write(upload, SETTINGS, it.workspace.id, "a.png", files.PNG, TINY[files.PNG])
                await _time_passes(it.store, file.created_at)
                url = upload_url("https://posthaste.test", file.id, file.name)
                sending = Sending(text="Hi", phone=f"+1202555{number:04d}", attachment_urls=(url,))
                (accepted,), _ = await asyncio.gather(
                    it.accept(sending, store=it.stores[0]), it.stores[1].write(sweep_files, SETTINGS)
                )
                assert isinstance(accepted, Acceptance)
                is_there = await it.store.read(find, file.id) is not None
                assert is_there == bool(await it.store.read(_uses, file.id))
                outcomes.add(is_there)
        print(f"the file stayed: {sorted(outcomes)}")

    asyncio.run(main())


async def _time_passes(store: Store, since: int) -> None:
    while await store.read(_now) <= since + SETTINGS.upload_unused_for_ms:
        pass


def _now(tx: Transaction) -> int:
    return tx.now


def _uses(tx: Transaction, file_id: str) -> int:
    row = tx.one("SELECT count(*) FROM file_uses WHERE file_id = :id", {"id": file_id})
    assert row is not None
    return int(row[0])
