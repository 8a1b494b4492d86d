"""Ask devices whether they can send, with the very question that a running server asks.

It sends nothing and stores nothing.
"""

import asyncio
from collections.abc import Sequence

from posthaste.app import LateInbox, local_url, open_vault, reach_of, tools
from posthaste.channels.catalog import make_channels
from posthaste.channels.http import open_client
from posthaste.clock import SystemClock
from posthaste.settings import Settings
from posthaste.store import devices
from posthaste.store.base import Store
from posthaste.vault import SealBroken


async def ping(store: Store, settings: Settings, device_ids: Sequence[str]) -> list[tuple[bool, str]]:
    """Return of each device whether it is up, and what it said in words."""
    access = await store.read(devices.access, device_ids)
    async with open_client() as client:
        vault = await open_vault(store, settings)
        reach = reach_of(vault, settings.public_url or local_url(settings, None))
        channels = make_channels(tools(settings, SystemClock(), client, LateInbox()))

        async def one(device_id: str) -> tuple[bool, str]:
            to = access[device_id]
            try:
                health = await channels[to.channel].ping(reach(to))
            except SealBroken as error:
                return False, str(error)
            return health.is_up, health.detail

        try:
            return list(await asyncio.gather(*(one(device_id) for device_id in device_ids)))
        finally:
            for channel in channels.values():
                await channel.close()
