"""What BlueBubbles puts on the wire, for the cases beside this file: envelopes, rows, and the device they come from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wire import Answerer, Step, says

from posthaste.channels.base import Connection, Order, Target, Trace
from posthaste.channels.bluebubbles.channel import CHAT, NEW

BASE = "/mac/api/v1"
# Each of these characters means something in a URL.
SECRET = "p+w;d&é#?/ %"
PHONE = "+16285550123"
GUID = "8A1E0C5E-0000-4000-8000-000000000001"
MADE_AT = 1_760_000_000_000
MET_AT, NOW_MS = MADE_AT - 86_400_000, MADE_AT + 86_400_000
AFTER_MACOS_26 = {"private_api": True, "macos": "26.1", "server": "1.9.9", "met_at": MET_AT}
BEFORE_MACOS_26 = {"private_api": False, "macos": "15.6", "server": "1.9.9", "met_at": MET_AT}

MAC = Connection("device-1", "http://mac.test/mac/", {"password": SECRET}, AFTER_MACOS_26)
OLD_MAC = replace(MAC, options=BEFORE_MACOS_26)

TEXT = "Hi José, it's  Ana\nshall we talk?"
ORDER = Order(PHONE, TEXT, "marker-1", Target(CHAT, f"any;-;{PHONE}"))
FIRST_ORDER = replace(ORDER, target=Target(NEW, PHONE))
TRACE = Trace(PHONE, TEXT, "marker-1", Target(CHAT, f"any;-;{PHONE}"), 40, MADE_AT, frozenset())

Json = dict[str, Any]


def chat(guid: str = f"any;-;{PHONE}", style: int | None = 45) -> Json:
    identifier = guid.partition(";-;")[2] or guid.partition(";+;")[2]
    return {"originalROWID": 7, "guid": guid, "style": style, "chatIdentifier": identifier, "isArchived": False}


def handle(address: str = PHONE) -> Json:
    return {"originalROWID": 3, "address": address, "service": "iMessage", "country": "us"}


def row(**fields: object) -> Json:
    """Return a text that the Mac sent, changed as the case says."""
    return {
        "originalROWID": 41, "guid": GUID, "text": TEXT, "attributedBody": None, "handle": None, "handleId": 0,
        "attachments": [], "subject": None, "error": 0, "dateCreated": MADE_AT, "dateRead": None,
        "dateDelivered": None, "isDelivered": False, "isFromMe": True, "itemType": 0, "groupTitle": None,
        "associatedMessageGuid": None, "associatedMessageType": None, "chats": [chat()],
    } | fields  # fmt: skip


def attachment(guid: str = "at_0_1", **fields: object) -> Json:
    """Return a picture as it stands in a row, changed as the case says."""
    return {
        "originalROWID": 5, "guid": guid, "uti": "public.jpeg", "mimeType": "image/jpeg", "transferName": "house.jpg",
        "totalBytes": 9, "transferState": 5, "isOutgoing": True, "hideAttachment": False, "isSticker": False,
        "originalGuid": guid, "hasLivePhoto": False,
    } | fields  # fmt: skip


def good(data: object = None, **rest: object) -> Json:
    return {"status": 200, "message": "Success", "data": data} | rest


def bad(status: int, kind: str, error: str, **rest: object) -> Json:
    return {"status": status, "message": "It went wrong", "error": {"type": kind, "message": error}} | rest


MISSING = bad(404, "Database Error", "Chat does not exist!")
WRONG_PASSWORD = bad(401, "Authentication Error", "Unauthorized")


def step(method: str, path: str, answer: Answerer, body: object = None, query: Mapping[str, str] | None = None) -> Step:
    """Expect a request with the password where the server wants it."""
    return Step(method, f"{BASE}{path}", answer, body, {"guid": SECRET} | dict(query or {}))


def rows_query(where: list[Json], *rows: Json, total: int | None = None, with_files: bool = True) -> Step:
    wanted = ["chats", "handle", *(["attachments"] if with_files else [])]
    body = {"with": wanted, "where": where, "sort": "ASC", "limit": 1000}
    metadata = {"offset": 0, "limit": 1000, "total": len(rows) if total is None else total, "count": len(rows)}
    return step("POST", "/message/query", says(200, good(list(rows), metadata=metadata)), body)


def above(number: int) -> Json:
    return {"statement": "message.ROWID > :rowid", "args": {"rowid": number}}


def up_to(number: int) -> Json:
    return {"statement": "message.ROWID <= :top", "args": {"top": number}}
