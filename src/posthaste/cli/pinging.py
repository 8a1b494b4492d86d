"""Ask devices whether they can send, with the very question that a running server asks.

It sends nothing and stores nothing.
"""

import asyncio
from collections.abc import Sequence

from posthaste.app import make_channels
from posthaste.channels.base import Connection
from posthaste.channels.http import open_client
from posthaste.settings import Settings
from posthaste.store import devices
from posthaste.store.base import Store


async def ping(store: Store, settings: Settings, device_ids: Sequence[str]) -> list[tuple[bool, str]]:
    """Return of each device whether it is up, and what it said in words."""
    access = await store.read(devices.access, device_ids)
    async with open_client() as client:
        channels = make_channels(settings, client)

        async def one(device_id: str) -> tuple[bool, str]:
            to = access[device_id]
            health = await channels[to.channel].ping(Connection(to.device_id, to.url, to.secret, to.options))
            return health.is_up, health.detail

        return list(await asyncio.gather(*(one(device_id) for device_id in device_ids)))
