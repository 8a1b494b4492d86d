"""Files kept on the disk: used again while fresh, bounded in all, and never taken from under whoever uses them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from posthaste.channels.fetch.cache import Cache, Kept, key_of

HOUR_MS = 3_600_000
KEY = key_of("line", "https://h.test/a.png")


@dataclass
class At:
    """A clock that moves only when told."""

    now: int = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


class Shelf:
    """A cache in a folder, and what tests do with it."""

    def __init__(self, folder: Path, *, most_bytes: int = 1_000, entry_bytes: int = 100, at: At | None = None) -> None:
        self.folder, self.at = folder, at or At()
        self.cache = Cache(folder, self.at, keep_ms=HOUR_MS, entry_bytes=entry_bytes, most_bytes=most_bytes)

    def keep(self, key: str = KEY, content: bytes = b"content") -> None:
        aside = self.cache.begin(key)
        assert aside is not None
        with aside:
            aside.write(content[:3])
            aside.write(content[3:])
            aside.keep("image/png", "a.png")

    def find(self, key: str = KEY) -> Kept | None:
        return self.cache.find(key)

    def content(self, key: str = KEY) -> bytes | None:
        kept = self.find(key)
        if kept is None:
            return None
        try:
            return kept.path.read_bytes()
        finally:
            kept.release()

    def on_disk(self) -> int:
        return len(list(self.folder.iterdir()))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "attachments")


def test_what_is_kept_is_found_with_what_is_known_of_it(shelf: Shelf) -> None:
    assert shelf.find() is None
    shelf.keep()
    kept = shelf.find()
    assert kept is not None
    assert (kept.note.size, kept.note.media_type, kept.note.name, kept.path.read_bytes()) == (7, "image/png", "a.png", b"content")
    kept.release()


def test_nobody_else_on_the_machine_may_read_it(shelf: Shelf) -> None:
    shelf.keep()
    assert shelf.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in shelf.folder.iterdir())


def test_lines_do_not_share_what_they_fetch() -> None:
    url = "https://h.test/a.png"
    assert key_of("line", url) == key_of("line", url) != key_of("other", url) != key_of("line", url + "?")


def test_it_is_used_again_for_an_hour_and_not_longer(shelf: Shelf) -> None:
    shelf.keep()
    shelf.at.now += HOUR_MS - 1
    assert shelf.content() == b"content"
    shelf.at.now += 1
    assert shelf.content() is None
    kept = shelf.cache.find(KEY, kept_since=shelf.at.now - HOUR_MS)
    assert kept is not None  # Whoever asked before it came gets it all the same.
    kept.release()


def test_a_clock_that_steps_back_makes_nothing_last_for_ever(shelf: Shelf) -> None:
    shelf.keep()
    shelf.at.now -= 1
    assert shelf.content() is None


def test_the_newer_one_counts_and_the_older_stays_for_whoever_uses_it(shelf: Shelf) -> None:
    shelf.keep(content=b"older")
    used = shelf.find()
    assert used is not None
    shelf.keep(content=b"newer")
    shelf.cache.tidy()
    assert (used.path.read_bytes(), shelf.content()) == (b"older", b"newer")
    used.release()
    shelf.cache.tidy()
    assert not used.path.exists()
    assert shelf.content() == b"newer"


def test_what_was_not_kept_leaves_nothing_behind(shelf: Shelf) -> None:
    aside = shelf.cache.begin(KEY)
    assert aside is not None
    with pytest.raises(OSError, match="full"), aside:
        aside.write(b"half")
        raise OSError("full")
    assert shelf.find() is None
    assert shelf.on_disk() == 0


def test_what_is_old_is_removed(shelf: Shelf) -> None:
    shelf.keep()
    assert shelf.on_disk() == 2
    shelf.cache.tidy()
    assert shelf.on_disk() == 2
    shelf.at.now += HOUR_MS
    shelf.cache.tidy()
    assert shelf.on_disk() == 0


def test_what_is_used_stays_however_old_it_is_and_another_process_respects_that(shelf: Shelf) -> None:
    shelf.keep()
    used = shelf.find()
    assert used is not None
    shelf.at.now += HOUR_MS
    shelf.cache.tidy()
    Shelf(shelf.folder, at=shelf.at).cache.tidy()
    assert used.path.read_bytes() == b"content"
    used.release()
    Shelf(shelf.folder, at=shelf.at).cache.tidy()
    assert not used.path.exists()


def test_what_a_killed_process_left_half_written_is_removed_and_what_is_being_written_is_not(shelf: Shelf) -> None:
    shelf.folder.mkdir()
    for name in (f"{KEY}-x.content", f"{KEY}-y.part"):
        (shelf.folder / name).write_bytes(b"half")
    (shelf.folder / f"{KEY}.json").write_bytes(b"{not a note")
    aside = shelf.cache.begin(KEY)
    assert aside is not None
    with aside:
        aside.write(b"ab")
        Shelf(shelf.folder, at=shelf.at).cache.tidy()
        aside.write(b"cd")
        aside.keep("image/png", None)
    assert shelf.content() == b"abcd"
    assert shelf.on_disk() == 2


def test_the_oldest_go_where_all_together_are_too_large(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "attachments", most_bytes=300)
    for number in range(5):
        shelf.keep(f"key{number}", b"x" * 90)
        shelf.at.now += 1
    assert [number for number in range(5) if shelf.content(f"key{number}")] == [2, 3, 4]
    assert sum(path.stat().st_size for path in shelf.folder.glob("*.content")) == 270


def test_there_is_no_room_while_all_of_it_is_used(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "attachments", most_bytes=200)
    shelf.keep("key1", b"x" * 100)
    shelf.keep("key2", b"x" * 100)
    used = [shelf.find("key1"), shelf.find("key2")]
    assert shelf.cache.begin("key3") is None
    for kept in used:
        assert kept is not None
        kept.release()
    shelf.keep("key3", b"x")
    assert shelf.content("key3") == b"x"


def test_room_is_held_for_what_is_still_coming(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "attachments", most_bytes=200)
    first, second = shelf.cache.begin("key1"), shelf.cache.begin("key2")
    assert first is not None and second is not None
    with first, second:
        assert shelf.cache.begin("key3") is None
    shelf.keep("key3")


def test_a_content_that_vanished_is_not_found(shelf: Shelf) -> None:
    shelf.keep()
    for path in shelf.folder.glob("*.content"):
        path.unlink()
    assert shelf.content() is None


def test_a_content_of_another_size_is_not_found(shelf: Shelf) -> None:
    shelf.keep()
    for path in shelf.folder.glob("*.content"):
        path.write_bytes(b"torn")
    assert shelf.content() is None


def test_without_a_folder_there_is_nothing_to_tidy(shelf: Shelf) -> None:
    shelf.cache.tidy()
    assert not shelf.folder.exists()
