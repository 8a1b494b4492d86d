"""What a send leaves behind whose answer was lost, looked for in a mailbox of Dovecot: a copy, a reply, a bounce."""

import asyncio
from dataclasses import replace

import mail_lab
import pytest
from mail_lab import AWAY, EVERYBODY, WORLD, Lab
from mail_office import Office, run
from mailroom import NOW

from posthaste.channels.base import NOWHERE, Sender, Trace
from posthaste.core.outcomes import Accepted, CannotTell, Finding, Found, Refusal, Rejected
from posthaste.core.signals import Inbound, Receipt

REFUSED = f"5.1.1 <bob@{AWAY}>: Recipient address rejected: no such user here"


async def found(it: Office) -> Finding:
    """Look for the line's mail."""
    sender = Sender(None, it.line, "Ada")
    return await it.channel.find(it.device, Trace("bob@x", "Hello", "m", NOWHERE, 0, NOW, frozenset(), it.key, sender))


async def arrived(it: Office) -> None:
    """Wait until something lies in the line's mailbox."""
    await it.mails_of(it.line)


def test_without_a_trace_nobody_can_tell(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await it.answered("I write by myself")
        await arrived(it)
        assert isinstance(await found(it), CannotTell)

    run(lab, story)


def test_a_copy_among_the_sent_mails_tells_that_it_left(lab: Lab) -> None:
    async def story(it: Office) -> None:
        copy = f"Message-ID: {it.message_id}\r\nFrom: {it.line}\r\nTo: bob@x\r\n\r\nHello\r\n".encode()
        await asyncio.to_thread(mail_lab.put, it.lab, it.line, "Sent", copy)
        assert await found(it) == Found(Accepted(it.message_id))

    run(lab, story)


@pytest.mark.parametrize("header", ["In_Reply_To", "References"])
def test_a_reply_that_names_it_tells_that_it_left(lab: Lab, header: str) -> None:
    async def story(it: Office) -> None:
        await it.answered("Yes", **{header: f"<other@x> {it.message_id}"})
        await arrived(it)
        assert await found(it) == Found(Accepted(it.message_id))

    run(lab, story)


@pytest.mark.parametrize("return_path", ["", "bounces+*"])
def test_a_bounce_tells_that_it_left_and_came_back(lab: Lab, return_path: str) -> None:
    async def story(it: Office) -> None:
        if return_path:
            path = it.line.replace("@", "+*@")
            it.device = replace(it.device, config={**it.device.config, "returnPath": path})
        assert await it.send(f"bob@{AWAY}") == Accepted(it.message_id)
        await arrived(it)
        assert await found(it) == Found(Accepted(it.message_id), Rejected(Refusal.BAD_ADDRESS, REFUSED))

    run(lab, story)


def test_the_bounce_of_a_large_mail_has_its_headers_only_and_tells_the_same(lab: Lab) -> None:
    async def story(it: Office) -> None:
        assert await it.send(f"bob@{AWAY}", text="Hello\n" * 20_000) == Accepted(it.message_id)
        await arrived(it)
        assert await found(it) == Found(Accepted(it.message_id), Rejected(Refusal.BAD_ADDRESS, REFUSED))

    run(lab, story)


def test_a_name_beyond_ascii_comes_back_too(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        assert await it.send(f"zoë@{AWAY}") == Accepted(it.message_id)
        (receipt,) = (await it.news(health.cursor or 0)).signals
        assert isinstance(receipt, Receipt) and receipt.external_id == it.message_id
        assert receipt.error and receipt.error.startswith("5.1.1 ")
        assert await found(it) == Found(Accepted(it.message_id), Rejected(receipt.refusal, receipt.error))

    run(lab, story, WORLD, imapUsername=EVERYBODY)


def test_a_warning_that_it_is_late_tells_that_it_left_and_nothing_else(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        assert await it.send(f"busy@{AWAY}") == Accepted(it.message_id)
        (warning,) = await it.mails_of(it.line)
        assert b"Action: delayed" in warning and b"Status: 4.7.1" in warning
        news = await it.channel.poll(it.device, health.cursor or 0, [])
        assert news.cursor > (health.cursor or 0) and not news.signals
        assert await found(it) == Found(Accepted(it.message_id))

    run(lab, story)


def test_an_absence_note_tells_that_it_left_and_is_no_answer(lab: Lab) -> None:
    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        await it.answered("I am away", In_Reply_To=it.message_id, Auto_Submitted="auto-replied (vacation)")
        await it.answered("Yes", In_Reply_To=it.message_id)
        news = await it.news(health.cursor or 0)
        assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Yes"]
        assert await found(it) == Found(Accepted(it.message_id))

    run(lab, story)


def test_a_mailbox_that_cannot_be_read_tells_nothing(lab: Lab) -> None:
    async def story(it: Office) -> None:
        it.device = replace(it.device, secrets={**it.device.secrets, "imapPassword": "wrong"})
        finding = await found(it)
        assert isinstance(finding, CannotTell) and "refused the user name or the password" in finding.detail

    run(lab, story)
