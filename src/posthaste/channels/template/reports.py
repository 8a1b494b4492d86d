"""What a gateway reports, as configuration describes it: which fields say what, and which values mean what.

A field is a name in the query or a form, or a path with dots into JSON (`data.message.id`, `results.0.to`); the body is looked
into first, then the query, where our own `{id}` may stand. A call whose status is one of the known values is a receipt; one
whose status is among `inboundValues` or, where none are named, one without a status, is what a person wrote.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import parse_qsl

from posthaste.channels.reading import instant, read, sound_instant, without_nul
from posthaste.core.addresses import is_region, normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.hooks import HookCall
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

_FIELDS_AT_MOST = 1_000
_DEEPEST = 10
# Of an id and of an address: more cannot be indexed.
_ID_CHARS = 320
_ERROR_CHARS = 200
# Above this a number of seconds since 1970 is one of milliseconds: the year 5138.
_MOST_SECONDS = 10**11
_ANYWHERE = "ZZ"

_VALUES = ("deliveredValues", "failedValues", "sentValues", "inboundValues")


@dataclass(frozen=True, slots=True)
class Reports:
    """How reports are read: the names of fields, values by what they mean, and how a signature is made."""

    names: Mapping[str, str]
    values: Mapping[str, frozenset[str]]
    region: str
    signature: "Signature | None"


@dataclass(frozen=True, slots=True)
class Signature:
    """An HMAC of the body in a header, in hex or base64."""

    header: str
    algorithm: str
    is_hex: bool
    secret: str

    def is_of(self, call: HookCall) -> bool:
        """Tell whether the secret's holder made a call. What came without a body is not proven by the proof of nothing."""
        given = call.headers.get(self.header, "").removeprefix(f"{self.algorithm}=")
        made = hmac.digest(self.secret.encode(), call.body, self.algorithm)
        text = made.hex() if self.is_hex else b64encode(made).decode()
        return bool(call.body) and hmac.compare_digest(text.encode(), (given.lower() if self.is_hex else given).encode())


_NAMES = (
    "idField",
    "attemptField",
    "statusField",
    "errorField",
    "inboundIdField",
    "fromField",
    "toField",
    "textField",
    "timeField",
)


def reports_of(config: Mapping[str, str], secrets: Mapping[str, str]) -> Reports:
    """Parse how reports are read, or refuse it, naming the field."""
    names = {name: config.get(name, "") for name in _NAMES}
    values = {name: frozenset(one.strip() for one in config.get(name, "").split(",") if one.strip()) for name in _VALUES}
    _require(names, ("statusField",), because_of="attemptField" if names["attemptField"] else "")
    identity = "attemptField" if names["attemptField"] else "idField"
    _require(names, (identity, "statusField"), because_of=next((one for one in _VALUES[:3] if values[one]), ""))
    _require(names, ("statusField", "fromField"), because_of="inboundValues" if values["inboundValues"] else "")
    written = ("fromField", "textField", "inboundIdField")
    _require(names, written, because_of=next((one for one in written if names[one]), ""))
    for place, one in enumerate(_VALUES):
        for other in _VALUES[place + 1 :]:
            if values[one] & values[other]:
                raise Refused(f"{one} and {other} share {min(values[one] & values[other])}", code="INVALID_CHOICE")
    region = config.get("region", "").upper()
    if region and not is_region(region):
        raise Refused("region must be the code of a country, as US", code="INVALID_CHOICE")
    return Reports(names, values, region, _signature(config, secrets))


def _require(names: Mapping[str, str], wanted: Sequence[str], *, because_of: str) -> None:
    missing = [name for name in wanted if because_of and not names[name]]
    if missing:
        raise Refused(f"{missing[0]} is required where {because_of} is given", code="MISSING_FIELD")


def _signature(config: Mapping[str, str], secrets: Mapping[str, str]) -> Signature | None:
    header, secret = config.get("signatureHeader", "").lower(), secrets.get("signatureSecret", "")
    if bool(header) != bool(secret):
        missing = "signatureSecret" if header else "signatureHeader"
        raise Refused(f"{missing} is required: a signature has a header and a secret", code="MISSING_FIELD")
    if not header:
        return None
    algorithm, encoding = config.get("signatureAlgorithm", "sha256"), config.get("signatureEncoding", "hex")
    return Signature(header, algorithm, encoding == "hex", secret)


def heard(reports: Reports, call: HookCall, now: int) -> Sequence[Signal]:
    """Translate a call; one that means nothing to us gives nothing. What does not say when it was is now."""
    said = _Said(reports, _sources(call))
    status = said.text("statusField")
    at = _instant(said.text("timeField")) or now
    if any(status in reports.values[one] for one in _VALUES[:3]):
        return _receipt(reports, said, status, at)
    is_written = status in reports.values["inboundValues"] if reports.values["inboundValues"] else not status
    return _inbound(reports, said, at) if is_written and reports.names["fromField"] else ()


def _receipt(reports: Reports, said: "_Said", status: str, at: int) -> Sequence[Signal]:
    """An attempt that a report names is known by it even where its answer, and with it the provider's id, never came."""
    marker = said.id("attemptField")
    external_id = said.id("idField") or marker
    if not external_id:
        return ()
    delivered_at = at if status in reports.values["deliveredValues"] else None
    error = _error(said, status) if status in reports.values["failedValues"] else None
    if marker:
        return (Echo(external_id, 0, marker, delivered_at, error=error),)
    return (Receipt(external_id, delivered_at, error=error),)


def _error(said: "_Said", status: str) -> str:
    words = said.text("errorField")[:_ERROR_CHARS]
    return f"the gateway reported {status}" + (f": {words}" if words else "")


def _inbound(reports: Reports, said: "_Said", at: int) -> Sequence[Signal]:
    external_id, address, text = said.id("inboundIdField"), said.id("fromField"), said.raw("textField")
    if not external_id or not address or text is None:
        return ()
    to = said.text("toField")
    number, own = _number(address, reports.region), _number(to, reports.region) if to else None
    return (Inbound(external_id, at, number, text, at, own),)


def _number(text: str, region: str) -> str:
    """Return a number in E.164 as best it can be told; a short code or a name stays as it is.

    Gateways write numbers with a plus, without one, or as one writes them in their country.
    """
    digits = "".join(character for character in text if character.isdigit())
    international = text if text.startswith("+") else "+" + digits.removeprefix("00")
    national = [(text, region)] if region and not text.startswith("+") else []
    for candidate, place in [*national, (international, _ANYWHERE)]:
        try:
            return normalise_phone(candidate, place)
        except Refused:
            continue
    return text


class _Said:
    """What a call says, by the names that configuration gives its fields."""

    def __init__(self, reports: Reports, sources: Sequence[object]) -> None:
        self._names, self._sources = reports.names, sources

    def raw(self, name: str) -> str | None:
        path = self._names[name]
        found = (_at(source, path) for source in self._sources if path)
        return next((one for one in found if one is not None), None)

    def text(self, name: str) -> str:
        return (self.raw(name) or "").strip()

    def id(self, name: str) -> str:
        found = self.text(name)
        return found if len(found) <= _ID_CHARS else ""


def _sources(call: HookCall) -> Sequence[object]:
    return [_body(call), _pairs(call.query)]


def _body(call: HookCall) -> object:
    text = call.body.decode(errors="replace")
    if not text.lstrip().startswith(("{", "[")):
        return _pairs(text)
    return read(call.body, object)


def _pairs(text: str) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST))
    except ValueError:
        return {}


def _at(node: object, path: str) -> str | None:
    """Follow a path with dots; a name that has dots itself is found as it is."""
    if isinstance(node, dict) and path in node:
        return _text(node[path])
    for step in path.split(".", _DEEPEST):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isdecimal() and int(step[:4]) < len(node):
            node = node[int(step[:4])]
        else:
            return None
    return _text(node)


def _text(value: object) -> str | None:
    """Return a value as text; what is stored must fit a database, which knows no NUL."""
    match value:
        case str():
            return without_nul(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return None


def _instant(text: str) -> int | None:
    """Read an instant: seconds or milliseconds since 1970, or ISO 8601, in UTC unless it says otherwise."""
    if not (text.isascii() and text.replace(".", "", 1).isdecimal()):
        return instant(text, UTC)
    number = float(text)
    try:
        return sound_instant(int(number * 1000 if number < _MOST_SECONDS else number))
    except OverflowError:  # More digits than a float has room for.
        return None
