"""Files on this machine's disk that messages are sent with: kept for a while, so that the next send need not fetch them again.

Each entry is two files: a note, which is put in place at once when everything is there, and the content that it names. Who
uses a content holds a shared lock on it, which the kernel lets go of with the process: what is locked is never removed, not
even by another process that works in the same folder, and what a killed process left half-written is. The total is bounded.
What is kept can always be lost; it is fetched again.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

_NOTE = ".json"
_CONTENT = ".content"


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a kept content."""

    content: str
    size: int
    media_type: str
    name: str | None
    kept_at: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A content in use: it stays until it is released."""

    path: Path
    note: Note
    _descriptor: int

    def release(self) -> None:
        os.close(self._descriptor)


class Aside:
    """A content that is being written; it counts only once it is kept."""

    def __init__(self, cache: "Cache", key: str, descriptor: int, path: Path) -> None:
        self._cache, self._key, self._path = cache, key, path
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        self._size = 0
        self._is_kept = False

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._size += len(piece)

    def keep(self, media_type: str, name: str | None) -> None:
        self._cache.note(self._key, Note(self._path.name, self._size, media_type, name, self._cache.now_ms()))
        self._is_kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cache.settle_room(self._size if self._is_kept else 0)
        if not self._is_kept:
            self._path.unlink(missing_ok=True)
        self._file.close()


class Cache:
    """A folder of kept files; `entry_bytes` is the most that one may have, `most_bytes` the most of all together."""

    def __init__(self, folder: Path, now_ms: Callable[[], int], *, keep_ms: int, entry_bytes: int, most_bytes: int) -> None:
        self.now_ms = now_ms
        self._folder, self._keep_ms = folder, keep_ms
        self._entry_bytes, self._most_bytes = entry_bytes, max(most_bytes, entry_bytes)
        self._used_bytes: int | None = None
        self._promised_bytes = 0

    def find(self, key: str, kept_since: int | None = None) -> Kept | None:
        """Return what is kept under a key and fresh, or was kept since an instant; the caller releases it."""
        note = self._read(self._folder / (key + _NOTE))
        if note is None or not (self._is_fresh(note) or (kept_since is not None and note.kept_at >= kept_since)):
            return None
        return self._take(note)

    def begin(self, key: str) -> Aside | None:
        """Begin a content, to be used as a context; None if there is no room for it now."""
        if not self._has_room():
            self.tidy()
            if not self._has_room():
                return None
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, path = tempfile.mkstemp(_CONTENT, f"{key}-", self._folder)
        self._promised_bytes += self._entry_bytes
        return Aside(self, key, descriptor, Path(path))

    def settle_room(self, added_bytes: int) -> None:
        """Count what became of a content that was begun."""
        self._promised_bytes -= self._entry_bytes
        self._used_bytes = (self._used_bytes or 0) + added_bytes

    def note(self, key: str, note: Note) -> None:
        """Put a note in place."""
        written = {name: getattr(note, name) for name in Note.__slots__}
        descriptor, path = tempfile.mkstemp(".part", f"{key}-", self._folder)
        with os.fdopen(descriptor, "w") as file:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            json.dump(written, file)
            file.flush()
            Path(path).replace(self._folder / (key + _NOTE))

    def tidy(self) -> None:
        """Remove what is old and what nobody knows any more; above the bound also the oldest. What is in use stays."""
        notes = {path: note for path in self._files(_NOTE) if (note := self._read(path))}
        for path in self._files(_NOTE):
            if path not in notes or not self._is_fresh(notes[path]):
                path.unlink(missing_ok=True)
                notes.pop(path, None)
        excess = sum(note.size for note in notes.values()) + self._promised_bytes + self._entry_bytes - self._most_bytes
        for path, note in sorted(notes.items(), key=lambda one: one[1].kept_at):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            del notes[path]
            excess -= note.size
        self._remove_unknown({note.content for note in notes.values()})

    def _remove_unknown(self, known: set[str]) -> None:
        for path in [*self._files(_CONTENT), *self._files(".part")]:
            with suppress(FileNotFoundError), _opened(path) as descriptor:
                if path.name not in known and _is_free(descriptor):
                    path.unlink()
        self._count()

    def _count(self) -> int:
        used_bytes = 0
        for path in self._files(_CONTENT):
            with suppress(FileNotFoundError):
                used_bytes += path.stat().st_size
        self._used_bytes = used_bytes
        return used_bytes

    def _take(self, note: Note) -> Kept | None:
        path = self._folder / note.content
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # It may have been removed before it was locked; a file without a name cannot be opened by a channel.
        found = os.fstat(descriptor)
        if not found.st_nlink or found.st_size != note.size:
            os.close(descriptor)
            return None
        return Kept(path, note, descriptor)

    def _has_room(self) -> bool:
        used_bytes = self._count() if self._used_bytes is None else self._used_bytes
        return used_bytes + self._promised_bytes + self._entry_bytes <= self._most_bytes

    def _files(self, ending: str) -> list[Path]:
        return sorted(self._folder.glob(f"*{ending}"))

    def _read(self, path: Path) -> Note | None:
        try:
            return Note(**json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):  # gone, or not one of ours
            return None

    def _is_fresh(self, note: Note) -> bool:
        return note.kept_at <= self.now_ms() < note.kept_at + self._keep_ms


def key_of(line_id: str, url: str) -> str:
    """Return the key of a URL for one line."""
    return sha256(f"{line_id}\n{url}".encode()).hexdigest()[:40]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    """Tell whether nobody uses a content; closing it lets go of the lock again."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
