"""What BlueBubbles says, as typed values, and what it means: outcomes of a send, and signals.

No network here. Only facts of the wire decide (status, `error.type`, the number in a row's `error`), never the words
of an error, which change between versions and languages. Two things surprise: a row of the Mac's message database
with an error of 4 decides nothing (see `verdict`), and the server's own answer cannot always be told from that of a
tunnel in front of it except by its envelope.

What an answer to a sending request means, first match wins:

| status | envelope | more | outcome | because |
| --- | --- | --- | --- | --- |
| 2xx | yes | a row with a guid | as `verdict` says | the row is in the Mac's database |
| 2xx | any | no row | Ambiguous | something took it; nobody said what |
| 3xx | any | | Deferred, down | redirects are never followed, so the Mac did not get it |
| 429 | any | Retry-After | Deferred | refused unread |
| 521 523 525 526 530 | no | | Deferred, down | a tunnel that never reached the Mac says so with these |
| 4xx | no | | Deferred, down | not the Mac's: an unknown tunnel, another server at this address |
| 401 403 | yes | | Deferred, down | the password is wrong, which no message can help |
| 404 | yes | | Deferred, soon | the chat is gone: resolve it anew |
| 400 | yes | quotes our marker | Ambiguous | the same attempt is in flight at this moment |
| 400 | yes | | Rejected, bad content | refused by validation, and would be again |
| 500 | yes | a row with an error | as `verdict` says | Messages tried, and wrote down that it failed |
| the rest | any | | Ambiguous | time-outs (504, or 500 without a row), crashes, 502 and 503 of a tunnel |

A private API that is not connected is a 500 without a row too, told from a time-out only by words; so the look-up
decides.
"""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from posthaste.channels.http import Answer
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

# What is kept must fit a database: no NUL, no number above what JavaScript counts to.
Text = Annotated[str, Meta(max_length=320, pattern=r"^[^\x00]*$")]
Word = Annotated[Text, Meta(min_length=1)]
Number = Annotated[int, Meta(ge=0, lt=2**53)]

_NOT_REGISTERED = 22
_TIMED_OUT = 4
_GROUP, _DIRECT = 43, 45
_UNREACHED_BY_TUNNEL = frozenset({521, 523, 525, 526, 530})
_RESOLVE_AGAIN_MS = 1_000
_DETAIL_CHARS = 200
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
    rowid: Number = field(name="originalROWID", default=0)
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


class _Report(Struct, frozen=True):
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


def verdict(row: Row) -> Accepted | Rejected | Ambiguous:
    """Say what a row means for the attempt that made it.

    An error in a row is Apple's own word that the send failed: the phone did not get it, and Messages does not try
    again. Only a time-out (4) is no such word: nobody acknowledged in time, and the text may be on the phone. And a
    receipt beats any error.
    """
    if not row.error or row.delivered_at or row.read_at:
        return Accepted(row.guid, row.delivered_at, row.read_at)
    if row.error == _TIMED_OUT:
        return Ambiguous("Apple did not acknowledge the message in time (iMessage error 4)")
    if row.error == _NOT_REGISTERED:
        detail = "the address is not registered with iMessage (iMessage error 22)"
        return Rejected(Refusal.NOT_ON_CHANNEL, detail, row.guid)
    return Rejected(Refusal.OTHER, f"Messages could not send it (iMessage error {row.error})", row.guid)


def classify(answer: Answer, marker: str) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function."""
    envelope = read(answer.body, Envelope)
    match answer.status:
        case status if 200 <= status < 300:
            row = sent_row(envelope)
            return verdict(row) if row else Ambiguous("the server answered without naming the message")
        case status if 300 <= status < 400:
            return Deferred("the address redirects elsewhere, which is never followed", device_is_down=True)
        case 429:
            return Deferred("the server asks for patience", retry_after_ms=_retry_after_ms(answer))
    if envelope is None:
        return _foreign(answer.status)
    return _refused(answer.status, envelope, marker)


def _foreign(status: int) -> Outcome:
    if status in _UNREACHED_BY_TUNNEL or 400 <= status < 500:
        return Deferred(complaint(status, None), device_is_down=True)
    return Ambiguous(complaint(status, None))


def _refused(status: int, envelope: Envelope, marker: str) -> Outcome:
    said = complaint(status, envelope)
    match status:
        case 401 | 403:
            return Deferred(said, device_is_down=True)
        case 404:
            return Deferred(said, retry_after_ms=_RESOLVE_AGAIN_MS)
        case 400 if envelope.error and marker in envelope.error.message:
            return Ambiguous(said)
        case 400:
            return Rejected(Refusal.BAD_CONTENT, said)
        case 500 if (row := read(envelope.data, Row)) and row.error:
            return verdict(row)
        case _:
            return Ambiguous(said)


def sent_row(envelope: Envelope | None) -> Row | None:
    """Find the row that a sending request made, in the answer to either kind of it."""
    if envelope is None:
        return None
    chat = read(envelope.data, NewChat)
    if chat and chat.messages:
        return chat.messages[0]
    row = read(envelope.data, Row)
    # A chat without messages has a guid too, but never a message's: only a chat's has semicolons.
    return None if row is None or ";" in row.guid else row


def complaint(status: int, envelope: Envelope | None) -> str:
    """Put an answer that is not the wished one into words, for people only."""
    if envelope is None:
        return f"something other than BlueBubbles answered, with status {status}"
    if status in (401, 403):
        return "the server password is wrong"
    said = (envelope.error.message if envelope.error else "") or envelope.message
    return f"the server answered {status}: {said}"[:_DETAIL_CHARS]


def _retry_after_ms(answer: Answer) -> int | None:
    # The other form, a date, would need a clock that agrees with the server's.
    seconds = answer.headers.get("retry-after", "")
    return int(seconds) * 1000 if seconds.isascii() and seconds.isdigit() and len(seconds) < 7 else None


def news_of(row: Row) -> Sequence[Signal]:
    """Translate a row that is new to us: an echo of a send from this device, or what a person wrote."""
    if not row.is_text:
        return ()
    return echo_of(row) if row.is_from_me else _inbound_of(row)


def echo_of(row: Row) -> Sequence[Signal]:
    """Translate a row that this device sent."""
    match verdict(row):
        case Accepted(guid, delivered_at, read_at):
            return (Echo(guid, row.rowid, row.temp_guid, delivered_at, read_at),)
        case Rejected(_, detail):
            return (Echo(row.guid, row.rowid, row.temp_guid, error=detail),)
        case Ambiguous():
            return ()


def receipt_of(row: Row) -> Sequence[Signal]:
    """Translate what became of a send; nothing if nothing has."""
    if not row.is_from_me:
        return ()
    match verdict(row):
        case Accepted(guid, delivered_at, read_at) if delivered_at or read_at:
            return (Receipt(guid, delivered_at, read_at),)
        case Rejected(_, detail):
            return (Receipt(row.guid, error=detail),)
        case _:
            return ()


def _inbound_of(row: Row) -> Sequence[Signal]:
    if not any(chat.is_direct for chat in row.chats or ()):
        return ()
    address = row.handle.address.lower() if row.handle else min(row.direct_addresses, default="")
    # NUL is legal in JSON and in no database of ours.
    text = (row.text or "").replace("\x00", "")
    return (Inbound(row.guid, row.rowid, address, text, row.made_at or 0),) if address else ()


def report_of(body: bytes) -> Sequence[Signal]:
    """Translate the body of a webhook call."""
    report = read(body, _Report)
    row = read(report.data, Row) if report else None
    if report is None or row is None:
        return ()
    match report.type:
        case "new-message":
            return news_of(row)
        case "updated-message":
            return receipt_of(row)
        case "message-send-error":
            return echo_of(row) if row.error else ()
        case _:
            return ()
