"""What was answered is in the journal, and a world made from the journal is the world that wrote it."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from miniworld import LINE, ORDINARY, Json, Miniworld, T, later, live, number, texts

from posthaste.sandbox.entries import AnyEntry, Received
from posthaste.sandbox.journal import FILE_NAME, DataFolderInUseError, DiskJournal, MemoryJournal
from posthaste.sandbox.numbers import Script


class FullDisk(MemoryJournal):
    """A journal that takes everything but what phones receive."""

    def append(self, *entries: AnyEntry) -> None:
        if any(isinstance(entry, Received) for entry in entries):
            raise OSError("the disk is full")
        super().append(*entries)


def copy_of(journal: MemoryJournal) -> MemoryJournal:
    """Return a journal with the same entries, as a new process finds it."""
    copy = MemoryJournal()
    copy.append(*journal.entries())
    return copy


async def snapshot(mini: Miniworld) -> Json:
    macs = (await mini.client.get("/devices")).json()
    hooks = (await mini.call("GET", "/webhook")).json()["data"]
    chats = (await mini.call("POST", "/chat/query", {})).json()["data"]
    state = (await mini.client.get("/state")).json()
    return {
        "macs": macs,
        "hooks": hooks,
        "chats": chats,
        "rows": await mini.rows(),
        "received": await mini.received(),
        "phones": state["phones"],
    }


async def busy_day(mini: Miniworld) -> None:
    await mini.mac()
    await mini.mac("other", phone="+16285551001", privateApi=False, macosVersion="26.1")
    for script in (Script.READ, Script.REPLIES, Script.NO_IMESSAGE, Script.RECEIPT_TWICE):
        await mini.text(number(script), f"Hello {script}")
    await mini.client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "text": "I write too 🎉\nsecond line"})
    hook = (await mini.call("POST", "/webhook", {"url": "http://gone.example", "events": ["*"]})).json()["data"]
    await mini.call("DELETE", f"/webhook/{hook['id']}")
    await later(5_000)
    await mini.client.post("/devices/other", json={"state": "down"})


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    async def first(mini: Miniworld) -> Json:
        await busy_day(mini)
        return await snapshot(mini)

    async def second(mini: Miniworld) -> Json:
        return await snapshot(mini)

    before = live_on_disk(tmp_path, first)
    after = live_on_disk(tmp_path, second)
    assert after == before
    assert len(after["rows"]) == 6


def live_on_disk(folder: Path, story: Callable[[Miniworld], Awaitable[T]]) -> T:
    journal = DiskJournal(folder)
    try:
        return live(story, journal)
    finally:
        journal.close()


def test_a_text_that_cannot_be_kept_is_not_answered_as_sent_and_is_on_no_phone() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        with pytest.raises(OSError, match="disk is full"):
            await mini.text(ORDINARY)
        assert (await mini.received(), await mini.rows()) == ([], [])

    live(story, FullDisk())


def test_a_late_text_arrives_even_if_the_sandbox_was_killed_before() -> None:
    journal = MemoryJournal()

    async def first(mini: Miniworld) -> list[Json]:
        await mini.mac()
        await mini.text(number(Script.LATE))
        return await mini.received()

    async def second(mini: Miniworld) -> None:
        assert await mini.received() == []
        await later(7_000)
        assert texts(await mini.received()) == texts(await mini.rows()) == ["Hello"]
        await later(60_000)
        assert len(await mini.received()) == 1
        assert len(mini.events("updated-message")) == 1

    assert live(first, journal) == []
    live(second, copy_of(journal))


def test_receipts_that_were_due_come_after_a_restart_and_those_that_came_do_not_again() -> None:
    journal = MemoryJournal()

    async def first(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY, "known as delivered")
        await later(1_000)
        await mini.text(number(Script.READ), "not yet")

    async def second(mini: Miniworld) -> None:
        await later(1_000)
        assert [(e.data["text"], bool(e.data["dateRead"])) for e in mini.events("updated-message")] == [
            ("not yet", False),
            ("not yet", True),
        ]

    live(first, journal)
    live(second, copy_of(journal))


def test_half_a_line_at_the_end_is_dropped_and_the_rest_is_kept(tmp_path: Path) -> None:
    async def first(mini: Miniworld) -> None:
        await mini.mac()
        await mini.text(ORDINARY)

    async def second(mini: Miniworld) -> list[str]:
        await mini.text(ORDINARY, "after")
        return texts(await mini.received())

    live_on_disk(tmp_path, first)
    with (tmp_path / FILE_NAME).open("ab") as journal:
        journal.write(b'{"kind":"received","to":"+1202')
    assert live_on_disk(tmp_path, second) == ["Hello", "after"]
    assert live_on_disk(tmp_path, second) == ["Hello", "after", "after"]


def test_two_sandboxes_cannot_share_a_folder(tmp_path: Path) -> None:
    journal = DiskJournal(tmp_path)
    with pytest.raises(DataFolderInUseError):
        DiskJournal(tmp_path)
    journal.close()
    DiskJournal(tmp_path).close()


def test_the_journal_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    DiskJournal(tmp_path).close()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
