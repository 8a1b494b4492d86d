"""What Twilio puts on the wire, for the cases beside this file: messages, pages, errors, and the account they are of."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from wire import Answerer, Step, says

from posthaste.channels.base import NOWHERE, Connection, File, Order, Sender, Target, Trace

SID = "AC" + "0" * 31 + "1"
# Each of these characters means something in a URL or a form.
TOKEN = "t0ken+w;d&#?/ %"
BASE = "https://twilio.test"
FOLDER = f"/2010-04-01/Accounts/{SID}"
HOOK = "https://posthaste.example/hooks/twilio/secret-in-the-path"
PHONE, OWN = "+16285550123", "+16285550100"
MESSAGE = "SM" + "a" * 32
SERVICE = "MG" + "b" * 32
AT = 1_760_000_000_000
TEXT = "Hi José, it's  Ana\nshall we talk? 👋"

CONFIG = {"accountSid": SID, "baseUrl": BASE, "number": OWN}
LINE = Connection("device-1", "", {"authToken": TOKEN}, {}, CONFIG, HOOK)
BY_SERVICE = replace(LINE, config={**CONFIG, "messagingServiceSid": SERVICE})
ORDER = Order(PHONE, TEXT, "marker-1", NOWHERE, key="key-0", sender=Sender(phone=OWN))
FROM_NUMBER, FROM_SERVICE = Target("sms", f"{SID}/{OWN}"), Target("sms", f"{SID}/{SERVICE}")
TRACE = Trace(PHONE, TEXT, "marker-1", FROM_NUMBER, 0, AT, frozenset(), sender=Sender(phone=OWN))

Json = dict[str, Any]


def now() -> int:
    return AT


def date(at: int) -> str:
    return formatdate(at / 1000)


def picture(name: str = "a.png") -> File:
    return File(name, "image/png", 3, Path(name), f"https://posthaste.example/files/{name}")


def row(**fields: object) -> Json:
    """Return a message of ours as Twilio lists it, changed as the case says."""
    return {
        "sid": MESSAGE, "account_sid": SID, "status": "queued", "direction": "outbound-api", "body": TEXT, "to": PHONE,
        "from": OWN, "num_media": "0", "num_segments": "1", "error_code": None, "error_message": None,
        "date_created": date(AT), "date_updated": date(AT), "date_sent": None, "messaging_service_sid": None,
    } | fields  # fmt: skip


def page(*rows: Json, following: str | None = None) -> Json:
    return {"messages": list(rows), "next_page_uri": following, "page": 0, "page_size": 200}


def bad(code: int, status: int = 400, message: str = "It went wrong") -> Json:
    return {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}


def ask(path: str, answer: Answerer, **query: str) -> Step:
    return Step("GET", f"{FOLDER}{path}", answer, query=query)


def post(path: str, fields: Sequence[tuple[str, str]] | None, answer: Answerer) -> Step:
    """Expect a form with exactly these fields; None does not care."""

    def check(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        sent = parse_qsl(request.content.decode(), keep_blank_values=True)
        assert fields is None or sent == list(fields), sent
        return answer(request)

    return Step("POST", f"{FOLDER}{path}", check, query={})


def accepted(**fields: object) -> Answerer:
    return says(201, row(**fields))


def query(to: str = PHONE, sender: str | None = OWN) -> Mapping[str, str]:
    return {"To": to, "PageSize": "200"} | ({"From": sender} if sender else {})
