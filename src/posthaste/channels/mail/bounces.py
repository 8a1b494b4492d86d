"""What servers and mail programs report about a mail of ours: that it came back, arrived, or was opened.

Three kinds are known: delivery reports (RFC 3464), opening notices (RFC 8098), both also in letters beyond ASCII
(RFC 6533), and the bounces of servers that know neither, which a library of detectors recognises. A delay is no news.
Which mail a report is about is told by the address that it came to, if the line's return path has a place for the key,
or else by a Message-ID within it: that of the mail that it returns before those of the conversation around it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.policy import compat32

from flufl.bounce import all_failures

from posthaste.channels.mail.account import Account
from posthaste.channels.mail.message import message_id_of_bounce, our_ids_in
from posthaste.channels.mail.parsing import header, parsed
from posthaste.channels.mail.smtp import refusal_of
from posthaste.core.signals import Receipt

_ERROR_CHARS = 200
_RAW_CHARS = 200_000
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
#: What the words of a server begin with, and what the status says again.
_CODES = re.compile(r"^\d{3}[ -](?:[245]\.\d{1,3}\.\d{1,3}\b ?)?")
_ROBOTS = re.compile(r"\b(mailer-?daemon|mail-daemon)(@|$)", re.IGNORECASE)
_MASTERS = re.compile(r"\bpostmaster(@|$)", re.IGNORECASE)
#: Where a report names the mail that it is about: in the head of that mail, or in a field of its own.
_NAMED = re.compile(r"^[ \t>]*(?:Original-)?Message-ID:\s*(.*)", re.IGNORECASE | re.MULTILINE)
_DELIVERY = ("message/delivery-status", "message/global-delivery-status")
_OPENING = ("message/disposition-notification", "message/global-disposition-notification")


@dataclass(frozen=True, slots=True)
class Reported:
    """A mail that is a report; it may still tell nothing about any mail of ours."""

    receipts: Sequence[Receipt]


def report_of(mail: EmailMessage, raw: bytes, account: Account, addresses: Sequence[str], at: int) -> Reported | None:
    """Translate a report; None if the mail is none. `addresses` are those that it came to, `at` is when it came."""
    kind = str(mail.get_param("report-type", "") or "").lower() if mail.get_content_type() == "multipart/report" else ""
    about = _about(mail, raw, account, addresses)
    opening, delivery = _part(mail, _OPENING), _part(mail, _DELIVERY)
    if kind == "disposition-notification":
        return Reported(_opened(opening, about, at))
    if kind == "delivery-status" or delivery is not None:
        return Reported(_delivery(delivery, about, at))
    return _odd(mail, about)


def _delivery(part: Message | None, about: str | None, at: int) -> Sequence[Receipt]:
    blocks = re.split(rb"\r?\n\r?\n", _content(part)) if part is not None else []
    fields = [parsed(block) for block in blocks]
    receipts = [_of_recipient(block, about, at) for block in fields if about and block.get("Action")]
    return [receipt for receipt in receipts if receipt]


def _of_recipient(block: EmailMessage, about: str, at: int) -> Receipt | None:
    match header(block, "Action").split(";")[0].strip().lower():
        case "failed":
            return Receipt(about, error=_error(block), refusal=refusal_of(_status(block)))
        case "delivered":
            return Receipt(about, delivered_at=at)
        case _:  # Delayed, or relayed to a server that reports no further.
            return None


def _status(block: EmailMessage) -> str:
    status = _STATUS.search(header(block, "Status"))
    return status[0] if status else ""


def _error(block: EmailMessage) -> str:
    """Return the status code and the words of the server that refused."""
    said = _CODES.sub("", header(block, "Diagnostic-Code").partition(";")[2].strip())
    return " ".join(part for part in (_status(block), said or "the mail came back") if part)[:_ERROR_CHARS]


def _opened(part: Message | None, about: str | None, at: int) -> Sequence[Receipt]:
    said = _content(part).lower() if part is not None else b""
    is_opened = re.search(rb"^disposition:.*;\s*displayed", said, re.MULTILINE) is not None
    return [Receipt(about, read_at=at)] if about and is_opened else []


def _odd(mail: EmailMessage, about: str | None) -> Reported | None:
    """Read the report of a server that knows no form for it; what a mail system says is never a person's answer."""
    sender = header(mail, "From").replace("<", "").replace(">", "")
    is_robot = header(mail, "Return-Path") == "<>" or _ROBOTS.search(sender) is not None
    if not is_robot and not _MASTERS.search(sender):
        return None
    passing, final = all_failures(mail)
    if not (passing or final or is_robot):
        return None
    return Reported([Receipt(about, error="the mail came back")] if about and final else [])


def _about(mail: EmailMessage, raw: bytes, account: Account, addresses: Sequence[str]) -> str | None:
    """Return the Message-ID of ours that a report is about."""
    for address in addresses:
        if found := message_id_of_bounce(address, account):
            return found
    text = _unfolded(raw[:_RAW_CHARS].decode("ascii", "replace"))
    own = header(mail, "Message-ID")
    named = [one for line in _NAMED.findall(text) for one in our_ids_in(line)]
    return next((one for one in [*named, *our_ids_in(text)] if one != own), None)


def _unfolded(text: str) -> str:
    return text.replace("=\r\n", "").replace("=\n", "")


def _part(mail: EmailMessage, media_types: Sequence[str]) -> Message | None:
    return next((part for part in _walk(mail) if part.get_content_type() in media_types), None)


def _walk(mail: Message) -> Iterator[Message]:
    """Go through the parts of a report, but not into the mail that it returns."""
    yield mail
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in mail.get_payload():
            if isinstance(part, Message):
                yield from _walk(part)


def _content(part: Message) -> bytes:
    """Return what a part says; the library would take some of them for mails within the mail, which it never decodes."""
    _, _, body = part.as_bytes(policy=compat32).partition(b"\n\n")
    plain = Message()
    plain["Content-Transfer-Encoding"] = header(part, "Content-Transfer-Encoding")
    plain.set_payload(body.decode("ascii", "surrogateescape"))
    content = plain.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
