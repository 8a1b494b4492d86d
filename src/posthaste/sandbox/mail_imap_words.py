"""What an IMAP command says: its words, the mails that a search means, and what a fetch gives of one.

Pure, and no more than what programs that read mail ask for. A search for what is not known here is refused rather than
answered with something.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from email import message_from_bytes, policy

from posthaste.sandbox.entries import MailCame

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|([()])|((?:[^\s()"\[\]]|\[[^\]]*\](?:<[\d.]+>)?)+)')
_BODY = re.compile(r"(?:BODY|BODY\.PEEK)\[(.*)\](?:<(\d+)\.(\d+)>)?$", re.IGNORECASE)
_SPANS = re.compile(r"(\d+|\*)(?::(\d+|\*))?")


class BadCommandError(Exception):
    """A command that cannot be understood; the text says why."""


class Words:
    """The words of a command: texts, and lists of words for what stands in brackets."""

    def __init__(self, items: Sequence[object]) -> None:
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    def text(self, place: int) -> str:
        if place >= len(self._items) or not isinstance(self._items[place], str):
            raise BadCommandError("a word is missing")
        return str(self._items[place])

    def after(self, place: int) -> "Words":
        return Words(self._items[place:])

    def flat(self) -> list[object]:
        """Return the words with those of a list in its place."""
        return [word for item in self._items for word in (item if isinstance(item, list) else [item])]

    def take(self) -> object:
        if not self._items:
            raise BadCommandError("a word is missing")
        return self._items.pop(0)


def parsed(parts: Sequence[object]) -> Words:
    """Return the words of a command, whose parts are lines and, between them, literals as texts."""
    lists: list[list[object]] = [[]]
    for part in parts:
        if isinstance(part, str):
            lists[-1].append(part)
            continue
        for found in _WORD.finditer(part if isinstance(part, bytes) else b""):
            quoted, bracket, plain = found.groups()
            if bracket == b"(":
                lists.append([])
            elif bracket == b")" and len(lists) > 1:
                closed = lists.pop()
                lists[-1].append(closed)
            elif quoted is not None:
                lists[-1].append(re.sub(rb"\\(.)", rb"\1", quoted).decode("utf-8", "replace"))
            elif plain:
                lists[-1].append(plain.decode("utf-8", "replace"))
    if len(lists) != 1:
        raise BadCommandError("a bracket is not closed")
    return Words(lists[0])


def numbers_in(text: str, last: int) -> set[int]:
    """Return the numbers that a set such as `1,3:5,8:*` names, as far as there are mails."""
    named: set[int] = set()
    for span in text.split(","):
        matched = _SPANS.fullmatch(span)
        if matched is None:
            raise BadCommandError(f"{text} is no set of numbers")
        ends = [last if end == "*" else int(end) for end in matched.groups() if end is not None]
        named |= set(range(max(min(ends), 1), min(max(ends), last) + 1))
    return named


def searched(words: Words, mails: Sequence[MailCame], seen: set[int]) -> list[int]:
    """Return the UIDs of the mails that a search means."""
    search = Words(words.after(0).flat()) if len(words) == 1 else words.after(0)
    if len(search) and str(search.flat()[0]).upper() == "CHARSET":
        search = search.after(2)
    found = {mail.uid: mail for mail in mails}
    wanted = set(found)
    while len(search):
        wanted &= _key(search, found, seen)
    return sorted(wanted)


def _key(search: Words, mails: dict[int, MailCame], seen: set[int]) -> set[int]:
    """Take one key off a search and return what it means."""
    word, everything = search.take(), set(mails)
    if isinstance(word, list):
        inner, wanted = Words(word), everything
        while len(inner):
            wanted = wanted & _key(inner, mails, seen)
        return wanted
    match str(word).upper():
        case "ALL" | "UNDELETED" | "UNDRAFT" | "UNANSWERED" | "UNFLAGGED":
            return everything
        case "SEEN":
            return everything & seen
        case "UNSEEN" | "NEW":
            return everything - seen
        case "DELETED" | "DRAFT" | "ANSWERED" | "FLAGGED" | "RECENT":
            return set()
        case "NOT":
            return everything - _key(search, mails, seen)
        case "OR":
            return _key(search, mails, seen) | _key(search, mails, seen)
        case "UID":
            return numbers_in(str(search.take()), max(mails, default=0))
        case "HEADER":
            name, value = str(search.take()), str(search.take())
            return {uid for uid, mail in mails.items() if _has(mail, name, value)}
        case "FROM" | "TO" | "CC" | "SUBJECT" as name:
            value = str(search.take())
            return {uid for uid, mail in mails.items() if _has(mail, name, value)}
        case "BODY" | "TEXT":
            wanted_text = str(search.take()).encode().lower()
            return {uid for uid, mail in mails.items() if wanted_text in mail.raw.lower()}
        case "SINCE" | "BEFORE" | "ON" as when:
            day = _day(str(search.take()))
            return {uid for uid, mail in mails.items() if _is_when(when, _received_on(mail), day)}
        case text if _SPANS.match(text):
            return numbers_in(text, max(mails, default=0))
        case other:
            raise BadCommandError(f"a search for {other} is not known here")


def fetched(mail: MailCame, items: Sequence[str], seen: set[int], *, with_uid: bool) -> tuple[list[bytes], bool]:
    """Return what a fetch gives of a mail, and whether that counts as having read it."""
    names = [item.upper() for item in items]
    if with_uid and "UID" not in names:
        items = ["UID", *items]
    parts = [_item(mail, item, seen) for item in items]
    return parts, any(name == "RFC822" or (name.startswith("BODY[") and name != "BODY[HEADER]") for name in names)


def _item(mail: MailCame, item: str, seen: set[int]) -> bytes:
    match item.upper():
        case "UID":
            return b"UID %d" % mail.uid
        case "FLAGS":
            return b"FLAGS (\\Seen)" if mail.uid in seen else b"FLAGS ()"
        case "INTERNALDATE":
            return f'INTERNALDATE "{_internal_date(mail)}"'.encode()
        case "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(mail.raw)
        case "RFC822":
            return _literal("RFC822", mail.raw)
        case "RFC822.HEADER":
            return _literal("RFC822.HEADER", _head(mail))
    body = _BODY.match(item)
    if body is None:
        raise BadCommandError(f"{item} is not known here")
    section, start, count = body[1], body[2], body[3]
    content = _section(mail, section)
    if start is None:
        return _literal(f"BODY[{section}]", content)
    return _literal(f"BODY[{section}]<{start}>", content[int(start) : int(start) + int(count)])


def _section(mail: MailCame, section: str) -> bytes:
    match section.upper().split(" ")[0]:
        case "":
            return mail.raw
        case "HEADER":
            return _head(mail)
        case "TEXT":
            return mail.raw.partition(b"\r\n\r\n")[2]
        case "HEADER.FIELDS":
            names = section.partition("(")[2].rstrip(")").lower().split()
            headers = message_from_bytes(_head(mail), policy=policy.SMTP).items()
            chosen = [f"{name}: {value}\r\n" for name, value in headers if name.lower() in names]
            return "".join([*chosen, "\r\n"]).encode()
        case _:
            raise BadCommandError(f"the section {section} is not known here")


def _literal(name: str, content: bytes) -> bytes:
    return f"{name} {{{len(content)}}}\r\n".encode() + content


def _head(mail: MailCame) -> bytes:
    return mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _has(mail: MailCame, name: str, value: str) -> bool:
    headers = message_from_bytes(_head(mail)).get_all(name, [])
    return any(value.lower() in str(header).lower() for header in headers)


def _received_on(mail: MailCame) -> date:
    return datetime.fromtimestamp(mail.at // 1000, UTC).date()


def _is_when(when: str, received: date, day: date) -> bool:
    return {"SINCE": received >= day, "BEFORE": received < day, "ON": received == day}[when]


def _day(text: str) -> date:
    try:
        number, month, year = text.split("-")
        return date(int(year), [name.lower() for name in _MONTHS].index(month.lower()) + 1, int(number))
    except ValueError:
        raise BadCommandError(f"{text} is no date") from None


def _internal_date(mail: MailCame) -> str:
    at = datetime.fromtimestamp(mail.at // 1000, UTC)
    return f"{at.day:2d}-{_MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
