"""A mail is whatever a stranger sends: nothing in it may lose what a person wrote, stop the mailbox, or take long."""

import time
from itertools import product

import pytest
from mailroom import LINE, MESSAGE_ID, PERSON, device

from posthaste.channels.mail.account import account_of
from posthaste.channels.mail.reading import Letter, file_in, signals_of
from posthaste.core.signals import Inbound

ACCOUNT = account_of(device(imapHost="h", imapUsername="box@example.com"))
HEAD = {"From": f"Bob <{PERSON}>", "To": LINE, "Subject": "Re: Hello", "Message-ID": "<their-1@x>", "In-Reply-To": MESSAGE_ID}
#: Each makes the library raise something, or makes a text that no database takes.
ODD = [
    b"<", b'"', b"<a@[>", b"(" * 500, b'"' * 501, b"=?utf-7?q?+2AA-?=", b"=?idna?q?x?=", b"\xff\xfe", b"\x00", b"grp:;",
    b"=?utf-8?q?=00?=", b"x; name*=idna''x%ff", b"x; name*0*=utf-7''+2AA; name*1=-", b"x/\x00; charset=\xff",
    b"attachment; filename*=utf-7''+2AA-.png", b"attachment; filename*=undefined''x", b"attachment; filename=\x00",
]  # fmt: skip
HEADERS = ["To", "Cc", "Delivered-To", "Subject", "Message-ID", "References", "Date", "Content-ID", "Return-Path",
            "Precedence", "Content-Transfer-Encoding"]  # fmt: skip


def raw(body: bytes, **headers: bytes) -> bytes:
    given = {name: value.encode() for name, value in HEAD.items()} | {k.replace("_", "-"): v for k, v in headers.items()}
    return b"".join(name.encode() + b": " + value + b"\r\n" for name, value in given.items()) + b"\r\n" + body


def heard(mail: bytes) -> Inbound:
    (inbound,) = signals_of(Letter("9.4", 77, mail, 0), ACCOUNT)
    assert isinstance(inbound, Inbound)
    files = [text or "" for one in inbound.files for text in (one.name, one.media_type)]
    for text in (inbound.text, inbound.external_id, inbound.address, inbound.to or "", *inbound.answers, *files):
        assert "\0" not in text.encode().decode()  # A database takes neither zeros nor halves of characters.
    return inbound


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_no_header_loses_what_a_person_wrote(value: bytes) -> None:
    for name in HEADERS:
        inbound = heard(raw(b"Yes please\r\n", **{name.replace("-", "_"): value}))
        assert (inbound.text, inbound.address) == ("Yes please", PERSON), name


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_no_part_loses_the_others(value: bytes) -> None:
    for name, outer in product(("Content-Type", "Content-Disposition", "Content-ID"), ("mixed", "alternative", "related")):
        kind = b"" if name == "Content-Type" else b"Content-Type: image/png\r\n"
        parts = b"--b\r\n\r\nYes please\r\n--b\r\n" + kind + name.encode() + b": " + value + b"\r\n\r\nxx\r\n--b--\r\n"
        mail = raw(parts, Content_Type=f"multipart/{outer}; boundary=b".encode())
        assert heard(mail).text == "Yes please", (name, outer)
        assert file_in(mail, 0) is None or b"xx" in (file_in(mail, 0) or b"")


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("", "Grüße".encode(), "Grüße"),
        ("", "Grüße".encode("cp1252"), "Grüße"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("utf-8", "Grüße".encode("cp1252"), "Gr\ufffd\ufffde"),
        ("iso-8859-1", "“Grüße”".encode("cp1252"), "“Grüße”"),
        ("windows-1252", "“Grüße”".encode("cp1252"), "“Grüße”"),
        ("koi8-r", "Да".encode("koi8-r"), "Да"),
        ("iso-2022-jp", "はい".encode("iso-2022-jp"), "はい"),
        ("gb2312", "是的碁".encode("gbk"), "是的碁"),
        ("ks_c_5601-1987", "네".encode("euc-kr"), "네"),
        ("utf-16", "Yes".encode("utf-16"), "Yes"),
        ("x-unknown", "Grüße".encode(), "Grüße"),
        ("x-unknown", "Grüße".encode("cp1252"), "Grüße"),
        ("idna", b"Yes", "Yes"),
        ("undefined", b"Yes", "Yes"),
        ("base64", b"Yes", "Yes"),
        ('"utf\0-8"', b"Yes", "Yes"),
        ("utf-7", b"Yes +2AA-", "Yes ?"),
        ("unicode_escape", rb"Yes \ud800", "Yes ?"),
    ],
)
def test_a_text_is_read_in_the_letters_that_it_was_written_in(charset: str, body: bytes, text: str) -> None:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    assert heard(raw(body, Content_Type=kind.encode(), Content_Transfer_Encoding=b"8bit")).text == text


def test_a_name_that_looks_like_an_address_is_a_name() -> None:
    assert heard(raw(b"Yes", From=f"=?utf-8?q?Boss_=3Cboss=40x=2Eexample=3E=2C?= <{PERSON}>".encode())).address == PERSON
    assert heard(raw(b"Yes", From=f'"boss@x.example, Boss" <{PERSON}>'.encode())).address == PERSON


@pytest.mark.parametrize("unit", ["a@b.c, ", '"', ";", "a=b; ", "=?utf-8?q?a?= ", "(", "<", "[", "a,"])
def test_a_long_header_takes_no_time(unit: str) -> None:
    value = (unit * 100_000)[:100_000].encode()
    began = time.process_time()
    for name in ("To", "Subject", "Delivered_To", "Content_Disposition"):
        assert heard(raw(b"Yes", **{name: value})).text
    for kind in (b"text/plain; ", b"image/png; name="):
        heard(raw(b"Yes", Content_Type=kind + value))
    assert time.process_time() - began < 10
