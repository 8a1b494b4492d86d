"""The IMAP face of a mailbox: as much of IMAP4rev1 (RFC 3501) and IDLE (RFC 2177) as programs that fetch mail use.

One folder, INBOX, and an empty one for sent mail. Flags can be set and are forgotten; nothing can be deleted, moved or
put there, and whoever tries is told NO. What a search or a fetch means is told in `mail_imap_words`.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence

from posthaste.sandbox.entries import MailCame
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_imap_words import BadCommandError, Words, fetched, numbers_in, parsed, searched
from posthaste.sandbox.world import World

_IDLE_S = 1_800.0
_LINE_BYTES = 64 * 1024
_LITERAL_BYTES = 1024 * 1024
_CAPABILITIES = "IMAP4rev1 IDLE LITERAL+ AUTH=PLAIN SASL-IR UNSELECT SPECIAL-USE"
_FOLDERS = {"INBOX": "", "Sent": "\\Sent"}


def imap_protocol(world: World, box: Mailbox) -> asyncio.BaseProtocol:
    """Return what speaks with one client."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES, loop=asyncio.get_running_loop())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Conversation(box, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            pass  # The client is gone, or speaks something else.
        finally:
            writer.close()

    return asyncio.StreamReaderProtocol(reader, talk, loop=asyncio.get_running_loop())


class _Refused(Exception):  # noqa: N818 - an answer, not a defect
    """A command that is answered NO."""


class Conversation:
    """One connection; `_told` is the number of mails that the client knows of."""

    def __init__(self, box: Mailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._box, self._reader, self._writer = box, reader, writer
        self._is_in = False
        self._folder: str | None = None
        self._may_write = False
        self._told = 0
        self._has_ended = False
        self._commands: dict[str, Callable[[Words], Awaitable[None]]] = {
            "AUTHENTICATE": self._authenticate,
            "CLOSE": self._unselect,
            "EXAMINE": self._examine,
            "FETCH": self._fetch,
            "IDLE": self._idle,
            "LIST": self._list,
            "LOGIN": self._login,
            "LOGOUT": self._logout,
            "LSUB": self._list,
            "SEARCH": self._search,
            "SELECT": self._select,
            "STATUS": self._status,
            "STORE": self._store,
            "UID": self._uid,
            "UNSELECT": self._unselect,
        }

    async def run(self) -> None:
        await self._say(f"* OK [CAPABILITY {_CAPABILITIES}] the sandbox's mailbox is here")
        while not self._has_ended:
            async with asyncio.timeout(_IDLE_S):
                words = await self._command()
            if not self._box.is_up:
                return
            if len(words) < 2:
                await self._say("* BAD a command has a tag and a name")
                continue
            await self._answer(words.text(0), words.text(1).upper(), words.after(2))

    async def _answer(self, tag: str, name: str, words: Words) -> None:
        try:
            if name == "CAPABILITY":
                await self._say(f"* CAPABILITY {_CAPABILITIES}")
            elif name not in ("NOOP", "CHECK"):
                if name not in self._commands:
                    raise BadCommandError(f"{name} is not known here")
                self._refuse_strangers(name)
                await self._commands[name](words)
        except BadCommandError as error:
            await self._say(f"{tag} BAD {error}")
        except _Refused as error:
            await self._say(f"{tag} NO {error}")
        else:
            await self._tell_news()
            await self._say(f"{tag} OK {name} done")

    def _refuse_strangers(self, name: str) -> None:
        if not self._is_in and name not in ("LOGIN", "AUTHENTICATE", "LOGOUT"):
            raise _Refused("log in first")
        if self._folder is None and name in ("FETCH", "SEARCH", "STORE", "UID", "IDLE", "CLOSE"):
            raise BadCommandError("select a folder first")

    # Logging in

    async def _login(self, words: Words) -> None:
        self._enter(words.text(0), words.text(1))

    async def _authenticate(self, words: Words) -> None:
        if words.text(0).upper() != "PLAIN":
            raise _Refused("only PLAIN is known here")
        given = words.text(1) if len(words) > 1 else await self._ask()
        try:
            _, login, password = base64.b64decode(given, validate=True).decode().split("\0")
        except (binascii.Error, ValueError):
            raise BadCommandError("that is not PLAIN") from None
        self._enter(login, password)

    def _enter(self, login: str, password: str) -> None:
        if not self._box.opens_to(login, password):
            raise _Refused("[AUTHENTICATIONFAILED] wrong user name or password")
        self._is_in = True

    async def _logout(self, words: Words) -> None:
        self._has_ended = True
        await self._say("* BYE see you")

    # Folders

    async def _list(self, words: Words) -> None:
        for name, use in _FOLDERS.items():
            await self._say(f'* LIST (\\HasNoChildren{f" {use}" if use else ""}) "/" {name}')

    async def _status(self, words: Words) -> None:
        name = self._known_folder(words.text(0))
        mails = self._mails_of(name)
        unseen = sum(1 for mail in mails if mail.uid not in self._box.seen)
        counted = {"MESSAGES": len(mails), "RECENT": 0, "UIDNEXT": len(mails) + 1, "UIDVALIDITY": self._box.validity}
        counted["UNSEEN"] = unseen
        asked = [str(word).upper() for word in words.after(1).flat() if str(word).upper() in counted]
        await self._say(f"* STATUS {name} ({' '.join(f'{word} {counted[word]}' for word in asked)})")

    async def _select(self, words: Words) -> None:
        await self._open(words, may_write=True)

    async def _examine(self, words: Words) -> None:
        await self._open(words, may_write=False)

    async def _open(self, words: Words, *, may_write: bool) -> None:
        self._folder, self._may_write = self._known_folder(words.text(0)), may_write
        self._told = len(self._mails())
        await self._say("* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)")
        await self._say(f"* {self._told} EXISTS")
        await self._say("* 0 RECENT")
        await self._say(f"* OK [UIDVALIDITY {self._box.validity}] these UIDs stay")
        await self._say(f"* OK [UIDNEXT {self._told + 1}] the next one")
        if not may_write:
            await self._say("* OK [READ-ONLY] only for reading")

    async def _unselect(self, words: Words) -> None:
        self._folder = None

    # Mails

    async def _uid(self, words: Words) -> None:
        name, rest = words.text(0).upper(), words.after(1)
        match name:
            case "FETCH":
                await self._fetch(rest, by_uid=True)
            case "SEARCH":
                await self._search(rest)
            case "STORE":
                await self._store(rest)
            case _:
                raise BadCommandError(f"UID {name} is not known here")

    async def _search(self, words: Words) -> None:
        # UIDs leave no gap, so that a mail's number is its UID.
        found = searched(words, self._mails(), self._box.seen)
        await self._say(f"* SEARCH{''.join(f' {uid}' for uid in found)}")

    async def _fetch(self, words: Words, *, by_uid: bool = False) -> None:
        mails = self._mails()
        wanted = numbers_in(words.text(0), len(mails))
        items = [str(word) for word in words.after(1).flat()]
        for mail in mails:
            if mail.uid not in wanted:
                continue
            parts, is_read = fetched(mail, items, self._box.seen, with_uid=by_uid)
            if is_read and self._may_write:
                self._box.seen.add(mail.uid)
            self._writer.write(b"* %d FETCH (" % mail.uid + b" ".join(parts) + b")\r\n")
            await self._writer.drain()

    async def _store(self, words: Words) -> None:
        if not self._may_write:
            raise _Refused("the folder is open for reading only")
        wanted, how = numbers_in(words.text(0), len(self._mails())), words.text(1).upper()
        if "\\SEEN" in (str(word).upper() for word in words.after(2).flat()):
            self._box.seen = self._box.seen - wanted if how.startswith("-") else self._box.seen | wanted

    async def _idle(self, words: Words) -> None:
        await self._say("+ waiting")
        done = asyncio.ensure_future(self._reader.readline())
        event = self._box.wait()
        try:
            async with asyncio.timeout(_IDLE_S):
                while not done.done():
                    news = asyncio.ensure_future(event.wait())
                    await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
                    event.clear()
                    if not self._box.is_up:
                        raise ConnectionAbortedError
                    await self._tell_news()
            if done.result().strip().upper() != b"DONE":
                raise BadCommandError("an IDLE ends with DONE")
        finally:
            done.cancel()
            self._box.leave(event)

    async def _tell_news(self) -> None:
        if self._folder is not None and len(self._mails()) != self._told:
            self._told = len(self._mails())
            await self._say(f"* {self._told} EXISTS")

    def _mails(self) -> Sequence[MailCame]:
        return self._mails_of(self._folder or "")

    def _mails_of(self, folder: str) -> Sequence[MailCame]:
        return self._box.mails if folder == "INBOX" else ()

    def _known_folder(self, name: str) -> str:
        found = next((folder for folder in _FOLDERS if folder.upper() == name.upper()), None)
        if found is None:
            raise _Refused("there is no such folder")
        return found

    # Lines

    async def _command(self) -> Words:
        """Read a command; a literal within it (RFC 3501, 4.3) is asked for and read."""
        words: list[object] = []
        while True:
            line = (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
            head, opened, count = line.rpartition(b"{")
            size = count[:-1].rstrip(b"+")
            if not (opened and count.endswith(b"}") and size.isdigit()):
                return parsed([*words, line])
            if int(size) > _LITERAL_BYTES:
                raise ConnectionAbortedError
            if not count.endswith(b"+}"):
                await self._say("+ go on")
            words += [head, (await self._reader.readexactly(int(size))).decode("utf-8", "replace")]

    async def _ask(self) -> str:
        await self._say("+ ")
        return (await self._reader.readuntil(b"\n")).decode("ascii", "replace").strip()

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()
