"""Gateways of all kinds, for the cases beside this file: devices set up from the examples in docs/, and plain ones."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from posthaste.api.parse_line import ADDABLE
from posthaste.channels.base import NOWHERE, Connection, Order, Sender
from posthaste.channels.template.channel import Template

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HOOK = "https://posthaste.example/hooks/http/secret-in-the-path"
PHONE, OWN = "+12025550101", "+12025550100"
KEY = "0123456789abcdef01234567-0"
AT = 1_760_000_000_000
# Each of these characters means something in a URL, in JSON or in a form.
TEXT = 'Hi José, "50%" & {to} = 1+1?\nyes\\no 👋'
SECRET = 'p+w;d&#?/ %"{to}'

PLAIN = {
    "sendUrl": "https://gateway.test/send?to={to}&text={text}",
    "method": "GET",
    "statusField": "status",
    "idField": "id",
    "deliveredValues": "ok, done",
    "failedValues": "bad",
    "sentValues": "gone",
    "inboundIdField": "n",
    "fromField": "from",
    "toField": "to",
    "textField": "text",
    "timeField": "at",
}
ORDER = Order(PHONE, TEXT, "marker-1", NOWHERE, key=KEY, sender=Sender(phone=OWN))


def now() -> int:
    return AT


def line(**given: str) -> Connection:
    """Return a device as `POST /api/lines` would set it up; an empty text takes a setting away."""
    return device({**PLAIN, **given})


def device(given: Mapping[str, str]) -> Connection:
    setup = Template.kind.setup_from(given)
    return Connection("device-1", "", setup.secrets, {}, setup.config, HOOK)


def example(name: str, **changed: str) -> Connection:
    """Return a device from an example of the docs, in which every field is one that lines of this channel have."""
    given: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    assert given["channel"] == Template.kind.name
    own = {field: value for field, value in given.items() if field in Template.kind.field_names()}
    assert set(given) - set(own) <= set(ADDABLE)
    return device({**own, **changed})


def order_from(phone: str, text: str = TEXT) -> Order:
    return replace(ORDER, text=text, sender=Sender(phone=phone))
