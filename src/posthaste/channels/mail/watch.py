"""A standing connection to a mailbox: what comes in is told within a second instead of at the next poll.

It only hastens. What it misses is found by polling, and what both find is stored once, so that it may give up at any
time: when the server knows no IDLE (RFC 2177), when the account changes, and when nobody has polled the device for a
while, because then its line is gone.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from posthaste.channels.base import Inbox, Unreachable
from posthaste.channels.mail.account import Account, Server, Waits
from posthaste.channels.mail.imap import Session, session
from posthaste.channels.mail.reading import Letter
from posthaste.core.signals import Signal

_log = logging.getLogger(__name__)
#: An IDLE is begun anew after this time: it bounds how long a dead connection stays unnoticed.
IDLE_S = 60.0
_LIVES_S = 15 * 60.0
_STORED_WITHIN_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0


class Watch:
    """One mailbox under watch; made and ended in the event loop, its waits are in a thread."""

    def __init__(
        self,
        device_id: str,
        account: Account,
        inbox: Inbox,
        read: Callable[[Account, Sequence[Letter]], Sequence[Signal]],
        now_ms: Callable[[], int],
        cursor: int | None = None,
    ) -> None:
        self.account = account
        self._device_id, self._inbox, self._read, self._now_ms = device_id, inbox, read, now_ms
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._cursor = cursor
        self._is_over = self._is_futile = False
        self._task: asyncio.Task[None] | None = None
        self.renew()

    @property
    def is_worth_keeping(self) -> bool:
        """Tell whether it still watches, or knows that it cannot."""
        return self._is_futile or not (self._task is None or self._task.done())

    def renew(self) -> None:
        """Say that the device is still in use."""
        self._until = self._loop.time() + _LIVES_S

    def start(self, server: Server, threads: Executor, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> None:
        self._task = self._loop.create_task(self._run(server, threads, waits, tls))

    async def close(self) -> None:
        """End the connection, and wait until its thread has ended."""
        self._is_over = True
        if self._session is not None:
            self._session.cut()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, server: Server, threads: Executor, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> None:
        """Connect again and again, more and more rarely while that fails."""
        pause_s = _FIRST_PAUSE_S
        while not self._has_ended():
            try:
                await self._in_thread(threads, server, waits, tls)
                pause_s = _FIRST_PAUSE_S
            except Unreachable as error:
                _log.info("mailbox not watched: device=%s why=%s", self._device_id, error)
            except Exception:
                _log.exception("mailbox not watched: device=%s", self._device_id)
            if not self._has_ended():
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _in_thread(self, threads: Executor, server: Server, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> None:
        """Wait for the thread even when cancelled: what it has read is still to be stored."""
        future = self._loop.run_in_executor(threads, self._watch, server, waits, tls)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            self._is_over = True
            await asyncio.gather(future, return_exceptions=True)
            raise

    def _watch(self, server: Server, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> None:
        with session(server, self.account.folder, waits, tls) as opened:
            self._session = opened
            try:
                self._is_futile = not opened.can_idle
                self._tell_and_wait(opened)
            finally:
                self._session = None

    def _tell_and_wait(self, opened: Session) -> None:
        cursor = opened.newest if self._cursor is None else self._cursor
        while not self._has_ended():
            page = opened.page_after(cursor, self._now_ms())
            signals = self._read(self.account, page.letters)
            if signals:
                stored = asyncio.run_coroutine_threadsafe(self._put(signals), self._loop)
                stored.result(_STORED_WITHIN_S)
            self._cursor = cursor = page.cursor
            if page.is_last and not self._has_ended():
                opened.wait(IDLE_S)

    async def _put(self, signals: Sequence[Signal]) -> None:
        await self._inbox.put(self._device_id, signals)

    def _has_ended(self) -> bool:
        return self._is_over or self._is_futile or self._loop.time() > self._until
