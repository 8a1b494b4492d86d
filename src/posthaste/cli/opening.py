"""Open the database for one command that ends by itself. Such a command works while a server runs on the same data
folder.

It takes no lock on the folder: SQLite lets it write between two transactions of the server. It never changes the
schema, because a server of another version may be at work on it; only a database that is not there yet is made, where
the command allows it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import uvloop

from posthaste.app import database_url, is_alone, make_folder
from posthaste.clock import SystemClock
from posthaste.core.errors import SettingError
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.opening import open_store, sqlite_path

T = TypeVar("T")


def on_store(settings: Settings, work: Callable[[Store], Awaitable[T]], *, may_make: bool = False) -> T:
    """Open the database, do the work, and close it again."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_work(settings, work, may_make=may_make))


async def _work(settings: Settings, work: Callable[[Store], Awaitable[T]], *, may_make: bool) -> T:
    store = await open_store(database_url(settings), SystemClock(), Ids(), migrate=_is_to_be_made(settings, may_make=may_make))
    try:
        return await work(store)
    finally:
        await store.close()


def _is_to_be_made(settings: Settings, *, may_make: bool) -> bool:
    file = sqlite_file(settings)
    if file is None or file.exists():
        return False
    if not may_make:
        raise SettingError(f"there is no database {file}; start `posthaste serve` once, or say --data or --database-url")
    make_folder(settings)
    return True


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of an embedded database, None if the database is a server."""
    return sqlite_path(database_url(settings)) if is_alone(settings) else None
