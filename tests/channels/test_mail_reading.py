"""What a mail that came in means: an answer, a report, or nothing."""

from base64 import b64encode
from dataclasses import replace
from email.message import EmailMessage

import pytest
from mailroom import KEY, LINE, MESSAGE_ID, PERSON, device

from posthaste.channels.mail.account import Account, account_of
from posthaste.channels.mail.reading import Letter, file_in, signals_of
from posthaste.core.outcomes import Refusal
from posthaste.core.signals import Inbound, InboundFile, Receipt, Signal

AT = 1_760_000_123_000
ACCOUNT = account_of(device(imapHost="h", imapUsername="box@example.com", smtpUsername="box@example.com"))
THEIRS = "<their-1@people.example>"

DSN = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: {LINE}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <dsn-1@mx.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It came back.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 2 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822; {PERSON}
Action: ACTION
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{PERSON}>: no
    such user here

--b
Content-Type: ORIGINAL

Message-ID: {MESSAGE_ID}
From: {LINE}
To: {PERSON}
Subject: Hello

--b--
"""

QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example
To: {LINE}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{PERSON}>:
192.0.2.1 does not like recipient.
Remote host said: 550 no such user
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <{LINE}>
Message-ID: {MESSAGE_ID}
To: {PERSON}

Hello
"""

SENDMAIL_WARNING = f"""\
    **********************************************
    **      THIS IS A WARNING MESSAGE ONLY      **
    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **
    **********************************************

The original message was received at Mon, 2 Nov 2026 10:00:00 GMT
from localhost [127.0.0.1]

   ----- Transcript of session follows -----
<{PERSON}>... Deferred: Connection timed out with mx.example.
Warning: message still undelivered after 4 hours
Will keep trying until message is 5 days old

Message-ID: {MESSAGE_ID}
"""

MDN = f"""\
From: {PERSON}
To: {LINE}
Subject: Read: Hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b
Content-Type: text/plain

It was displayed.

--b
Content-Type: message/disposition-notification

Original-Message-ID: {MESSAGE_ID}
Disposition: manual-action/MDN-sent-manually; KIND

--b--
"""


def signals(raw: str | bytes, account: Account = ACCOUNT) -> list[Signal]:
    content = raw.replace("\n", "\r\n").encode() if isinstance(raw, str) else raw
    return list(signals_of(Letter("9.4", 77, content, AT), account))


def reply(text: str = "Yes please", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail.set_content(text)
    given = {"From": f"Bob <{PERSON}>", "To": LINE, "Subject": "Re: Hello", "Message-ID": THEIRS, "In-Reply-To": MESSAGE_ID}
    for name, value in (given | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        if value:
            mail[name] = value
    return mail


def heard(mail: EmailMessage, account: Account = ACCOUNT) -> Inbound:
    (signal,) = signals(mail.as_bytes(), account)
    assert isinstance(signal, Inbound)
    return signal


def test_an_answer_tells_who_wrote_what_to_whom_and_what_it_answers() -> None:
    mail = reply("Yes please\n\nOn Mon, Ada wrote:\n> Hello", References=f"<older@x> <middle@x> {MESSAGE_ID}")
    assert heard(mail) == Inbound(
        THEIRS, 77, PERSON, "Yes please", AT, to=LINE, answers=(MESSAGE_ID, "<middle@x>", "<older@x>"), files=()
    )


def test_addresses_are_in_lower_case_and_the_line_is_the_one_that_was_written_to() -> None:
    mail = reply(From="BOB@People.Example", To="other@example.com", Cc=f"{LINE.upper()}", Delivered_To=LINE)
    assert (heard(mail).address, heard(mail).to) == (PERSON, LINE)
    assert heard(reply(To="undisclosed-recipients:;", Delivered_To="box@example.com")).to == "box@example.com"


def test_a_domain_is_spelt_as_leads_are_whichever_way_it_was_written() -> None:
    mail = reply(From="Bob <bob@xn--bcher-kva.example>", To="ada@xn--fa-hia.example")
    assert (heard(mail).address, heard(mail).to) == ("bob@bücher.example", "ada@faß.example")


def test_a_mail_without_an_id_has_the_same_name_whenever_it_is_read() -> None:
    one = heard(reply(Message_ID=""))
    assert one.external_id.startswith("sha256:")
    assert one == heard(reply(Message_ID=""))
    assert one.external_id != heard(reply("Other", Message_ID="")).external_id


def test_html_alone_is_read_as_text() -> None:
    mail = reply()
    mail.set_content("<p>Yes<br>please</p><blockquote type='cite'>Hello</blockquote>", subtype="html")
    assert heard(mail).text == "Yes\nplease"


def test_files_can_be_fetched_by_their_names() -> None:
    mail = reply()
    mail.add_alternative("<p>Yes please</p>", subtype="html")
    mail.add_attachment(b"\x89PNG\x00", maintype="image", subtype="png", filename="cat.png")
    mail.add_attachment("a,b", subtype="csv", filename="Grüße.csv")
    mail.add_attachment(reply("inner"))
    found = heard(mail)
    assert found.text == "Yes please"
    assert found.files == (
        InboundFile("9.4.0", "cat.png", "image/png"),
        InboundFile("9.4.1", "Grüße.csv", "text/csv"),
        InboundFile("9.4.2", None, "message/rfc822"),
    )
    raw = mail.as_bytes()
    assert (file_in(raw, 0), file_in(raw, 1)) == (b"\x89PNG\x00", b"a,b\n")
    assert b"inner" in (file_in(raw, 2) or b"")
    assert file_in(raw, 3) is None and file_in(raw, -1) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner-email=x@y"},
        {"Precedence": "bulk"},
        {"Precedence": "List"},
        {"List_Id": "<news.example>"},
        {"X_Autoreply": "yes"},
        {"X_Autogenerated": "Reply"},
        {"Precedence": "auto-reply"},
        {"Return_Path": "<>"},
        {"From": "box@example.com"},
        {"Message_ID": MESSAGE_ID},
        {"From": ""},
    ],
)
def test_what_a_program_wrote_or_we_did_is_no_answer(headers: dict[str, str]) -> None:
    assert signals(reply(**headers).as_bytes()) == []


@pytest.mark.parametrize("headers", [{"Auto_Submitted": "auto-generated"}, {"Precedence": "bulk"}])
def test_a_program_that_unsubscribes_for_a_person_is_heard(headers: dict[str, str]) -> None:
    assert heard(reply("Sent by your mail program.", Subject="unsubscribe", **headers)).text == "unsubscribe"
    assert signals(reply(Subject="unsubscribe", Return_Path="<>").as_bytes()) == []


def test_what_a_person_wrote_is_an_answer_even_if_it_says_that_it_was_not_automatic() -> None:
    assert heard(reply(Auto_Submitted="no", Return_Path=f"<{PERSON}>")).text == "Yes please"


@pytest.mark.parametrize(("text", "subject", "told"), [("", "unsubscribe", "unsubscribe"), ("Sent by itself.", "STOP", "STOP"),
                                                       ("", "Re: Hello", "Re: Hello"), ("Yes", "Re: stop", "Yes"),
                                                       ("What does it cost?", "Info", "What does it cost?"),
                                                       ("", "Info", "Info")])  # fmt: skip
def test_a_wish_may_stand_in_the_subject(text: str, subject: str, told: str) -> None:
    assert heard(reply(text, Subject=subject)).text == told


# Reports


def dsn(action: str = "failed", original: str = "text/rfc822-headers") -> str:
    return DSN.replace("ACTION", action).replace("ORIGINAL", original)


@pytest.mark.parametrize("original", ["text/rfc822-headers", "message/rfc822"])
def test_a_bounce_is_an_error_with_its_status(original: str) -> None:
    error = f"5.1.1 <{PERSON}>: no such user here"
    assert signals(dsn(original=original)) == [Receipt(MESSAGE_ID, error=error, refusal=Refusal.BAD_ADDRESS)]


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("5.2.3", Refusal.BAD_CONTENT), ("5.7.1", Refusal.BLOCKED), ("4.4.1", Refusal.OTHER), ("5.0.0", Refusal.OTHER)],
)
def test_a_bounce_means_what_the_same_status_means_at_the_door(status: str, refusal: Refusal) -> None:
    (receipt,) = signals(dsn().replace("5.1.1", status))
    assert isinstance(receipt, Receipt) and receipt.refusal is refusal


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded"])
def test_a_delay_is_no_news_and_no_answer(action: str) -> None:
    assert signals(dsn(action)) == []


def test_a_delivery_and_an_opening_that_are_told_are_receipts() -> None:
    assert signals(dsn("delivered")) == [Receipt(MESSAGE_ID, delivered_at=AT)]
    assert signals(MDN.replace("KIND", "displayed")) == [Receipt(MESSAGE_ID, read_at=AT)]
    assert signals(MDN.replace("KIND", "deleted")) == []


def test_a_bounce_of_somebody_elses_mail_is_nothing() -> None:
    assert signals(dsn().replace(MESSAGE_ID, "<by-hand@example.com>")) == []


def test_a_bounce_without_the_mail_is_known_by_its_address() -> None:
    account = replace(ACCOUNT, return_path="bounces+*@bounce.example.com")
    cut = dsn().replace(MESSAGE_ID, "<lost@x>").replace(f"To: {LINE}", f"To: bounces+{KEY}@bounce.example.com", 1)
    (receipt,) = signals(cut, account)
    assert isinstance(receipt, Receipt) and receipt.external_id == f"<{KEY}@bounce.example.com>"


def test_a_bounce_is_about_the_mail_that_it_returns_whatever_else_it_names() -> None:
    older = MESSAGE_ID.replace("-0@", "-1@")
    thread = dsn().replace("Subject: Und", f"References: {older}\n {MESSAGE_ID}\nSubject: Und")
    assert signals(thread.replace("Message-ID: <0", f"References: {older}\nMessage-ID: <0")) == signals(dsn())


def test_a_bounce_in_letters_beyond_ascii_is_a_bounce() -> None:
    mail = dsn(original="message/global").replace("message/delivery", "message/global-delivery").replace(PERSON, "zoë@x.example")
    expected = [Receipt(MESSAGE_ID, error="5.1.1 <zoë@x.example>: no such user here", refusal=Refusal.BAD_ADDRESS)]
    assert signals(mail) == expected
    head, mark, rest = mail.partition("Reporting-MTA")
    status, end, tail = (mark + rest).partition("\n--b\n")
    encoded = "Content-Transfer-Encoding: base64\n\n" + b64encode(status.encode()).decode()
    assert signals(head.rstrip("\n") + "\n" + encoded + end + tail) == expected


def test_a_warning_in_words_alone_is_no_news_and_no_answer() -> None:
    head = QMAIL.partition("\n\n")[0]
    assert signals(f"{head}\n\n{SENDMAIL_WARNING}") == []
    assert signals(f"{head}\n\nSomething odd came to pass with {MESSAGE_ID}.\n".replace("Return-Path: <>\n", "")) == []


def test_the_bounce_of_an_old_server_is_known_by_its_words() -> None:
    assert signals(QMAIL) == [Receipt(MESSAGE_ID, error="the mail came back")]


def test_words_of_a_bounce_in_a_persons_mail_are_only_words() -> None:
    body = QMAIL.partition("\n\n")[2]
    assert isinstance(heard(reply(body)), Inbound)


@pytest.mark.parametrize("raw", [b"", b"\x00\xff\xfe", b"From: \xff\xfe\r\n\r\n\xff", b"Content-Type: multipart/mixed\r\n\r\nx"])
def test_what_is_no_mail_is_nothing(raw: bytes) -> None:
    assert not [one for one in signals(raw) if isinstance(one, Receipt)]
