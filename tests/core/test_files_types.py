"""What a file is by what is inside, what it is called, and which address is an upload's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.tiny_files import NONE_OF_THEM, OTHER_SPELLINGS, TINY
from posthaste.core import files
from posthaste.core.files import (
    HEAD_BYTES,
    NAME_CHARS,
    TYPES,
    FileType,
    fitting_name,
    in_megabytes,
    list_of_types,
    name_in_disposition,
    name_in_url,
    sniff,
    type_named,
    upload_in,
    upload_url,
)

ID = "69b344bc6dae1d942ece4d0e"


def test_there_is_a_tiny_file_of_each_of_the_nine_types() -> None:
    assert len(TYPES) == 9
    assert set(TINY) == set(TYPES)


@pytest.mark.parametrize(("kind", "content"), [*TINY.items(), *OTHER_SPELLINGS])
def test_a_type_is_told_by_what_is_inside(kind: FileType, content: bytes) -> None:
    assert sniff(content) == kind
    assert sniff(content[:HEAD_BYTES]) == kind
    assert type_named(kind.media_type) == kind


@pytest.mark.parametrize("what", NONE_OF_THEM)
def test_anything_else_is_no_type(what: str) -> None:
    assert sniff(NONE_OF_THEM[what]) is None


@given(st.binary(max_size=64))
def test_no_bytes_make_it_stumble(head: bytes) -> None:
    sniff(head)
    sniff(b"\0\0\0\x20ftyp" + head)


@pytest.mark.parametrize(
    ("wished", "found", "kind", "name"),
    [
        ("offer.pdf", "x.pdf", files.PDF, "offer.pdf"),
        (None, "x.pdf", files.PDF, "x.pdf"),
        (None, None, files.PNG, "attachment.png"),
        ("photo.JPEG", None, files.JPG, "photo.JPEG"),
        ("photo.png", None, files.JPG, "photo.jpg"),
        ("report v1.2", None, files.PDF, "report v1.2.pdf"),
        ("run.exe", None, files.PDF, "run.exe.pdf"),
        ("../../etc/passwd", None, files.PNG, "passwd.png"),
        ("C:\\temp\\a.gif", None, files.GIF, "a.gif"),
        ("a\x00b\x1b[31m\u202egnp.exe", None, files.PNG, "ab[31mgnp.exe.png"),
        ("...", "..", files.PNG, "attachment.png"),
        (".htaccess", None, files.PNG, "htaccess.png"),
        ("Müller ☂.heic", None, files.HEIC, "Müller ☂.heic"),
        ("notes.txt", None, None, "notes.txt"),
        (None, None, None, "attachment"),
    ],
)
def test_a_name_is_safe_and_fits(wished: str | None, found: str | None, kind: FileType | None, name: str) -> None:
    assert fitting_name(wished, found, kind) == name


@given(st.text(max_size=400), st.sampled_from(TYPES))
def test_every_name_is_short_printable_and_says_what_the_file_is(wished: str, kind: FileType) -> None:
    name = fitting_name(wished, None, kind)
    assert 0 < len(name) <= NAME_CHARS
    assert name.isprintable() and not {"/", "\\"} & set(name) and not name.startswith(".")
    assert name.lower().endswith(kind.extensions)
    assert fitting_name(name, None, kind) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("inline; filename=a.pdf", "a.pdf"),
        ("attachment; filename*=UTF-8''%E2%82%AC%20rates.pdf", "€ rates.pdf"),
        ("attachment", None),
        ("", None),
        ("attachment; filename*=no-such-charset''%ff.pdf", "%ff.pdf"),
        ("attachment; filename*=undefined''a.pdf", None),
        ("attachment; filename*=idna''%ff.pdf", None),
        (f"attachment; filename*{'9' * 5_000}=a.pdf", None),
        ('attachment; filename="a\r\nX-Evil: 1"', "a  X-Evil: 1"),
    ],
)
def test_a_servers_name_is_read_in_either_writing(header: str, name: str | None) -> None:
    found = name_in_disposition(header)
    assert found == name or (name == "%ff.pdf" and found is not None)


def test_a_urls_last_part_is_a_name() -> None:
    assert name_in_url("https://h.test/a/b%20c.png?x=/y.gif") == "b c.png"
    assert name_in_url("https://h.test/") is None


def test_the_address_of_an_upload_is_known_again_whatever_its_host() -> None:
    url = upload_url("https://posthaste.test", ID, "a/b ü?.png")
    assert url == f"https://posthaste.test/api/attachments/{ID}/a%2Fb%20%C3%BC%3F.png"
    assert upload_in(url) == upload_in(f"http://127.0.0.1:8000/api/attachments/{ID}/x?y=1") == ID


@pytest.mark.parametrize("path", ["", f"/api/attachments/{ID}", f"/api/attachments/{ID[:-1]}/x", f"/x/api/attachments/{ID}/x"])
def test_any_other_address_is_no_upload(path: str) -> None:
    assert upload_in(f"https://posthaste.test{path}") is None


def test_sizes_and_types_are_put_into_words() -> None:
    assert in_megabytes(26_214_400) == "25 MB"
    assert in_megabytes(1_600_000) == "1.526 MB"
    assert list_of_types() == "PNG, JPG, GIF, WebP, HEIC, MP4, MOV, CAF or PDF"
