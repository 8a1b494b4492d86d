"""Uploads on their way: read from the database, shown to providers by a link, and never another workspace's."""

from pathlib import Path

from office import LINKS, PNG, PUBLIC, Office, run

from posthaste.actions.files import sweep_files
from posthaste.actions.workspaces import make_workspace
from posthaste.core.files import upload_url
from posthaste.settings import DAY_MS


def test_an_upload_is_read_from_the_database_and_providers_get_a_link(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        file = await it.keep()
        for number, host in enumerate((PUBLIC, "http://another.name.of.ours")):
            await it.until(await it.accept(upload_url(host, file.id, "x"), to=number))
        assert it.shop.asked == []
        assert it.post.contents == [PNG, PNG]
        assert {(one.name, one.url) for one in it.post.files} == {("up.png", LINKS.file(file.id, "up.png"))}
        _, _, path = it.post.files[0].url.partition("/files/")
        assert LINKS.may_fetch(*path.split("/")[:2])

    run(body, tmp_path)


def test_a_large_upload_comes_whole(tmp_path: Path) -> None:
    large = PNG + bytes(range(256)) * 12_000

    async def body(it: Office) -> None:
        file = await it.keep(large)
        await it.until(await it.accept(upload_url(PUBLIC, file.id, "x")))
        assert it.post.contents == [large]

    run(body, tmp_path)


def test_an_upload_that_is_gone_fails_the_message_and_is_not_looked_for_on_the_web(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        (view,) = await it.until(await it.accept(f"{PUBLIC}/api/attachments/{'0' * 24}/x.png"))
        assert view.message.error_message == "attachment 1 cannot be sent: the upload does not exist any more"
        assert it.shop.asked == []

    run(body, tmp_path)


def test_the_upload_of_a_server_like_ours_is_fetched_from_there(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        elsewhere = f"https://elsewhere.test/api/attachments/{'0' * 24}/x.png"
        it.shop.stock[elsewhere] = PNG
        await it.until(await it.accept(elsewhere))
        assert it.shop.asked == [elsewhere] and it.post.contents == [PNG]

    run(body, tmp_path)


def test_another_workspaces_upload_is_not_sent_even_if_it_was_accepted(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        other = await it.store.write(make_workspace, "Other")
        file = await it.keep()
        message = await it.accept(upload_url(PUBLIC, file.id, "x"))
        await it.store.write(lambda tx: tx.run("UPDATE files SET workspace_id = :id", {"id": other.id}))
        (view,) = await it.until(message)
        assert view.message.error_message == "attachment 1 cannot be sent: it belongs to another workspace"
        assert it.post.sent == []

    run(body, tmp_path)


def test_a_file_that_came_in_and_is_of_no_known_type_cannot_be_sent_on(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        file = await it.keep()
        await it.store.write(lambda tx: tx.run("UPDATE files SET media_type = 'application/octet-stream'"))
        (view,) = await it.until(await it.accept(upload_url(PUBLIC, file.id, "x")))
        assert view.message.error_message is not None
        assert view.message.error_message.startswith("attachment 1 cannot be sent: it is not PNG")

    run(body, tmp_path)


def test_an_upload_outlives_a_sweep_while_its_message_waits(tmp_path: Path) -> None:
    async def body(it: Office) -> None:
        file = await it.keep()
        message = await it.accept(upload_url(PUBLIC, file.id, "x"), scheduled_at=it.clock.now + 20 * DAY_MS)
        it.clock.now += 20 * DAY_MS
        await it.store.write(sweep_files, it.settings)
        (view,) = await it.until(message)
        assert view.message.status == "sent" and it.post.contents == [PNG]

    run(body, tmp_path)
