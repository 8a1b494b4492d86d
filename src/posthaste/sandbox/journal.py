"""The append-only log of the world: in memory for a simulation, on disk for a process that may be killed.

A line is handed to the operating system before anybody is answered, so `kill -9` loses nothing that was told. It is not
synced: a power cut is Posthaste's business, not the sandbox's. Entries that belong together go out in one write.
"""

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from posthaste.sandbox.entries import AnyEntry

FILE_NAME = "journal.jsonl"


class Journal(Protocol):
    def append(self, *entries: AnyEntry) -> None:
        """Keep these entries, all or none."""
        ...

    def entries(self) -> Iterable[AnyEntry]:
        """Return what was kept so far, oldest first."""
        ...


class MemoryJournal:
    """A journal that lives as long as its world."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[AnyEntry] = []

    def append(self, *entries: AnyEntry) -> None:
        self._entries.extend(entries)

    def entries(self) -> Iterable[AnyEntry]:
        return tuple(self._entries)


class DataFolderInUseError(Exception):
    """Another sandbox holds this data folder."""


class DiskJournal:
    """A file of JSON lines that one process at a time may hold."""

    __slots__ = ("_decoder", "_encoder", "_fd", "path")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(AnyEntry)
        self._hold()
        self._drop_torn_line()

    def append(self, *entries: AnyEntry) -> None:
        lines = self._encoder.encode_lines(entries)
        written = os.write(self._fd, lines)
        if written != len(lines):
            # Half of what belongs together would spoil the next line and the next start.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, f"the disk of {self.path} is full")

    def entries(self) -> Iterable[AnyEntry]:
        with self.path.open("rb") as lines:
            for line in lines:
                yield self._decoder.decode(line)

    def close(self) -> None:
        os.close(self._fd)

    def _hold(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise DataFolderInUseError(f"another sandbox uses {self.path.parent}") from None

    def _drop_torn_line(self) -> None:
        # A full disk or a power cut can leave half a line; glued to the next one it would spoil both.
        whole = self.path.read_bytes().rfind(b"\n") + 1
        if whole != os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, whole)
