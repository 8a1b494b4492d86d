"""A file as a multipart form, which is how BlueBubbles takes attachments.

The form is put together where nobody waits for the disk, and holds the file once. What the disk refuses becomes
`Unreadable`, which always means that nothing was sent.
"""

import asyncio
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from posthaste.channels.base import File

_FORBIDDEN_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:"]')
_NAME_CHARS = 200
_BOUNDARY_CHARS = 40


class Unreadable(Exception):  # noqa: N818 - `except Unreadable` says what happened
    """Our copy of a file cannot be read."""


@dataclass(frozen=True, slots=True)
class Form:
    """A body and the header that names its boundary."""

    content: bytes
    media_type: str


async def form_with(file: File, marker: str, fields: Mapping[str, str]) -> Form:
    """Return a form of `fields` and one file; `marker` is unique to the attempt, and so is the boundary."""
    try:
        return await asyncio.to_thread(_put_together, file, sha256(marker.encode()).hexdigest()[:_BOUNDARY_CHARS], fields)
    except OSError:
        # Its text names a path of this machine, which is nobody's business.
        raise Unreadable("an attachment could not be read here") from None


def name_of(file: File) -> str:
    """Return a name under which the server, which makes a file of that name, can keep it."""
    name = _FORBIDDEN_IN_NAMES.sub("_", file.name).strip(" .")
    return name[-_NAME_CHARS:] or "attachment"


def _put_together(file: File, boundary: str, fields: Mapping[str, str]) -> Form:
    body = BytesIO()
    for name, value in fields.items():
        body.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    described = f'form-data; name="attachment"; filename="{name_of(file)}"'
    body.write(f"--{boundary}\r\nContent-Disposition: {described}\r\nContent-Type: {file.media_type}\r\n\r\n".encode())
    with file.path.open("rb") as source:
        shutil.copyfileobj(source, body)
    body.write(f"\r\n--{boundary}--\r\n".encode())
    return Form(body.getvalue(), f"multipart/form-data; boundary={boundary}")
