"""A message with attachments on its way: fetched before the hand-over, once for many, and never sent without its files."""

import asyncio
from pathlib import Path

import pytest
from office import ENTRY_BYTES, PNG, URL, Office, run

from fixtures.tiny_files import TINY
from posthaste.core import files
from posthaste.core.outcomes import Deferred, Refusal, Rejected


def test_a_file_is_fetched_named_and_sent_with_its_text(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        it.shop.stock["https://h.test/b.pdf"] = TINY[files.PDF]
        message = await it.accept(URL, "https://h.test/b.pdf", names=["Front door"])
        (view,) = await it.until(message)
        assert view.message.status == "sent"
        assert it.post.sent[0][0] == "See this"
        assert it.post.contents == [PNG, TINY[files.PDF]]
        shown = [(one.name, one.media_type, one.size, one.url) for one in it.post.files]
        assert shown == [
            ("Front door.png", "image/png", len(PNG), URL),
            ("b.pdf", "application/pdf", len(TINY[files.PDF]), "https://h.test/b.pdf"),
        ]
        said = [one.says for one in await it.story(message)]
        assert said == [
            f"Attachment Front door.png is ready: image/png, {len(PNG)} bytes (fetched).",
            f"Attachment b.pdf is ready: application/pdf, {len(TINY[files.PDF])} bytes (fetched).",
        ]

    run(body, tmp_path)


def test_a_text_may_be_missing(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        await it.until(await it.accept(URL, text=""))
        assert it.post.sent[0][0] == "" and it.post.contents == [PNG]

    run(body, tmp_path)


def test_a_message_without_attachments_asks_nobody_and_touches_no_disk(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        await it.until(await it.accept())
        assert it.post.contents == [] and it.shop.asked == []
        assert not it.folder.exists()

    run(body, tmp_path)


def test_the_same_address_is_fetched_once_for_a_line_and_again_for_another(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        await it.until(await it.accept(URL, to=1))
        second = await it.accept(URL, to=2)
        await it.until(second)
        assert it.shop.asked == [URL]
        assert (await it.story(second))[0].facts["source"] == "fetched earlier"
        await it.until(await it.accept(URL, to=3, line=1))
        assert it.shop.asked == [URL, URL]
        it.clock.now += it.settings.attachment_cache_ms
        await it.until(await it.accept(URL, to=4))
        assert it.shop.asked == [URL, URL, URL]
        assert it.post.contents == [PNG] * 4

    run(body, tmp_path)


def test_many_that_want_it_at_the_same_time_wait_for_one_fetch(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        it.shop.open.clear()
        messages = [await it.accept(URL, to=number) for number in range(8)]
        waiting = asyncio.create_task(it.until(*messages))
        for _ in range(500):
            await asyncio.sleep(0)  # Time for all of them to come and ask.
        assert (it.shop.asked, it.post.prepared) == ([URL], 0)
        it.shop.open.set()
        assert {view.message.status for view in await waiting} == {"sent"}
        assert it.shop.asked == [URL]
        assert it.post.contents == [PNG] * 8

    run(body, tmp_path)


def test_nothing_of_the_cache_need_be_fresh_for_a_send(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        await it.until(await it.accept(URL))
        assert it.post.contents == [PNG]

    run(body, tmp_path, attachment_cache_ms=0)


def test_what_will_never_be_had_fails_the_message_with_a_reason(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        it.shop.stock["https://h.test/gone"] = Rejected(Refusal.BAD_CONTENT, "its server answered 404")
        (view,) = await it.until(await it.accept(URL, "https://h.test/gone"))
        message = view.message
        assert (message.status, message.code) == ("failed", "BAD_CONTENT")
        assert message.error_message == "attachment 2 cannot be sent: its server answered 404"
        assert it.post.prepared == 0 and it.post.sent == []

    run(body, tmp_path)


def test_what_may_be_had_later_puts_the_message_off_and_leaves_nothing_half(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        it.shop.stock[URL] = Deferred("its server answered 503")
        message = await it.accept(URL)
        (view,) = await it.until(message, is_over=lambda view: view.message.hold == "provider_retry")
        assert view.message.due_at == it.clock.now + 60_000
        assert it.post.prepared == 0
        assert list(it.folder.iterdir()) == []
        it.shop.stock[URL] = PNG
        it.clock.now += 60_000
        (view,) = await it.until(message)
        assert view.message.status == "sent" and it.post.contents == [PNG]

    run(body, tmp_path)


def test_a_channel_that_carries_no_attachments_refuses_them_and_never_sends_the_text_alone(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        (view,) = await it.until(await it.accept(URL))
        assert (view.message.status, view.message.code) == ("failed", "BAD_CONTENT")
        assert view.message.error_message == "the post cannot carry attachments"
        assert it.shop.asked == [] and it.post.prepared == 0
        (view,) = await it.until(await it.accept(to=2))
        assert view.message.status == "sent"

    run(body, tmp_path, has_attachments=False)


def test_a_file_stays_until_it_was_sent_whatever_the_janitor_does(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        def clean() -> None:
            it.clock.now += 2_000
            it.cache.tidy()

        it.post.first = clean
        (view,) = await it.until(await it.accept(URL))
        assert it.post.contents == [PNG], view.message
        it.cache.tidy()
        assert list(it.folder.iterdir()) == []

    run(body, tmp_path, attachment_cache_ms=1_000)


@pytest.mark.parametrize("error", [OSError("No space left on device")])
def test_a_full_disk_puts_the_message_off(tmp_path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise error

    async def body(it: Office) -> None:
        monkeypatch.setattr(it.cache, "begin", full)
        message = await it.accept(URL)
        (view,) = await it.until(message, is_over=lambda view: view.message.hold == "provider_retry")
        assert it.post.sent == [] and view.message.status == "waiting"

    run(body, tmp_path)


def test_while_all_room_is_used_messages_wait(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        held = [it.cache.begin(f"key{number}") for number in range(2)]
        message = await it.accept(URL)
        (view,) = await it.until(message, is_over=lambda view: view.message.hold == "provider_retry")
        assert it.post.prepared == 0 and it.shop.asked == []
        for aside in held:
            assert aside is not None
            with aside:
                pass
        it.clock.now = view.message.due_at
        (view,) = await it.until(message)
        assert view.message.status == "sent"

    run(body, tmp_path, attachment_cache_max_bytes=2 * ENTRY_BYTES)
