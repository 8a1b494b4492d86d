"""E-mail: out by SMTP, in by IMAP, through any mailbox that allows both.

This file is the channel; `message` writes a mail, `smtp` hands it over, `imap` reads the mailbox,
`watch` waits there for news, and `reading` says what came in. What would surprise: a mail is named by its
Message-ID, which is made here and known before anything is sent, so a lost answer can be looked up by its traces (a
copy among the sent mails, a reply, a bounce), but the lack of traces proves nothing; and nobody ever tells that a mail
arrived, only that it came back.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from posthaste.channels.base import (
    Availability,
    Connection,
    Health,
    Inbox,
    News,
    Order,
    Target,
    Trace,
    Unreachable,
)
from posthaste.channels.mail.account import Account, BadAccount, Server, Waits, account_of, default_tls, scrubbed
from posthaste.channels.mail.imap import Session, session
from posthaste.channels.mail.message import BadKey, Unsendable, compose, message_id_of, signature
from posthaste.channels.mail.reading import Letter, file_in, receipt_in, signals_of
from posthaste.channels.mail.smtp import complaint_of, deliver
from posthaste.channels.mail.watch import Watch
from posthaste.core.channels import Field, Form, Kind, Pace, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import (
    Accepted,
    CannotTell,
    Deferred,
    Finding,
    Found,
    Outcome,
    Refusal,
    Rejected,
)
from posthaste.core.signals import Receipt, Signal

MAILBOX: Final = "mailbox"

_log = logging.getLogger(__name__)
_SECURITY = ("starttls", "tls", "none")
_QUESTIONS_AT_ONCE = 16
_MOST_WATCHES = 1_000
_LARGEST_READ = 64 * 1024 * 1024
#: Between two logins that only prove that they are possible: providers count logins, and lock out who has too many.
_PROVE_EVERY_S = 300.0
_ARRIVAL_MS = 5 * 60_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Proof:
    """A login that worked, and until when it is taken for granted."""

    account: Account
    until_s: float
    detail: str


class Mail:
    """The channel. It keeps one standing connection to each mailbox, and when each login last worked."""

    kind = Kind(
        name="email",
        title="a mailbox, by SMTP and IMAP",
        message_type=MessageType.EMAIL,
        # `can_find`: a trace proves that a mail left; without one the answer is "cannot tell", never "absent".
        promises=Promises(
            repeats_safely=False, can_find=True, can_check=False, has_receipts=False, has_attachments=True, has_webhooks=False
        ),
        fields=(
            Field("smtpHost", "the server that takes mail for sending, such as smtp.example.com", is_needed=True),
            Field("smtpPort", "its port: 587 for starttls, 465 for tls, 25 for none, unless given", Form.NUMBER),
            Field("smtpSecurity", "how the connection to it is secured", default="starttls", choices=_SECURITY),
            Field("smtpUsername", "the user name there, mostly the e-mail address; empty: no login"),
            Field(
                "smtpPassword",
                "the password there, mostly one made for programs (an app password)",
                is_secret=True,
                asked_with="smtpUsername",
            ),
            Field("imapHost", "the server that keeps the mailbox; empty: no replies, and bounces only at once"),
            Field("imapPort", "its port: 993 for tls, 143 otherwise, unless given", Form.NUMBER),
            Field("imapSecurity", "how the connection to it is secured", default="tls", choices=_SECURITY),
            Field("imapUsername", "the user name there"),
            Field("imapPassword", "the password there", is_secret=True, asked_with="imapUsername"),
            Field("imapFolder", "the folder to which replies and bounces come", default="INBOX"),
            Field("fromName", "the name beside the address; empty: the name of the line"),
            Field("replyTo", "where replies are to go, if not to the line's own address"),
            Field("subject", "the subject of messages that bring none; empty: their first line"),
            Field("returnPath", "where bounces go, if not to the line's own address; * in it stands for the message's key"),
            Field("dkimDomain", "the domain that signs, if the mail server does not sign itself"),
            Field("dkimSelector", "the name under which the public key stands in the domain's DNS"),
            Field("dkimPrivateKey", "the private RSA key, as PEM", Form.LONG_TEXT, is_secret=True),
        ),
        told_by=("imapHost", "imapUsername", "imapFolder"),
        # A server that has the whole mail takes or refuses it within five minutes, whatever becomes of us meanwhile.
        pace=Pace(gap_ms=0, contact_gap_ms=0, max_in_flight=4, arrival_ms=_ARRIVAL_MS, files_arrival_ms=_ARRIVAL_MS),
    )

    def __init__(
        self,
        inbox: Inbox,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 150_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        tls: Callable[[], ssl.SSLContext] = default_tls,
    ) -> None:
        self._inbox, self._now_ms, self._tls = inbox, now_ms, tls
        self._waits = Waits(connect_timeout_ms, question_timeout_ms, answer_timeout_ms)
        self._threads = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "mail")
        self._standing = ThreadPoolExecutor(_MOST_WATCHES, "mail-watch")
        self._watches: dict[str, Watch] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._proofs: dict[str, _Proof] = {}
        self._told: dict[str, Sequence[Receipt]] = {}

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Refuse what can be no mail before anything is written down; there is nothing to ask."""
        if order.sender.email is None:
            return Rejected(Refusal.OTHER, "the line has no e-mail address to write from")
        return Target(MAILBOX, order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Write the mail and hand it over."""
        try:
            account = account_of(device)
            draft = await self._ask(compose, order, account, self._now_ms())
        except (BadAccount, BadKey) as error:
            return Deferred(str(error), device_is_down=True)
        except Unsendable as error:
            return Rejected(error.refusal, str(error))
        outcome = await deliver(account.smtp, draft, self._waits, self._tls)
        if isinstance(outcome, Accepted):
            return outcome
        if isinstance(outcome, Deferred) and outcome.device_is_down:
            self._proofs.pop(device.device_id, None)
        return replace(outcome, detail=scrubbed(account, outcome.detail))

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look for what a mail leaves behind: a bounce, a reply, or a copy among the sent mails.

        A mailbox keeps no list of what was sent through its SMTP server, so that nothing found means nothing known.
        """
        try:
            account = account_of(device)
            if account.imap is None or trace.sender.email is None:
                return CannotTell("without IMAP there is nowhere to look for the mail")
            message_id = message_id_of(trace.key, trace.sender, account)
            return await self._ask(self._find, account, account.imap, message_id)
        except (BadAccount, Unsendable, Unreachable) as error:
            return CannotTell(str(error))

    def _find(self, account: Account, server: Server, message_id: str) -> Finding:
        with self._session(account, server) as opened:
            letters = opened.letters_about(message_id)
            for letter in letters:
                receipt = receipt_in(letter, account, message_id)
                if receipt is not None and receipt.error is not None:
                    return Found(Accepted(message_id), Rejected(receipt.refusal, receipt.error))
            if letters or opened.has_copy(message_id):
                return Found(Accepted(message_id))
        return CannotTell("neither a copy nor a reply nor a bounce of the mail is in the mailbox")

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "nobody can tell whether an e-mail address exists without writing to it")

    async def ping(self, device: Connection) -> Health:
        """Log in at both servers and try the key; between two such proofs only ask whether the SMTP server answers."""
        try:
            account = account_of(device)
        except BadAccount as error:
            return Health(False, str(error), device.options)
        proof = self._proofs.get(device.device_id)
        if proof is not None and proof.account == account and asyncio.get_running_loop().time() < proof.until_s:
            why = await complaint_of(account.smtp, self._waits, self._tls, logs_in=False)
            return Health(why is None, scrubbed(account, why) if why else proof.detail, device.options)
        return await self._prove(device, account)

    async def _prove(self, device: Connection, account: Account) -> Health:
        self._proofs.pop(device.device_id, None)
        try:
            seen = await self._ask(self._look, account)
        except (BadKey, Unreachable) as error:
            return Health(False, scrubbed(account, str(error)), device.options)
        why = await complaint_of(account.smtp, self._waits, self._tls, logs_in=True)
        if why is not None:
            return Health(False, scrubbed(account, why), device.options)
        detail = _state(account, seen)
        until_s = asyncio.get_running_loop().time() + _PROVE_EVERY_S
        self._proofs[device.device_id] = _Proof(account, until_s, detail)
        options: Mapping[str, object] = {"idle": seen.can_idle} if seen else {}
        return Health(True, detail, {**device.options, **options}, seen.newest if seen else None)

    def _look(self, account: Account) -> "_Seen | None":
        if account.signing:
            signature(b"From: a@example.com\r\n\r\n", account.signing)
        if account.imap is None:
            return None
        with self._session(account, account.imap) as opened:
            return _Seen(opened.newest, opened.can_idle)

    # Listening

    async def listen(self, device: Connection) -> None:
        """Wait at the mailbox from now on."""
        self._keep_watch(device, _account_or_unreachable(device))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Read what came after the cursor; the first time nothing, so that old mails are not taken for replies."""
        account = _account_or_unreachable(device)
        try:
            news = await self._ask(self._read_on, account, account.imap, cursor) if account.imap else _nothing(cursor)
        except Unreachable:
            self._proofs.pop(device.device_id, None)
            raise
        # From where this poll came to, so that nothing falls in between.
        self._keep_watch(device, account, news.cursor)
        return replace(news, signals=[*self._told_before(device, news), *news.signals])

    def _told_before(self, device: Connection, news: News) -> Sequence[Receipt]:
        """Return the last poll's bounces once more: one can overtake the record of its own hand-over, and is not known then."""
        before = self._told.pop(device.device_id, ())
        self._told[device.device_id] = [one for one in news.signals if isinstance(one, Receipt)]
        return before

    def _read_on(self, account: Account, server: Server, cursor: int) -> News:
        with self._session(account, server) as opened:
            if not cursor:
                return _nothing(opened.newest)
            page = opened.page_after(cursor, self._now_ms())
        return News(_signals(account, page.letters), page.cursor, page.is_last)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Mailboxes do not call."""
        return None

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Read a mail again and return one of its attachments."""
        account = _account_or_unreachable(device)
        numbers = [int(part) for part in ref.split(".") if part.isascii() and part.isdigit()]
        if account.imap is None or len(numbers) != 3:
            raise Unreachable("there is no mailbox to fetch the file from")
        content = await self._ask(self._file, account, account.imap, *numbers)
        if len(content) > most_bytes:
            raise Unreachable("the file is too large")
        return content

    def _file(self, account: Account, server: Server, validity: int, uid: int, number: int) -> bytes:
        with self._session(account, server) as opened:
            content = file_in(opened.letter(validity, uid, _LARGEST_READ).raw, number)
        if content is None:
            raise Unreachable("the mail has no such attachment")
        return content

    def forget(self, device_id: str) -> None:
        """End the standing connection, and believe no login any more that worked."""
        self._proofs.pop(device_id, None)
        self._end_watch(device_id)

    async def close(self) -> None:
        """End every standing connection."""
        watches = list(self._watches.values())
        self._watches.clear()
        await asyncio.gather(*self._ending, *(watch.close() for watch in watches))
        self._standing.shutdown(wait=False)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Asking

    def _keep_watch(self, device: Connection, account: Account, cursor: int | None = None) -> None:
        """See to it that the mailbox is watched under its present account; one that has ended is begun anew.

        Nothing is awaited, so that whoever asks at the same time finds the one watch.
        """
        watch = self._watches.get(device.device_id)
        if watch is not None and watch.account == account and watch.is_worth_keeping:
            watch.renew()
            return
        self._end_watch(device.device_id)
        if account.imap is not None:
            watch = Watch(device.device_id, account, self._inbox, _signals, self._now_ms, cursor)
            self._watches[device.device_id] = watch
            watch.start(account.imap, self._standing, self._waits, self._tls)

    def _end_watch(self, device_id: str) -> None:
        watch = self._watches.pop(device_id, None)
        if watch is not None:
            ending = asyncio.get_running_loop().create_task(watch.close())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _ask(self, question: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(question, *given))

    def _session(self, account: Account, server: Server) -> AbstractContextManager[Session]:
        return session(server, account.folder, self._waits, self._tls)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look into the mailbox showed."""

    newest: int
    can_idle: bool


def _nothing(cursor: int) -> News:
    return News((), cursor, is_complete=True)


def _signals(account: Account, letters: Sequence[Letter]) -> Sequence[Signal]:
    """Translate mails. One that cannot be read is passed over: it would otherwise keep all behind it from being read."""
    signals: list[Signal] = []
    for letter in letters:
        try:
            signals += signals_of(letter, account)
        except Exception:
            _log.exception("mail passed over: uid=%s", letter.ref)
    return signals


def _state(account: Account, seen: _Seen | None) -> str:
    smtp, imap = account.smtp, account.imap
    out = f"sends by {smtp.host}:{smtp.port}"
    if imap is None or seen is None:
        return f"{out}; without IMAP no reply is heard, and no bounce that comes later"
    how = "is told of new mail at once" if seen.can_idle else "asks for new mail"
    return f"{out}, reads {account.folder} at {imap.host}:{imap.port} and {how}"


def _account_or_unreachable(device: Connection) -> Account:
    try:
        return account_of(device)
    except BadAccount as error:
        raise Unreachable(str(error)) from None
