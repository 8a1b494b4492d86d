"""What is in the files that people and programs send: kept by content, in memory for a simulation, on disk for a process.

A file is complete on disk before the journal names it, so a world made from the journal finds every one. Nothing is
deleted while the world lives; a file that comes again is kept once.
"""

from hashlib import sha256
from pathlib import Path, PurePath
from typing import Protocol

FILE_BYTES_MAX = 25 * 1024 * 1024
UNKNOWN_TYPE = "application/octet-stream"

# By the end of the name: the Mac's word for the kind of a file, and everybody else's.
_KINDS = {
    ".caf": ("com.apple.coreaudio-format", "audio/x-caf"),
    ".gif": ("com.compuserve.gif", "image/gif"),
    ".heic": ("public.heic", "image/heic"),
    ".jpeg": ("public.jpeg", "image/jpeg"),
    ".jpg": ("public.jpeg", "image/jpeg"),
    ".m4a": ("com.apple.m4a-audio", "audio/x-m4a"),
    ".mov": ("com.apple.quicktime-movie", "video/quicktime"),
    ".mp3": ("public.mp3", "audio/mpeg"),
    ".mp4": ("public.mpeg-4", "video/mp4"),
    ".pdf": ("com.adobe.pdf", "application/pdf"),
    ".png": ("public.png", "image/png"),
    ".txt": ("public.plain-text", "text/plain"),
    ".vcf": ("public.vcard", "text/vcard"),
    ".webp": ("org.webmproject.webp", "image/webp"),
}


class Files(Protocol):
    def keep(self, content: bytes) -> str:
        """Keep what is in a file and return the name under which it is found again, its SHA-256."""
        ...

    def read(self, digest: str) -> bytes | None:
        """Return what was kept, if it was."""
        ...


class MemoryFiles:
    """Files that live as long as their world."""

    __slots__ = ("_contents",)

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def keep(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        self._contents[digest] = content
        return digest

    def read(self, digest: str) -> bytes | None:
        return self._contents.get(digest)


class DiskFiles:
    """A folder with one file for each content; the journal's lock guards it too."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        path = self._folder / digest
        if not path.exists():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            half = path.with_suffix(".half")
            half.write_bytes(content)
            half.replace(path)
        return digest

    def read(self, digest: str) -> bytes | None:
        path = self._folder / digest
        # Only a name that `keep` gives: a request may ask for anything.
        return path.read_bytes() if digest.isalnum() and path.is_file() else None


def media_type_of(name: str) -> str:
    return _KINDS.get(PurePath(name).suffix.lower(), ("", UNKNOWN_TYPE))[1]


def uti_of(name: str) -> str:
    """Return the Mac's word for the kind of a file."""
    return _KINDS.get(PurePath(name).suffix.lower(), ("public.data", ""))[0]
