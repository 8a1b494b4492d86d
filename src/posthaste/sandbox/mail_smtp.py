"""The SMTP face of a mailbox: whoever logs in may write to everybody, and each recipient has a script.

The protocol is a library's; here stand its hooks. A mail is in the journal before it is answered, and one that is
handed over for somebody who hangs up is taken all the same.
"""

import asyncio
import logging
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from posthaste.sandbox import mail_sending
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_scripts import ANSWER_LATE_MS, MailAnswer, mail_course_of
from posthaste.sandbox.numbers import normal
from posthaste.sandbox.world import World

# The library warns of one of its own attributes at every login.
logging.getLogger("mail.log").setLevel(logging.ERROR)

_MAIL_BYTES_MAX = 40 * 1024 * 1024
_IDLE_S = 300.0


def smtp_protocol(world: World, box: Mailbox) -> asyncio.BaseProtocol:
    """Return what speaks with one client."""
    hooks = _Hooks(world, box)
    return SMTP(
        hooks,
        hostname="sandbox",
        ident="sandbox",
        data_size_limit=_MAIL_BYTES_MAX,
        enable_SMTPUTF8=True,
        auth_require_tls=False,
        authenticator=hooks.authenticate,
        timeout=_IDLE_S,
        loop=asyncio.get_running_loop(),
    )


class _Hooks:
    """What the library calls; their names and arguments are its own."""

    def __init__(self, world: World, box: Mailbox) -> None:
        self._world, self._box = world, box

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        if not isinstance(given, LoginPassword):
            return AuthResult(success=False)
        login, password = given.login.decode("utf-8", "replace"), given.password.decode("utf-8", "replace")
        return AuthResult(success=self._box.opens_to(login, password), handled=False)

    async def handle_MAIL(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        to = normal(address)
        course = mail_course_of(to)
        if course.refusal:
            return course.refusal
        if course.first_refusal and to not in self._box.put_off:
            self._box.put_off.add(to)
            return course.first_refusal
        envelope.rcpt_tos.append(to)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        raw = bytes(envelope.original_content or b"")
        answers = [self._take(to, raw) for to in envelope.rcpt_tos]
        if MailAnswer.TIMEOUT in answers:
            await asyncio.sleep(ANSWER_LATE_MS / 1000)
        if MailAnswer.TIMEOUT in answers or MailAnswer.HANGUP in answers:
            await _hang_up(server)
        return "250 2.0.0 OK"

    def _take(self, to: str, raw: bytes) -> MailAnswer:
        answer = mail_course_of(to).answer
        if answer is MailAnswer.TIMEOUT:
            mail_sending.take_late(self._world, self._box, to, raw)
        else:
            mail_sending.take(self._world, self._box, to, raw)
        return answer


async def _hang_up(server: SMTP) -> None:
    """Close the socket, and wait for the library to end this conversation."""
    cast("asyncio.Transport", server.transport).abort()
    await asyncio.Event().wait()
