"""What SMS Gate puts on the wire, for the cases beside this file: messages, what came, webhooks, and the phone itself."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx2
from wire import Answerer, Step

from posthaste.channels.base import Connection, Order, Target, Trace
from posthaste.channels.smsgate.channel import PHONE
from posthaste.core.hooks import HookCall

BASE = "/phone"
PASSWORD = "p+w;d:é"
# The user name and password above, as a header carries them.
CREDENTIALS = "Basic c21zOnArdztkOsOp"
SIGNING_KEY = "the app's own key"
HOOK_URL = "https://posthaste.test/hooks/smsgate/t0ken"
KEY = "65f0c0ffee00000000000001-0"
NUMBER = "+16285550102"
OURS = "+16285559000"
TEXT = "Hi José, it's Ana"
SENT_AT, DELIVERED_AT = "2026-03-01T10:00:00.000-05:00", "2026-03-01T10:00:07.250-05:00"
SENT_MS, DELIVERED_MS = 1_772_377_200_000, 1_772_377_207_250

DEVICE = Connection(
    "device-1",
    "http://phone.test/phone/",
    {"password": PASSWORD},
    {"sms_gate": True},
    {"username": "sms", "region": "US"},
    HOOK_URL,
)
ORDER = Order(NUMBER, TEXT, "marker-1", Target(PHONE, NUMBER), KEY)
TRACE = Trace(NUMBER, TEXT, "marker-1", Target(PHONE, NUMBER), 0, SENT_MS, frozenset(), KEY)

Json = dict[str, Any]


def message(state: str = "Pending", **fields: object) -> Json:
    """Return a message of ours as the app tells of it, changed as the case says."""
    return {
        "id": KEY, "deviceId": "phone-1", "state": state, "isHashed": False, "isEncrypted": False,
        "recipients": [{"phoneNumber": NUMBER, "state": state}], "states": {"Pending": SENT_AT},
    } | fields  # fmt: skip


def delivered(**fields: object) -> Json:
    return message("Delivered", states={"Pending": SENT_AT, "Sent": SENT_AT, "Delivered": DELIVERED_AT}, **fields)


def failed(reason: str | None = "RESULT_ERROR_NO_SERVICE") -> Json:
    recipient = {"phoneNumber": NUMBER, "state": "Failed"} | ({"error": reason} if reason else {})
    return message("Failed", recipients=[recipient])


def incoming(text: str = "Yes!", at: str = SENT_AT, **fields: object) -> Json:
    """Return a text of the app's inbox."""
    return {
        "id": "text:-1582119980", "type": "SMS", "sender": NUMBER, "recipient": OURS, "simNumber": 1,
        "contentPreview": text, "createdAt": at, "attachments": [],
    } | fields  # fmt: skip


def complaint(words: str = "that will not do") -> Json:
    return {"message": words}


def event(kind: str, **payload: object) -> bytes:
    """Return the body of a webhook call."""
    told = {"deviceId": "phone-1", "event": kind, "id": "e-1", "payload": payload, "webhookId": "w-1"}
    return json.dumps(told).encode()


def came(text: str = "Yes!", at: str = SENT_AT, **fields: object) -> bytes:
    people = {"phoneNumber": NUMBER, "sender": NUMBER, "recipient": OURS, "simNumber": 1}
    return event("sms:received", **{"messageId": "a1b2c3d4", "message": text, "receivedAt": at} | people | fields)


def call(body: bytes, *, key: str = "", timestamp: str = "1772377200") -> HookCall:
    """Return a webhook call, signed if there is a key."""
    headers = {"content-type": "application/json"}
    if key:
        signature = hmac.new(key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()
        headers |= {"x-timestamp": timestamp, "x-signature": signature}
    return HookCall("POST", "", headers, body)


def step(method: str, path: str, answer: Answerer, body: object = None, query: Mapping[str, str] | None = None) -> Step:
    """Expect a request with our user name and password, and with this query and no other."""

    def checked(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == CREDENTIALS
        assert PASSWORD not in str(request.url)
        return answer(request)

    return Step(method, f"{BASE}{path}", checked, body, query or {})
