"""How a folder is read: in pages that memory can hold, whatever lies in it and however little its server tells."""

import asyncio
import re
from collections.abc import Sequence

import mail_lab
import pytest
from mail_lab import DOMAIN, Lab
from mail_office import Office, run

from posthaste.channels.mail import imap
from posthaste.channels.mail.imap import Session
from posthaste.core.signals import Inbound

NOW = 1_760_000_000_000
A_MB = 1024 * 1024


class Box:
    """A mailbox of which only sizes and dates matter; it is its own client."""

    def __init__(self, sizes: Sequence[int], date: str = "17-Jul-2026 02:44:25 -0700") -> None:
        self._sizes, self._date = sizes, date
        self.client = self
        self.fetched = 0

    def uids(self, criteria: str, charset: None) -> list[str]:
        found = re.match(r"UID (\d+):", criteria)
        first = int(found[1]) if found else 1
        return [str(uid) for uid in range(1, len(self._sizes) + 1) if uid >= first]

    def uid(self, command: str, uids: str, parts: str) -> tuple[str, list[object]]:
        named = [int(uid) for uid in uids.split(",")]
        if "BODY" not in parts:
            return "OK", [
                f'{uid} (UID {uid} RFC822.SIZE {self._sizes[uid - 1]} INTERNALDATE "{self._date}")'.encode() for uid in named
            ]
        self.fetched += self._sizes[named[0] - 1]
        return "OK", [(b"1 (UID 1 BODY[] {1}", b"x"), b")"]


def pages(box: Box) -> list[list[int]]:
    """Return the UIDs of each page."""
    session = Session(box, 9, len(box._sizes) + 1)  # type: ignore[arg-type]
    cursor, found, is_last = 9 * 2**32, list[list[int]](), False
    while not is_last:
        page = session.page_after(cursor, NOW)
        found.append([int(letter.ref.partition(".")[2]) for letter in page.letters])
        cursor, is_last = page.cursor, page.is_last
    return found


def test_large_mails_come_on_pages_of_their_own() -> None:
    assert pages(Box([30 * A_MB] * 3 + [10, 10])) == [[1], [2], [3, 4, 5]]
    assert pages(Box([10] * 60)) == [[*range(1, 51)], [*range(51, 61)]]
    assert pages(Box([])) == [[]]


def test_what_is_looked_for_is_bounded_as_well() -> None:
    box = Box([30 * A_MB] * 5)
    assert len(Session(box, 9, 6).letters_about("<key@example.com>")) == 1  # type: ignore[arg-type]
    assert box.fetched == 30 * A_MB


def test_a_date_that_is_none_stops_no_mailbox() -> None:
    for date in ("nonsense", "99-Foo-0000 99:99:99 +9999"):
        (letter,) = Session(Box([10], date), 9, 2).page_after(9 * 2**32, NOW).letters  # type: ignore[arg-type]
        assert letter.at == 0


def test_a_server_that_does_not_tell_its_next_number_gives_away_no_old_mail(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = imap._number
    monkeypatch.setattr(imap, "_number", lambda box, code: 0 if code == "UIDNEXT" else real(box, code))

    async def story(it: Office) -> None:
        assert not (await it.channel.poll(it.device, 0, [])).signals
        await it.answered("Old")
        await it.mails_of(it.line)
        first = await it.channel.poll(it.device, 0, [])
        await it.answered("Fresh")
        news = await it.news(first.cursor)
        assert [one.text for one in news.signals if isinstance(one, Inbound)] == ["Fresh"]

    run(lab, story)


def test_of_a_mail_beyond_the_bound_the_beginning_is_read_and_its_files_can_still_be_had(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "_LARGEST_READ", 100_000)
    monkeypatch.setattr(imap, "_OF_LARGER", 10_000)
    file = b"\x89PNG" * 100_000
    mail = mail_lab.with_file(f"bob@{DOMAIN}", "Big one", file)

    async def story(it: Office) -> None:
        health = await it.channel.ping(it.device)
        await asyncio.to_thread(mail_lab.put, it.lab, it.line, "INBOX", mail)
        (inbound,) = (await it.news(health.cursor or 0)).signals
        assert isinstance(inbound, Inbound) and inbound.text == "Big one"
        (one,) = inbound.files
        assert await it.channel.download(it.device, one.ref, A_MB) == file

    run(lab, story)
