"""Write an order down as an e-mail: headers, parts, and the signature of the domain.

No network here, but files are read and a signature is computed, so this is called in a thread. What would surprise:
headers that consist of Message-IDs and links are written by hand, because the library encodes what does not fit on a
line of 78 characters, and nobody reads an encoded Message-ID; and nothing of a mail is 8-bit, because a server on the
way that has to re-encode it would break the signature.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from unicodedata import category
from urllib.parse import quote

import dkim  # type: ignore[import-untyped]
from dkim.crypto import UnparsableKeyError  # type: ignore[import-untyped]

from posthaste.channels.base import File, Order, Sender
from posthaste.channels.mail.account import Account, Signing, in_ascii
from posthaste.core.outcomes import Refusal

_SUBJECT_CHARS = 60
_NAME_CHARS = 120
_HEADER_CHARS = 900  # A line of a mail has 998 at most.
_REFERENCES = 20
_MESSAGE_ID = re.compile(r"<[^<>\s@]+@[^<>\s]+>")
#: The key of one of our messages: its id, and the place of the address among those that it may go to.
_OUR_KEY = r"[0-9a-f]{24}-[0-9]{1,2}"
_OUR_ID = re.compile(rf"<{_OUR_KEY}@[A-Za-z0-9.-]+>")
_POLICY = SMTP.clone(cte_type="7bit")
_SIGNED = (
    b"from", b"to", b"reply-to", b"subject", b"date", b"message-id", b"in-reply-to", b"references", b"mime-version",
    b"content-type", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip


class Unsendable(Exception):  # noqa: N818 - it says what is wrong
    """No mail can be made of the order, which is refused for this reason."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal


class BadKey(Exception):  # noqa: N818 - it says what is wrong
    """The DKIM key cannot be used."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail, ready to be handed over: its envelope and its bytes."""

    message_id: str
    sender: str
    to: str
    content: bytes
    needs_utf8: bool


def compose(order: Order, account: Account, sent_at: int) -> Draft:
    """Make the mail of an order; raise `Unsendable` or `BadKey` where that is not possible."""
    if order.sender.email is None:
        raise Unsendable(Refusal.OTHER, "the line has no e-mail address to write from")
    if not (order.text.strip() or order.files or order.letter.html):
        raise Unsendable(Refusal.BAD_CONTENT, "there is nothing to send")
    sender, to = _routable(order.sender.email), _routable(order.address)
    needs_utf8 = not (sender + to).isascii()
    message_id = message_id_of(order.key, order.sender, account)
    message = EmailMessage(_POLICY.clone(utf8=needs_utf8))
    message["From"] = _address(sender, account.from_name or order.sender.name or "")
    message["To"] = _address(to, "")
    if account.reply_to:
        message["Reply-To"] = _address(account.reply_to, "")
    message["Subject"] = subject_of(order, account)
    message["Date"] = format_datetime(datetime.fromtimestamp(sent_at // 1000, UTC))
    _fill(message, order)
    content = _by_hand(order, account, message_id, sender) + message.as_bytes()
    if account.signing:
        content = signature(content, account.signing) + content
    return Draft(message_id, return_path_of(order, account, sender), to, content, needs_utf8)


def message_id_of(key: str, sender: Sender, account: Account) -> str:
    """Return the Message-ID of a message, the same for each of its attempts; it is known before anything is sent.

    Its domain is that of the return path where there is one: then the key in a bounce's address is enough to find it.
    """
    domain = (account.return_path or _routable(sender.email or "")).rpartition("@")[2]
    return f"<{_token(key)}@{domain or 'localhost'}>"


def message_id_of_bounce(address: str, account: Account) -> str | None:
    """Return the Message-ID that a bounce to this address is about: one of our return paths with a key in it."""
    before, star, after = account.return_path.partition("*")
    if not star:
        return None
    found = re.fullmatch(f"{re.escape(before)}({_OUR_KEY}){re.escape(after)}", address, re.IGNORECASE)
    return f"<{found[1].lower()}@{account.return_path.rpartition('@')[2]}>" if found else None


def is_ours(message_id: str) -> bool:
    """Tell whether a Message-ID looks like one that we made."""
    return _OUR_ID.fullmatch(message_id) is not None


def our_ids_in(text: str) -> Sequence[str]:
    """Return the Message-IDs in a text that look like ours, in their order."""
    return _OUR_ID.findall(text)


def ids_in(text: str) -> Sequence[str]:
    """Return the Message-IDs in a header, in their order."""
    return _MESSAGE_ID.findall(text)


def return_path_of(order: Order, account: Account, sender: str) -> str:
    return account.return_path.replace("*", _token(order.key)) or sender


def subject_of(order: Order, account: Account) -> str:
    """Return the message's own subject, else the line's, else the conversation's, else the beginning of the text; what is not
    its own continues a conversation with a `Re:`.
    """
    given = _line(order.letter.subject or "", _HEADER_CHARS)
    if given:
        return given
    derived = _line(account.subject, _HEADER_CHARS) or _beginning(order.letter.about) or _own_beginning(order)
    is_answer = bool(order.letter.references) and not derived.lower().startswith("re:")
    return f"Re: {derived}" if is_answer else derived


def signature(content: bytes, signing: Signing) -> bytes:
    """Return the DKIM-Signature header of a mail; raise `BadKey` if the key is none."""
    head = content.partition(b"\r\n\r\n")[0].lower()
    names = [name for name in _SIGNED if re.search(rb"^" + name + rb":", head, re.MULTILINE)]
    try:
        signed: bytes = dkim.sign(
            content,
            signing.selector.encode("idna"),
            in_ascii(signing.domain).encode(),
            signing.key.replace("\\n", "\n").encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            # From stands twice, so that nobody can add a second one that readers would see instead.
            include_headers=[*names, b"from"],
        )
    except (dkim.DKIMException, UnparsableKeyError, UnicodeError, ValueError):
        raise BadKey("dkimPrivateKey is not an RSA key in PEM, or dkimDomain or dkimSelector is not a name of the DNS") from None
    return signed


def _fill(message: EmailMessage, order: Order) -> None:
    message.set_content(_text(order.text))
    if order.letter.html:
        message.add_alternative(_text(order.letter.html), subtype="html")
    for file in order.files:
        kind, _, subtype = file.media_type.partition("/")
        if kind in ("message", "multipart") or not subtype:
            kind, subtype = "application", "octet-stream"
        message.add_attachment(_content(file), maintype=kind, subtype=subtype, filename=_line(file.name, _NAME_CHARS))


def _content(file: File) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError:
        raise Unsendable(Refusal.BAD_CONTENT, f"the attachment {file.name} is gone") from None


def _by_hand(order: Order, account: Account, message_id: str, sender: str) -> bytes:
    """Write the headers that must not be encoded; all of it is ASCII, and nothing of it can hold a line's end."""
    letter = order.letter
    references = [one for one in letter.references if _MESSAGE_ID.fullmatch(one) and one.isascii() and len(one) < _HEADER_CHARS]
    reply_to = quote(account.reply_to or sender, safe="@")
    leave = [f"<mailto:{reply_to}?subject=unsubscribe>"]
    url = letter.unsubscribe_url
    if re.fullmatch(r"https?://[!-;=?-~]+", url):
        leave.insert(0, f"<{url}>,")
    headers: list[tuple[str, Iterable[str]]] = [("Message-ID", [message_id])]
    if references:
        headers += [("In-Reply-To", references[-1:]), ("References", references[-_REFERENCES:])]
    headers.append(("List-Unsubscribe", leave))
    if url.startswith("https://"):
        # Only over TLS: without it RFC 8058 knows no one-click.
        headers.append(("List-Unsubscribe-Post", ["List-Unsubscribe=One-Click"]))
    return "".join(f"{name}: {_folded(words)}\r\n" for name, words in headers).encode("ascii")


def _folded(words: Iterable[str]) -> str:
    return "\r\n ".join(words)


def _address(address: str, name: str) -> Address:
    try:
        if address.isascii():
            return Address(_line(name, _NAME_CHARS), addr_spec=address)
        # The library counts letters beyond ASCII as a defect, whatever the policy allows, so the rest is checked alone.
        Address(addr_spec="".join(one if one.isascii() else "x" for one in address))
        return Address(_line(name, _NAME_CHARS), *address.rsplit("@", 1))
    except (ValueError, IndexError, MessageError):
        raise Unsendable(Refusal.BAD_ADDRESS, "the e-mail address cannot be written into a mail") from None


def _routable(address: str) -> str:
    """Spell a domain in the letters that every server knows; what stands before the `@` can only stay as it is."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{in_ascii(domain)}"
    except ValueError:
        raise Unsendable(Refusal.BAD_ADDRESS, "the domain of the e-mail address cannot be one") from None


def _token(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "", key)


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line(text: str, most_chars: int) -> str:
    """Return a text as one line without anything that could end a header."""
    return " ".join("".join(" " if category(one) in ("Cc", "Zl", "Zp") else one for one in text).split())[:most_chars]


def _own_beginning(order: Order) -> str:
    return _beginning(order.text) or (_beginning(order.files[0].name[:_NAME_CHARS]) if order.files else "") or "(no subject)"


def _beginning(text: str) -> str:
    """Return the first line of a text, cut between two words."""
    lines = (_line(line, 10 * _SUBJECT_CHARS) for line in text.splitlines())
    first = next((line for line in lines if line), "")
    if len(first) <= _SUBJECT_CHARS:
        return first
    head, _, _ = first[:_SUBJECT_CHARS].rpartition(" ")
    return f"{(head or first[:_SUBJECT_CHARS]).rstrip(' ,;:-')}…"
