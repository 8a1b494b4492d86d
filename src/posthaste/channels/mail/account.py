"""The settings of one mailbox, read out of a line's fields: two servers, how mail is signed, and where bounces go.

Nothing is asked here. An account is a plain value, so that two of them can be compared: a standing connection to an
account that has changed is given up.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from email_validator import validate_email

from posthaste.channels.base import Connection

STARTTLS: Final = "starttls"
TLS: Final = "tls"
NONE: Final = "none"

_SMTP_PORTS = {STARTTLS: 587, TLS: 465, NONE: 25}
_IMAP_PORTS = {STARTTLS: 143, TLS: 993, NONE: 143}
_HIGHEST_PORT = 65535
#: A `*` may stand in the name alone: the domain is that of Message-IDs.
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\\\"@]+@[^\s<>()\[\],;:\\\"@*]+")


class BadAccount(Exception):  # noqa: N818 - it says what is wrong
    """The settings cannot be those of a mailbox; the text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server and how to log in there; without a user name nobody logs in."""

    host: str
    port: int
    security: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Signing:
    """A DKIM key (RFC 6376): `key` is a private RSA key as PEM, its public half stands in the domain's DNS."""

    domain: str
    selector: str
    key: str


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox. `return_path` is where bounces go; a `*` in it stands for the key of the message."""

    smtp: Server
    imap: Server | None
    folder: str
    from_name: str
    reply_to: str
    subject: str
    return_path: str
    signing: Signing | None

    @property
    def own_addresses(self) -> frozenset[str]:
        """Return the addresses that the settings tell to be ours; the line's own is not among them."""
        imap = self.imap.username if self.imap else ""
        return frozenset(one.lower() for one in (self.smtp.username, imap, self.reply_to) if "@" in one)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long is waited, in milliseconds: for a connection, for the answer to a question, and for that to a mail."""

    connect_ms: int
    question_ms: int
    answer_ms: int


def account_of(device: Connection) -> Account:
    """Read the account of a device, or raise `BadAccount`."""
    config, secrets = device.config, device.secrets
    smtp = _server("smtp", config, secrets, _SMTP_PORTS)
    if smtp is None:
        raise BadAccount("smtpHost is missing")
    return Account(
        smtp=smtp,
        imap=_server("imap", config, secrets, _IMAP_PORTS),
        folder=config.get("imapFolder", "") or "INBOX",
        from_name=config.get("fromName", ""),
        reply_to=_address("replyTo", config),
        subject=config.get("subject", ""),
        return_path=_address("returnPath", config),
        signing=_signing(config, secrets),
    )


def scrubbed(account: Account, text: str) -> str:
    """Blot passwords out of what a server said, should it ever repeat one."""
    for server in (account.smtp, account.imap):
        if server and server.password:
            text = text.replace(server.password, "…")
    return text


def default_tls() -> ssl.SSLContext:
    """Return how servers prove who they are, unless somebody brings certificates of their own: by the machine's."""
    return ssl.create_default_context()


def in_ascii(domain: str) -> str:
    """Spell a domain in the letters that every server knows (RFC 5891); raise `ValueError` if it cannot be one.

    The codec of Python knows the names of 2003 alone, and would make that of another domain out of some.
    """
    if domain.isascii():
        return domain.encode("idna").decode()  # For the lengths of its parts.
    return validate_email(f"x@{domain}", check_deliverability=False, test_environment=True).ascii_domain


def _address(name: str, config: Mapping[str, str]) -> str:
    text = config.get(name, "").strip()
    try:
        if not text:
            return ""
        if _ADDRESS.fullmatch(text):
            local, _, domain = text.partition("@")
            return f"{local}@{in_ascii(domain)}"
    except ValueError:
        pass
    raise BadAccount(f"{name} must be an e-mail address")


def _server(kind: str, config: Mapping[str, str], secrets: Mapping[str, str], ports: Mapping[str, int]) -> Server | None:
    host = config.get(f"{kind}Host", "")
    if not host:
        return None
    security = config.get(f"{kind}Security", "") or (STARTTLS if kind == "smtp" else TLS)
    port = int(config.get(f"{kind}Port", "") or ports[security])
    if not 0 < port <= _HIGHEST_PORT:
        raise BadAccount(f"{kind}Port must be between 1 and {_HIGHEST_PORT}, got {port}")
    return Server(host, port, security, config.get(f"{kind}Username", ""), secrets.get(f"{kind}Password", ""))


def _signing(config: Mapping[str, str], secrets: Mapping[str, str]) -> Signing | None:
    given = (config.get("dkimDomain", ""), config.get("dkimSelector", ""), secrets.get("dkimPrivateKey", ""))
    if not any(given):
        return None
    if not all(given):
        raise BadAccount("DKIM needs all three of dkimDomain, dkimSelector and dkimPrivateKey")
    return Signing(*given)
