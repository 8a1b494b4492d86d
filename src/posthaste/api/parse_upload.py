"""An uploaded file from a request's body: as it is, or as the field `file` of a form.

A form is read by a library piece by piece from the body that is here already; nothing of it touches the disk.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

from posthaste.core.errors import Refused, TooLarge, UnsupportedMediaType
from posthaste.core.files import FileType, fitting_name, in_megabytes, list_of_types, sniff

#: What a form may hold besides the file: boundaries, headers, small fields.
FORM_BYTES = 65_536
_FIELD = b"file"
_PARTS_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that may be kept."""

    name: str
    kind: FileType
    content: bytes


def parse_upload(body: bytes, content_type: str, name: str | None, most_bytes: int) -> Uploaded:
    """Return the uploaded file; `name` is what the caller calls it where the body itself does not say."""
    content, form_name = _from_form(body, content_type) if is_form(content_type) else (body, None)
    if not content:
        raise Refused("file is required: a form field of that name, or the file itself as the body", code="MISSING_FIELD")
    if len(content) > most_bytes:
        raise TooLarge(f"file is larger than {in_megabytes(most_bytes)}")
    kind = sniff(content)
    if kind is None:
        raise UnsupportedMediaType(f"file is not {list_of_types()}", code="UNSUPPORTED_FILE_TYPE")
    return Uploaded(fitting_name(name, form_name, kind), kind, content)


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/")


@dataclass(slots=True)
class _Part:
    """One part of a form; a header stands in `headers` under its name in small letters."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)

    def option(self, name: bytes) -> bytes | None:
        return parse_options_header(self.headers.get(b"content-disposition"))[1].get(name)


class _Form:
    """Gathers the parts of a form as the parser comes across them."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.has_ended = False
        self._name, self._value = b"", b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self.on_part_begin,
            "on_header_begin": self.on_header_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_part_data": self.on_part_data,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        if len(self.parts) == _PARTS_AT_MOST:
            raise _not_a_form()
        self.parts.append(_Part())

    def on_header_begin(self) -> None:
        self._name, self._value = b"", b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self.parts[-1].headers[self._name.lower()] = self._value

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += memoryview(data)[start:end]

    def on_end(self) -> None:
        self.has_ended = True


def _from_form(body: bytes, content_type: str) -> tuple[bytes, str | None]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _not_a_form()
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise _not_a_form() from None
    if not form.has_ended:
        raise _not_a_form()
    found = next((part for part in form.parts if part.option(b"name") == _FIELD), None)
    if found is None:
        return b"", None
    return bytes(found.content), (found.option(b"filename") or b"").decode("utf-8", "replace") or None


def _not_a_form() -> Refused:
    return Refused("Request body is not a form that can be read", code="INVALID_FORM")
