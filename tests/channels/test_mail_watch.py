"""The standing connection to a mailbox of Dovecot: one at a time, under the present account, and no gap beside polls."""

import asyncio
from dataclasses import replace
from functools import partial
from itertools import count

import pytest
from mail_lab import Lab
from mail_office import Office, run

from fixtures.processes import until
from posthaste.channels.base import Connection
from posthaste.channels.mail.imap import Page, Session
from posthaste.core.signals import Inbound, Signal


def texts(signals: list[Signal]) -> list[str]:
    return [one.text for one in signals if isinstance(one, Inbound)]


async def begun(it: Office, device: Connection) -> int:
    """Begin to poll a mailbox, which is watched from there on; return how far the first poll came."""
    news = await it.channel.poll(device, 0, [])
    return news.cursor


def said(it: Office, words: str, times: int) -> bool:
    """Tell whether Dovecot has said something so often."""
    return (it.lab.folder / "dovecot.log").read_text().count(words) >= times


def without_imap(device: Connection) -> Connection:
    return replace(device, config={name: value for name, value in device.config.items() if name != "imapHost"})


def test_what_comes_after_a_poll_is_told_at_once_however_soon(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await begun(it, it.device)
        await it.answered("Soon")
        await it.tray.until(lambda signals: texts(signals) == ["Soon"])

    run(lab, story)


def test_what_comes_between_a_look_and_the_wait_is_told_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    look, looks = Session.page_after, count()

    async def story(it: Office) -> None:
        loop = asyncio.get_running_loop()

        def look_and_let_come(session: Session, cursor: int, now: int) -> Page:
            page = look(session, cursor, now)
            if next(looks) == 0:
                asyncio.run_coroutine_threadsafe(come(), loop).result(20)
            return page

        async def come() -> None:
            await it.answered("In between")
            await it.mails_of(it.line)

        monkeypatch.setattr(Session, "page_after", look_and_let_come)
        await begun(it, it.device)
        await it.tray.until(lambda signals: texts(signals) == ["In between"])

    run(lab, story)


def test_a_watch_ends_with_its_account_and_begins_with_another(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await begun(it, it.device)
        old, new = it.line, it.line.replace("@", "new@")
        it.device = replace(it.device, config={**it.device.config, "imapUsername": new})
        await begun(it, it.device)
        await until(partial(said, it, f"imap({old})", 2), "both sessions at the old mailbox have ended")
        await it.answered("To the old mailbox")
        await it.mails_of(old)
        it.line = new
        await it.answered("To the new one")
        await it.tray.until(lambda signals: len(signals) >= 1)
        assert texts(it.tray.signals) == ["To the new one"]

    run(lab, story)


def test_a_watch_ends_where_the_line_has_no_mailbox_any_more(lab: Lab) -> None:
    async def story(it: Office) -> None:
        await begun(it, it.device)
        await it.channel.poll(without_imap(it.device), 0, [])
        await until(partial(said, it, f"imap({it.line})", 2), "both sessions at the mailbox have ended")

    run(lab, story)


def test_whoever_asks_at_the_same_time_makes_one_watch(lab: Lab) -> None:
    async def story(it: Office) -> None:
        changed = replace(it.device, config={**it.device.config, "fromName": "Ada"})
        await begun(it, it.device)
        await asyncio.gather(*(it.channel.poll(changed, 0, []) for _ in range(3)))
        await it.channel.listen(changed)
        await it.answered("Told")
        await it.tray.until(lambda signals: len(signals) >= 1)
        await it.channel.close()
        await until(partial(said, it, f"imap({it.line})", 6), "every session has ended")
        assert not said(it, f"Login: user=<{it.line}>", 7)  # Four polls, and a watch under either account.

    run(lab, story)
