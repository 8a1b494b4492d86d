"""One session with an IMAP server: what is new in a folder, one mail again, and what is known of a mail of ours.

Everything here blocks and is called in a thread; every wait has a deadline, and every trouble becomes `Unreachable`
in words. Folders are opened read-only, so that a person's mail program shows what is unread as before. Mails are told
by their UIDs, which mean nothing without the folder's UIDVALIDITY (RFC 3501, 2.3.1.1): the cursor is both in one number,
which grows even when a server counts anew, because it must then choose a higher UIDVALIDITY.
"""

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from posthaste.channels.base import Unreachable
from posthaste.channels.mail.account import STARTTLS, TLS, Server, Waits
from posthaste.channels.mail.reading import Letter
from posthaste.channels.reading import instant_of_mail

PAGE_MAILS = 50
#: How far a folder is read back once its server has begun to count anew; what was seen before is known by its Message-ID.
_READ_BACK = timedelta(days=2)
_LARGEST_READ = 40 * 1024 * 1024
_OF_LARGER = 1024 * 1024
_UIDS = 2**32
_VALIDITIES = 2**31
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_UID = re.compile(rb"\bUID (\d+)")
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Page:
    """Mails in the order of their UIDs, and the cursor to ask from next time."""

    letters: Sequence[Letter]
    cursor: int
    is_last: bool


class Session:
    """A folder that is open for reading; not to be used by two threads at once."""

    def __init__(self, box: BaseMailBox, validity: int, next_uid: int) -> None:
        self._box, self._validity, self._next_uid = box, validity, next_uid

    @property
    def newest(self) -> int:
        """Return the cursor behind everything that was there when the folder was opened."""
        return self._cursor(max(self._next_uid - 1, 0))

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._box.client.capabilities

    def page_after(self, cursor: int, now: int) -> Page:
        """Read the mails after a cursor; `now` tells how far to go back if the server counts anew."""
        last = cursor % _UIDS if cursor // _UIDS == self._validity % _VALIDITIES else None
        with _in_words(self._box):
            uids = self._uids_since(now) if last is None else self._uids_above(last)
            letters, taken = self._letters(uids)
        if not taken and last is None:
            return Page([], self.newest, is_last=True)
        return Page(letters, self._cursor(taken[-1]) if taken else cursor, len(taken) == len(uids))

    def letter(self, validity: int, uid: int, most_bytes: int) -> Letter:
        """Read one mail again."""
        if validity != self._validity:
            raise Unreachable("the mailbox was made anew since the mail came")
        with _in_words(self._box):
            sizes = self._measures([uid])
            if uid not in sizes:
                raise Unreachable("the mail is no longer in the folder")
            if sizes[uid].size > most_bytes:
                raise Unreachable("the mail is too large")
            return self._letter(uid, sizes[uid], most_bytes)

    def letters_about(self, message_id: str) -> Sequence[Letter]:
        """Return the mails in this folder that refer to one of ours, or return it.

        TEXT and not BODY: in a body servers need not look at the head of a mail that is returned, and Dovecot does not. Its
        key is enough, and stands in the address of a bounce, too.
        """
        quoted = message_id.replace("\\", "").replace('"', "")
        key = quoted.strip("<>").partition("@")[0]
        with _in_words(self._box):
            criteria = f'OR OR HEADER In-Reply-To "{quoted}" HEADER References "{quoted}" TEXT "{key}"'
            uids = sorted((int(one) for one in self._box.uids(criteria, charset=None)), reverse=True)
            return self._letters(uids)[0]

    def has_copy(self, message_id: str) -> bool:
        """Tell whether the folder for sent mail has a copy of a mail of ours; that folder is open from then on."""
        quoted = message_id.replace("\\", "").replace('"', "")
        with _in_words(self._box):
            sent = next((one.name for one in self._box.folder.list() if "\\Sent" in one.flags), None)
            if sent is None:
                return False
            self._box.folder.set(sent, readonly=True)
            return bool(self._box.uids(f'HEADER Message-ID "{quoted}"', charset=None))

    def wait(self, most_s: float) -> None:
        """Wait until something happens in the folder, or until the time is over; also what came since the last look counts."""
        with _in_words(self._box), self._box.idle as idle:
            if not self._was_told():
                idle.poll(timeout=most_s)

    def _was_told(self) -> bool:
        """Tell whether the server has said already that mails are there: along with an answer, or in one breath with the
        answer to IDLE. It says so only once, and whoever then waits for the connection to speak waits in vain.
        """
        client = self._box.client
        if client.response("EXISTS")[1] != [None]:
            return True
        patience_s = client.sock.gettimeout()
        client.sock.settimeout(0)
        try:
            return bool(client.readline())
        except (OSError, imaplib.IMAP4.error):  # Nothing there yet.
            return False
        finally:
            client.sock.settimeout(patience_s)

    def cut(self) -> None:
        """End a wait from another thread."""
        with suppress(OSError):
            self._box.client.sock.shutdown(2)

    def _uids_above(self, last: int) -> list[int]:
        # `n:*` names the last mail even if its UID is below n.
        found = self._box.uids(f"UID {last + 1}:*", charset=None)
        return sorted(uid for one in found if (uid := int(one)) > last)

    def _uids_since(self, now: int) -> list[int]:
        day = datetime.fromtimestamp(now // 1000, UTC) - _READ_BACK
        # Month names are the protocol's, whatever the machine's language.
        return sorted(int(one) for one in self._box.uids(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}", charset=None))

    def _letters(self, uids: Sequence[int]) -> tuple[list[Letter], Sequence[int]]:
        """Read the first of these mails, as many as memory can well hold, but at least one; return which ones were taken."""
        named = uids[:PAGE_MAILS]
        measures = self._measures(named)
        sums = accumulate(_read_of(measures[uid].size, _LARGEST_READ) if uid in measures else 0 for uid in named)
        taken = [uid for uid, total in zip(named, sums, strict=True) if total <= _LARGEST_READ or uid == named[0]]
        return [self._letter(uid, measures[uid], _LARGEST_READ) for uid in taken if uid in measures], taken

    def _measures(self, uids: Sequence[int]) -> dict[int, "_Measure"]:
        if not uids:
            return {}
        numbers = ",".join(str(uid) for uid in uids)
        lines = [_line(item) for item in self._fetch(numbers, "(UID RFC822.SIZE INTERNALDATE)")]
        return {measure.uid: measure for line in lines if (measure := _measure(line))}

    def _letter(self, uid: int, measure: "_Measure", most_bytes: int) -> Letter:
        most = _read_of(measure.size, most_bytes)
        part = "BODY.PEEK[]" if most == measure.size else f"BODY.PEEK[]<0.{most}>"
        bodies = [item[1] for item in self._fetch(str(uid), f"({part})") if isinstance(item, tuple)]
        raw = bodies[0] if bodies else b""
        return Letter(f"{self._validity}.{uid}", self._cursor(uid), raw, measure.at)

    def _fetch(self, uids: str, parts: str) -> Sequence[object]:
        status, answer = self._box.client.uid("FETCH", uids, parts)
        if status != "OK":
            raise Unreachable("the IMAP server does not give out its mails")
        return [item for item in answer if item is not None]

    def _cursor(self, uid: int) -> int:
        # Cut so that it fits the 63 bits of a database; validities are instants in seconds almost everywhere.
        return (self._validity % _VALIDITIES) * _UIDS + uid


@dataclass(frozen=True, slots=True)
class _Measure:
    uid: int
    size: int
    at: int


@contextmanager
def session(server: Server, folder: str, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> Iterator[Session]:
    """Open a folder for as long as the block lasts."""
    box = _connected(server, waits, tls)
    try:
        with _in_words(box):
            _log_in(box, server)
            _open(box, folder)
        validity, next_uid = _number(box, "UIDVALIDITY"), _number(box, "UIDNEXT")
        box.client.response("EXISTS")  # Said of every folder that is opened.
        if not validity:
            raise Unreachable("the IMAP server does not number its mails")
        yield Session(box, validity, next_uid or _last_uid(box) + 1)
    finally:
        with suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
            box.logout()
        with suppress(OSError):
            box.client.shutdown()


def _connected(server: Server, waits: Waits, tls: Callable[[], ssl.SSLContext]) -> BaseMailBox:
    where, connect_s = f"the IMAP server {server.host}:{server.port}", waits.connect_ms / 1000
    try:
        box = _box(server, connect_s, tls)
    except TimeoutError:
        raise Unreachable(f"{where} did not answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"{where} could not prove who it is: {error.verify_message}") from None
    except ssl.SSLError:
        raise Unreachable(f"{where} does not speak TLS on this port: imapSecurity may have to be starttls") from None
    except (OSError, imaplib.IMAP4.error, ImapToolsError):
        raise Unreachable(f"{where} cannot be reached, or does not speak IMAP") from None
    box.client.sock.settimeout(waits.question_ms / 1000)
    return box


def _box(server: Server, connect_s: float, tls: Callable[[], ssl.SSLContext]) -> BaseMailBox:
    match server.security:
        case _ if server.security == TLS:
            return MailBox(server.host, server.port, timeout=connect_s, ssl_context=tls())
        case _ if server.security == STARTTLS:
            return MailBoxStartTls(server.host, server.port, timeout=connect_s, ssl_context=tls())
        case _:
            return MailBoxUnencrypted(server.host, server.port, timeout=connect_s)


def _log_in(box: BaseMailBox, server: Server) -> None:
    try:
        if (server.username + server.password).isascii():
            box.login(server.username, server.password, initial_folder=None)
        else:
            box.login_utf8(server.username, server.password, initial_folder=None)
    except (MailboxLoginError, imaplib.IMAP4.error) as error:
        if isinstance(error, imaplib.IMAP4.abort):
            raise
        raise Unreachable(f"the IMAP server {server.host}:{server.port} refused the user name or the password") from None


def _open(box: BaseMailBox, folder: str) -> None:
    try:
        box.folder.set(folder, readonly=True)
    except MailboxFolderSelectError:
        raise Unreachable(f"the mailbox has no folder {folder}") from None


@contextmanager
def _in_words(box: BaseMailBox) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise Unreachable("the IMAP server did not answer in time") from None
    except (OSError, imaplib.IMAP4.error, ImapToolsError):
        raise Unreachable("the IMAP server closed the connection, or answered in a way that is not understood") from None


def _number(box: BaseMailBox, code: str) -> int:
    _, values = box.client.response(code)
    text = values[-1] if values and values[-1] else b"0"
    return int(text) if isinstance(text, bytes) and text.isdigit() else 0


def _last_uid(box: BaseMailBox) -> int:
    """Ask for the last mail's number, where a server does not tell the next one by itself."""
    with _in_words(box):
        return max((int(uid) for uid in box.uids(f"UID {_UIDS - 1}:*", charset=None)), default=0)


def _read_of(size: int, most_bytes: int) -> int:
    """Return how much of a mail is read: of one that is too large the beginning, which has what was written."""
    return size if size <= most_bytes else _OF_LARGER


def _line(item: object) -> bytes:
    if isinstance(item, tuple):
        return b" ".join(part for part in item if isinstance(part, bytes))
    return item if isinstance(item, bytes) else b""


def _measure(line: bytes) -> _Measure | None:
    uid, size, date = _UID.search(line), _SIZE.search(line), _DATE.search(line)
    if not (uid and size):
        return None
    # As `17-Jul-2026 02:44:25 -0700`, which is how old mails wrote their dates, too.
    at = instant_of_mail(date[1].decode("ascii", "replace")) if date else None
    return _Measure(int(uid[1]), int(size[1]), at or 0)
