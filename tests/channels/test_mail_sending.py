"""What a hand-over comes to: a server that follows a script, its answers, the outcome."""

import asyncio
import socket

import pytest
from mailroom import KEY, LINE, MESSAGE_ID, NOW, PASSWORD, PERSON, Script, Tray, device, order

from posthaste.channels.base import NOWHERE, Sender, Target, Trace
from posthaste.channels.mail.channel import MAILBOX, Mail
from posthaste.core.outcomes import Accepted, Ambiguous, CannotTell, Deferred, Outcome, Refusal, Rejected

DOWN, SOON, LATER = "down", "soon", "later"


def outcome_of(script: Script, *, text: str = "Hello", address: str = PERSON, login: bool = False) -> Outcome:
    """Hand a mail over to a script."""

    async def main() -> Outcome:
        channel = Mail(Tray(), lambda: NOW, answer_timeout_ms=300, question_timeout_ms=300, connect_timeout_ms=300)
        async with script.running():
            user = {"smtpUsername": LINE} if login else {}
            place = device({"smtpPassword": PASSWORD}, smtpPort=script.port, **user)
            try:
                return await channel.send(place, order(address, text))
            finally:
                await channel.close()

    return asyncio.run(main())


def told(outcome: Outcome) -> object:
    match outcome:
        case Deferred(device_is_down=True):
            return DOWN
        case Deferred(retry_after_ms=None):
            return SOON
        case Deferred():
            return LATER
        case Rejected(refusal):
            return refusal
        case other:
            return type(other)


@pytest.mark.parametrize(
    ("answers", "meaning"),
    [
        # Before anything was said about a message.
        ({"CONNECT": None}, DOWN),
        ({"CONNECT": "SILENCE"}, DOWN),
        ({"CONNECT": "421 4.3.2 too busy"}, DOWN),
        ({"CONNECT": "554 no"}, DOWN),
        ({"CONNECT": "HTTP/1.1 400 Bad Request"}, DOWN),
        ({"EHLO": None}, DOWN),
        ({"EHLO": "502 what?"}, DOWN),
        # Who writes.
        ({"MAIL": None}, SOON),
        ({"MAIL": "SILENCE"}, SOON),
        ({"MAIL": "421 4.3.2 shutting down"}, LATER),
        ({"MAIL": "451 4.3.0 later"}, LATER),
        ({"MAIL": "530 5.7.0 log in first"}, Refusal.UNAUTHORIZED),
        ({"MAIL": "553 5.7.1 not your address"}, Refusal.UNAUTHORIZED),
        ({"MAIL": "552 too large"}, Refusal.BAD_CONTENT),
        ({"MAIL": "552 5.3.4 too large"}, Refusal.BAD_CONTENT),
        # To whom.
        ({"RCPT": None}, SOON),
        ({"RCPT": "421 4.7.0 too many"}, LATER),
        ({"RCPT": "450 4.2.1 busy"}, LATER),
        ({"RCPT": "451 4.7.1 greylisted"}, LATER),
        ({"RCPT": "452 4.2.2 full"}, LATER),
        ({"RCPT": "550 5.1.1 no such user"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "550-5.1.1 no such\r\n550 5.1.1 user"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "550 5.1.2 no such domain"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "550 5.4.4 no route"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "550 5.2.1 disabled"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "552 5.2.2 full"}, Refusal.OTHER),
        ({"RCPT": "552 5.2.3 too long"}, Refusal.BAD_CONTENT),
        ({"RCPT": "550 5.7.1 blocked: no such user"}, Refusal.BLOCKED),
        ({"RCPT": "554 5.7.1 relay access denied"}, Refusal.BLOCKED),
        ({"RCPT": "550 no such user 5.7.1"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "551 not here"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "553 odd name"}, Refusal.BAD_ADDRESS),
        ({"RCPT": "554 no"}, Refusal.OTHER),
        ({"RCPT": "550 5.5.0 what"}, Refusal.OTHER),
        # What.
        ({"DATA": "451 4.3.0 later"}, LATER),
        ({"DATA": "554 5.5.1 no"}, Refusal.OTHER),
        ({"END": "250 2.0.0 queued as 1"}, Accepted),
        ({"END": "421 4.3.2 shutting down"}, LATER),
        ({"END": "451 4.7.1 try again"}, LATER),
        ({"END": "554 5.7.1 spam"}, Refusal.BLOCKED),
        ({"END": "554 5.6.0 unreadable"}, Refusal.BAD_CONTENT),
        ({"END": "552 too large"}, Refusal.BAD_CONTENT),
        ({"END": "554 no"}, Refusal.OTHER),
        ({"QUIT": None}, Accepted),
        ({"QUIT": "SILENCE"}, Accepted),
        # The one doubt: the mail was there, and no answer that can be read.
        ({"END": None}, Ambiguous),
        ({"END": "SILENCE"}, Ambiguous),
        ({"END": "hello"}, Ambiguous),
        ({"END": "399 odd"}, Ambiguous),
        ({"DATA": None}, Ambiguous),
    ],
)  # fmt: skip
def test_what_each_answer_means(answers: dict[str, str | None], meaning: object) -> None:
    assert told(outcome_of(Script(**answers))) == meaning


@pytest.mark.parametrize(
    ("answers", "meaning"),
    [
        ({}, DOWN),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "535 5.7.8 wrong"}, DOWN),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "454 4.7.0 later"}, DOWN),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": None}, DOWN),
        ({"EHLO": "250-here\r\n250 AUTH GSSAPI"}, DOWN),
        ({"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "235 2.7.0 welcome"}, Accepted),
    ],
)  # fmt: skip
def test_no_message_can_help_a_login_that_fails(answers: dict[str, str | None], meaning: object) -> None:
    script = Script(**answers)
    outcome = outcome_of(script, login=True)
    assert told(outcome) == meaning
    assert PASSWORD not in str(outcome)
    if meaning == DOWN:
        assert not [line for line in script.heard if line.startswith(("MAIL", "RCPT", "DATA"))]


def test_an_accepted_mail_is_named_by_its_message_id_and_was_said_once() -> None:
    script = Script()
    assert outcome_of(script, text="Hello\n.\n..dots") == Accepted(MESSAGE_ID)
    assert script.heard == ["EHLO [127.0.0.1]", f"MAIL FROM:<{LINE}>", f"RCPT TO:<{PERSON}>", "DATA", "QUIT"]
    assert b"\r\n..\r\n...dots\r\n" in script.mail


@pytest.mark.parametrize("answers", [{"MAIL": "550 no"}, {"RCPT": "550 no"}, {"DATA": "554 no"}, {"END": "554 no"}])
def test_goodbye_is_said_to_who_refuses_too(answers: dict[str, str | None]) -> None:
    script = Script(**answers)
    outcome_of(script)
    assert script.heard[-1] == "QUIT"


def test_a_server_that_limits_sizes_is_told_the_size() -> None:
    script = Script(EHLO="250-here\r\n250 SIZE 1000")
    outcome_of(script)
    assert next(line for line in script.heard if line.startswith("MAIL")).startswith(f"MAIL FROM:<{LINE}> SIZE=")


def test_a_name_beyond_ascii_goes_only_to_a_server_that_can() -> None:
    able = Script()
    assert told(outcome_of(able, address="zoë@people.example")) is Accepted
    assert f"MAIL FROM:<{LINE}> SMTPUTF8" in able.heard and "RCPT TO:<zoë@people.example>" in able.heard
    unable = Script(EHLO="250 here")
    assert told(outcome_of(unable, address="zoë@people.example")) is Refusal.BAD_ADDRESS
    assert unable.heard == ["EHLO [127.0.0.1]", "QUIT"]


def test_a_word_of_the_server_that_holds_the_password_is_not_passed_on() -> None:
    outcome = outcome_of(Script(RCPT=f"550 5.1.1 nobody, by the way: {PASSWORD}"))
    assert isinstance(outcome, Rejected) and PASSWORD not in outcome.detail and "nobody" in outcome.detail


def test_nobody_listening_surely_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]

    async def main() -> Outcome:
        channel = Mail(Tray(), lambda: NOW, connect_timeout_ms=500)
        try:
            return await channel.send(device(smtpPort=port), order())
        finally:
            await channel.close()

    assert told(asyncio.run(main())) == DOWN


def test_a_line_without_an_address_and_a_mailbox_without_imap() -> None:
    async def main() -> None:
        channel = Mail(Tray(), lambda: NOW)
        try:
            assert await channel.prepare(device(), order()) == Target(MAILBOX, PERSON)
            refused = await channel.prepare(device(), order(sender=Sender()))
            assert isinstance(refused, Rejected)
            bad_key = device({"dkimPrivateKey": "x"}, dkimDomain="example.com", dkimSelector="s")
            assert told(await channel.send(bad_key, order())) == DOWN
            trace = Trace(PERSON, "Hello", "m", NOWHERE, 0, NOW, frozenset(), KEY, Sender(None, LINE))
            assert isinstance(await channel.find(device(), trace), CannotTell)
            news = await channel.poll(device(), 7, [])
            assert (tuple(news.signals), news.cursor, news.is_complete) == ((), 7, True)
            assert (await channel.check(device(), PERSON)).is_available is None
        finally:
            await channel.close()

    asyncio.run(main())


def test_it_promises_what_it_keeps() -> None:
    promises = Mail.kind.promises
    assert not promises.repeats_safely and promises.can_find and not promises.can_check
    assert not promises.has_receipts and promises.has_attachments and promises.has_replies
    secrets = {field.name for field in Mail.kind.fields if field.is_secret}
    assert secrets == {"smtpPassword", "imapPassword", "dkimPrivateKey"}
