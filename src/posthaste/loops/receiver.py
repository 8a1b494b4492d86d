"""Receive: reports of devices by webhook, and by polling what the webhooks lost."""

import asyncio
import logging
from collections.abc import Mapping

from posthaste.actions.health import open_receipts, take_due_for_poll
from posthaste.actions.receive import device_of_token, note_poll, receive
from posthaste.channels.base import Channel, Connection, Unreachable
from posthaste.loops.alarm import Alarm
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.devices import Access

_log = logging.getLogger(__name__)
_AT_ONCE = 32
_OPEN_RECEIPTS = 1_000
_PAGES = 100


class Receiver:
    """Takes reports in, whichever way they come."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel]) -> None:
        self._store, self._settings, self._channels = store, settings, channels
        self._alarm = Alarm(store, "devices")

    async def take(self, channel: str, token: str, body: bytes) -> bool:
        """Take one report of a webhook; False if no device of that channel has the token."""
        access = await self._store.read(device_of_token, token)
        if access is None or access.channel != channel:
            return False
        signals = self._channels[channel].parse_hook(body)
        if signals:
            await self._store.write(receive, self._settings, access.device_id, signals, "a webhook")
        return True

    async def run(self) -> None:
        """Poll each device when it is due."""
        while True:
            due = await self._store.write(take_due_for_poll, self._settings, _AT_ONCE)
            await asyncio.gather(*(self._poll(one) for one in due))
            if len(due) < _AT_ONCE:
                await self._alarm.wait(self._settings.sweep_ms)

    async def _poll(self, access: Access) -> None:
        try:
            await self._poll_all(access)
        except Unreachable as error:
            _log.info("poll failed: device=%s why=%s", access.device_id, error)
        except Exception:
            _log.exception("poll failed: device=%s", access.device_id)

    async def _poll_all(self, access: Access) -> None:
        """Fetch page by page, each taken in before the next; what is left over comes with the next poll."""
        channel = self._channels[access.channel]
        device = Connection(access.device_id, access.url, access.secret, access.options)
        open_ids = await self._store.read(open_receipts, self._settings, access.device_id, _OPEN_RECEIPTS)
        cursor = access.cursor
        for _ in range(_PAGES):
            news = await channel.poll(device, cursor, open_ids)
            if news.signals or news.cursor > cursor:
                await self._store.write(note_poll, self._settings, access.device_id, news.signals, news.cursor)
            if news.is_complete:
                return
            cursor, open_ids = news.cursor, []
