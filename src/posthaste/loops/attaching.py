"""Get a message's attachments ready before anything is handed over: fetched or kept from an earlier send, checked and named.

A file is on this machine's disk while its message is being sent, whatever else happens to the cache. The same URL on the
same line is fetched once, even if many messages ask for it at the same time. What will never be had fails the message, what
may be had later puts it off; a text is never sent without its files.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from posthaste.actions.claim import Claimed
from posthaste.actions.files import StoredFile, content_of, find
from posthaste.actions.tell import tell
from posthaste.channels.base import File
from posthaste.channels.fetch.cache import Aside, Cache, Kept, key_of
from posthaste.channels.fetch.fetcher import Fetched, Fetcher
from posthaste.core.channels import Kind
from posthaste.core.files import fitting_name, list_of_types, type_named, upload_in
from posthaste.core.messages import Message
from posthaste.core.outcomes import Deferred, Refusal, Rejected
from posthaste.core.timeline import Code
from posthaste.links import Links
from posthaste.store.base import Store

_PIECE_BYTES = 1024 * 1024
_NO_ROOM_RETRY_MS = 10_000


@dataclass(frozen=True, slots=True)
class Attached:
    """The files of one message; they stay on the disk until the context ends."""

    files: Sequence[File] = ()
    held: Sequence[Kept] = ()

    def __enter__(self) -> Sequence[File]:
        return self.files

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in self.held:
            one.release()


NO_FILES = Attached()


@dataclass(frozen=True, slots=True)
class _Ready:
    """One file, and in words where it came from."""

    kept: Kept
    source: str
    url: str


class Attaching:
    """Gets attachments ready for the sender of one process."""

    def __init__(self, store: Store, fetcher: Fetcher, cache: Cache, links: Links) -> None:
        self._store, self._fetcher, self._cache, self._links = store, fetcher, cache, links
        self._under_way: dict[str, asyncio.Task[Deferred | Rejected | None]] = {}

    async def files_of(self, one: Claimed) -> Attached | Deferred | Rejected:
        """Return the files of a claimed message, or why it cannot go."""
        if not one.message.attachments:
            return NO_FILES
        with ExitStack() as held:
            made: list[tuple[File, Kept]] = []
            for place, (url, name) in enumerate(one.message.attachments, start=1):
                ready = await self._ready(one, url)
                if isinstance(ready, Deferred | Rejected):
                    return _named(ready, place)
                held.callback(ready.kept.release)
                file = _file(ready, name)
                await self._tell(one.message, file, ready.source)
                made.append((file, ready.kept))
            held.pop_all()
        return Attached([file for file, _ in made], [kept for _, kept in made])

    async def _ready(self, one: Claimed, url: str) -> _Ready | Deferred | Rejected:
        key, workspace_id = key_of(one.line.id, url), one.message.workspace_id
        stored = await self._upload(url)
        if stored is None and url.startswith(f"{self._links.public_url}/api/attachments/"):
            return _never("the upload does not exist any more")
        if stored is None:
            return await self._kept(key, url, "fetched", url, None)
        if stored.workspace_id != workspace_id:
            return _never("it belongs to another workspace")
        if type_named(stored.media_type) is None:
            return _never(f"it is not {list_of_types()}")
        return await self._kept(key, url, "uploaded", self._links.file(stored.id, stored.name), stored)

    async def _upload(self, url: str) -> StoredFile | None:
        file_id = upload_in(url)
        return await self._store.read(find, file_id) if file_id else None

    async def _kept(
        self, key: str, url: str, source: str, shown_url: str, stored: StoredFile | None
    ) -> _Ready | Deferred | Rejected:
        if kept := self._cache.find(key):
            return _Ready(kept, f"{source} earlier", shown_url)
        asked_at = self._cache.now_ms()
        failure = await self._once(key, url, stored)
        if failure is not None:
            return failure
        kept = self._cache.find(key, kept_since=asked_at)
        return _Ready(kept, source, shown_url) if kept else Deferred("it was cleaned away before it could be used")

    async def _once(self, key: str, url: str, stored: StoredFile | None) -> Deferred | Rejected | None:
        """Bring a file into the cache, or wait for whoever does so already; it goes on even if we are given up."""
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._bring(key, url, stored))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _bring(self, key: str, url: str, stored: StoredFile | None) -> Deferred | Rejected | None:
        try:
            aside = self._cache.begin(key)
            if aside is None:
                return Deferred("the disk space for attachments is in use", _NO_ROOM_RETRY_MS)
            with aside:
                return await (self._fetch(url, aside) if stored is None else self._copy(stored, aside))
        except OSError:
            return Deferred("it could not be written to the disk")

    async def _fetch(self, url: str, aside: Aside) -> Deferred | Rejected | None:
        found = await self._fetcher.fetch(url, aside.write)
        if not isinstance(found, Fetched):
            return found
        aside.keep(found.kind.media_type, found.name)
        return None

    async def _copy(self, stored: StoredFile, aside: Aside) -> Rejected | None:
        content = await self._store.read(content_of, stored.id)
        if content is None:
            return _never("the upload does not exist any more")
        for start in range(0, len(content), _PIECE_BYTES):
            aside.write(content[start : start + _PIECE_BYTES])
            await asyncio.sleep(0)  # Others take their turn between two pieces.
        aside.keep(stored.media_type, stored.name)
        return None

    async def _tell(self, message: Message, file: File, source: str) -> None:
        facts = {"name": file.name, "mediaType": file.media_type, "size": file.size, "source": source}
        await self._store.write(tell, message.workspace_id, message.id, Code.FILE_FETCHED, facts)


def unable(message: Message, kind: Kind) -> Rejected | None:
    """Return the refusal of a message whose channel cannot carry what it has."""
    if message.attachments and not kind.promises.has_attachments:
        return _never(f"{kind.title} cannot carry attachments")
    return None


def _file(ready: _Ready, wished: str | None) -> File:
    note = ready.kept.note
    name = fitting_name(wished, note.name, type_named(note.media_type))
    return File(name, note.media_type, note.size, ready.kept.path, ready.url)


def _named(failure: Deferred | Rejected, place: int) -> Deferred | Rejected:
    detail = f"attachment {place} cannot be sent: {failure.detail}"
    if isinstance(failure, Rejected):
        return Rejected(failure.refusal, detail)
    return Deferred(detail, failure.retry_after_ms)


def _never(why: str) -> Rejected:
    return Rejected(Refusal.BAD_CONTENT, why)
