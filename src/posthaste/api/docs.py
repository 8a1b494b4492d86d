"""The OpenAPI document at `/openapi.json`, and a page to read it and try calls at `/docs`.

The document is written by hand, contract first, in pieces beside this file, which are put together once; only what
channels ask for comes from the channels. Everything that the page needs is in the package: it works on a machine without
any other network.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from posthaste import __version__
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.describe_channels import describe_channels
from posthaste.core.channels import Kind
from posthaste.core.errors import NotFound

_ASSETS = files("posthaste.api") / "assets"
_PIECES = ("openapi-messages.json", "openapi-lines.json", "openapi-people.json", "openapi-files.json", "openapi-other.json")
_SCHEMAS = ("openapi-schemas.json", "openapi-errors.json", "openapi-files-parts.json")
_TYPES = {"html": b"text/html; charset=utf-8", "css": b"text/css", "js": b"text/javascript", "png": b"image/png"}
_POLICY = b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


@dataclass(frozen=True, slots=True)
class DocsRoutes:
    """The routes of the documentation; `openapi` is the document."""

    openapi: Mapping[str, Any]

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/openapi.json", self.document, Access.OPEN),
            Verb("GET", "/docs", self.page, Access.OPEN),
            Verb("GET", "/docs/{name}", self.asset, Access.OPEN),
        ]

    async def document(self, call: Call) -> Answer:
        return Answer(200, self.openapi)

    async def page(self, call: Call) -> Answer:
        return _asset("docs.html")

    async def asset(self, call: Call) -> Answer:
        return _asset(call.path("name"))


def openapi(kinds: Mapping[str, Kind]) -> Mapping[str, Any]:
    """Return the OpenAPI document of a server with these channels."""
    document = _piece("openapi.json")
    document["info"]["version"] = __version__
    document["paths"] = {path: item for name in _PIECES for path, item in _piece(name).items()}
    for name in _SCHEMAS:
        for kind, parts in _piece(name).items():
            document["components"].setdefault(kind, {}).update(parts)
    describe_channels(document["components"]["schemas"], kinds)
    return document


def _piece(name: str) -> dict[str, Any]:
    piece: dict[str, Any] = json.loads((_ASSETS / name).read_text(encoding="utf-8"))
    return piece


@cache
def _names() -> frozenset[str]:
    return frozenset(one.name for one in _ASSETS.iterdir())


def _asset(name: str) -> Answer:
    # Looked up among the names that are there, so that no path leads out of the folder.
    media_type = _TYPES.get(name.rpartition(".")[2])
    if media_type is None or name not in _names():
        raise NotFound
    headers = ((b"content-security-policy", _POLICY), (b"cache-control", b"public, max-age=3600"))
    return Answer(200, _content(name), headers, media_type)


@cache
def _content(name: str) -> bytes:
    return (_ASSETS / name).read_bytes()
