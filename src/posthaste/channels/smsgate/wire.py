"""The shapes of what SMS Gate says: messages, webhooks, what came in, and how JSON becomes one of them.

Nothing is decided here beyond reading; what a state or an answer means is in `meaning`. Unknown fields are
ignored, so that a newer app stays readable, and fields that an older one does not have are optional. What strangers write may
be anything, for one odd name must not make a whole page unreadable; `meaning` cleans it.
"""

from msgspec import Raw, Struct

from posthaste.channels.reading import Text, Word, instant


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
    reason: str | None = None


class Event(Struct, frozen=True, rename="camel"):
    """The body of a webhook call."""

    event: str
    device_id: str = ""
    payload: Raw = Raw(b"null")


class Complaint(Struct, frozen=True):
    """The body of every answer of SMS Gate that is not a success."""

    message: str
