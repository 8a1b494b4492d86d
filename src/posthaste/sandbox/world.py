"""The world: every Mac, every phone, and the journal that both are made from.

`record` is the only way to change it: the journal first, then the state, so that what was answered is also on disk. How
a send goes is told in `sending`, what a program hears over HTTP in `bluebubbles` and `control`. Nothing is bounded but
by the world's life, because a test must be able to count everything that ever happened in it.
"""

import asyncio
from collections.abc import Callable
from typing import assert_never

import httpx2

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.sandbox.android import Android
from posthaste.sandbox.android_webhooks import AndroidWebhooks
from posthaste.sandbox.entries import (
    AndroidHookDropped,
    AndroidHookKept,
    AndroidKept,
    AndroidTurned,
    AnyEntry,
    Attached,
    ChatOpened,
    HookDropped,
    HookKept,
    MacKept,
    MacTurned,
    MailboxKept,
    MailboxTurned,
    MailCame,
    MailPromised,
    MailPromiseEnded,
    Promised,
    Received,
    Row,
    SendblueHooksKept,
    SendblueKept,
    SendbluePromised,
    SendblueRow,
    SendblueTurned,
    Sms,
    SmsIn,
    SmsPromised,
    SmsPromiseEnded,
    Uploaded,
    Wrote,
)
from posthaste.sandbox.files import Files, MemoryFiles, media_type_of
from posthaste.sandbox.journal import Journal
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.sendblue import Sendblue
from posthaste.sandbox.sendblue_webhooks import SendblueWebhooks
from posthaste.sandbox.webhooks import Webhooks


class World:
    """A simulated world; make one inside a running event loop, or at least use it there."""

    def __init__(self, clock: Clock, ids: Ids, journal: Journal, post: httpx2.AsyncClient, files: Files | None = None) -> None:
        self.clock = clock
        self.journal = journal
        self.files = files or MemoryFiles()
        self.webhooks = Webhooks(post)
        self.android_webhooks = AndroidWebhooks(post, clock)
        self.sendblue_webhooks = SendblueWebhooks(post)
        self.macs: dict[str, Mac] = {}
        self.androids: dict[str, Android] = {}
        self.sendblues: dict[str, Sendblue] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.mail_listeners: dict[str, list[asyncio.Server]] = {}
        self.received: list[Received] = []
        self.wrote: list[Wrote] = []
        self.promises: dict[str, Promised] = {}
        self.version = 0
        self._ids = ids
        self._line_macs: dict[str, str] = {}
        self._due: set[asyncio.TimerHandle] = set()
        for entry in journal.entries():
            self._apply(entry)

    def record(self, *entries: AnyEntry) -> None:
        """Keep what happened, then let it be so."""
        self.journal.append(*entries)
        for entry in entries:
            self._apply(entry)

    def now_ms(self) -> int:
        return self.clock.now_ms()

    def new_id(self) -> str:
        return self._ids.new(self.now_ms())

    def new_guid(self) -> str:
        """Return a message guid in Apple's spelling."""
        digits = self._ids.secret(128).upper()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def keep_file(self, name: str, content: bytes) -> Attached:
        """Keep a file that somebody sends."""
        return Attached(self.new_guid(), name, media_type_of(name), len(content), self.files.keep(content))

    def mac_of_line(self, phone: str) -> Mac | None:
        mac_id = self._line_macs.get(phone)
        return self.macs.get(mac_id) if mac_id else None

    def android_of_line(self, phone: str) -> Android | None:
        return next((android for android in self.androids.values() if android.phone == phone), None)

    def sendblue_of_line(self, phone: str) -> Sendblue | None:
        return next((account for account in self.sendblues.values() if account.phone == phone), None)

    def mailbox_of(self, email: str) -> Mailbox | None:
        return next((box for box in self.mailboxes.values() if box.email == email), None)

    def open_chat(self, mac: Mac, address: str) -> ChatOpened:
        """Return the conversation of a Mac with a person, begun now if there is none."""
        known = mac.chat_with(address)
        if known:
            return known
        chat = ChatOpened(mac.id, len(mac.chats) + 1, mac.chat_guid_for(address), address)
        self.record(chat)
        return chat

    def later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Do something after a while, unless the world is closed before."""

        def run() -> None:
            self._due.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(delay_ms / 1000, run)
        self._due.add(handle)

    async def close(self) -> None:
        """Let nothing more happen."""
        for handle in self._due:
            handle.cancel()
        self._due.clear()
        for listener in [one for both in self.mail_listeners.values() for one in both]:
            listener.close()
        await self.webhooks.close()
        await self.android_webhooks.close()
        await self.sendblue_webhooks.close()

    def _apply(self, entry: AnyEntry) -> None:
        self.version += 1
        match entry:
            case MacKept():
                self.macs.setdefault(entry.id, Mac(entry)).settings = entry
                self._line_macs[entry.phone] = entry.id
            case MacTurned(mac, is_up):
                self.macs[mac].is_up = is_up
            case HookKept():
                self.macs[entry.mac].keep_hook(entry)
            case HookDropped(mac, hook_id):
                self.macs[mac].hooks.pop(hook_id, None)
            case ChatOpened():
                self.macs[entry.mac].open_chat(entry)
            case Row():
                self.macs[entry.mac].keep_row(entry)
                self.promises.pop(entry.guid, None)
            case Received():
                self.received.append(entry)
            case Wrote():
                self.wrote.append(entry)
            case Promised():
                self.promises[entry.guid] = entry
            case Uploaded():
                self.macs[entry.mac].uploads[entry.path] = entry.file
            case AndroidKept():
                self.androids.setdefault(entry.id, Android(entry)).settings = entry
            case AndroidTurned() | AndroidHookKept() | AndroidHookDropped() | Sms() | SmsPromised() | SmsPromiseEnded() | SmsIn():
                self.androids[entry.android].take(entry)
            case MailboxKept():
                self.mailboxes.setdefault(entry.id, Mailbox(entry)).settings = entry
            case MailboxTurned() | MailCame() | MailPromised() | MailPromiseEnded():
                self.mailboxes[entry.mailbox].take(entry)
            case SendblueKept():
                self.sendblues.setdefault(entry.id, Sendblue(entry)).settings = entry
            case SendblueTurned() | SendblueHooksKept() | SendblueRow() | SendbluePromised():
                self.sendblues[entry.sendblue].take(entry)
            case _:
                assert_never(entry)
