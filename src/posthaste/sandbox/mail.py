"""A mailbox: its settings, the mails in it, and whoever waits for news at it.

It only holds and finds; entries change it, through `World`. UIDs start at 1 and leave no gap, so a mail's place in the
list is its UID less one. Which mails were looked at is forgotten when the world ends, for nothing here depends on it.
"""

import asyncio
from dataclasses import dataclass, field

from posthaste.sandbox.entries import MailboxKept, MailboxTurned, MailCame, MailPromised, MailPromiseEnded

MailboxEntry = MailboxTurned | MailCame | MailPromised | MailPromiseEnded


@dataclass(slots=True)
class Mailbox:
    settings: MailboxKept
    is_up: bool = True
    mails: list[MailCame] = field(default_factory=list)
    promises: dict[str, MailPromised] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    put_off: set[str] = field(default_factory=set)
    _waiting: set[asyncio.Event] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.settings.id

    @property
    def email(self) -> str:
        return self.settings.email

    @property
    def validity(self) -> int:
        """Return the UIDVALIDITY of its one folder."""
        return self.settings.made_at // 1000

    def take(self, entry: MailboxEntry) -> None:
        match entry:
            case MailboxTurned(is_up=is_up):
                self.is_up = is_up
            case MailCame():
                self.mails.append(entry)
            case MailPromised():
                self.promises[entry.guid] = entry
            case MailPromiseEnded(guid=guid):
                self.promises.pop(guid, None)
        for event in self._waiting:
            event.set()

    def wait(self) -> asyncio.Event:
        """Return an event that is set when anything changes; give it back with `leave`."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        self._waiting.discard(event)

    def opens_to(self, username: str, password: str) -> bool:
        return username.lower() == self.email and password == self.settings.password
