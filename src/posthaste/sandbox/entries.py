"""What happened in the world, as the lines that the journal keeps.

The state of the world is nothing but these entries applied in order, so whatever must survive a restart needs an entry
here. No entry is ever changed or taken back; a message whose receipt came is written whole a second time.
"""

import msgspec


class Entry(msgspec.Struct, frozen=True, tag_field="kind"):
    """The common root, so that the journal can name what it takes."""


class MacKept(Entry, frozen=True, tag="mac"):
    """A Mac was created, or got other settings; its messages stay."""

    id: str
    phone: str
    password: str
    private_api: bool
    macos_version: str
    at: int


class MacTurned(Entry, frozen=True, tag="turned"):
    """A Mac went down or came up."""

    mac: str
    is_up: bool


class HookKept(Entry, frozen=True, tag="hook"):
    """A webhook was registered at a Mac."""

    mac: str
    id: int
    url: str
    events: list[str]
    created_at: int


class HookDropped(Entry, frozen=True, tag="unhook"):
    """A webhook was deleted."""

    mac: str
    id: int


class ChatOpened(Entry, frozen=True, tag="chat"):
    """A conversation with one person appeared in a Mac's database."""

    mac: str
    rowid: int
    guid: str
    address: str


class Row(Entry, frozen=True, tag="row"):
    """A message in a Mac's database, as it now stands."""

    mac: str
    rowid: int
    guid: str
    chat_guid: str
    address: str
    text: str
    is_from_me: bool
    created_at: int
    delivered_at: int | None = None
    read_at: int | None = None
    error: int = 0


class Received(Entry, frozen=True, tag="received"):
    """A text appeared on a phone."""

    to: str
    sender: str
    text: str
    channel: str
    guid: str
    received_at: int


class Wrote(Entry, frozen=True, tag="wrote"):
    """A person wrote a text on a phone."""

    sender: str
    to: str
    text: str
    channel: str
    guid: str
    sent_at: int


class Promised(Entry, frozen=True, tag="promised"):
    """A text was taken that will arrive later; a restart between the two must not lose it."""

    mac: str
    chat_guid: str
    address: str
    text: str
    guid: str
    temp_guid: str | None
    due_at: int


AnyEntry = MacKept | MacTurned | HookKept | HookDropped | ChatOpened | Row | Received | Wrote | Promised
