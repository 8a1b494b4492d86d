"""The shapes of what BlueBubbles says: envelopes, messages, chats, the server itself, and how JSON becomes one of them.

Nothing is decided here beyond reading; what a row or an answer means is in `bluebubbles_meaning`. Unknown fields are
ignored, and fields that nothing of ours depends on are not read, so that a newer server stays readable.
"""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

# What is kept must fit a database: no NUL, no number above what JavaScript counts to.
Text = Annotated[str, Meta(max_length=320, pattern=r"^[^\x00]*$")]
Word = Annotated[Text, Meta(min_length=1)]
Number = Annotated[int, Meta(ge=0, lt=2**53)]

_GROUP, _DIRECT = 43, 45
_LATEST_AT = 2**53


class Handle(Struct, frozen=True):
    """The person at the other end."""

    address: Text


class Chat(Struct, frozen=True, rename="camel"):
    """A conversation. Direct ones are `iMessage;-;…` up to macOS 15 and `any;-;…` from macOS 26 on."""

    guid: Word
    style: int | None = None
    chat_identifier: str | None = None

    @property
    def is_direct(self) -> bool:
        return self.style == _DIRECT or (self.style != _GROUP and ";-;" in self.guid)


class Row(Struct, frozen=True, rename="camel"):
    """One message as the Mac's database has it; `temp_guid` is the marker of its request, where the server knows it."""

    guid: Word
    rowid: Number = field(name="originalROWID")
    text: str | None = None
    handle: Handle | None = None
    error: int | None = None
    date_created: int | None = None
    date_read: int | None = None
    date_delivered: int | None = None
    is_delivered: bool | None = None
    is_from_me: bool = False
    item_type: int | None = None
    associated_message_guid: str | None = None
    associated_message_type: str | int | None = None
    attachments: list[Raw] | None = None
    chats: list[Chat] | None = None
    temp_guid: str | None = None

    @property
    def delivered_at(self) -> int | None:
        """Return when it was delivered; a row that only says *that* it was lends the time of its making."""
        return _instant(self.date_delivered) or (self.made_at if self.is_delivered else None)

    @property
    def read_at(self) -> int | None:
        return _instant(self.date_read)

    @property
    def made_at(self) -> int | None:
        return _instant(self.date_created)

    @property
    def is_text(self) -> bool:
        """Tell a text from a tapback and from a note such as "renamed the group"."""
        is_tapback = bool(self.associated_message_guid and self.associated_message_type)
        return not is_tapback and not self.item_type

    @property
    def direct_addresses(self) -> frozenset[str]:
        """Return the other end's address in every spelling that the row offers; none if this is a group's."""
        direct = [chat for chat in self.chats or () if chat.is_direct]
        if self.chats and not direct:
            return frozenset()
        spellings = [chat.guid.partition(";-;")[2] for chat in direct]
        spellings += [chat.chat_identifier or "" for chat in direct]
        spellings += [self.handle.address] if self.handle else []
        return frozenset(spelling.lower() for spelling in spellings if spelling)


def _instant(ms: int | None) -> int | None:
    # One odd date in an old database must not make the whole page unreadable.
    return ms if ms and 0 < ms < _LATEST_AT else None


class NewChat(Struct, frozen=True):
    """The answer to a request that opened a chat with a text."""

    guid: Word
    messages: list[Row] = []


class Fault(Struct, frozen=True):
    type: str = ""
    message: str = ""


class Envelope(Struct, frozen=True):
    """What every answer of the server itself is wrapped in."""

    status: int
    message: str = ""
    error: Fault | None = None
    data: Raw = Raw(b"null")
    metadata: Raw = Raw(b"null")


class _Count(Struct, frozen=True):
    total: Number | None = None


class Server(Struct, frozen=True):
    """What the server says about itself and its Mac."""

    os_version: str = ""
    server_version: str = ""
    private_api: bool | None = None
    helper_connected: bool | None = None


class Available(Struct, frozen=True):
    available: bool


class Hook(Struct, frozen=True):
    """One registered webhook, ours or somebody else's."""

    id: int
    url: str


class Report(Struct, frozen=True):
    type: str
    data: Raw = Raw(b"null")


T = TypeVar("T")


def read(raw: bytes | Raw, shape: type[T]) -> T | None:
    """Parse JSON into a shape; `None` if it is not that."""
    try:
        return msgspec.json.decode(raw, type=shape)
    # Deep nesting is a RecursionError.
    except (msgspec.DecodeError, RecursionError):
        return None


def total(envelope: Envelope) -> int:
    """Return how many rows a query matched, 0 where the server does not say."""
    count = read(envelope.metadata, _Count)
    return (count.total or 0) if count else 0
