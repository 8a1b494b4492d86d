"""Asking a BlueBubbles server: one exchange, the envelope around its answer, and the questions of the channel.

Everything here but `exchange` is harmless and can be repeated at will; it raises `Unreachable` for every answer but a
good one. The password travels in the URL, because the server knows no other way, so no URL is ever logged or put into
words, and what the server says is scrubbed of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote, quote_plus

import httpx2
import msgspec
from msgspec import Raw

from posthaste.channels.base import Connection, File, Unreachable
from posthaste.channels.bluebubbles import meaning, wire
from posthaste.channels.bluebubbles.form import Form, form_with
from posthaste.channels.bluebubbles.wire import Row
from posthaste.channels.http import NO_HEADERS, Answer, Limits, NeverLeft, NoAnswer, exchange
from posthaste.channels.reading import not_understood, read, understood
from posthaste.channels.scrubbing import scrubbed

_PAGE_ROWS = 1_000
# Fewer than a page, because a row counts once for each of its chats and attachments; the last is small enough for all.
_STRIDES = (500, 50, 5)
# The newest rows are those with the latest dates; the highest number is almost surely among a few of them.
_NEWEST_ROWS = 20
# An upload or a download of the largest attachment over a slow line; the server itself allows half an hour.
_FILE_MS = 300_000
_SERVER = "the server"
# Room for a refusal in words where even a small file would be too large.
_COMPLAINT_BYTES = 4_096

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of their numbers, up to `cursor`; `is_last` if nothing lies above, `is_clear` if all could be read."""

    rows: Sequence[Row]
    cursor: int
    is_last: bool
    is_clear: bool


@dataclass(frozen=True, slots=True)
class _Listed:
    """The rows of one answer that can be read; `is_whole` if no other row fits the question, `is_clear` if all could be read."""

    rows: Sequence[Row]
    is_whole: bool
    is_clear: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A request below `/api/v1`, with a JSON body, a form or none."""

    method: str
    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    form: Form | None = None


class Missing(Unreachable):
    """The server itself answered that there is no such thing."""


class Crowded(Unreachable):
    """Too many requests of our own were under way; the device may be well."""


class Unwanted(Unreachable):
    """What was asked for will never be taken: a file that is too large, or refused as it is."""


class Asking:
    """Puts questions to devices."""

    def __init__(self, client: httpx2.AsyncClient, questions: Limits) -> None:
        self._client, self._questions = client, questions

    async def exchange(self, device: Connection, request: Request, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        """Make one request, once."""
        content, headers = _content(request)
        return await exchange(
            self._client,
            request.method,
            f"{device.url.rstrip('/')}/api/v1{request.path}",
            query={"guid": password_of(device), **request.query},
            content=content,
            headers=headers,
            limits=limits,
        )

    async def ask(self, device: Connection, request: Request, shape: type[T]) -> T:
        """Ask something harmless and read the answer."""
        return understood((await self.envelope(device, request)).data, shape, _SERVER)

    async def envelope(self, device: Connection, request: Request, limits: Limits | None = None) -> wire.Envelope:
        """Ask something harmless and return the answer, unread."""
        answer = await self._answer(device, request, limits or self._questions)
        envelope = read(answer.body, wire.Envelope)
        if envelope and answer.status < 300:
            return envelope
        raise _complaint(device, answer)

    async def has_chat(self, device: Connection, guid: str) -> bool:
        # A `;` or `+` as such would be read as something else on the way.
        try:
            await self.envelope(device, Request("GET", f"/chat/{quote(guid, safe='')}"))
        except Missing:
            return False
        return True

    async def upload(self, device: Connection, file: File, marker: str) -> str:
        """Put a file on the Mac and return the name by which a message can take it along; nobody gets it by that alone."""
        request = Request("POST", "/attachment/upload", form=await form_with(file, marker, {}))
        envelope = await self.envelope(device, request, replace(self._questions, answer_ms=_FILE_MS))
        return understood(envelope.data, wire.Uploaded, _SERVER).path

    async def download(self, device: Connection, guid: str, most_bytes: int) -> bytes:
        """Fetch an attachment as the person sent it; without `original` the server converts some of them."""
        request = Request("GET", f"/attachment/{quote(guid, safe='')}/download", query={"original": "true"})
        limits = replace(self._questions, answer_ms=_FILE_MS, answer_bytes=most_bytes + _COMPLAINT_BYTES)
        answer = await self._answer(device, request, limits)
        if answer.status != 200:
            raise _complaint(device, answer)
        if len(answer.body) > most_bytes:
            raise Unreachable("the file is larger than what is taken")
        return answer.body

    async def rows_after(self, device: Connection, cursor: int) -> Page:
        """Fetch the rows above a number: all, or where they do not fit on a page, those of the next few numbers.

        A page is in the order of dates, so what a full one leaves out may have lower numbers than what it holds: rows
        that the Mac fetched from iCloud are old and numbered late. Only a range of numbers that surely fits can be
        gone through safely.
        """
        above = where("message.ROWID > :rowid", rowid=cursor)
        listed = _legible(await self._query(device, [above]))
        if listed.is_whole:
            highest = max((row.rowid for row in listed.rows), default=cursor)
            return Page(listed.rows, highest, is_last=True, is_clear=listed.is_clear)
        for stride in _STRIDES:
            top = cursor + stride
            listed = _legible(await self._query(device, [above, where("message.ROWID <= :top", top=top)]))
            if listed.is_whole:
                break
        return Page(listed.rows, top, is_last=False, is_clear=listed.is_clear)

    async def rows_of(self, device: Connection, guids: Sequence[str]) -> Sequence[Row]:
        """Fetch rows by their guids, without attachments, so that none is crowded out."""
        return (await self._query(device, [where("message.guid IN (:...guids)", guids=guids)], with_files=False)).rows

    async def highest(self, device: Connection) -> int:
        """Return about the highest row number that there is."""
        body = {"with": ["chats"], "sort": "DESC", "limit": _NEWEST_ROWS}
        listed = _legible(_listed(await self.envelope(device, Request("POST", "/message/query", body)), _NEWEST_ROWS))
        return max((row.rowid for row in listed.rows), default=0)

    async def _query(self, device: Connection, conditions: Sequence[object], *, with_files: bool = True) -> _Listed:
        """Return rows by number. Without asking for them, attachments are never shown."""
        wanted = ["chats", "handle", *(["attachments"] if with_files else [])]
        body = {"with": wanted, "where": conditions, "sort": "ASC", "limit": _PAGE_ROWS}
        return _listed(await self.envelope(device, Request("POST", "/message/query", body)), _PAGE_ROWS)

    async def _answer(self, device: Connection, request: Request, limits: Limits) -> Answer:
        match await self.exchange(device, request, limits):
            case NeverLeft(why, is_crowded=True):
                raise Crowded(why)
            case NeverLeft(why) | NoAnswer(why):
                raise Unreachable(why)
            case Answer() as answer:
                return answer


def password_of(device: Connection) -> str:
    return device.secrets.get("password", "")


def secrets_of(device: Connection) -> Sequence[str]:
    """Return the password in every spelling in which a server might repeat our URL."""
    password = password_of(device)
    return password, quote(password, safe=""), quote_plus(password)


def where(statement: str, **args: object) -> Mapping[str, object]:
    return {"statement": statement, "args": args}


def _content(request: Request) -> tuple[bytes | None, Mapping[str, str]]:
    if request.form:
        return request.form.content, {"Content-Type": request.form.media_type}
    return (None if request.body is None else msgspec.json.encode(request.body)), NO_HEADERS


def _complaint(device: Connection, answer: Answer) -> Unreachable:
    envelope = read(answer.body, wire.Envelope)
    words = scrubbed(meaning.complaint(answer.status, envelope), secrets_of(device))
    if answer.status == 413 or (envelope and answer.status == 400):
        return Unwanted(words)
    return Missing(words) if envelope and answer.status == 404 else Unreachable(words)


def _listed(envelope: wire.Envelope, limit: int) -> _Listed:
    """Read rows one by one: a single odd one in an old database must not hide the others for ever."""
    written = understood(envelope.data, list[Raw], _SERVER)
    rows = [row for one in written if (row := read(one, Row)) is not None]
    is_whole = len(written) < limit and len(written) >= wire.total(envelope)
    return _Listed(sorted(rows, key=lambda row: row.rowid), is_whole, is_clear=len(rows) == len(written))


def _legible(listed: _Listed) -> _Listed:
    """Refuse rows of which not one can be read: that is another kind of server, and to pass them over would lose them."""
    if not listed.rows and not listed.is_clear:
        raise not_understood(_SERVER)
    return listed
