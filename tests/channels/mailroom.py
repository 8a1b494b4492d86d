"""What the cases of e-mail share: a line with its mailbox, an order, and an SMTP server that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from posthaste.channels.base import NOWHERE, Connection, File, Letter, Order, Sender
from posthaste.channels.mail.message import Draft
from posthaste.core.signals import Signal

NOW = 1_760_000_000_000
KEY = "0123456789abcdef01234567-0"
LINE, PERSON = "ada@example.com", "bob@people.example"
MESSAGE_ID = f"<{KEY}@example.com>"
URL = "https://posthaste.example/unsubscribe/abc.def"
PASSWORD = "s3cret pässword"
NOBODY_ELSE = "127.0.0.1"


def device(secrets: dict[str, str] | None = None, options: dict[str, object] | None = None, **config: object) -> Connection:
    """Return a line's device; the names of `config` are those of its fields."""
    kept = {"smtpHost": NOBODY_ELSE, "smtpSecurity": "none", "imapSecurity": "none"}
    named = {name: str(value) for name, value in config.items()}
    return Connection("device-1", "", secrets or {}, options or {}, kept | named)


def order(address: str = PERSON, text: str = "Hello Bob,\nshall we talk?", **changes: Any) -> Order:
    given: dict[str, Any] = {"key": KEY, "sender": Sender(None, LINE, "Ada Love"), "letter": Letter(unsubscribe_url=URL)}
    return Order(address, text, "marker-1", NOWHERE, **(given | changes))


def file(path: Path, content: bytes, media_type: str = "image/png", name: str = "cat.png") -> File:
    path.write_bytes(content)
    return File(name, media_type, len(content), path, "https://posthaste.example/files/1")


def mail_of(draft: Draft) -> EmailMessage:
    return parsed(draft.content)


def parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


@cache
def dkim_key() -> tuple[str, str]:
    """Return a private key as PEM, and the record that has its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, f"v=DKIM1; k=rsa; p={''.join(public.decode().splitlines()[1:-1])}"


class Tray:
    """Where a standing connection puts what came in; somebody may wait for it."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._changed = asyncio.Condition()

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        async with self._changed:
            self.signals += signals
            self._changed.notify_all()

    async def until(self, is_there: Callable[[list[Signal]], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: is_there(self.signals))


class Script:
    """An SMTP server that says what it is told to: a line, or nothing and a closed connection where there is None.

    `answers` are by the first word of a command; the mail itself is `.`, and the greeting is `CONNECT`.
    """

    GOOD: ClassVar[dict[str, str]] = {
        "CONNECT": "220 here", "EHLO": "250-here\r\n250 SMTPUTF8", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok",
        "DATA": "354 go on", ".": "250 2.0.0 queued", "QUIT": "221 bye",
    }  # fmt: skip

    def __init__(self, **answers: str | None) -> None:
        named = {"." if name == "END" else name: answer for name, answer in answers.items()}
        self._answers: dict[str, str | None] = {**self.GOOD, **named}
        self.heard: list[str] = []
        self.mail = b""
        self.port = 0
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Script"]:
        server = await asyncio.start_server(self._begin, NOBODY_ELSE, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.get_running_loop().create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            word = "CONNECT"
            while (answer := self._answers.get(word, "500 5.5.1 what?")) is not None:
                if answer != "SILENCE":
                    writer.write(f"{answer}\r\n".encode())
                if answer.startswith("354"):
                    self.mail = await reader.readuntil(b"\r\n.\r\n")
                    word = "."
                    continue
                line = (await reader.readuntil(b"\r\n")).decode().strip()
                self.heard.append(line)
                word = line.split()[0].upper()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
