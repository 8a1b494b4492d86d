"""Hand a mail over by SMTP, and say what that came to.

A hand-over has one point of no return, the DATA command with the mail behind it. What fails before it surely left
nothing behind; what the server answers after it is final; and a connection that is lost in between leaves it open, for
the server may have taken the mail and lost only its answer. One connection carries one mail.

What an answer means, first match wins; a code with a class in front (RFC 3463) beats a bare one:

| where | answer | outcome | because |
| --- | --- | --- | --- |
| connecting, TLS, EHLO | any failure | Deferred, down | nothing was said about a message |
| AUTH | any refusal | Deferred, down | no message can help a wrong password |
| anywhere | 421, 4yz | Deferred | for now only: greylisting, a full disk, too many connections |
| MAIL | 5.3.4, 552 | Rejected, bad content | too large for this server |
| MAIL | other 5yz | Rejected, unauthorized | the account may not write from this address |
| RCPT, DATA | 5.1.x, 5.4.x, 5.2.1 | Rejected, bad address | nobody is there, or the domain is not |
| RCPT, DATA | 5.2.3, 5.3.4, 5.6.x | Rejected, bad content | too large, or nothing that it can carry |
| RCPT, DATA | 5.7.x | Rejected, blocked | a rule of theirs: spam, a block list, a private mailbox |
| RCPT, DATA | another 5.y.z, such as 5.2.2 | Rejected, other | a full mailbox may be emptied, but nobody says when |
| RCPT | bare 550, 551, 553 | Rejected, bad address | what these codes are for |
| DATA | bare 552 | Rejected, bad content | too large |
| RCPT, DATA | other 5yz | Rejected, other | |
| after DATA | no answer, or none that can be read | Ambiguous | it may have been taken |
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

import aiosmtplib

from posthaste.channels.mail.account import NONE, STARTTLS, TLS, Server, Waits
from posthaste.channels.mail.message import Draft
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

_RETRY_MS = 5 * 60_000
_DETAIL_CHARS = 200
#: Tells nothing about this machine; servers write down the address that they see anyway.
_OWN_NAME = "[127.0.0.1]"
_CLASSED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")

_BY_CLASS = (
    (r"5\.1\.|5\.4\.|5\.2\.1$", Refusal.BAD_ADDRESS),
    (r"5\.2\.3$|5\.3\.4$|5\.6\.", Refusal.BAD_CONTENT),
    (r"5\.7\.", Refusal.BLOCKED),
)


class Stage(Enum):
    """How far a hand-over had come."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()


_BARE = {
    (Stage.RCPT, 550): Refusal.BAD_ADDRESS,
    (Stage.RCPT, 551): Refusal.BAD_ADDRESS,
    (Stage.RCPT, 553): Refusal.BAD_ADDRESS,
    (Stage.DATA, 552): Refusal.BAD_CONTENT,
}


async def deliver(server: Server, draft: Draft, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> Outcome:
    """Hand one mail over."""
    client = _client(server, waits, tls)
    try:
        outcome = await _talk(client, server, draft, waits)
        await _quit(client, waits)
        return outcome
    finally:
        _end(client)


async def complaint_of(server: Server, waits: Waits, tls: Callable[[], ssl.SSLContext], *, logs_in: bool) -> str | None:
    """Say in words why a server cannot be used, None if it can; without `logs_in` only whether it answers."""
    client = _client(server, waits, tls)
    try:
        why = await _enter(client, server, logs_in=logs_in)
        await _quit(client, waits)
        return why
    finally:
        _end(client)


async def _talk(client: aiosmtplib.SMTP, server: Server, draft: Draft, waits: Waits) -> Outcome:
    why = await _enter(client, server)
    if why is not None:
        return Deferred(why, device_is_down=True)
    if draft.needs_utf8 and not client.supports_extension("smtputf8"):
        return Rejected(Refusal.BAD_ADDRESS, "the mail server cannot carry addresses with letters beyond ASCII")
    refused = await _announce(client, draft)
    return refused or await _hand_over(client, draft, waits)


async def _enter(client: aiosmtplib.SMTP, server: Server, *, logs_in: bool = True) -> str | None:
    """Connect, secure the connection and log in; return why that failed."""
    where = f"the SMTP server {server.host}:{server.port}"
    try:
        await client.connect()
        await client.ehlo()
        if logs_in and server.username:
            await client.login(server.username, server.password)
    except aiosmtplib.SMTPAuthenticationError as error:
        return f"{where} refused the user name or the password ({error.code})"
    except aiosmtplib.SMTPResponseException as error:
        return f"{where} answered {error.code}: {_said(error.message)}"
    except (TimeoutError, aiosmtplib.SMTPTimeoutError):
        return f"{where} did not answer in time"
    except ssl.SSLCertVerificationError as error:
        return f"{where} could not prove who it is: {error.verify_message}"
    except (aiosmtplib.SMTPException, OSError) as error:
        return f"{where} {_trouble(server, error)}"
    return None


def _trouble(server: Server, error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"could not prove who it is: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return "does not speak TLS on this port: smtpSecurity may have to be starttls"
    match error:
        case aiosmtplib.SMTPConnectError() | aiosmtplib.SMTPServerDisconnected():
            return "cannot be reached, or closed the connection"
        case aiosmtplib.SMTPException() if server.security == STARTTLS:
            return "offers no STARTTLS, or no way to log in that is known here"
        case aiosmtplib.SMTPException():
            return "offers no way to log in that is known here"
        case _:
            return "cannot be reached"


async def _announce(client: aiosmtplib.SMTP, draft: Draft) -> Outcome | None:
    """Tell sender and recipient; return what that came to if it goes no further."""
    options = [f"SIZE={len(draft.content)}"] if client.supports_extension("size") else []
    options += ["SMTPUTF8"] if draft.needs_utf8 else []
    encoding = "utf-8" if draft.needs_utf8 else "ascii"
    try:
        await client.mail(draft.sender, options=options, encoding=encoding)
        await client.rcpt(draft.to, encoding=encoding)
    except aiosmtplib.SMTPSenderRefused as error:
        return meaning_of(error.code, error.message, Stage.MAIL)
    except aiosmtplib.SMTPRecipientRefused as error:
        return meaning_of(error.code, error.message, Stage.RCPT)
    except aiosmtplib.SMTPResponseException as error:
        return Deferred(f"the mail server answered {error.code}", _RETRY_MS)
    except (aiosmtplib.SMTPException, OSError):
        return Deferred("the mail server closed the connection before it took the mail")
    except ValueError:  # A line's end within an address.
        return Rejected(Refusal.BAD_ADDRESS, "the e-mail address cannot be written to")
    return None


async def _hand_over(client: aiosmtplib.SMTP, draft: Draft, waits: Waits) -> Outcome:
    try:
        await client.data(draft.content, timeout=waits.answer_ms / 1000)
    except aiosmtplib.SMTPResponseException as error:
        return meaning_of(error.code, error.message, Stage.DATA)
    except aiosmtplib.SMTPTimeoutError:
        return Ambiguous("the mail server did not say in time whether it took the mail")
    except (aiosmtplib.SMTPException, OSError):
        return Ambiguous("the connection was lost before the mail server said whether it took the mail")
    return Accepted(draft.message_id)


async def _quit(client: aiosmtplib.SMTP, waits: Waits) -> None:
    """Say goodbye, as a client must (RFC 5321, 4.1.1.10), also to who has refused everything."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.execute_command(b"QUIT", timeout=waits.connect_ms / 1000)


def _end(client: aiosmtplib.SMTP) -> None:
    """Close the connection at once: all is said, and an end of TLS in form would wait for the server once more."""
    transport = client.transport
    client.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def meaning_of(code: int, message: str, stage: Stage) -> Outcome:
    """Say what a refusal means; the table above is this function."""
    detail = f"the mail server answered {code}: {_said(message)}"
    match code // 100:
        case 4:
            return Deferred(detail, _RETRY_MS)
        case 5:
            return Rejected(_refusal(code, message, stage), detail)
        case _ if stage is Stage.DATA:
            return Ambiguous(detail)
        case _:
            return Deferred(detail, _RETRY_MS)


def _refusal(code: int, message: str, stage: Stage) -> Refusal:
    classed = _CLASSED.match(message)
    if stage is Stage.MAIL:
        is_size = code == 552 or (classed is not None and classed[1] == "5.3.4")
        return Refusal.BAD_CONTENT if is_size else Refusal.UNAUTHORIZED
    if classed:
        return refusal_of(classed[1])
    return _BARE.get((stage, code), Refusal.OTHER)


def refusal_of(status: str) -> Refusal:
    """Say what a status in classes (RFC 3463) means, in an answer as in the report of a mail that came back."""
    return next((refusal for pattern, refusal in _BY_CLASS if re.match(pattern, status)), Refusal.OTHER)


def _client(server: Server, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=_OWN_NAME,
        timeout=max(waits.connect_ms, waits.question_ms) / 1000,
        use_tls=server.security == TLS,
        start_tls=server.security == STARTTLS,
        tls_context=None if server.security == NONE else tls(),
    )


def _said(message: str) -> str:
    """Keep the words of a server short, for people only."""
    return " ".join(message.encode("utf-8", "replace").decode().split())[:_DETAIL_CHARS]
