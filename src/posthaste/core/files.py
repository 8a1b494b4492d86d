"""What a file may be: its type by its first bytes, its name, and the address that an upload of ours has.

What a server or a caller says of a file's type is never believed; only what is inside counts. Two libraries were measured
for that: `filetype` does not know CAF and old QuickTime films, `puremagic` takes half of all HEIC pictures for films. The
nine types that a message can carry are few enough to be told apart here.
"""

import re
from dataclasses import dataclass
from email.message import Message as Headers
from urllib.parse import quote, unquote, urlsplit

HEAD_BYTES = 512
"""So much of a file is enough to tell its type."""

NAME_CHARS = 120
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileType:
    """A type that messages can carry; the first of its `extensions` is given to a name that has none of them."""

    title: str
    media_type: str
    extensions: tuple[str, ...]


PNG = FileType("PNG", "image/png", (".png",))
JPG = FileType("JPG", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"))
GIF = FileType("GIF", "image/gif", (".gif",))
WEBP = FileType("WebP", "image/webp", (".webp",))
HEIC = FileType("HEIC", "image/heic", (".heic", ".heif"))
MP4 = FileType("MP4", "video/mp4", (".mp4", ".m4v"))
MOV = FileType("MOV", "video/quicktime", (".mov", ".qt"))
CAF = FileType("CAF", "audio/x-caf", (".caf",))
PDF = FileType("PDF", "application/pdf", (".pdf",))

TYPES = (PNG, JPG, GIF, WEBP, HEIC, MP4, MOV, CAF, PDF)
UNKNOWN = "application/octet-stream"
#: What a file is that comes in and is none of these.
ANY = FileType("file", UNKNOWN, ())

_EXTENSIONS = frozenset(extension for one in TYPES for extension in one.extensions)
_STARTS: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"caff\x00\x01", CAF),
    (b"%PDF-", PDF),
    (b"\xef\xbb\xbf%PDF-", PDF),
)

# Brands of ISO base media files, as registered with the MP4 registration authority.
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_PICTURE_BRANDS = frozenset({b"mif1", b"msf1", b"miaf"})
_FILM_BRANDS = frozenset({b"isom", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash", *(b"iso%d" % n for n in range(2, 10))})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
# A QuickTime film of before there were brands begins with one of its own boxes.
_OLD_FILM_BOXES = frozenset({b"moov", b"mdat", b"wide", b"pnot"})


def sniff(head: bytes) -> FileType | None:
    """Return the type of a file by its first bytes, None if it is none that a message can carry."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] in _OLD_FILM_BOXES:
        return MOV
    return _by_brand(head) if head[4:8] == b"ftyp" else None


def _by_brand(head: bytes) -> FileType | None:
    ends_at = min(int.from_bytes(head[:4], "big"), len(head))
    main = head[8:12]
    others = {head[at : at + 4] for at in range(16, ends_at - 3, 4)}
    if main == b"qt  ":
        return MOV
    if main in _HEIC_BRANDS or (main in _PICTURE_BRANDS and others & _HEIC_BRANDS):
        return HEIC
    if main in _FILM_BRANDS or (others & _FILM_BRANDS and main not in _SOUND_BRANDS | _PICTURE_BRANDS):
        return MP4
    return None


def type_named(media_type: str) -> FileType | None:
    """Return the type of a file that was sniffed earlier."""
    return next((one for one in TYPES if one.media_type == media_type), None)


def list_of_types() -> str:
    """Name the types for a sentence."""
    titles = [one.title for one in TYPES]
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


def in_megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.4g} MB"


# Names


def fitting_name(wished: str | None, found: str | None, kind: FileType | None) -> str:
    """Return the name that a file is sent under: the wished one, else the found one, with the extension of what it is."""
    name = _clean(wished or "") or _clean(found or "") or "attachment"
    if kind is None:
        return name
    stem, dot, extension = name.rpartition(".")
    if dot and f".{extension.lower()}" in kind.extensions:
        return name
    if stem and f".{extension.lower()}" in _EXTENSIONS:
        name = stem
    return name[: NAME_CHARS - len(kind.extensions[0])] + kind.extensions[0]


def _clean(name: str) -> str:
    """Return a name without folders and without what cannot be printed; what is too long is cut before the extension."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(one for one in last if one.isprintable()).strip().lstrip(".").strip()
    if len(shown) <= NAME_CHARS:
        return shown
    extension = shown[shown.rfind(".") :] if "." in shown[-8:] else ""
    return shown[: NAME_CHARS - len(extension)] + extension


def name_in_url(url: str) -> str | None:
    """Return the name that a URL ends in."""
    return unquote(urlsplit(url).path.rpartition("/")[2]) or None


def name_in_disposition(header: str) -> str | None:
    """Return the name in a Content-Disposition header, in either of its two writings (RFC 6266)."""
    headers = Headers()
    headers["Content-Disposition"] = re.sub(r"[\r\n]", " ", header)
    try:
        return headers.get_filename()
    except ValueError:  # it names an encoding of Python's that decodes no such bytes, or part number 10^5000
        return None


# Uploads

_UPLOAD_PATH = re.compile(r"/api/attachments/(?P<id>[0-9a-f]{24})/[^/]*")


def upload_url(public_url: str, file_id: str, name: str) -> str:
    """Return the address of a file that is kept here."""
    return f"{public_url}/api/attachments/{file_id}/{quote(name, safe='')}"


def upload_in(url: str) -> str | None:
    """Return the id of the file that a URL would name if it were one of ours.

    The host is not looked at: it may have changed since, and ids of two servers are never the same. Whoever asks looks the
    id up; what is not found is somebody else's address.
    """
    found = _UPLOAD_PATH.fullmatch(urlsplit(url).path)
    return found["id"] if found else None
