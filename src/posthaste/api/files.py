"""The routes of files: upload one, and get one back, with a key or by a link that carries its own permission."""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec
from urllib.parse import quote

from posthaste.actions.files import Opened, StoredFile, open_any, open_own, upload
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.fields import not_an_id, within
from posthaste.api.parse_upload import FORM_BYTES, is_form, parse_upload
from posthaste.core.errors import NotFound, Refused, Unavailable
from posthaste.core.files import UNKNOWN, type_named, upload_url
from posthaste.core.schedule import render_instant
from posthaste.ids import is_id
from posthaste.links import Links
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

P = ParamSpec("P")

_NAME_CHARS = 255


class FileRoutes:
    """The routes of files; so many of them are in memory at once as the settings allow."""

    def __init__(self, settings: Settings, store: Store, links: Links) -> None:
        self._settings, self._store, self._links = settings, store, links
        self._uploads = 0
        self._downloads = asyncio.Semaphore(settings.uploads_max)

    def verbs(self) -> list[Verb]:
        return [
            Verb("POST", "/api/attachments", self.upload, Access.WRITE),
            Verb("GET", "/api/attachments/{id}/{name}", self.show, Access.READ),
            Verb("GET", "/files/{id}/{signature}/{name}", self.fetch, Access.OPEN),
        ]

    async def upload(self, call: Call) -> Answer:
        """Keep a file; its address can then be named in `attachmentUrls`."""
        if self._uploads >= self._settings.uploads_max:
            raise Unavailable("Too many uploads are under way; come back in a moment", code="BUSY")
        self._uploads += 1
        try:
            return await self._upload(call)
        finally:
            self._uploads -= 1

    async def _upload(self, call: Call) -> Answer:
        settings, content_type = self._settings, call.header(b"content-type")
        name = within("name", call.query().get("name", "").strip(), _NAME_CHARS) or None
        body = await self._body(call, settings.attachment_max_bytes + (FORM_BYTES if is_form(content_type) else 0))
        found = parse_upload(body, content_type, name, settings.attachment_max_bytes)
        stored = await self._store.write(upload, settings, call.workspace.id, found.name, found.kind, found.content)
        return Answer(201, {"success": True, "attachment": self._document(stored)})

    async def _body(self, call: Call, most_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(self._settings.upload_timeout_ms / 1000):
                return await call.body(most_bytes)
        except TimeoutError:
            raise Refused("The upload took too long", code="UPLOAD_TOO_SLOW", status=408) from None

    async def show(self, call: Call) -> Answer:
        written = call.path("id")
        if not is_id(written):
            raise not_an_id("id", written)
        return await self._opened(open_own, call.workspace.id, written)

    async def fetch(self, call: Call) -> Answer:
        """Give a file to whoever has its link: providers have no key."""
        file_id = call.path("id")
        if not (is_id(file_id) and self._links.may_fetch(file_id, call.path("signature"))):
            raise NotFound("File not found", code="FILE_NOT_FOUND")
        return await self._opened(open_any, file_id)

    async def _opened(self, action: Callable[Concatenate[Transaction, P], Opened], *args: P.args, **kwargs: P.kwargs) -> Answer:
        async with self._downloads:
            opened = await self._store.read(action, *args, **kwargs)
        return Answer(200, opened.content, _headers(opened.file), _media_type(opened.file).encode())

    def _document(self, file: StoredFile) -> dict[str, object]:
        return {
            "_id": file.id,
            "url": upload_url(self._links.public_url, file.id, file.name),
            "name": file.name,
            "mediaType": file.media_type,
            "size": file.size,
            "createdAt": render_instant(file.created_at),
        }


def _media_type(file: StoredFile) -> str:
    return file.media_type if type_named(file.media_type) else UNKNOWN


def _headers(file: StoredFile) -> tuple[tuple[bytes, bytes], ...]:
    """Return what keeps a browser from taking a stranger's file for a page of ours."""
    shown = "inline" if type_named(file.media_type) else "attachment"
    plain = "".join(one if one.isascii() and one not in '"\\%' else "_" for one in file.name)
    named = f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    return (
        (b"content-disposition", named.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; sandbox"),
        (b"cache-control", b"private, max-age=3600"),
    )
