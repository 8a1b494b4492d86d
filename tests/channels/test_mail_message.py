"""How an order becomes a mail: its headers, its parts, and a signature that a second program finds good."""

import json
import subprocess
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from mailroom import KEY, LINE, MESSAGE_ID, NOW, PERSON, URL, device, dkim_key, file, mail_of, order

from fixtures.installed import node_program
from posthaste.channels.base import Letter, Sender
from posthaste.channels.mail.account import BadAccount, account_of
from posthaste.channels.mail.message import BadKey, Draft, Unsendable, compose, message_id_of_bounce
from posthaste.core.outcomes import Refusal

PEER = Path(__file__).parent / "peers" / "mailauth"
OUTLOOK = "<AM0PR04MB6883" + "0" * 60 + "@AM0PR04MB6883.eurprd04.prod.outlook.com>"


def written(config: dict[str, object] | None = None, text: str = "Hello Bob,\nshall we talk?", **changes: object) -> Draft:
    return compose(order(text=text, **changes), account_of(device(**(config or {}))), NOW)


def signed(**changes: object) -> tuple[bytes, str]:
    pem, record = dkim_key()
    place = device({"dkimPrivateKey": pem}, dkimDomain="example.com", dkimSelector="post")
    return compose(order(**changes), account_of(place), NOW).content, record


def test_a_mail_says_who_writes_what_to_whom_and_when() -> None:
    draft = written()
    mail = mail_of(draft)
    assert (draft.sender, draft.to, draft.message_id) == (LINE, PERSON, MESSAGE_ID)
    assert mail["From"] == f"Ada Love <{LINE}>"
    assert (mail["To"], mail["Message-ID"], mail["MIME-Version"]) == (PERSON, MESSAGE_ID, "1.0")
    assert mail["Date"].datetime.timestamp() * 1000 == NOW
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content() == "Hello Bob,\r\nshall we talk?\r\n"
    assert mail["In-Reply-To"] is None
    assert mail["Reply-To"] is None


def test_the_message_id_is_the_same_for_each_attempt_and_another_for_another_message() -> None:
    assert written().message_id == written(text="Other words").message_id
    assert written().message_id != written(key="f" * 24 + "-0").message_id


def test_leaving_is_one_click_by_https_and_a_mail_otherwise() -> None:
    mail = mail_of(written())
    assert mail["List-Unsubscribe"] == f"<{URL}>, <mailto:{LINE}?subject=unsubscribe>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = mail_of(written(letter=Letter(unsubscribe_url="http://10.0.0.1/unsubscribe/x")))
    assert plain["List-Unsubscribe"].startswith("<http://10.0.0.1/unsubscribe/x>, ")
    assert plain["List-Unsubscribe-Post"] is None
    none = mail_of(written(letter=Letter()))
    assert none["List-Unsubscribe"] == f"<mailto:{LINE}?subject=unsubscribe>"


@pytest.mark.parametrize(
    ("given", "line", "text", "references", "subject"),
    [
        ("Your invoice", "News", "Hello", (), "Your invoice"),
        ("Your invoice", "News", "Hello", ("<a@b>",), "Your invoice"),
        (None, "News", "Hello", (), "News"),
        (None, "News", "Hello", ("<a@b>",), "Re: News"),
        (None, "", "Hello\nthere", (), "Hello"),
        (None, "", "\n\n  Hello  ", ("<a@b>",), "Re: Hello"),
        (None, "", "RE: Hello", ("<a@b>",), "RE: Hello"),
        (None, "", "one two three four five six seven eight nine ten eleven twelve", (),
         "one two three four five six seven eight nine ten eleven…"),
        (None, "", "x" * 80, (), "x" * 60 + "…"),
    ],
)  # fmt: skip
def test_the_subject(given: str | None, line: str, text: str, references: tuple[str, ...], subject: str) -> None:
    letter = Letter(subject=given, references=references)
    assert mail_of(written({"subject": line}, text=text, letter=letter))["Subject"] == subject


@pytest.mark.parametrize(
    ("given", "line", "about", "subject"),
    [
        (None, "", "Your offer", "Re: Your offer"),
        (None, "", "Hello Ann,\nhere is your offer.", "Re: Hello Ann,"),
        (None, "", "RE: Your offer", "RE: Your offer"),
        (None, "News", "Your offer", "Re: News"),
        ("Your invoice", "", "Your offer", "Your invoice"),
    ],
)
def test_a_mail_goes_on_under_the_subject_of_its_conversation(given: str | None, line: str, about: str, subject: str) -> None:
    letter = Letter(subject=given, references=("<a@b>",), about=about)
    assert mail_of(written({"subject": line}, text="Have you seen it?", letter=letter))["Subject"] == subject


def test_a_mail_of_a_conversation_refers_to_what_came_before_whole_and_unencoded() -> None:
    draft = written(letter=Letter(references=("<first@x>", "no id", OUTLOOK)))
    assert mail_of(draft)["In-Reply-To"] == OUTLOOK
    assert mail_of(draft)["References"] == f"<first@x> {OUTLOOK}"
    assert OUTLOOK.encode() in draft.content


@pytest.mark.parametrize("evil", ["Hi\r\nBcc: eve@evil.example", "Hi\nBcc: eve@evil.example", "Hi\u2028Bcc: x", "Hi\x85Bcc: x"])
def test_no_header_can_be_smuggled_in(evil: str) -> None:
    draft = written(
        {"fromName": evil, "subject": evil},
        sender=Sender(None, LINE, evil),
        letter=Letter(subject=evil, references=(f"<{evil}@x>",), unsubscribe_url=f"https://x/{evil}"),
    )
    head = draft.content.partition(b"\r\n\r\n")[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.replace(b"\n", b"\r").split(b"\r"))
    assert mail_of(draft)["Bcc"] is None


def test_html_is_an_alternative_and_files_are_parts(tmp_path: Path) -> None:
    files = [file(tmp_path / "1", b"\x89PNG\x00\xff"), file(tmp_path / "2", b"%PDF", "application/pdf", "Rechnung für Bob.pdf")]
    mail = mail_of(written(letter=Letter(html="<p>Hello <b>Bob</b></p>"), files=files))
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None
    assert (plain.get_content(), html.get_content()) == ("Hello Bob,\r\nshall we talk?\r\n", "<p>Hello <b>Bob</b></p>\r\n")
    parts = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in mail.iter_attachments()]
    assert parts == [("cat.png", "image/png", b"\x89PNG\x00\xff"), ("Rechnung für Bob.pdf", "application/pdf", b"%PDF")]


def test_a_mail_is_ascii_on_the_wire_whatever_it_says() -> None:
    draft = written(text="Grüße, 世界 — " * 100, letter=Letter(subject="Grüße 世界"), sender=Sender(None, LINE, "Zoë"))
    assert draft.content.isascii() and not draft.needs_utf8
    assert max(map(len, draft.content.split(b"\r\n"))) < 998
    mail = mail_of(draft)
    assert mail["Subject"] == "Grüße 世界"
    assert mail["From"].addresses[0].display_name == "Zoë"
    assert mail.get_content().rstrip() == ("Grüße, 世界 — " * 100).rstrip()


def test_a_domain_beyond_ascii_is_spelt_in_letters_and_a_name_beyond_ascii_needs_a_server_that_can() -> None:
    assert compose(order("bob@bücher.example"), account_of(device()), NOW).to == "bob@xn--bcher-kva.example"
    # Names of today's standard, not those of 2003, where this one was that of fass.de and somebody else's.
    assert compose(order("bob@faß.de"), account_of(device()), NOW).to == "bob@xn--fa-hia.de"
    draft = compose(order("zoë@people.example"), account_of(device()), NOW)
    assert draft.needs_utf8
    assert mail_of(draft)["To"] == "zoë@people.example"


def test_bounces_go_where_the_line_says_and_a_star_in_it_tells_the_message() -> None:
    account = account_of(device(returnPath="bounces+*@bounce.example.com"))
    draft = compose(order(), account, NOW)
    assert draft.sender == f"bounces+{KEY}@bounce.example.com"
    assert draft.message_id == f"<{KEY}@bounce.example.com>"
    assert message_id_of_bounce(draft.sender, account) == draft.message_id
    assert message_id_of_bounce("bounces+other@bounce.example.com", account) is None
    assert message_id_of_bounce(LINE, account_of(device())) is None
    beyond = account_of(device(returnPath="bounces+*@bücher.example"))
    draft = compose(order(), beyond, NOW)
    assert draft.message_id == f"<{KEY}@xn--bcher-kva.example>"
    assert message_id_of_bounce(draft.sender, beyond) == draft.message_id


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"sender": Sender()}, Refusal.OTHER),
        ({"text": " \n"}, Refusal.BAD_CONTENT),
        ({"address": "bob@" + "x" * 80 + ".example"}, Refusal.BAD_ADDRESS),
        ({"address": "bob bob@people.example"}, Refusal.BAD_ADDRESS),
        ({"address": "<bob@people.example>"}, Refusal.BAD_ADDRESS),
        ({"address": "bob@people.example."}, Refusal.BAD_ADDRESS),
        ({"address": "bob@people@example"}, Refusal.BAD_ADDRESS),
        ({"address": "bob"}, Refusal.BAD_ADDRESS),
        ({"sender": Sender(None, "ada")}, Refusal.BAD_ADDRESS),
    ],
)
def test_what_can_be_no_mail_is_refused(changes: dict[str, object], refusal: Refusal) -> None:
    with pytest.raises(Unsendable) as caught:
        compose(order(**changes), account_of(device()), NOW)
    assert caught.value.refusal is refusal


def test_a_file_that_is_gone_is_no_mail(tmp_path: Path) -> None:
    lost = file(tmp_path / "1", b"x")
    lost.path.unlink()
    with pytest.raises(Unsendable, match=r"cat\.png is gone"):
        written(files=[lost])


# Signatures


def test_the_signature_is_good_and_covers_the_way_to_leave() -> None:
    content, record = signed(letter=Letter(unsubscribe_url=URL, references=("<a@b>",)))
    assert dkim.verify(
        content, dnsfunc=lambda name, timeout=5: record.encode() if name == b"post._domainkey.example.com." else None
    )
    covered = _signed_headers(content)
    assert {"from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post", "references"} <= covered


def test_the_signature_breaks_with_the_mail() -> None:
    content, record = signed()
    for changed in (
        content.replace(b"Hello", b"Hallo"),
        content.replace(b"/abc.def", b"/xyz.def"),
        b"From: eve@evil.example\r\n" + content,
    ):
        assert changed != content
        assert not dkim.verify(changed, dnsfunc=lambda name, timeout=5: record.encode())


def test_mailauth_finds_the_signature_good() -> None:
    home = node_program("mailauth", PEER)
    content, record = signed(text="Grüße\n.\n..\n  end  \n", letter=Letter(subject="Grüße", html="<p>x</p>", unsubscribe_url=URL))

    def verdict(mail: bytes) -> list[dict[str, object]]:
        command = ["node", str(home / "verify.js"), "post._domainkey.example.com", record]
        done = subprocess.run(command, input=mail, capture_output=True, timeout=60, check=True)
        said: list[dict[str, object]] = json.loads(done.stdout)
        return said

    good = verdict(content)
    assert [one["result"] for one in good] == ["pass"]
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(str(good[0]["signed"]).lower().replace(" ", "").split(":"))
    assert [one["result"] for one in verdict(content.replace(b"One-Click", b"Two-Click"))] == ["fail"]


def test_a_bad_key_is_named_and_never_shown() -> None:
    place = device({"dkimPrivateKey": "topsecret"}, dkimDomain="example.com", dkimSelector="post")
    with pytest.raises(BadKey, match="dkimPrivateKey") as caught:
        compose(order(), account_of(place), NOW)
    assert "topsecret" not in str(caught.value)


def test_half_a_signature_and_a_bad_port_are_no_account() -> None:
    with pytest.raises(BadAccount, match="all three"):
        account_of(device(dkimDomain="example.com"))
    with pytest.raises(BadAccount, match="smtpPort"):
        account_of(device(smtpPort=70000))


@pytest.mark.parametrize("name", ["replyTo", "returnPath"])
@pytest.mark.parametrize(
    "text", ["ada", "ada@", "@x", "<a@b.example>", "a@b.example\r\nBcc: x", "a@b@c", "a@*.example", "a@b..c"]
)
def test_what_is_no_address_is_no_account(name: str, text: str) -> None:
    with pytest.raises(BadAccount, match=name):
        account_of(device(**{name: text}))


def test_ports_follow_the_security_unless_given() -> None:
    ports = [account_of(device(smtpSecurity=one)).smtp.port for one in ("starttls", "tls", "none")]
    assert ports == [587, 465, 25]
    assert account_of(device(smtpPort=2525)).smtp.port == 2525
    imap = account_of(device(imapHost="h", imapSecurity="tls")).imap
    assert imap is not None and imap.port == 993


def _signed_headers(content: bytes) -> set[str]:
    mail = mail_of(Draft("", "", "", content, needs_utf8=False))
    assert isinstance(mail, EmailMessage)
    tags = dict(tag.strip().split("=", 1) for tag in "".join(str(mail["DKIM-Signature"]).split()).split(";") if tag)
    return set(tags["h"].lower().split(":"))
