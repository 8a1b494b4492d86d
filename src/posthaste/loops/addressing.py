"""Find out which of a person's addresses is on iMessage, before anything is handed over.

What was learnt lately is believed; else the device is asked, if its day's checks and their spacing allow. Where
nobody can tell, the first address is used unchecked: a check that fails is not a no, and a send never waits for an
allowance.
"""

import asyncio
from collections.abc import Mapping

from posthaste.actions.check import note_check, reserve_check
from posthaste.actions.claim import Claimed
from posthaste.actions.record import Report
from posthaste.actions.tell import tell
from posthaste.channels.base import Channel
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Refusal, Rejected
from posthaste.core.timeline import Code
from posthaste.loops.reach import Reach
from posthaste.settings import Settings
from posthaste.store.base import Store


class Addressing:
    """Resolves addresses through the channels."""

    def __init__(self, store: Store, settings: Settings, channels: Mapping[str, Channel], reach: Reach) -> None:
        self._store, self._settings, self._channels, self._reach = store, settings, channels, reach

    async def resolve(self, one: Claimed) -> str | Report:
        """Return the address to send to, which is the attempt's own; or what is to be recorded instead.

        If another address turns out to be the one, the message goes back to the queue with it: caps count by address.
        """
        if one.message.message_type != MessageType.IMESSAGE:
            return one.attempt.address
        off: set[str] = set(one.message.checked_addresses)
        for address in one.message.addresses:
            if address in off or await self._is_off(one, address):
                off.add(address)
                continue
            return address if address == one.attempt.address else _move(one, off)
        return _move(one, off)

    async def _is_off(self, one: Claimed, address: str) -> bool:
        known = one.available.get(address)
        if known is not None:
            await self._tell(one, Code.AVAILABLE if known else Code.NOT_AVAILABLE, address, source="known from an earlier check")
            return not known
        answer = await self._ask(one, address)
        return answer is False

    async def _ask(self, one: Claimed, address: str) -> bool | None:
        channel = self._channels[one.access.channel]
        if not channel.kind.promises.can_check:
            return None
        wait_ms = await self._store.write(reserve_check, self._settings, one.line.id)
        if wait_ms is None:
            await self._tell(one, Code.UNCHECKED, address, why="the line has no availability check left for now")
            return None
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
        found = await channel.check(self._reach(one.access), address)
        if found.is_available is None:
            await self._tell(one, Code.UNCHECKED, address, why=found.detail)
            return None
        await self._store.write(note_check, one.message.workspace_id, address, found.is_available)
        await self._tell(one, Code.AVAILABLE if found.is_available else Code.NOT_AVAILABLE, address, source="checked now")
        return found.is_available

    async def _tell(self, one: Claimed, code: Code, address: str, **facts: object) -> None:
        await self._store.write(tell, one.message.workspace_id, one.message.id, code, {"address": address, **facts})


def _move(one: Claimed, off: set[str]) -> Report:
    detail = "it is not on iMessage"
    return Report(one.attempt, Rejected(Refusal.NOT_ON_CHANNEL, detail), off_channel=frozenset(off))
