"""A line with a mailbox at the real servers, and the channel to it: what the cases against Postfix and Dovecot share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import mail_lab
from mail_lab import DOMAIN, PASSWORD, Lab
from mailroom import Tray, device, order

from fixtures.processes import until
from posthaste.channels.base import Connection, News, Sender
from posthaste.channels.mail.channel import Mail
from posthaste.clock import SystemClock

NUMBERS = count(1)


@dataclass
class Office:
    """A line with its mailbox, and the channel to it."""

    lab: Lab
    channel: Mail
    tray: Tray
    device: Connection
    line: str
    key: str

    @property
    def message_id(self) -> str:
        return f"<{self.key}@{self.line.partition('@')[2]}>"

    async def send(self, to: str, **changes: object) -> object:
        given = {"key": self.key, "sender": Sender(None, self.line, "Ada")} | changes
        return await self.channel.send(self.device, order(to, **given))

    async def answered(self, words: str, **headers: str) -> None:
        """Let a person answer the mail by a program that is not ours."""
        head = {
            "From": f"Bob <bob@{DOMAIN}>",
            "To": self.line,
            "Subject": "Re: Hello",
            "Message-ID": f"<{words.split()[0]}.{self.line}>",
        }
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in (head | headers).items()]
        mail = "\r\n".join([*lines, "", words, ""]).encode()
        await asyncio.to_thread(mail_lab.write, self.lab, f"bob@{DOMAIN}", self.line, mail)

    async def mails_of(self, user: str, least: int = 1) -> list[bytes]:
        async def look() -> list[bytes]:
            mails = await asyncio.to_thread(mail_lab.read, self.lab, user)
            return mails if len(mails) >= least else []

        return await until(look, f"{least} mails for {user}")

    async def news(self, cursor: int, least: int = 1) -> News:
        """Poll until there is something."""

        async def look() -> News | None:
            news = await self.channel.poll(self.device, cursor, [])
            return news if len(news.signals) >= least else None

        found = await until(look, "news in the mailbox")
        assert found is not None
        return found


@asynccontextmanager
async def office(lab: Lab, domain: str = DOMAIN, **config: object) -> AsyncIterator[Office]:
    number = next(NUMBERS)
    line = f"line{number}@{domain}"
    settings = {
        "smtpHost": "localhost", "smtpPort": lab.smtp_port, "smtpSecurity": "starttls", "smtpUsername": line,
        "imapHost": "localhost", "imapPort": lab.imaps_port, "imapSecurity": "tls", "imapUsername": line,
    }  # fmt: skip
    tray = Tray()
    channel = Mail(tray, SystemClock().now_ms, tls=lab.trusting)
    secrets = {"smtpPassword": PASSWORD, "imapPassword": PASSWORD}
    try:
        yield Office(lab, channel, tray, device(secrets, **(settings | config)), line, f"{number:024x}-0")
    finally:
        await channel.close()


def run(lab: Lab, story: Callable[[Office], Awaitable[None]], domain: str = DOMAIN, **config: object) -> None:
    async def main() -> None:
        async with office(lab, domain, **config) as it:
            await story(it)

    asyncio.run(main())
