"""Receive: reports of devices by webhook or by a standing connection, and by polling what those lost."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from posthaste.actions.health import open_receipts, take_due_for_poll
from posthaste.actions.receive import device_of_token, note_poll, receive
from posthaste.channels.base import Channel, Unreachable
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.signals import Signal
from posthaste.loops.alarm import Alarm
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.devices import Access

_log = logging.getLogger(__name__)
_AT_ONCE = 32
_OPEN_RECEIPTS = 1_000
_PAGES = 100


class Receiver:
    """Takes reports in, whichever way they come. It is the inbox of channels with standing connections."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel], reach: Reach) -> None:
        self._store, self._settings, self._channels, self._reach = store, settings, channels, reach
        self._alarm = Alarm(store, "devices")

    async def take(self, channel: str, token: str, call: HookCall) -> Heard | None:
        """Take one report of a webhook; None if no device of that channel has the token, or the report is not its own."""
        access = await self._store.read(device_of_token, token)
        if access is None or access.channel != channel:
            return None
        heard = self._channels[channel].hear(self._reach(access), call)
        if heard is None:
            _log.warning("report refused: device=%s why=its signature is wrong", access.device_id)
            return None
        if heard.signals:
            await self._store.write(receive, self._settings, access.device_id, heard.signals, "a webhook")
        return heard

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        """Take in what came over a standing connection."""
        await self._store.write(receive, self._settings, device_id, signals, "its connection")

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
        channel, device = self._channels[access.channel], self._reach(access)
        open_ids = await self._store.read(open_receipts, self._settings, access.device_id, _OPEN_RECEIPTS)
        cursor = access.cursor
        for _ in range(_PAGES):
            news = await channel.poll(device, cursor, open_ids)
            if news.signals or news.cursor > cursor:
                await self._store.write(note_poll, self._settings, access, news.signals, news.cursor)
            if news.is_complete:
                return
            cursor, open_ids = news.cursor, []
