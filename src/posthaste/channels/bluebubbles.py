"""iMessage through a Mac that runs the BlueBubbles server.

This file asks; the shapes of the answers are in `bluebubbles_wire`, what they mean is in `bluebubbles_meaning`. What
would surprise: the server blocks a send for up to two minutes until the Mac's database shows it; its `tempGuid` is no
idempotency key, so only the Mac's own row numbers (ROWIDs) tell whether a lost send happened; and the password
travels in the URL, because the server knows no other way, so no URL is ever logged or put into words.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from urllib.parse import quote, quote_plus

import httpx2
import msgspec

from posthaste.channels import bluebubbles_meaning as meaning
from posthaste.channels import bluebubbles_wire as wire
from posthaste.channels.base import (
    Availability,
    Connection,
    Health,
    News,
    Order,
    Target,
    Trace,
    Unreachable,
)
from posthaste.channels.bluebubbles_wire import Row
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange
from posthaste.core.channels import Field, Form, Kind, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Outcome,
    Refusal,
    Rejected,
)
from posthaste.core.signals import Signal

CHAT: Final = "chat"
NEW: Final = "new"

_EVENTS = ("new-message", "updated-message", "message-send-error")
_HOOKS = "/hooks/bluebubbles/"
_OLD_FORM, _ANY_FORM = "iMessage;-;", "any;-;"
_FIRST_MACOS_WITH_ANY = 26

_PAGE_ROWS = 1_000
# Fewer than a page, because a row that stands in two chats counts twice towards the page.
_STRIDE = 500
_PAGES = 10
_GUIDS_PER_QUERY = 200
# The newest rows are those with the latest dates; the highest number is almost surely among a few of them.
_NEWEST_ROWS = 20
_CROWDED_RETRY_MS = 1_000
_DETAIL_CHARS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows in the order of their numbers, up to `cursor`; `is_last` if nothing lies above."""

    rows: Sequence[Row]
    cursor: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)


class _Missing(Unreachable):
    """The server itself answered that there is no such thing."""


class _Crowded(Unreachable):
    """Too many requests of our own were under way; the device may be well."""


class BlueBubbles:
    """The channel. It keeps nothing but a few chat guids, which `send` forgets as soon as one is wrong."""

    kind = Kind(
        name="bluebubbles",
        title="a Mac that runs the BlueBubbles server",
        message_type=MessageType.IMESSAGE,
        promises=Promises(repeats_safely=False, can_find=True, can_check=True, has_receipts=True, has_attachments=False),
        fields=(
            Field("url", "the address of the BlueBubbles server", Form.URL, is_needed=True),
            Field("password", "the password of the BlueBubbles server", is_needed=True, is_secret=True),
        ),
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        *,
        answer_timeout_ms: int = 150_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 32 * 1024 * 1024,
        known_chats: int = 10_000,
    ) -> None:
        self._client = client
        self._questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._sends = replace(self._questions, answer_ms=answer_timeout_ms)
        self._chats: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._known_chats = known_chats

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Find the chat with an address under either name, the Mac's own first; if there is none, the send opens it."""
        address = order.address
        known = self._chats.get((device.device_id, address))
        if known:
            return Target(CHAT, known)
        try:
            for guid in _chat_guids(device, address):
                if await self._has_chat(device, guid):
                    self._keep_chat(device, address, guid)
                    return Target(CHAT, guid)
        except _Crowded as error:
            return Deferred(str(error), _CROWDED_RETRY_MS)
        except Unreachable as error:
            return Deferred(str(error), device_is_down=True)
        return Target(NEW, address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends, and block until the Mac's database shows it."""
        if not order.text.strip():
            return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
        outcome = _outcome(await self._exchange(device, _sending(device, order), self._sends), order)
        if not isinstance(outcome, Accepted):
            # Whatever went wrong may be that the chat is gone, which the server does not always say.
            self._chats.pop((device.device_id, order.address), None)
        return _without_secret(outcome, device)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look for the oldest row above the cursor with our text to our address that no other attempt has claimed.

        The row at the cursor itself is asked for too: if even that is gone, the Mac counts anew (another disk, another
        account), and absence would prove nothing.
        """
        cursor = max(trace.cursor - 1, 0)
        try:
            for number in range(_PAGES):
                page = await self._rows_after(device, cursor)
                if number == 0 and page.is_last and trace.cursor and not page.rows:
                    return CannotTell("the Mac's message numbers began anew")
                finding = meaning.finding_among(page.rows, trace)
                if page.is_last or not isinstance(finding, Absent):
                    return finding
                cursor = page.cursor
        except Unreachable as error:
            return CannotTell(str(error))
        return CannotTell("too many messages have come since to look through")

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        """Ask whether an address is on iMessage; only the private API can say, and its errors say nothing."""
        if not _has_private_api(device):
            return Availability(None, "only the Private API can tell, and this Mac does not have it")
        try:
            request = _Request("GET", "/handle/availability/imessage", query={"address": address})
            is_available = (await self._ask(device, request, wire.Available)).available
        except Unreachable as error:
            return Availability(None, str(error))
        return Availability(is_available, "on iMessage" if is_available else "not on iMessage")

    async def ping(self, device: Connection) -> Health:
        """Ask whether the Mac can send, and what it is.

        The highest row number is asked for only while nothing is kept of the device, which is the first time; later
        on the cursor comes from polls and signals, and a question less every half minute is a message less in the
        Mac's log.
        """
        try:
            await self._envelope(device, _Request("GET", "/ping"))
            server = await self._ask(device, _Request("GET", "/server/info"), wire.Server)
            cursor = None if "macos" in device.options else await self._highest(device)
        except Unreachable as error:
            return Health(False, str(error), device.options)
        return Health(True, _state(server), _options(server), cursor)

    # Listening

    async def listen(self, device: Connection) -> None:
        """Register a webhook, after deleting our earlier ones: registering again would not update their events.

        Ours are those with this device's token behind our path, whatever host or query stood around it. Other
        people's stay.
        """
        hook_url = device.hook_url
        for hook in await self._ask(device, _Request("GET", "/webhook"), list[wire.Hook]):
            if hook.url == hook_url or (_token(hook.url) and _token(hook.url) == _token(hook_url)):
                await self._envelope(device, _Request("DELETE", f"/webhook/{hook.id}"))
        await self._envelope(device, _Request("POST", "/webhook", {"url": hook_url, "events": _EVENTS}))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what is new, and what became of what is open."""
        page = await self._rows_after(device, cursor)
        signals: list[Signal] = [signal for row in page.rows for signal in meaning.news_of(row)]
        for start in range(0, len(open_ids), _GUIDS_PER_QUERY):
            guids = list(open_ids[start : start + _GUIDS_PER_QUERY])
            rows, _ = await self._query(device, [_where("message.guid IN (:...guids)", guids=guids)])
            signals += [signal for row in rows for signal in meaning.receipt_of(row)]
        return News(signals, page.cursor, page.is_last)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a webhook call; one send gives two echoes with one guid, and the engine absorbs the second."""
        return Heard(meaning.report_of(call.body))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        raise Unreachable("files that come in are not fetched")

    async def close(self) -> None:
        return None

    # Asking

    async def _rows_after(self, device: Connection, cursor: int) -> _Page:
        """Fetch the rows above a number: all, or where they do not fit on a page, those of the next few numbers.

        A page is in the order of dates, so what a full one leaves out may have lower numbers than what it holds: rows
        that the Mac fetched from iCloud are old and numbered late. Only a range of numbers that surely fits can be
        gone through safely.
        """
        above = _where("message.ROWID > :rowid", rowid=cursor)
        rows, is_whole = await self._query(device, [above])
        if is_whole:
            return _Page(rows, max((row.rowid for row in rows), default=cursor), is_last=True)
        top = cursor + _STRIDE
        rows, _ = await self._query(device, [above, _where("message.ROWID <= :top", top=top)])
        return _Page(rows, top, is_last=False)

    async def _query(self, device: Connection, where: Sequence[object]) -> tuple[Sequence[Row], bool]:
        """Return rows by number, and whether these are all."""
        body = {"with": ["chats", "handle"], "where": where, "sort": "ASC", "limit": _PAGE_ROWS}
        envelope = await self._envelope(device, _Request("POST", "/message/query", body))
        rows = _shaped(envelope, list[Row])
        is_whole = len(rows) < _PAGE_ROWS and len(rows) >= wire.total(envelope)
        return sorted(rows, key=lambda row: row.rowid), is_whole

    async def _highest(self, device: Connection) -> int:
        body = {"with": ["chats"], "sort": "DESC", "limit": _NEWEST_ROWS}
        rows = await self._ask(device, _Request("POST", "/message/query", body), list[Row])
        return max((row.rowid for row in rows), default=0)

    async def _has_chat(self, device: Connection, guid: str) -> bool:
        # A `;` or `+` as such would be read as something else on the way.
        try:
            await self._envelope(device, _Request("GET", f"/chat/{quote(guid, safe='')}"))
        except _Missing:
            return False
        return True

    async def _ask(self, device: Connection, request: _Request, shape: type[T]) -> T:
        """Ask something harmless and read the answer."""
        return _shaped(await self._envelope(device, request), shape)

    async def _envelope(self, device: Connection, request: _Request) -> wire.Envelope:
        """Ask something harmless; raise `Unreachable` for every answer but a good one of the server itself."""
        match await self._exchange(device, request, self._questions):
            case NeverLeft(why, is_crowded=True):
                raise _Crowded(why)
            case NeverLeft(why) | NoAnswer(why):
                raise Unreachable(why)
            case Answer() as answer:
                envelope = wire.read(answer.body, wire.Envelope)
                if envelope and answer.status < 300:
                    return envelope
                complaint = _scrubbed(meaning.complaint(answer.status, envelope), device)
                raise _Missing(complaint) if envelope and answer.status == 404 else Unreachable(complaint)

    async def _exchange(self, device: Connection, request: _Request, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        return await exchange(
            self._client,
            request.method,
            f"{device.url.rstrip('/')}/api/v1{request.path}",
            query={"guid": _password(device), **request.query},
            content=None if request.body is None else msgspec.json.encode(request.body),
            limits=limits,
        )

    def _keep_chat(self, device: Connection, address: str, guid: str) -> None:
        self._chats[device.device_id, address] = guid
        if len(self._chats) > self._known_chats:
            self._chats.popitem(last=False)


def _password(device: Connection) -> str:
    return device.secrets.get("password", "")


def _sending(device: Connection, order: Order) -> _Request:
    method = "private-api" if _has_private_api(device) else "apple-script"
    common = {"message": order.text, "method": method, "tempGuid": order.marker}
    if order.target.kind == NEW:
        addresses = [order.target.chat]
        return _Request("POST", "/chat/new", {"addresses": addresses, "service": "iMessage", **common})
    return _Request("POST", "/message/text", {"chatGuid": order.target.chat, **common})


def _outcome(result: Answer | NeverLeft | NoAnswer, order: Order) -> Outcome:
    match result:
        case NeverLeft(why, is_crowded=True):
            return Deferred(why, _CROWDED_RETRY_MS)
        case NeverLeft(why):
            return Deferred(why, device_is_down=True)
        case NoAnswer(why):
            return Ambiguous(why)
        case Answer():
            return meaning.classify(result, order.marker)


def _chat_guids(device: Connection, address: str) -> Sequence[str]:
    """Return the names that a chat can have on this Mac, the likeliest first.

    A Mac that came to macOS 26 by an upgrade may have either; an older one knows nothing of the later form. To ask
    for too few is harmless: a send that opens a chat lands in the one that is there.
    """
    macos = _macos(device)
    if macos >= _FIRST_MACOS_WITH_ANY:
        return [_ANY_FORM + address, _OLD_FORM + address]
    return [_OLD_FORM + address] if macos else [_OLD_FORM + address, _ANY_FORM + address]


def _macos(device: Connection) -> int:
    major = str(device.options.get("macos", "")).partition(".")[0]
    return int(major) if major.isascii() and major.isdigit() else 0


def _has_private_api(device: Connection) -> bool:
    return device.options.get("private_api") is True


def _options(server: wire.Server) -> Mapping[str, object]:
    can_use = bool(server.private_api and server.helper_connected)
    return {"private_api": can_use, "macos": server.os_version, "server": server.server_version}


def _state(server: wire.Server) -> str:
    mac = f"macOS {server.os_version}, BlueBubbles {server.server_version}"
    if server.private_api and server.helper_connected:
        return f"{mac}, sends by the Private API"
    if server.private_api:
        return f"{mac}, sends by AppleScript: the Private API is on but its helper is not connected"
    return f"{mac}, sends by AppleScript"


def _token(hook_url: str) -> str:
    return hook_url.partition(_HOOKS)[2].partition("?")[0].strip("/")


def _where(statement: str, **args: object) -> Mapping[str, object]:
    return {"statement": statement, "args": args}


def _shaped(envelope: wire.Envelope, shape: type[T]) -> T:
    value = wire.read(envelope.data, shape)
    if value is None:
        raise Unreachable("the server answered in a way that this version does not understand")
    return value


def _without_secret(outcome: Outcome, device: Connection) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else replace(outcome, detail=_scrubbed(outcome.detail, device))


def _scrubbed(text: str, device: Connection) -> str:
    """Blot the password out of what the server said, should it ever repeat our URL, and keep it short."""
    password = _password(device)
    for secret in (password, quote(password, safe=""), quote_plus(password)):
        text = text.replace(secret, "…") if secret else text
    return text[:_DETAIL_CHARS]
