"""The story of a message as clients see it, oldest first: when, a stable code, the words, and the facts behind them."""

from collections.abc import Iterable

from posthaste.api.render_message import Document
from posthaste.core.schedule import render_instant
from posthaste.core.timeline import Entry

_INSTANTS = ("until", "wish")


def render_timeline(message_id: str, entries: Iterable[Entry]) -> Document:
    return {"messageId": message_id, "timeline": [_entry(entry) for entry in entries]}


def _entry(entry: Entry) -> Document:
    facts = {_name(name): _fact(name, value) for name, value in entry.facts.items() if value is not None}
    return {"at": render_instant(entry.at), "code": entry.code, "says": entry.says, **facts}


def _name(name: str) -> str:
    # An entry's own code stands beside the one of an error that it tells of.
    return "errorCode" if name == "code" else name


def _fact(name: str, value: object) -> object:
    return render_instant(value) if name in _INSTANTS and isinstance(value, int) else value
