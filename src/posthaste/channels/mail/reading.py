"""What a mail that came in means: a person's answer, a report about a mail of ours, or nothing for us.

No network here. A mail that a program wrote (an absence note, a list, a newsletter) is no answer, and neither is one
of our own. What a person wrote answers the mails that it refers to, the nearest first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from email.utils import getaddresses
from hashlib import sha256

from posthaste.channels.mail.account import Account
from posthaste.channels.mail.bounces import report_of
from posthaste.channels.mail.message import ids_in, is_ours
from posthaste.channels.mail.text import reply_of, text_of_html
from posthaste.core.optout import wish_of
from posthaste.core.signals import Inbound, InboundFile, Receipt, Signal

_ANSWERS = 10
_MOST_FILES = 20
_LONGEST_ADDRESS = 320
_LONGEST_ID = 900
_NAME_CHARS = 200
_OF_LISTS = ("bulk", "list", "junk", "auto_reply")
_AUTOMATIC = ("List-Id", "X-Autoreply", "X-Autorespond")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as the mailbox has it: `ref` is how to find it there again, `at` when it came."""

    ref: str
    cursor: int
    raw: bytes
    at: int


def signals_of(letter: Letter, account: Account) -> Sequence[Signal]:
    """Translate one mail; a later attachment of one that was not read to its end is left out."""
    mail = _parsed(letter.raw)
    addresses = _addresses(mail, "X-Original-To", "Delivered-To", "To", "Cc")
    report = report_of(mail, letter.raw, account, addresses, letter.at)
    if report is not None:
        return report.receipts
    if _is_automatic(mail) or _is_own(mail, account):
        return ()
    sender = next(iter(_addresses(mail, "From")), "")
    if not sender:
        return ()
    return (
        Inbound(
            external_id=_id_of(mail, letter.raw),
            cursor=letter.cursor,
            address=sender,
            text=_words(mail),
            at=letter.at,
            to=_written_to(mail),
            answers=_answers(mail),
            files=tuple(_files(mail, letter.ref)),
        ),
    )


def receipt_in(letter: Letter, account: Account, message_id: str) -> Receipt | None:
    """Return what a mail reports about this one of ours, if it reports anything."""
    mail = _parsed(letter.raw)
    report = report_of(mail, letter.raw, account, _addresses(mail, "X-Original-To", "Delivered-To", "To"), letter.at)
    return next((one for one in report.receipts if one.external_id == message_id), None) if report else None


def file_in(raw: bytes, number: int) -> bytes | None:
    """Return the content of a mail's attachment by its number, None if there is none."""
    parts = list(_attachments(_parsed(raw)))
    if not 0 <= number < len(parts):
        return None
    return _content(parts[number])


def _parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def _is_automatic(mail: EmailMessage) -> bool:
    submitted = str(mail.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    precedence = str(mail.get("Precedence", "")).strip().lower()
    is_null = str(mail.get("Return-Path", "")).strip() == "<>"
    return submitted != "no" or precedence in _OF_LISTS or is_null or any(mail.get(name) for name in _AUTOMATIC)


def _is_own(mail: EmailMessage, account: Account) -> bool:
    is_from_us = not account.own_addresses.isdisjoint(_addresses(mail, "From"))
    return is_from_us or is_ours(str(mail.get("Message-ID", "")).strip())


def _words(mail: EmailMessage) -> str:
    """Return what the person wrote; a mail without a text has its subject for one, as unsubscribing by mail does."""
    text = reply_of(_text(mail))
    subject = " ".join(str(mail.get("Subject", "")).split()).replace("\x00", "")
    return subject if not text or wish_of(subject) else text


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    text = _decoded(part) if part is not None else ""
    if text.strip():
        return text
    html = mail.get_body(("html",))
    return text_of_html(_decoded(html)) if html is not None else ""


def _decoded(part: MIMEPart) -> str:
    content = _content(part)
    charset = part.get_content_charset() or "utf-8"
    try:
        return content.decode(charset, "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _content(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    # A mail within the mail has no bytes of its own.
    return payload if isinstance(payload, bytes) else part.as_bytes()


def _attachments(mail: EmailMessage) -> Iterator[EmailMessage]:
    """Go through what is neither the text nor its other forms, in its order."""
    bodies = {id(body) for kind in ("plain", "html") if (body := mail.get_body((kind,))) is not None}
    for part in _leaves(mail):
        is_text = part.get_content_type() in ("text/plain", "text/html") and not part.get_filename()
        if id(part) not in bodies and (not is_text or part.get_content_disposition() == "attachment"):
            yield part


def _leaves(part: EmailMessage) -> Iterator[EmailMessage]:
    if part.get_content_maintype() == "multipart":
        for inner in part.iter_parts():
            if isinstance(inner, EmailMessage):
                yield from _leaves(inner)
    else:
        yield part


def _files(mail: EmailMessage, ref: str) -> Iterator[InboundFile]:
    for number, part in zip(range(_MOST_FILES), _attachments(mail), strict=False):
        name = " ".join((part.get_filename() or "").replace("\x00", "").split())[:_NAME_CHARS]
        yield InboundFile(f"{ref}.{number}", name or None, part.get_content_type())


def _answers(mail: EmailMessage) -> tuple[str, ...]:
    near = ids_in(str(mail.get("In-Reply-To", "")))
    far = reversed(ids_in(str(mail.get("References", ""))))
    return tuple(dict.fromkeys([*near, *far]))[:_ANSWERS]


def _written_to(mail: EmailMessage) -> str | None:
    """Return the address that was written to: the one under which it was delivered, if it stands in the mail."""
    named = _addresses(mail, "To", "Cc")
    delivered = _addresses(mail, "X-Original-To", "Delivered-To")
    return next((one for one in delivered if one in named), None) or next(iter([*named, *delivered]), None)


def _addresses(mail: EmailMessage, *names: str) -> list[str]:
    headers = [str(value) for name in names for value in mail.get_all(name, [])]
    found = [address.strip().lower().replace("\x00", "") for _, address in getaddresses(headers)]
    return [address for address in found if "@" in address and len(address) <= _LONGEST_ADDRESS]


def _id_of(mail: EmailMessage, raw: bytes) -> str:
    """Return the Message-ID, or where there is none a name that is the same whenever the mail is read."""
    given = next(iter(ids_in(str(mail.get("Message-ID", "")))), "")
    return given if given and len(given) <= _LONGEST_ID else f"sha256:{sha256(raw).hexdigest()}"
