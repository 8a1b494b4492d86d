"""What of a mail is new: quotations, signatures, HTML, and lines that were made to take long."""

import time

import pytest

from posthaste.channels.mail.text import reply_of, text_of_html


@pytest.mark.parametrize(
    ("mail", "reply"),
    [
        ("Yes please", "Yes please"),
        ("Yes please\r\n\r\nSee you\r\n", "Yes please\n\nSee you"),
        ("Yes\n\nOn Mon, 2 Nov 2026 at 10:00, Ada <ada@example.com> wrote:\n> Hello\n> there", "Yes"),
        ("Yes\n\nOn Mon, 2 Nov 2026 at 10:00, Ada Love\n<ada@example.com> wrote:\n\n> Hello", "Yes"),
        ("Ja\n\nAm Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Ada <ada@example.com>:\n> Hallo", "Ja"),
        ("Oui\n\nLe lun. 2 nov. 2026 à 10:00, Ada <ada@example.com> a écrit :\n> Bonjour", "Oui"),
        ("STOP\n\nEl lun, 2 nov 2026 a las 10:00, Ada (<ada@example.com>) escribió:\n\n> Hola\n>\n> Ada", "STOP"),
        ("STOP\n\nEm seg., 2 de nov. de 2026 às 10:00, Ada Love\n<ada@example.com> escreveu:\n\n> Olá", "STOP"),
        ("Two things for bob@x.example:\n\n1. this\n> Hello\n2. that", "Two things for bob@x.example:\n\n1. this\n2. that"),
        ("My answer:\n> Hello\nYes", "My answer:\nYes"),
        ("Please ask\n\nbob@x.example:\n> Hello\nYes", "Please ask\n\nbob@x.example:\nYes"),
        ("Yes\n\nFrom: Ada <ada@example.com>\nSent: Monday\nTo: Bob\nSubject: Hi\n\nHello", "Yes"),
        ("Yes\n\n-----Original Message-----\nFrom: Ada\nSent: x\n\nHello", "Yes"),
        ("> Hello\n> there\nYes", "Yes"),
        ("> Shall we?\nYes\n> When?\nMonday", "Yes\nMonday"),
        ("Yes\n-- \nBob\nAcme", "Yes"),
        ("Yes\n\nSent from my iPhone", "Yes"),
        ("Yes\n\nSent from my iPhone\n\nOn Mon, Ada wrote:\n> Hello", "Yes"),
        ("Ja\n\nVon meinem iPhone gesendet", "Ja"),
        ("Yes\n\nGet Outlook for iOS<https://aka.ms/x>", "Yes"),
        # What could be a signature and need not be one stays.
        ("Hi\nThanks, but can we do Friday?", "Hi\nThanks, but can we do Friday?"),
        ("Two things:\n- one\n- two", "Two things:\n- one\n- two"),
        ("From: here to there", "From: here to there"),
        # Nothing new at all is told as it is.
        ("> Hello", "> Hello"),
        ("", ""),
    ],
)
def test_only_the_new_part_is_told(mail: str, reply: str) -> None:
    assert reply_of(mail) == reply


@pytest.mark.parametrize(
    ("mail", "reply"),
    [
        ("STOP", "STOP"),
        ("Stop.\n\nBob Miller\nAcme Inc.", "Stop.\n\nBob Miller\nAcme Inc."),
        ("Stop.\n\nBob Miller\nAcme", "Stop."),
        ("STOP\n\nSent from my iPhone", "STOP"),
        ("unsubscribe\n\nOn Mon, Ada wrote:\n> Hello", "unsubscribe"),
        ("Cancel\n\nI cannot come on Tuesday, can we do Friday?", "Cancel\n\nI cannot come on Tuesday, can we do Friday?"),
        ("Please stop by\n\nBob", "Please stop by\n\nBob"),
        ("Start\n\nBob", "Start\n\nBob"),
    ],
)
def test_a_name_below_does_not_hide_a_wish_to_be_left_alone(mail: str, reply: str) -> None:
    assert reply_of(mail) == reply


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello<br>there</p><p>Bye</p>", "Hello\nthere\n\nBye"),
        ("<html><head><title>x</title><style>p{}</style></head><body>Hi <b>Bob</b>&nbsp;&amp; co</body></html>", "Hi Bob & co"),
        ("<script>alert(1)</script>Hi", "Hi"),
        ("<div>Yes</div><div class='gmail_quote'>On Mon wrote:<blockquote>Hello</blockquote></div>", "Yes"),
        ("<div>Yes</div><blockquote type=cite>Hello<br>there</blockquote><div>Bob</div>", "Yes\n\nBob"),
        ("<div>Yes</div><div id='appendonsend'></div><div>From: Ada</div>", "Yes"),
        ("<div>He said</div><blockquote>so</blockquote>", "He said\n\nso"),
        ("a <img src=x>b<br/>c", "a b\nc"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("<html><head><meta charset=utf-8><style>p{}</style><body>No end of head", "No end of head"),
        ("<title>x</title><p>Neither head nor body", "Neither head nor body"),
    ],
)
def test_html_becomes_lines(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize("line", ["\n>\n", "a@b:\n>\n", "Den skrev ", "On a b ", "From: ", "> ", "Am Le El ", "On On "])
@pytest.mark.parametrize("break_every", [10_000, 20])
def test_a_hostile_mail_takes_no_time(line: str, break_every: int) -> None:
    words = line * 10_000
    mail = "\n".join(words[at : at + break_every] for at in range(0, len(words), break_every))
    began = time.process_time()
    assert reply_of("Yes\n" + mail)
    assert time.process_time() - began < 5
