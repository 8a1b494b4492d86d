"""Collect files that came in with messages: fetch each from its device and keep it, again and again for a while.

A message that came in is stored at once, without its files, so that nothing waits for a slow device. A file is taken with a
time at which it is due again, so that one process fetches it, and another does if that one dies.
"""

import asyncio
import logging
from collections.abc import Mapping

from posthaste.actions.files import WaitingFile, miss_inbound, next_inbound_file_in_ms, store_inbound, take_inbound_files
from posthaste.channels.base import Channel, Unreachable
from posthaste.links import Links
from posthaste.loops.alarm import Alarm
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.devices import Access

_log = logging.getLogger(__name__)
# A file is in memory as a whole, so few at once.
_AT_ONCE = 4
_IDLE_MS = 60_000
_MARGIN_MS = 30_000


class Collector:
    """The collecting loop of one process."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel], reach: Reach, links: Links) -> None:
        self._store, self._settings, self._channels, self._reach, self._links = store, settings, channels, reach, links
        self._alarm = Alarm(store, "files")

    async def run(self) -> None:
        """Fetch whatever is due, until cancelled."""
        held_ms = self._settings.download_timeout_ms + _MARGIN_MS
        while True:
            taken = await self._store.write(take_inbound_files, held_ms, _AT_ONCE)
            await asyncio.gather(*(self._collect(waiting, access) for waiting, access in taken))
            if len(taken) < _AT_ONCE:
                in_ms = await self._store.read(next_inbound_file_in_ms)
                await self._alarm.wait(_IDLE_MS if in_ms is None else min(max(1, in_ms), _IDLE_MS))

    async def _collect(self, waiting: WaitingFile, access: Access) -> None:
        try:
            async with asyncio.timeout(self._settings.download_timeout_ms / 1000):
                content = await self._download(waiting, access)
            await self._store.write(store_inbound, self._settings, waiting, content, self._links.public_url)
        except (Unreachable, TimeoutError) as error:
            why = str(error) or "it did not come in time"
            _log.info("file not fetched: message=%s device=%s why=%s", waiting.message_id, waiting.device_id, why)
            await self._store.write(miss_inbound, waiting, why)
        except Exception:
            # It is due again in a while.
            _log.exception("file not fetched: message=%s device=%s", waiting.message_id, waiting.device_id)

    async def _download(self, waiting: WaitingFile, access: Access) -> bytes:
        most_bytes = self._settings.attachment_max_bytes
        content = await self._channels[access.channel].download(self._reach(access), waiting.ref, most_bytes)
        if len(content) > most_bytes:
            raise Unreachable("it is larger than attachments may be")
        return content
