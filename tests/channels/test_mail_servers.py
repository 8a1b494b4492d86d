"""The channel against Postfix and Dovecot: real sends, real answers, real bounces, over connections that are secured."""

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import dkim
import mail_lab
import pytest
from mail_lab import AWAY, DOMAIN, EVERYBODY, WORLD, Lab
from mail_office import Office, run
from mailroom import NOW, dkim_key, file, order, parsed

from fixtures.processes import until
from posthaste.channels.base import Connection, Health, Letter, Sender, Unreachable
from posthaste.channels.mail.channel import Mail
from posthaste.core.outcomes import Accepted, Deferred, Refusal, Rejected
from posthaste.core.signals import Inbound, Receipt


def test_a_mail_is_sent_and_lies_in_the_other_mailbox_as_it_was_meant(lab: Lab, tmp_path: Path) -> None:
    async def story(it: Office) -> None:
        to = f"reader{it.key}@{DOMAIN}"
        files = [file(tmp_path / "a", b"\x89PNG\x00\xff")]
        letter = Letter(html="<p>Grüße</p>", unsubscribe_url="https://x.example/u")
        assert await it.send(to, text="Grüße\n.\nfrom Ada", files=files, letter=letter) == Accepted(it.message_id)
        (raw,) = await it.mails_of(to)
        mail = parsed(raw)
        plain = mail.get_body(("plain",))
        assert plain is not None and plain.get_content().split() == ["Grüße", ".", "from", "Ada"]
        assert [part.get_content() for part in mail.iter_attachments()] == [b"\x89PNG\x00\xff"]
        assert (mail["Message-ID"], mail["Return-Path"]) == (it.message_id, f"<{it.line}>")
        assert "ESMTPSA" in str(mail.get_all("Received"))

    run(lab, story)


def test_a_name_beyond_ascii_is_reached(lab: Lab) -> None:
    async def story(it: Office) -> None:
        to = f"zoë{it.key}@{WORLD}"
        assert await it.send(to) == Accepted(it.message_id)
        *_, raw = await it.mails_of(EVERYBODY)
        assert (parsed(raw)["Message-ID"], parsed(raw)["To"]) == (it.message_id, to)

    run(lab, story)


def test_the_signature_survives_the_servers(lab: Lab) -> None:
    pem, record = dkim_key()

    async def story(it: Office) -> None:
        it.device = replace(it.device, secrets={**it.device.secrets, "dkimPrivateKey": pem})
        to = f"signed{it.key}@{DOMAIN}"
        await it.send(
            to, text="Grüße\n.\n  end  \n\n", letter=Letter(subject="Grüße " * 20, unsubscribe_url="https://x.example/u")
        )
        (raw,) = await it.mails_of(to)
        assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record.encode())

    run(lab, story, dkimDomain=DOMAIN, dkimSelector="post")


@pytest.mark.parametrize(
    ("name", "refusal"), [("nobody", Refusal.BAD_ADDRESS), ("blocked", Refusal.BLOCKED), ("full", Refusal.OTHER)]
)
def test_who_is_refused_is_refused_for_the_reason_that_the_code_tells(lab: Lab, name: str, refusal: Refusal) -> None:
    async def story(it: Office) -> None:
        outcome = await it.send(f"{name}@{DOMAIN}")
        assert isinstance(outcome, Rejected) and outcome.refusal is refusal

    run(lab, story)


def test_who_is_put_off_may_be_tried_later_and_a_domain_that_is_not_there_never(lab: Lab) -> None:
    async def story(it: Office) -> None:
        outcome = await it.send(f"grey@{DOMAIN}")
        assert isinstance(outcome, Deferred) and outcome.retry_after_ms and not outcome.device_is_down
        lost = await it.send("bob@nowhere.test")
        assert isinstance(lost, Rejected) and lost.refusal is Refusal.BAD_ADDRESS and "5.1.2" in lost.detail

    run(lab, story)


def test_an_answer_is_told_at_once_and_found_by_polling_once_more(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        assert health.is_up and health.options == {"idle": True} and health.cursor
        assert not (await it.channel.poll(it.device, health.cursor, [])).signals
        await it.channel.listen(it.device)
        await it.answered("Yes please\r\n\r\nOn Mon, Ada wrote:\r\n> Hello", In_Reply_To=it.message_id)
        await it.tray.until(lambda signals: len(signals) >= 1)
        news = await it.news(health.cursor)
        assert list(news.signals) == it.tray.signals
        (inbound,) = news.signals
        assert isinstance(inbound, Inbound)
        assert (inbound.text, inbound.address, inbound.to) == ("Yes please", f"bob@{DOMAIN}", it.line)
        assert inbound.answers == (it.message_id,)
        assert not (await it.channel.poll(it.device, news.cursor, [])).signals

    run(lab, story)


def test_a_device_that_is_forgotten_is_no_longer_watched(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await it.channel.ping(it.device)
        await it.channel.listen(it.device)
        await until(partial(said_of, it, "Login: user=<{line}>", 2), "the watch has logged in")
        it.channel.forget("another")
        it.channel.forget(it.device.device_id)
        await until(partial(said_of, it, "({line})", 2), "both sessions have ended")

    run(lab, story)


async def said_of(it: Office, words: str, times: int) -> bool:
    """Tell whether Dovecot has said something of the line so often."""
    return (it.lab.folder / "dovecot.log").read_text().count(words.format(line=it.line)) >= times


def test_reading_leaves_mails_unread(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        await it.answered("Yes")
        await it.news(health.cursor or 0)
        assert await asyncio.to_thread(mail_lab.unread, it.lab, it.line) == 1

    run(lab, story)


def test_what_was_there_before_is_not_taken_for_an_answer(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await it.answered("Old")
        await it.mails_of(it.line)
        first = await it.channel.poll(it.device, 0, [])
        assert not first.signals and first.cursor
        await it.answered("Fresh")
        news = await it.news(first.cursor)
        assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Fresh"]

    run(lab, story)


def test_a_server_that_counts_anew_loses_nothing(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        await it.answered("One")
        before = await it.news(health.cursor or 0)
        await asyncio.to_thread(it.lab.recount, it.line)
        await it.answered("Two")
        after = await it.news(before.cursor, least=2)
        assert [one.text for one in after.signals if isinstance(one, Inbound)] == ["One", "Two"]
        assert after.signals[0].external_id == before.signals[0].external_id  # type: ignore[union-attr]
        assert after.cursor > before.cursor
        assert not (await it.channel.poll(it.device, after.cursor, [])).signals

    run(lab, story)


def test_a_mail_that_comes_back_is_an_error_of_its_message(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        assert await it.send(f"bob@{AWAY}") == Accepted(it.message_id)
        news = await it.news(health.cursor or 0)
        (receipt,) = news.signals
        assert isinstance(receipt, Receipt) and receipt.external_id == it.message_id
        assert receipt.error == f"5.1.1 <bob@{AWAY}>: Recipient address rejected: no such user here"
        # Once more with the next poll, for it may have overtaken the record of its hand-over.
        assert list((await it.channel.poll(it.device, news.cursor, [])).signals) == [receipt]
        assert not (await it.channel.poll(it.device, news.cursor, [])).signals

    run(lab, story)


def test_a_bounce_finds_its_way_by_the_return_path_too(lab: Lab) -> None:
    async def story(it: Office) -> None:
        path = it.line.replace("@", "+*@")
        it.device = replace(it.device, config={**it.device.config, "returnPath": path})
        health = await it.channel.ping(it.device)
        await it.send(f"bob@{AWAY}")
        (receipt,) = (await it.news(health.cursor or 0)).signals
        assert isinstance(receipt, Receipt) and receipt.external_id == it.message_id and receipt.error

    run(lab, story)


def test_a_file_that_came_is_fetched(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        kind = 'multipart/mixed; boundary="b"'
        parts = (
            '--b\r\n\r\nSee there\r\n--b\r\nContent-Type: image/png; name="cat.png"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\niVBORwA=\r\n--b--"
        )
        await it.answered(parts, Content_Type=kind, MIME_Version="1.0")
        (inbound,) = (await it.news(health.cursor or 0)).signals
        assert isinstance(inbound, Inbound) and inbound.text == "See there"
        (one,) = inbound.files
        assert (one.name, one.media_type) == ("cat.png", "image/png")
        assert await it.channel.download(it.device, one.ref, 100) == b"\x89PNG\x00"
        for ref, most in (
            (one.ref, 4),
            (one.ref.replace(".", ".9", 1), 100),
            (f"1.{one.ref.partition('.')[2]}", 100),
            ("x", 100),
        ):
            with pytest.raises(Unreachable):
                await it.channel.download(it.device, ref, most)

    run(lab, story)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"smtpUsername": "", "imapUsername": "x", "imapPort": "{imap}", "imapSecurity": "tls"},
            "imapSecurity may have to be starttls",
        ),
        ({"imapPort": "{imap}", "imapSecurity": "starttls"}, ""),
        ({"imapPort": "{imap}", "imapSecurity": "none"}, ""),
        ({"smtpSecurity": "tls"}, "smtpSecurity may have to be starttls"),
        ({"smtpSecurity": "none"}, ""),
        ({"smtpHost": "127.0.0.2"}, "SMTP server 127.0.0.2"),
        ({"imapFolder": "Nowhere"}, "no folder Nowhere"),
        ({"imapHost": "", "smtpUsername": ""}, ""),
        ({"dkimDomain": "example.com"}, "DKIM needs all three"),
    ],
)
def test_a_ping_says_in_words_what_is_wrong(lab: Lab, wrong: dict[str, str], says: str) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        assert health.is_up == (not says), health.detail
        assert says in health.detail

    run(lab, story, **{name: value.format(imap=lab.imap_port) for name, value in wrong.items()})


def test_a_ping_says_whose_password_is_wrong(lab: Lab) -> None:
    async def story(it: Office) -> None:
        for name, says in (("smtpPassword", "SMTP server"), ("imapPassword", "IMAP server")):
            health = await it.channel.ping(replace(it.device, secrets={**it.device.secrets, name: "wrong"}))
            assert not health.is_up
            assert says in health.detail and "refused the user name or the password" in health.detail
        bad = {**it.device.config, "dkimDomain": "example.com", "dkimSelector": "s"}
        health = await it.channel.ping(replace(it.device, config=bad, secrets={**it.device.secrets, "dkimPrivateKey": "x"}))
        assert not health.is_up and "dkimPrivateKey" in health.detail

    run(lab, story)


def test_servers_that_cannot_prove_who_they_are_get_no_password(lab: Lab) -> None:
    async def story(it: Office) -> None:
        strict = Mail(it.tray, lambda: NOW)
        try:
            seen: list[Health] = [await strict.ping(it.device), await strict.ping(without_imap(it.device))]
            outcome = await strict.send(it.device, order(key=it.key, sender=Sender(None, it.line)))
        finally:
            await strict.close()
        assert all(not one.is_up and "could not prove who it is" in one.detail for one in seen), seen
        assert isinstance(outcome, Deferred) and outcome.device_is_down

    run(lab, story)


def without_imap(place: Connection) -> Connection:
    return replace(place, config={name: value for name, value in place.config.items() if name != "imapHost"})


def test_a_login_that_worked_is_not_repeated_with_every_ping(lab: Lab) -> None:
    async def story(it: Office) -> None:
        first = await it.channel.ping(it.device)
        before = (it.lab.folder / "dovecot.log").read_text().count(f"Login: user=<{it.line}>")
        second = await it.channel.ping(it.device)
        assert before == 1 and second.is_up and second.detail == first.detail
        assert (it.lab.folder / "dovecot.log").read_text().count(f"Login: user=<{it.line}>") == before

    run(lab, story)
