"""The standing link to one device's message centre: bound when first needed, and bound again after a cut.

Tries follow each other with growing pauses, for a centre that is hammered with binds locks the account. A link that
nobody has used for a while lets go: that a line was deleted may not have been heard here.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from posthaste.channels.smpp.session import NotBoundError, Session

_log = logging.getLogger(__name__)

NOT_YET: Final = "the message centre is being connected to"


@dataclass(frozen=True, slots=True)
class Pauses:
    """Between two tries to bind, growing from the first to the longest; and how long an unused link is kept."""

    first_ms: int = 1_000
    longest_ms: int = 60_000
    unused_ms: int = 900_000


class Link:
    """Keeps one session, and makes another when it ends."""

    def __init__(
        self,
        device_id: str,
        open_one: Callable[[], Coroutine[None, None, Session]],
        pauses: Pauses,
        on_end: Callable[[], None],
    ) -> None:
        self._device_id, self._open, self._pauses, self._on_end = device_id, open_one, pauses, on_end
        self._session: Session | None = None
        self._failure = NotBoundError(NOT_YET)
        self._is_trying = True
        self._is_leaving = False
        self._changed = asyncio.Event()
        self._used_at = asyncio.get_running_loop().time()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    @property
    def is_over(self) -> bool:
        return self._is_leaving or self._task.done()

    def when_over(self, call: Callable[[], None]) -> None:
        """Have `call` run once no session will be made any more."""
        self._task.add_done_callback(lambda _: call())

    async def session(self) -> Session:
        """Return the session, waiting for a try that is under way; raise `NotBoundError` if there is none."""
        self._used_at = asyncio.get_running_loop().time()
        while True:
            if self._session is not None and not self._session.ended.is_set():
                return self._session
            if not self._is_trying and self._session is None:
                raise NotBoundError(str(self._failure), is_refusal=self._failure.is_refusal)
            if self._task.done():
                raise NotBoundError("the link to the message centre was closed")
            await self._changed.wait()

    async def close(self) -> None:
        """Unbind and stop."""
        self._is_leaving = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _keep(self) -> None:
        pause_ms = self._pauses.first_ms
        try:
            while True:
                if await self._try():
                    pause_ms = self._pauses.first_ms
                self._change(is_trying=False)
                if not self._is_used():
                    return
                await asyncio.sleep(pause_ms / 1000)
                pause_ms = min(2 * pause_ms, self._pauses.longest_ms)
                self._change(is_trying=True)
        finally:
            self._change(is_trying=False)

    async def _try(self) -> bool:
        """Bind, and stay until the session ends; tell whether there was one."""
        try:
            self._session = session = await self._open()
        except NotBoundError as error:
            self._failure = error
            _log.info("not bound: device=%s why=%s", self._device_id, error)
            return False
        _log.info("bound: device=%s", self._device_id)
        self._change(is_trying=False)
        try:
            await self._until_over(session)
        finally:
            self._failure = NotBoundError("the connection to the message centre was cut")
            self._session = None
            self._on_end()
            await session.close_at_once()
        _log.info("unbound: device=%s", self._device_id)
        return True

    async def _until_over(self, session: Session) -> None:
        """Wait until a session ends, or until nobody uses it."""
        while not session.ended.is_set() and self._is_used():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pauses.unused_ms / 1000):
                    await session.ended.wait()
        if not session.ended.is_set():
            self._is_leaving = True
            await session.close()

    def _is_used(self) -> bool:
        unused_ms = (asyncio.get_running_loop().time() - self._used_at) * 1000
        return unused_ms < self._pauses.unused_ms and not self._is_leaving

    def _change(self, *, is_trying: bool) -> None:
        self._is_trying = is_trying
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
