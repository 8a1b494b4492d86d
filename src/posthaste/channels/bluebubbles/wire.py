"""The shapes of what BlueBubbles says: envelopes, messages, chats, the server itself, and how JSON becomes one of them.

Nothing is decided here beyond reading; what a row or an answer means is in `meaning`. Unknown fields are
ignored, and fields that nothing of ours depends on are not read, so that a newer server stays readable.
"""

import re
from typing import Annotated

from msgspec import Meta, Raw, Struct, field

from posthaste.channels.reading import Text, Word, read, sound_instant, without_nul

Number = Annotated[int, Meta(ge=0, lt=2**53)]

_GROUP, _DIRECT = 43, 45
_NAME_CHARS, _GUID_CHARS = 255, 320
# Messages puts this character where an attachment stands in the text.
_OBJECT_REPLACEMENT = "\ufffc"
# The preview of a link is kept as an attachment that nobody sent.
_PREVIEW = ".pluginPayloadAttachment"
# A part of a message is named `p:0/` and its guid, a whole balloon `bp:` and its guid.
_PART_OF_MESSAGE = re.compile(r"^(?:p:\d+/|bp:(?:\d+/)?)")
_TAPBACKS = ("love", "like", "dislike", "laugh", "emphasize", "question")
_ADDED, _REMOVED = 2000, 3000
_EMOJI = len(_TAPBACKS)


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


class Attachment(Struct, frozen=True, rename="camel"):
    """A file of a message; `transfer_name` is what its sender called it."""

    guid: Word
    transfer_name: str | None = None
    mime_type: str | None = None
    hide_attachment: bool | int | None = None

    @property
    def is_hidden(self) -> bool:
        return bool(self.hide_attachment) or (self.transfer_name or "").endswith(_PREVIEW)

    @property
    def name(self) -> str | None:
        return without_nul(self.transfer_name)[-_NAME_CHARS:] or None

    @property
    def media_type(self) -> str | None:
        return without_nul(self.mime_type)[:_NAME_CHARS] or None


class Tapback(Struct, frozen=True):
    """What a person thinks of the message `target`, or no longer does."""

    target: str
    kind: str
    is_removed: bool


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
    associated_message_emoji: str | None = None
    thread_originator_guid: str | None = None
    reply_to_guid: str | None = None
    date_edited: int | None = None
    date_retracted: int | None = None
    attachments: list[Raw] | None = None
    chats: list[Chat] | None = None
    temp_guid: str | None = None

    @property
    def delivered_at(self) -> int | None:
        """Return when it was delivered; a row that only says *that* it was lends the time of its making."""
        return sound_instant(self.date_delivered) or (self.made_at if self.is_delivered else None)

    @property
    def read_at(self) -> int | None:
        return sound_instant(self.date_read)

    @property
    def made_at(self) -> int | None:
        return sound_instant(self.date_created)

    @property
    def is_text(self) -> bool:
        """Tell a text from a tapback and from a note such as "renamed the group"."""
        is_tapback = bool(self.associated_message_guid and self.associated_message_type)
        return not is_tapback and not self.item_type

    @property
    def words(self) -> str:
        """Return the text without what stands in it for attachments."""
        text = without_nul(self.text)
        return text.replace(_OBJECT_REPLACEMENT, "").strip() if _OBJECT_REPLACEMENT in text else text

    @property
    def is_edited(self) -> bool:
        return bool(self.date_edited)

    @property
    def is_unsent(self) -> bool:
        return bool(self.date_retracted)

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Return the attachments that somebody sent and that can be read."""
        return tuple(one for one in self._attachments if one and not one.is_hidden)

    @property
    def file_count(self) -> int:
        return sum(one is None or not one.is_hidden for one in self._attachments)

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the guids of what it replies to: the thread's first message, then the one before it."""
        named = (message_guid(guid) for guid in (self.thread_originator_guid, self.reply_to_guid))
        return tuple(dict.fromkeys(guid for guid in named if guid))

    @property
    def tapback(self) -> Tapback | None:
        """Read a tapback; stickers and what later versions add are none."""
        target, said = message_guid(self.associated_message_guid), str(self.associated_message_type or "")
        if not target:
            return None
        if said.removeprefix("-") in _TAPBACKS:
            return Tapback(target, said.removeprefix("-"), said.startswith("-"))
        number = int(said) if said.isascii() and said.isdecimal() and len(said) == 4 else 0
        is_removed = number >= _REMOVED
        place = number - (_REMOVED if is_removed else _ADDED)
        kinds = (*_TAPBACKS, without_nul(self.associated_message_emoji))
        return Tapback(target, kinds[place], is_removed) if 0 <= place <= _EMOJI and kinds[place] else None

    @property
    def _attachments(self) -> list[Attachment | None]:
        return [read(raw, Attachment) for raw in self.attachments or ()]

    @property
    def is_direct(self) -> bool:
        return any(chat.is_direct for chat in self.chats or ())

    @property
    def other_end(self) -> str:
        """Return the address of the person, empty if nothing names one."""
        return self.handle.address.lower() if self.handle else min(self.direct_addresses, default="")

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


def message_guid(named: str | None) -> str:
    """Return the guid of a message that is named with or without one of its parts; empty if it is no guid of ours."""
    guid = _PART_OF_MESSAGE.sub("", (named or "").strip())
    return guid if len(guid) <= _GUID_CHARS and "\x00" not in guid else ""


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


class Uploaded(Struct, frozen=True):
    """Where the server put a file, in its own words."""

    path: Word


class TypingShown(Struct, frozen=True):
    """The three dots in a conversation came or went."""

    guid: Word
    display: bool

    @property
    def address(self) -> str:
        """Return the other end; empty for a group."""
        return self.guid.partition(";-;")[2].lower()


class Report(Struct, frozen=True):
    type: str
    data: Raw = Raw(b"null")


def total(envelope: Envelope) -> int:
    """Return how many rows a query matched, 0 where the server does not say."""
    count = read(envelope.metadata, _Count)
    return (count.total or 0) if count else 0
