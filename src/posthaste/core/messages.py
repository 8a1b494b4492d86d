"""A message: what a caller asks for, what is kept of it, and the words for its kinds.

`Sending` is a request after it was parsed at the edge; `Message` is a row. Which status follows which is `lifecycle.py`'s.
"""

from enum import IntEnum, StrEnum

from posthaste.core.row import Row, Value
from posthaste.core.windows import Window


class MessageType(StrEnum):
    """How a message travels."""

    IMESSAGE = "imessage"
    SMS = "sms"
    EMAIL = "email"


class Lane(IntEnum):
    """The queues of one line, best first: replies to people who wrote, people we know, and new people."""

    REPLY = 0
    KNOWN = 1
    NEW = 2


class CrmIds(Row, frozen=True):
    """Who the person is in the caller's CRM."""

    ghl_contact_id: str | None = None
    ghl_location_id: str | None = None
    hs_contact_id: str | None = None
    hs_portal_id: str | None = None


NO_CRM = CrmIds()


class Sending(Value, frozen=True, kw_only=True):
    """A parsed `POST /api/messages`: addresses are normalised, instants are milliseconds, blanks are gone."""

    text: str
    message_type: MessageType = MessageType.IMESSAGE
    subject: str | None = None
    html: str | None = None
    phone: str | None = None
    email: str | None = None
    name: str | None = None
    from_line_id: str | None = None
    lead_id: str | None = None
    alt_phones: tuple[str | None, str | None, str | None] = (None, None, None)
    alt_emails: tuple[str | None, str | None, str | None] = (None, None, None)
    scheduled_at: int | None = None
    valid_until: int | None = None
    window: Window | None = None
    send_fallback: bool = False
    batch_id: str | None = None
    crm: CrmIds = NO_CRM
    contact_owner_email: str | None = None
    attachment_urls: tuple[str, ...] = ()
    attachment_names: tuple[str, ...] = ()
    unknown_fields: tuple[str, ...] = ()

    @property
    def attachments(self) -> tuple[tuple[str, str | None], ...]:
        """Return the attachments as (URL, name); names pair up by position."""
        names = (*self.attachment_names, *("" for _ in self.attachment_urls))
        return tuple((url, name or None) for url, name in zip(self.attachment_urls, names, strict=False))


class Message(Row, frozen=True):
    """A row of `messages`, its columns in the table's order.

    `status` is a stored one; see `holds.py` for what a caller sees. `line_asked`: the caller named the line. `reply_to` names
    the message of ours that a received one answers; `subject` and `html` are e-mails'.
    """

    id: str
    workspace_id: str
    lead_id: str
    line_id: str
    direction: str
    message_type: str
    status: str
    lane: int
    due_at: int
    hold: str | None
    expires_at: int
    address: str
    addresses: tuple[str, ...]
    checked_addresses: tuple[str, ...]
    recipient_phone: str | None
    recipient_email: str | None
    recipient_name: str | None
    text: str
    attempts: int
    external_id: str | None
    code: str | None
    error_message: str | None
    scheduled_at: int | None
    valid_until: int | None
    window: Window | None
    batch_id: str | None
    send_fallback: bool
    fallback_of: str | None
    fallback_message_id: str | None
    attachments: tuple[tuple[str, str | None], ...]
    crm: CrmIds
    sent_at: int | None
    delivered_at: int | None
    read_at: int | None
    created_at: int
    updated_at: int
    line_asked: bool = False
    subject: str | None = None
    html: str | None = None
    reply_to: str | None = None


class EarlierMail(Value, frozen=True):
    """What a mail needs to know of one before it in its conversation; `subject` is what it was given, not what it got else."""

    external_id: str
    subject: str | None
    text: str
    is_ours: bool
