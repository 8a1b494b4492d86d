"""The ports of mailboxes: one for SMTP and one for IMAP each, on the loopback address, kept over restarts.

The ports are in the journal, because lines point at them; one that another program has taken meanwhile is replaced by a
free one, which the next `POST /devices` tells. A mailbox that is down closes every connection without a word.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import cast

import msgspec

from posthaste.sandbox import mail_sending
from posthaste.sandbox.entries import MailboxKept
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_imap import imap_protocol
from posthaste.sandbox.mail_smtp import smtp_protocol
from posthaste.sandbox.render import Json
from posthaste.sandbox.world import World

HOST = "127.0.0.1"
_BACKLOG = 64


async def keep(world: World, mailbox_id: str, email: str, password: str) -> tuple[Mailbox, bool]:
    """Make a mailbox and listen for it, or give the one with this id other settings; tell whether it is a first one."""
    known = world.mailboxes.get(mailbox_id)
    if known is None:
        world.record(MailboxKept(mailbox_id, email, password, 0, 0, world.now_ms(), world.now_ms()))
    elif (known.email, known.settings.password) != (email, password):
        world.record(msgspec.structs.replace(known.settings, email=email, password=password, at=world.now_ms()))
    box = world.mailboxes[mailbox_id]
    await _listen(world, box)
    return box, known is None


def described(box: Mailbox) -> Json:
    """Return a mailbox as `/devices` tells it."""
    settings = box.settings
    return {
        "kind": "mail",
        "id": settings.id,
        "email": settings.email,
        "password": settings.password,
        "host": HOST,
        "smtpPort": settings.smtp_port,
        "imapPort": settings.imap_port,
        "state": "up" if box.is_up else "down",
    }


async def resume(world: World) -> None:
    """Listen again for every mailbox that the journal knows, and set off what was still to arrive there."""
    mail_sending.resume(world)
    for box in list(world.mailboxes.values()):
        await _listen(world, box)


async def _listen(world: World, box: Mailbox) -> None:
    if box.id in world.mail_listeners:
        return
    smtp, imap = _bound(box.settings.smtp_port), _bound(box.settings.imap_port)
    ports = smtp.getsockname()[1], imap.getsockname()[1]
    if ports != (box.settings.smtp_port, box.settings.imap_port):
        world.record(msgspec.structs.replace(box.settings, smtp_port=ports[0], imap_port=ports[1]))
    loop = asyncio.get_running_loop()
    world.mail_listeners[box.id] = [
        await loop.create_server(partial(_protocol, world, box, smtp_protocol), sock=smtp, backlog=_BACKLOG),
        await loop.create_server(partial(_protocol, world, box, imap_protocol), sock=imap, backlog=_BACKLOG),
    ]


def _bound(port: int) -> socket.socket:
    """Bind the port of last time, or a free one."""
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return socket.create_server((HOST, 0))


def _protocol(world: World, box: Mailbox, speak: Callable[[World, Mailbox], asyncio.BaseProtocol]) -> asyncio.BaseProtocol:
    return speak(world, box) if box.is_up else _Closed()


class _Closed(asyncio.Protocol):
    """What a mailbox that is down speaks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()
