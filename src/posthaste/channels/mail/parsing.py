"""Read a mail such that nothing in it, however odd, loses the rest, takes long, or cannot be stored.

The library for mail does the work, and raises many things over what strangers write: over broken headers, over
encodings that are none, over brackets that nest deeply. Its time grows with the square of a header's length. So headers
are cut before they are read, and one that it stumbles over is taken as plain words.
"""

import re
from collections.abc import Iterable
from email import message_from_bytes
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage, Message, MIMEPart
from email.policy import EmailPolicy, compat32
from email.utils import getaddresses
from typing import Any

_LONGEST_ADDRESS = 320
_HEADER_CHARS = 8_000
_CONTENT_CHARS = 2_000
_NAME_CHARS = 200
_TYPE_CHARS = 100
_MEDIA_TYPE = re.compile(r"\s*([\w.+-]+(?:/[\w.+-]+)?)", re.ASCII)
_PLAIN = HeaderRegistry(use_default_map=False)
_STRUCTURED = frozenset(HeaderRegistry().registry)
#: What mail programs mean by these names: more letters than the names stand for, and by ASCII anything.
_MEANT = {
    "us-ascii": "", "iso-8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030",
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "shift_jis": "cp932",
}  # fmt: skip


class _Forgiving(EmailPolicy):
    """Reads every header as something."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        is_content = name.lower().startswith("content-")
        if not hasattr(value, "name") and name.lower() in _STRUCTURED:
            value = value[: _CONTENT_CHARS if is_content else _HEADER_CHARS]
        try:
            return super().header_fetch_parse(name, value)
        except Exception:  # So many kinds that naming them would miss some.
            if is_content:
                found = _MEDIA_TYPE.match(value)
                return self.header_factory(name, found[1] if found else "")
            # Without encoded words, which are what plain words can still be broken by.
            return _PLAIN(name, " ".join(clean(value).replace("=?", "=").split()))


_POLICY = _Forgiving()


def parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=_POLICY)
    assert isinstance(mail, EmailMessage)
    return mail


def header(mail: Message, name: str) -> str:
    """Return a header as one line, empty if there is none."""
    return " ".join(clean(str(mail.get(name, ""))).split())


def addresses_in(mail: EmailMessage, *names: str) -> list[str]:
    """Return the addresses in these headers, in lower case."""
    found = [address for name in names for value in mail.get_all(name, []) for address in _addresses(value)]
    lowered = [clean(address).strip().lower() for address in found]
    return [address for address in lowered if "@" in address and len(address) <= _LONGEST_ADDRESS]


def content_of(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    # A mail within the mail has no bytes of its own.
    return payload if isinstance(payload, bytes) else part.as_bytes(policy=compat32)


def text_of(part: MIMEPart) -> str:
    """Return a text in the letters that the part names, if that is possible, else in those that are likely."""
    content, named = content_of(part), part.get_content_charset() or ""
    charset = _MEANT.get(named, named)
    for likely in (charset, "utf-8"):
        text = _decoded(content, likely, "strict")
        if text is not None:
            return clean(text)
    return clean(_decoded(content, charset, "replace") or content.decode("cp1252", "replace"))


def filename_of(part: MIMEPart) -> str | None:
    try:
        name = part.get_filename() or ""
    except (LookupError, ValueError):  # An encoding that is none.
        return None
    return " ".join(clean(name).split())[:_NAME_CHARS] or None


def media_type_of(part: MIMEPart) -> str:
    return clean(part.get_content_type())[:_TYPE_CHARS]


def clean(text: str) -> str:
    """Return a text as a database takes it: without zeros, and without halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _addresses(value: object) -> Iterable[str]:
    listed = getattr(value, "addresses", None)
    if listed is not None:
        return [one.addr_spec for one in listed]
    try:
        return [address for _, address in getaddresses([str(value)[:_HEADER_CHARS]])]
    except RecursionError:
        return ()


def _decoded(content: bytes, charset: str, errors: str) -> str | None:
    try:
        return content.decode(charset, errors) if charset else None
    except (LookupError, ValueError):
        return None
