"""A request as configuration describes it: an address, headers and a body with places, and how those are filled.

A place is a name in braces, as `{to}`. What is put there is escaped as its surroundings need: percent-encoded in an address,
as JSON in a JSON body (which is filled as a structure, so that no text can break out of its string), as a form's field in a
form. In headers only places stand that cannot hold a line's end. An attachment's `{media}` that is a whole element of a
JSON list or a whole field of a form is repeated for each attachment, and goes where there is none.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from posthaste.core.errors import Refused, shown

MEDIA: Final = "media"
SECRETS: Final = ("username", "password", "token")
SECRET_PLACES: Final = (*SECRETS, "basic")
_SAFE_IN_HEADERS = frozenset({"to", "toDigits", "from", "fromDigits", "id", "attempt", *SECRET_PLACES})
PLACES: Final = frozenset({*_SAFE_IN_HEADERS, "text", "coding", "callback", MEDIA})

_PLACE = re.compile(r"\{([A-Za-z]+)\}")
_WHOLE_MEDIA = "{media}"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_OURS_TO_SET = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A request before its places are filled. `body` is parsed JSON, a list of form fields, or None for no body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: object = None
    is_form: bool = False

    @property
    def places(self) -> frozenset[str]:
        """Return the names of all places."""
        texts = [self.url, *self.headers.values(), *_texts(self.body)]
        return frozenset(name for text in texts for name in _PLACE.findall(text))

    @property
    def room(self) -> int:
        """Return how many attachments fit: any number, one, or none."""
        if any(text == _WHOLE_MEDIA for text in _elements(self.body)):
            return 1_000
        return 1 if MEDIA in self.places else 0


@dataclass(frozen=True, slots=True)
class Filled:
    """A request as it goes out."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def plan_of(config: Mapping[str, str]) -> Plan:
    """Parse the request that sends, or refuse it, naming the field."""
    method, kind, body = config.get("method", "POST"), config.get("bodyType", "none"), config.get("body", "")
    if kind != "none" and method == "GET":
        raise Refused("bodyType must be none where method is GET", code="INVALID_TEMPLATE")
    if (kind == "none") != (not body):
        raise Refused(f"body must {'not ' if kind == 'none' else ''}be given where bodyType is {kind}", code="INVALID_TEMPLATE")
    url, headers = url_of(config, "sendUrl"), headers_of(config)
    plan = Plan(method, url, {**({"Content-Type": _TYPES[kind]} if body else {}), **headers}, _body(kind, body), kind == "form")
    for text in _texts(plan.body):
        check_places("body", text, PLACES)
    return plan


def health_plan_of(config: Mapping[str, str]) -> Plan | None:
    """Parse the question whether the gateway is well, if there is one."""
    if not config.get("healthUrl"):
        return None
    url = url_of(config, "healthUrl", SECRET_PLACES)
    headers = {name: value for name, value in headers_of(config).items() if name != "Content-Type"}
    return Plan("GET", url, headers)


def url_of(config: Mapping[str, str], field: str, places: Sequence[str] | frozenset[str] = PLACES) -> str:
    """Return an address with places, none of which says whom to call."""
    text = config.get(field, "")
    check_places(field, text, places)
    scheme, separator, rest = text.partition("://")
    host = re.split(r"[/?]", rest, maxsplit=1)[0]
    if scheme not in ("http", "https") or not separator or "{" in host or not _is_server(_PLACE.sub("x", text)):
        raise Refused(f"{field} must be an http or https address whose host is written out", code="INVALID_URL")
    return text


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and not parts.fragment and "@" not in parts.netloc and url.isprintable()
    except ValueError:
        return False


def headers_of(config: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers by their names, written as most write them; the names of ours win over those of the library."""
    headers: dict[str, str] = {}
    for line in filter(str.strip, config.get("headers", "").splitlines()):
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()) or name.strip().lower() in _NOT_OURS_TO_SET:
            raise Refused("headers must be lines as `Name: value`", code="INVALID_TEMPLATE")
        if not value.isascii() or not value.strip().isprintable():
            raise Refused(f"headers: {name.strip()} holds a character that no header can have", code="INVALID_TEMPLATE")
        check_places("headers", value, _SAFE_IN_HEADERS)
        headers[name.strip().title()] = value.strip()
    return headers


def check_places(field: str, text: str, known: Sequence[str] | frozenset[str]) -> None:
    for name in _PLACE.findall(text):
        if name not in known:
            names = ", ".join(f"{{{one}}}" for one in sorted(known))
            raise Refused(f"{field} has no place {{{name}}}; there are {names}", code="INVALID_TEMPLATE")


def _body(kind: str, text: str) -> object:
    if kind == "form":
        return parse_qsl(text, keep_blank_values=True)
    if kind == "none":
        return None
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        raise Refused(f"body must be JSON, got {shown(text)}", code="INVALID_TEMPLATE") from None


def fill(plan: Plan, values: Mapping[str, str], media: Sequence[str] = ()) -> Filled:
    """Put values into the places; `media` are the attachments' addresses."""
    known = {**values, MEDIA: media[0] if media else ""}
    headers = {name: _filled(value, known) for name, value in plan.headers.items()}
    return Filled(plan.method, _filled(plan.url, known, _percent), headers, _content(plan, known, media))


def _content(plan: Plan, values: Mapping[str, str], media: Sequence[str]) -> bytes | None:
    match plan.body:
        case None:
            return None
        case list() as pairs if plan.is_form:
            return urlencode(
                [(_filled(name, values), one) for name, value in pairs for one in _each(value, values, media)]
            ).encode()
        case body:
            return msgspec.json.encode(_walk(body, values, media))


def _each(text: str, values: Mapping[str, str], media: Sequence[str]) -> Sequence[str]:
    return media if text == _WHOLE_MEDIA else [_filled(text, values)]


def _walk(node: object, values: Mapping[str, str], media: Sequence[str]) -> object:
    match node:
        case str():
            return _filled(node, values)
        case list():
            kept: list[object] = []
            for one in node:
                kept += media if one == _WHOLE_MEDIA else [_walk(one, values, media)]
            return kept
        case dict():
            return {name: _walk(one, values, media) for name, one in node.items() if media or one != _WHOLE_MEDIA}
        case _:
            return node


def _filled(text: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    return _PLACE.sub(lambda place: escape(values.get(place[1], "")), text)


def _percent(text: str) -> str:
    return quote(text, safe="")


def _texts(node: object) -> Iterator[str]:
    """Yield every text of a body that may have places."""
    match node:
        case str():
            yield node
        case list() | tuple():
            for one in node:
                yield from _texts(one)
        case dict():
            yield from _texts(list(node.values()))


def _elements(node: object) -> Iterator[object]:
    """Yield what stands by itself in a list: elements of JSON lists, and values of form fields."""
    match node:
        case list() | tuple():
            yield from node
            for one in node:
                yield from _elements(one)
        case dict():
            for one in node.values():
                yield from _elements(one)
