"""iMessage through a Mac that runs the BlueBubbles server.

This file is the channel; questions are put in `asking`, the shapes of the answers are in
`wire`, what they mean is in `meaning`. What would surprise: the server blocks a send until
the Mac's database shows it; its `tempGuid` is no idempotency key, so only the Mac's own row numbers (ROWIDs) tell
whether a lost send happened; and only with the Private API can a text and attachments leave in one request, into a
conversation that exists.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import httpx2

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
from posthaste.channels.bluebubbles import meaning, wire
from posthaste.channels.bluebubbles.asking import Asking, Crowded, Request, Unwanted, secrets_of
from posthaste.channels.bluebubbles.form import Unreadable, form_with, name_of
from posthaste.channels.http import CROWDED_RETRY_MS, Answer, Limits, NeverLeft, NoAnswer, unanswered
from posthaste.channels.ours import is_ours
from posthaste.channels.scrubbing import scrubbed_outcome
from posthaste.channels.since import MET_AT, met_at, time_kept
from posthaste.core.channels import Field, Form, Kind, Pace, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import (
    Absent,
    Accepted,
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

_EVENTS = ("new-message", "updated-message", "message-send-error", "typing-indicator")
_OLD_FORM, _ANY_FORM = "iMessage;-;", "any;-;"
_FIRST_MACOS_WITH_ANY = 26

_PAGES = 10
_GUIDS_PER_QUERY = 200
# The Mac's clock is not ours.
_CLOCK_MARGIN_MS = 15 * 60_000
# AppleScript waits twenty minutes for an attachment to appear; a minute before for the upload, and one to spare.
_FILES_ARRIVAL_MS = 22 * 60_000

_ONE_OR_THE_OTHER = (
    "without the Private API a Mac sends a text or one attachment in a message, not both and not several: "
    "switch the Private API on in BlueBubbles, or send them one by one"
)
_NO_CONVERSATION = (
    "this Mac has no conversation with this person yet, and by the Private API BlueBubbles can open one with a text only: "
    "send a text first, then the attachments"
)


class BlueBubbles:
    """The channel. It keeps nothing but a few chat guids, which `send` forgets as soon as one is wrong."""

    kind = Kind(
        name="bluebubbles",
        title="a Mac that runs the BlueBubbles server",
        message_type=MessageType.IMESSAGE,
        promises=Promises(repeats_safely=False, can_find=True, can_check=True, has_receipts=True, has_attachments=True),
        fields=(
            Field("url", "the address of the BlueBubbles server", Form.URL, is_needed=True),
            Field("password", "the password of the BlueBubbles server", is_needed=True, is_secret=True),
        ),
        told_by=("url",),
        pace=Pace(files_arrival_ms=_FILES_ARRIVAL_MS),
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 150_000,
        files_answer_timeout_ms: int = 330_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 32 * 1024 * 1024,
        known_chats: int = 10_000,
    ) -> None:
        questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._asking = Asking(client, questions)
        self._now_ms = now_ms
        self._texts = replace(questions, answer_ms=answer_timeout_ms)
        # The server itself gives up after five minutes (504), though the send goes on behind it.
        self._files = replace(questions, answer_ms=max(answer_timeout_ms, files_answer_timeout_ms))
        self._chats: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._known_chats = known_chats

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Find the chat with an address under either name, the Mac's own first; if there is none, the send opens it.

        By the Private API attachments are put on the Mac now, so that the send itself is one short request.
        """
        by_private_api = _has_private_api(device)
        if objection := _objection(order, by_private_api=by_private_api):
            return objection
        try:
            target = await self._target(device, order.address)
            if not order.files or not by_private_api:
                return target
            if target.kind == NEW:
                return Rejected(Refusal.BAD_CONTENT, _NO_CONVERSATION)
            return replace(target, files=await self._uploaded(device, order))
        except Unreadable as error:
            return Deferred(str(error))
        except Unwanted as error:
            return Rejected(Refusal.BAD_CONTENT, str(error))
        except Crowded as error:
            return Deferred(str(error), CROWDED_RETRY_MS)
        except Unreachable as error:
            return Deferred(str(error), device_is_down=True)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends, and block until the Mac's database shows it."""
        if objection := _objection(order, by_private_api=bool(order.target.files)):
            return objection
        try:
            request = await _sending(device, order)
        except Unreadable as error:
            return Deferred(str(error))
        limits = self._files if order.files else self._texts
        outcome = _outcome(await self._asking.exchange(device, request, limits), order)
        if not isinstance(outcome, Accepted):
            # Whatever went wrong may be that the chat is gone, which the server does not always say.
            self._chats.pop((device.device_id, order.address), None)
        return scrubbed_outcome(outcome, secrets_of(device))

    async def _target(self, device: Connection, address: str) -> Target:
        known = self._chats.get((device.device_id, address))
        if known:
            return Target(CHAT, known)
        for guid in _chat_guids(device, address):
            if await self._asking.has_chat(device, guid):
                self._keep_chat(device, address, guid)
                return Target(CHAT, guid)
        return Target(NEW, address)

    async def _uploaded(self, device: Connection, order: Order) -> tuple[str, ...]:
        # One after the other: each is held in memory while it travels.
        return tuple([await self._asking.upload(device, file, order.marker) for file in order.files])

    def _keep_chat(self, device: Connection, address: str, guid: str) -> None:
        self._chats[device.device_id, address] = guid
        if len(self._chats) > self._known_chats:
            self._chats.popitem(last=False)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look for the oldest row above the cursor with our text to our address that no other attempt has claimed.

        The row at the cursor itself is asked for too: if even that is gone, the Mac counts anew (another disk, another
        account), and absence would prove nothing.
        """
        cursor = max(trace.cursor - 1, 0)
        try:
            for number in range(_PAGES):
                page = await self._asking.rows_after(device, cursor)
                if number == 0 and page.is_last and trace.cursor and not page.rows:
                    return CannotTell("the Mac's message numbers began anew")
                finding = meaning.finding_among(page.rows, trace)
                if isinstance(finding, Absent) and not page.is_clear:
                    return CannotTell("the Mac shows a message that this version cannot read")
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
            request = Request("GET", "/handle/availability/imessage", query={"address": address})
            is_available = (await self._asking.ask(device, request, wire.Available)).available
        except Unreachable as error:
            return Availability(None, str(error))
        return Availability(is_available, "on iMessage" if is_available else "not on iMessage")

    async def ping(self, device: Connection) -> Health:
        """Ask whether the Mac can send, and what it is; kept is also when it was met.

        The highest row number is asked for only while nothing is kept of the device, which is the first time; later
        on the cursor comes from polls and signals, and a question less every half minute is a message less in the
        Mac's log.
        """
        try:
            await self._asking.envelope(device, Request("GET", "/ping"))
            server = await self._asking.ask(device, Request("GET", "/server/info"), wire.Server)
            cursor = None if "macos" in device.options else await self._asking.highest(device)
        except Unreachable as error:
            return Health(False, str(error), device.options)
        met = met_at(device, self._now_ms(), is_known="macos" in device.options)
        return Health(True, _state(server), {**_options(server), MET_AT: met}, cursor)

    # Listening

    async def listen(self, device: Connection) -> None:
        """Register a webhook, after deleting our earlier ones: registering again would not update their events."""
        for hook in await self._asking.ask(device, Request("GET", "/webhook"), list[wire.Hook]):
            if is_ours(hook.url, device.hook_url, self.kind.name):
                await self._asking.envelope(device, Request("DELETE", f"/webhook/{hook.id}"))
        await self._asking.envelope(device, Request("POST", "/webhook", {"url": device.hook_url, "events": _EVENTS}))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what is new, and what became of what is open."""
        page = await self._asking.rows_after(device, cursor)
        signals: list[Signal] = [signal for row in page.rows for signal in meaning.news_of(row, _not_before(device))]
        for start in range(0, len(open_ids), _GUIDS_PER_QUERY):
            guids = list(open_ids[start : start + _GUIDS_PER_QUERY])
            signals += [signal for row in await self._asking.rows_of(device, guids) for signal in meaning.receipt_of(row)]
        return News(signals, page.cursor, page.is_last)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a webhook call; one send gives two echoes with one guid, and the engine absorbs the second."""
        return Heard(meaning.report_of(call.body, _not_before(device)))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Fetch an attachment by its guid."""
        return await self._asking.download(device, ref, most_bytes)

    def forget(self, device_id: str) -> None:
        """Another Mac may name its chats otherwise."""
        for known in [one for one in self._chats if one[0] == device_id]:
            del self._chats[known]

    async def close(self) -> None:
        return None


def _objection(order: Order, *, by_private_api: bool) -> Rejected | None:
    """Say why no request can send this, whatever the Mac answers."""
    has_text = bool(order.text.strip())
    if not has_text and not order.files:
        return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
    if any(not file.size for file in order.files):
        return Rejected(Refusal.BAD_CONTENT, "an attachment is empty, and BlueBubbles takes none that is")
    if order.files and not by_private_api and (has_text or len(order.files) > 1):
        return Rejected(Refusal.BAD_CONTENT, _ONE_OR_THE_OTHER)
    return None


async def _sending(device: Connection, order: Order) -> Request:
    """Return the request for an order: by what `prepare` put on the Mac, by the one attachment, or by the text."""
    if order.target.files:
        return Request("POST", "/message/multipart", _parts(order))
    if order.files:
        return await _attachment(order)
    method = "private-api" if _has_private_api(device) else "apple-script"
    common = {"message": order.text, "method": method, "tempGuid": order.marker}
    if order.target.kind == NEW:
        addresses = [order.target.chat]
        return Request("POST", "/chat/new", {"addresses": addresses, "service": "iMessage", **common})
    return Request("POST", "/message/text", {"chatGuid": order.target.chat, **common})


def _parts(order: Order) -> Mapping[str, object]:
    """Return the attachments and then the text, as Messages itself puts them into one message."""
    parts: list[Mapping[str, object]] = [
        {"partIndex": place, "attachment": path, "name": name_of(file)}
        for place, (path, file) in enumerate(zip(order.target.files, order.files, strict=True))
    ]
    if order.text.strip():
        parts.append({"partIndex": len(parts), "text": order.text})
    return {"chatGuid": order.target.chat, "tempGuid": order.marker, "parts": parts}


async def _attachment(order: Order) -> Request:
    """Return the form for one attachment by AppleScript, which needs no conversation: it falls back on the address in the
    name of one ([read] in the server's source, `ActionHandler.sendMessage`)."""
    [file] = order.files
    guid = _OLD_FORM + order.target.chat if order.target.kind == NEW else order.target.chat
    fields = {"chatGuid": guid, "name": name_of(file), "tempGuid": order.marker, "method": "apple-script"}
    return Request("POST", "/message/attachment", form=await form_with(file, order.marker, fields))


def _outcome(result: Answer | NeverLeft | NoAnswer, order: Order) -> Outcome:
    if isinstance(result, Answer):
        return meaning.classify(result, order.marker, has_files=bool(order.files))
    return unanswered(result)


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
    return _major(str(device.options.get("macos", "")))


def _major(version: str) -> int:
    major = version.partition(".")[0]
    return int(major) if major.isascii() and major.isdigit() else 0


def _not_before(device: Connection) -> int:
    """Return from when on people write to this line: what iCloud brings to the Mac of before they met is no answer to us."""
    return max(time_kept(device, MET_AT) - _CLOCK_MARGIN_MS, 0)


def _has_private_api(device: Connection) -> bool:
    return device.options.get("private_api") is True


def _options(server: wire.Server) -> Mapping[str, object]:
    can_use = bool(server.private_api and server.helper_connected)
    return {"private_api": can_use, "macos": server.os_version, "server": server.server_version}


def _state(server: wire.Server) -> str:
    mac = f"macOS {server.os_version}, BlueBubbles {server.server_version}"
    if server.private_api and server.helper_connected:
        return f"{mac}, sends by the Private API"
    by_script = "sends by AppleScript"
    if _major(server.os_version) >= _FIRST_MACOS_WITH_ANY:
        by_script += ", which fails from macOS 26 on: switch the Private API on in BlueBubbles"
    if server.private_api:
        return f"{mac}, {by_script}; the Private API is on but its helper is not connected"
    return f"{mac}, {by_script}"
