"""A `POST /api/messages` from its JSON object to a `Sending`, its checks in the order of the documented examples.

In that order the check for an active line stands in the middle, and it alone needs the database. So there are two
halves: `parse_content` is all that comes before it, `parse_sending` the rest; a caller whose second half fails asks
for the lines before it passes that error on. Nothing is read from the database here.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from posthaste.actions.fallback_config import no_fallback
from posthaste.api.fields import ADDRESS_CHARS, Fields, flag, foreign_id, given, own_id, said, text, verbatim, within
from posthaste.api.parse_timing import parse_timing
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.messages import CrmIds, MessageType, Sending
from posthaste.core.row import Value
from posthaste.core.workspaces import Workspace

ATTACHMENTS_AT_MOST = 2
_URL_CHARS = 2048
_UNKNOWN_FIELDS_KEPT = 20
_UNKNOWN_FIELD_CHARS = 60

_PHONES = ("altPhone1", "altPhone2", "altPhone3")
_EMAILS = ("altEmail1", "altEmail2", "altEmail3")
FIELDS = frozenset(
    (
        *("message", "messageType", "recipientPhone", "recipientEmail", "recipientName", "fromLineId", "leadId"),
        *(*_PHONES, *_EMAILS, "scheduledDate", "validUntil", "timezone", "sendWindowStart", "sendWindowEnd"),
        *("allowedDaysOfWeek", "sendFallbackSmsOnFailed", "batchId", "attachmentUrls", "attachmentNames"),
        *("ghlContactId", "ghlLocationId", "hsContactId", "hsPortalId", "contactOwnerEmail", "subject", "html"),
    )
)
"""Every field that is read; others are listed in the timeline and else ignored."""


class Content(Value, frozen=True):
    """What is known of a request before its line is looked for."""

    text: str
    message_type: MessageType
    from_line_id: str | None
    attachment_urls: tuple[str, ...]
    attachment_names: tuple[str, ...]
    subject: str | None = None
    html: str | None = None


class Recipient(Value, frozen=True):
    """The addresses of a request, normalised."""

    phone: str | None
    email: str | None
    alt_phones: tuple[str | None, str | None, str | None]
    alt_emails: tuple[str | None, str | None, str | None]

    def is_empty(self) -> bool:
        return not (self.phone or self.email or any(self.alt_phones) or any(self.alt_emails))


def parse_content(fields: Fields, message_max_chars: int) -> Content:
    """Check what comes before the lines: text, type and attachments."""
    written = verbatim(fields, "message", most_chars=message_max_chars)
    attachments = given(fields, "attachmentUrls")
    places = _places(attachments)
    if written is None and not places and (attachments is None or isinstance(attachments, list)):
        raise Refused("Message and attachmentUrls cannot both be empty", code="MESSAGE_EMPTY")
    message_type = _message_type(fields)
    urls = _urls(attachments, places)
    subject, html = _letter(fields, message_type, message_max_chars)
    return Content(written or "", message_type, own_id(fields, "fromLineId"), urls, _names(fields, places), subject, html)


def parse_sending(fields: Fields, content: Content, workspace: Workspace) -> Sending:
    """Check the rest and return the whole request."""
    timing = parse_timing(fields, workspace.timezone)
    lead_id = own_id(fields, "leadId")
    recipient = _recipient(fields, workspace.region)
    crm = _crm_ids(fields)
    if lead_id is None and recipient.is_empty() and not (crm.ghl_contact_id or crm.hs_contact_id):
        raise Refused(
            "Either recipientEmail or recipientPhone is required (in body or on the lead when leadId is provided).",
            code="NO_RECIPIENT",
        )
    send_fallback = _send_fallback(fields, workspace)
    return Sending(
        text=content.text,
        message_type=content.message_type,
        subject=content.subject,
        html=content.html,
        phone=recipient.phone,
        email=recipient.email,
        name=text(fields, "recipientName"),
        from_line_id=content.from_line_id,
        lead_id=lead_id,
        alt_phones=recipient.alt_phones,
        alt_emails=recipient.alt_emails,
        scheduled_at=timing.scheduled_at,
        valid_until=timing.valid_until,
        window=timing.window,
        send_fallback=send_fallback,
        batch_id=text(fields, "batchId"),
        crm=crm,
        contact_owner_email=_email(fields, "contactOwnerEmail"),
        attachment_urls=content.attachment_urls,
        attachment_names=content.attachment_names,
        unknown_fields=_unknown(fields),
    )


def _letter(fields: Fields, message_type: MessageType, message_max_chars: int) -> tuple[str | None, str | None]:
    """Return the subject and the HTML part that only an e-mail has; for other types they are no mistake and not used."""
    subject = text(fields, "subject")
    html = verbatim(fields, "html", most_chars=message_max_chars)
    return (subject, html) if message_type is MessageType.EMAIL else (None, None)


def _message_type(fields: Fields) -> MessageType:
    value = given(fields, "messageType")
    if value is None:
        return MessageType.IMESSAGE
    try:
        return MessageType(value.strip() if isinstance(value, str) else "")
    except ValueError:
        raise Refused("Invalid messageType. Must be email, sms, or imessage", code="INVALID_MESSAGE_TYPE") from None


def _places(attachments: object) -> Sequence[int]:
    """Return the positions at which a file is named: blank entries are none, and their names go with them."""
    entries = attachments if isinstance(attachments, list) else []
    return [place for place, one in enumerate(entries) if not (one is None or (isinstance(one, str) and not one.strip()))]


def _urls(attachments: object, places: Sequence[int]) -> tuple[str, ...]:
    if attachments is None:
        return ()
    if not isinstance(attachments, list):
        raise Refused("attachmentUrls must be an array", code="ATTACHMENT_URLS_NOT_ARRAY")
    if len(places) > ATTACHMENTS_AT_MOST:
        raise Refused("Maximum 2 attachments per message", code="TOO_MANY_ATTACHMENTS")
    return tuple(_url(attachments[place]) for place in places)


def _url(value: object) -> str:
    if not isinstance(value, str) or not _is_web_address(value.strip()):
        raise Refused(f"attachmentUrls must hold http or https URLs, got {said(value)}", code="INVALID_ATTACHMENT_URL")
    return within("attachmentUrls", value.strip(), _URL_CHARS)


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # A password in it would be shown with the message and never be sent: what is fetched carries no credentials.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # an unclosed bracket in the host
        return False


def _names(fields: Fields, places: Sequence[int]) -> tuple[str, ...]:
    value = given(fields, "attachmentNames")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refused(f"attachmentNames must be an array, got {said(value)}", code="INVALID_TYPE")
    found = [value[place] if place < len(value) else None for place in places]
    return tuple(text({"attachmentNames": name}, "attachmentNames") or "" for name in found)


def _recipient(fields: Fields, region: str) -> Recipient:
    return Recipient(
        phone=_phone(fields, "recipientPhone", region),
        email=_email(fields, "recipientEmail"),
        alt_phones=(
            _phone(fields, "altPhone1", region),
            _phone(fields, "altPhone2", region),
            _phone(fields, "altPhone3", region),
        ),
        alt_emails=(_email(fields, "altEmail1"), _email(fields, "altEmail2"), _email(fields, "altEmail3")),
    )


def _phone(fields: Fields, name: str, region: str) -> str | None:
    written = text(fields, name, most_chars=ADDRESS_CHARS)
    return None if written is None else normalise_phone(written, region, name)


def _email(fields: Fields, name: str) -> str | None:
    written = text(fields, name, most_chars=ADDRESS_CHARS)
    return None if written is None else normalise_email(written, name)


def asks_for_fallback(fields: Fields) -> bool:
    """Tell whether a request may need to know if its workspace has a fallback."""
    return fields.get("sendFallbackSmsOnFailed") is True


def _send_fallback(fields: Fields, workspace: Workspace) -> bool:
    is_asked = flag(fields, "sendFallbackSmsOnFailed") or False
    if is_asked and not workspace.fallback.is_configured:
        raise no_fallback()
    return is_asked


_NO_CRM = CrmIds()


def _crm_ids(fields: Fields) -> CrmIds:
    found = tuple(foreign_id(fields, name) for name in ("ghlContactId", "ghlLocationId", "hsContactId", "hsPortalId"))
    return CrmIds(*found) if any(found) else _NO_CRM


def _unknown(fields: Fields) -> tuple[str, ...]:
    if fields.keys() <= FIELDS:
        return ()
    unknown = [name[:_UNKNOWN_FIELD_CHARS] for name in fields if name not in FIELDS]
    return tuple(unknown[:_UNKNOWN_FIELDS_KEPT])
