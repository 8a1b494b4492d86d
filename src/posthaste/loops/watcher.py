"""Watch devices: ping each when it is due, have it report to us when it comes up, and forget it when it is gone."""

import asyncio
import logging
from collections.abc import Mapping

from posthaste.actions.health import note_ping, take_due_for_health
from posthaste.actions.move import move_off_device
from posthaste.channels.base import Channel, Connection, Health, Unreachable
from posthaste.loops.alarm import Alarm
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.devices import Access

_log = logging.getLogger(__name__)
_AT_ONCE = 64
_ROUNDS = 50
_DEVICE = "device:"


class Watcher:
    """The health loop of one process."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel], reach: Reach) -> None:
        self._store, self._settings, self._channels, self._reach = store, settings, channels, reach
        self._alarm = Alarm(store, "devices")
        self._listening: dict[str, Connection] = {}
        # From the start, for a process that only takes calls asks devices, too.
        store.on_wake(f"{_DEVICE}*", lambda topic: self._forget(topic.removeprefix(_DEVICE)))
        self.has_looked = asyncio.Event()

    async def run(self) -> None:
        """Ping each device when it is due."""
        while True:
            due = await self._store.write(take_due_for_health, self._settings, _AT_ONCE)
            await asyncio.gather(*(self._ping(one) for one in due))
            self.has_looked.set()
            if len(due) < _AT_ONCE:
                await self._alarm.wait(self._settings.sweep_ms)

    def _forget(self, device_id: str) -> None:
        """Have channels let go of a device that was changed or is gone; what a lost wake leaves to them ends unused."""
        self._listening.pop(device_id, None)
        for channel in self._channels.values():
            channel.forget(device_id)

    async def _ping(self, access: Access) -> None:
        try:
            channel = self._channels[access.channel]
            device = self._reach(access)
            health = await channel.ping(device)
            # One that was away may have forgotten us, also where another process saw that it was.
            if health.is_up and (access.failures or not self._listens(device)):
                health = await self._listen(channel, device, health)
            if not health.is_up:
                self._listening.pop(access.device_id, None)
            await self._note(access, health)
        except Exception:
            _log.exception("ping failed: device=%s", access.device_id)

    async def _listen(self, channel: Channel, device: Connection, health: Health) -> Health:
        """Have the device report to us. One that cannot be told is not up: its receipts and replies would not reach us."""
        try:
            await channel.listen(device)
        except Unreachable as error:
            return Health(False, str(error), health.options, health.cursor)
        self._listening[device.device_id] = device
        return health

    def _listens(self, device: Connection) -> bool:
        """Tell whether a device was told where to report; one that is reached in another way now may be another server."""
        told = self._listening.get(device.device_id)
        return told is not None and _way(told) == _way(device)

    async def _note(self, access: Access, health: Health) -> None:
        news = await self._store.write(
            note_ping,
            self._settings,
            access,
            is_up=health.is_up,
            detail=health.detail,
            options=health.options,
            cursor=health.cursor,
        )
        if news is not None:
            _log.log(logging.INFO if health.is_up else logging.WARNING, "line.%s device=%s", news, access.device_id)
        if not health.is_up:
            await self._move_off(access.device_id)

    async def _move_off(self, device_id: str) -> None:
        """Let others send what waits on a device that is down and may move; what is left follows the next ping."""
        for _ in range(_ROUNDS):
            if not await self._store.write(move_off_device, device_id):
                return


def _way(device: Connection) -> tuple[object, ...]:
    return device.url, device.secrets, device.config, device.hook_url
