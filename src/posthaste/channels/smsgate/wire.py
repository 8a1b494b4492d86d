"""The shapes of what SMS Gate says: messages, webhooks, what came in, and how JSON becomes one of them.

Nothing is decided here beyond reading; what a state or an answer means is in `meaning`. Unknown fields are
ignored, so that a newer app stays readable, and fields that an older one does not have are optional.
"""

import datetime as dt
from typing import Annotated

from msgspec import Meta, Raw, Struct

# An id is kept, and must fit a database: no NUL in it, and not without bounds. What strangers write may be anything, for one
# odd name must not make a whole page unreadable; `meaning` cleans it.
Text = Annotated[str, Meta(max_length=320, pattern=r"^[^\x00]*$")]
Word = Annotated[Text, Meta(min_length=1)]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST_AT = 2**53


class Recipient(Struct, frozen=True, rename="camel"):
    """How far a message came with one recipient; `error` says why it failed."""

    state: str
    error: str | None = None


class Message(Struct, frozen=True, rename="camel"):
    """A message that was handed to the app; `states` are the times at which it came to each."""

    id: Word
    state: str
    recipients: list[Recipient] = []
    states: dict[str, str] = {}

    @property
    def delivered_at(self) -> int | None:
        return instant(self.states.get(DELIVERED))

    @property
    def error(self) -> str:
        return next((one.error for one in self.recipients if one.error), "")


DELIVERED = "Delivered"


class Attachment(Struct, frozen=True, rename="camel"):
    """A file of an MMS that came in."""

    part_id: int
    name: str | None = None
    content_type: str | None = None


class Incoming(Struct, frozen=True, rename="camel"):
    """A message in the app's inbox; of an encrypted one only the app's owner knows what it says."""

    id: Word
    type: str
    sender: str
    content_preview: str
    created_at: str
    recipient: str | None = None
    sim_number: int | None = None
    attachments: list[Attachment] | None = None
    is_encrypted: bool | None = None

    @property
    def at(self) -> int:
        return instant(self.created_at) or 0


class Hook(Struct, frozen=True, rename="camel"):
    """One registered webhook, ours or somebody else's."""

    url: str
    event: str
    id: str | None = None


class Payload(Struct, frozen=True, rename="camel"):
    """What an event is about. Older apps write `phoneNumber` alone, newer ones `sender` and `recipient` beside it."""

    message_id: Text = ""
    phone_number: str | None = None
    sender: str | None = None
    recipient: str | None = None
    sim_number: int | None = None
    message: str = ""
    received_at: str | None = None
    delivered_at: str | None = None
    failed_at: str | None = None
    reason: str | None = None


class Event(Struct, frozen=True, rename="camel"):
    """The body of a webhook call."""

    event: str
    device_id: str = ""
    payload: Raw = Raw(b"null")


class Complaint(Struct, frozen=True):
    """The body of every answer of SMS Gate that is not a success."""

    message: str


def instant(text: str | None) -> int | None:
    """Return an ISO 8601 time in milliseconds; `None` if it is none, or says no zone."""
    try:
        at = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    ms = (at - _EPOCH) // dt.timedelta(milliseconds=1) if at.tzinfo else 0
    # One odd date in an old phone must not make a whole page unreadable.
    return ms if 0 < ms < _LATEST_AT else None


def time_text(at: int) -> str:
    """Write a time as the app reads it."""
    return f"{(_EPOCH + dt.timedelta(milliseconds=at)).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
