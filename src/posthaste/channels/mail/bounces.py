"""What servers and mail programs report about a mail of ours: that it came back, arrived, or was opened.

Three kinds are known: delivery reports (RFC 3464), opening notices (RFC 8098), and the bounces of servers that know
neither, which a library of detectors recognises. A delay is no news. Which mail a report is about is told by the
Message-ID within it, or by the address that it came to, if the line's return path has a place for the key.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage, Message

from flufl.bounce import all_failures

from posthaste.channels.mail.account import Account
from posthaste.channels.mail.message import is_ours, message_id_of_bounce, our_ids_in
from posthaste.core.signals import Receipt

_ERROR_CHARS = 200
_RAW_CHARS = 200_000
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
#: What the words of a server begin with, and what the status says again.
_CODES = re.compile(r"^\d{3}[ -](?:[245]\.\d{1,3}\.\d{1,3}\b ?)?")
_ROBOTS = re.compile(r"(mailer-daemon|postmaster|mail-daemon|mailerdaemon)(@|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reported:
    """A mail that is a report; it may still tell nothing about any mail of ours."""

    receipts: Sequence[Receipt]


def report_of(mail: EmailMessage, raw: bytes, account: Account, addresses: Sequence[str], at: int) -> Reported | None:
    """Translate a report; None if the mail is none. `addresses` are those that it came to, `at` is when it came."""
    kind = str(mail.get_param("report-type", "") or "").lower() if mail.get_content_type() == "multipart/report" else ""
    about = _about(mail, raw, account, addresses)
    if kind == "disposition-notification":
        return Reported(_opened(mail, about, at))
    if kind == "delivery-status" or _part(mail, "message/delivery-status"):
        return Reported(_delivery(mail, about, at))
    return _odd(mail, about) if _is_from_a_robot(mail) else None


def _delivery(mail: EmailMessage, about: str | None, at: int) -> Sequence[Receipt]:
    part = _part(mail, "message/delivery-status")
    blocks = [block for block in part.get_payload() if isinstance(block, Message)] if part is not None else []
    receipts = [_of_recipient(block, about, at) for block in blocks if about and block.get("Action")]
    return [receipt for receipt in receipts if receipt]


def _of_recipient(block: Message, about: str, at: int) -> Receipt | None:
    match str(block["Action"]).split(";")[0].strip().lower():
        case "failed":
            return Receipt(about, error=_error(block))
        case "delivered":
            return Receipt(about, delivered_at=at)
        case _:  # Delayed, or relayed to a server that reports no further.
            return None


def _error(block: Message) -> str:
    """Return the status code and the words of the server that refused."""
    status = _STATUS.search(str(block.get("Status", "")))
    said = _CODES.sub("", " ".join(str(block.get("Diagnostic-Code", "")).partition(";")[2].split()))
    return " ".join(part for part in (status[0] if status else "", said or "the mail came back") if part)[:_ERROR_CHARS]


def _opened(mail: EmailMessage, about: str | None, at: int) -> Sequence[Receipt]:
    part = _part(mail, "message/disposition-notification")
    said = _text(part).lower() if part is not None else ""
    is_opened = re.search(r"^disposition:.*;\s*displayed", said, re.MULTILINE) is not None
    return [Receipt(about, read_at=at)] if about and is_opened else []


def _odd(mail: EmailMessage, about: str | None) -> Reported | None:
    passing, final = all_failures(mail)
    if not (passing or final):
        return None
    return Reported([Receipt(about, error="the mail came back")] if about and final else [])


def _about(mail: EmailMessage, raw: bytes, account: Account, addresses: Sequence[str]) -> str | None:
    """Return the Message-ID of ours that a report is about."""
    for address in addresses:
        if found := message_id_of_bounce(address, account):
            return found
    text = raw[:_RAW_CHARS].decode("ascii", "replace")
    own = str(mail.get("Message-ID", "")).strip()
    return next((one for one in our_ids_in(_unfolded(text)) if one != own and is_ours(one)), None)


def _unfolded(text: str) -> str:
    return text.replace("=\r\n", "").replace("=\n", "")


def _is_from_a_robot(mail: EmailMessage) -> bool:
    sender = str(mail.get("From", ""))
    is_null = str(mail.get("Return-Path", "")).strip() == "<>"
    return is_null or _ROBOTS.search(sender.replace("<", "").replace(">", "")) is not None


def _part(mail: EmailMessage, media_type: str) -> Message | None:
    return next((part for part in _walk(mail) if part.get_content_type() == media_type), None)


def _walk(mail: Message) -> Iterator[Message]:
    """Go through the parts of a report, but not into the mail that it returns."""
    yield mail
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in mail.get_payload():
            if isinstance(part, Message):
                yield from _walk(part)


def _text(part: Message) -> str:
    if part.is_multipart():
        return "\n".join(inner.as_string() for inner in part.get_payload() if isinstance(inner, Message))
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
