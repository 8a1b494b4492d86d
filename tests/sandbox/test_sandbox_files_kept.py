"""Files in the sandbox that people send, and that are still there after a restart."""

import base64
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
from miniworld import LINE, ORDINARY, Json, Miniworld, later, listed, live, number

from posthaste.sandbox.files import FILE_BYTES_MAX, DiskFiles, MemoryFiles
from posthaste.sandbox.journal import DiskJournal, MemoryJournal
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

CHAT = f"iMessage;-;{ORDINARY}"


# What a person sends


def encoded(name: str, content: bytes) -> Json:
    return {"name": name, "contentBase64": base64.b64encode(content).decode()}


def test_a_person_sends_files_with_and_without_a_text() -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        both = await mini.person("send", text="Look", attachments=[encoded("me.png", b"me"), encoded("cv.xyz", b"cv")])
        assert both.status_code == 201
        assert both.json()["attachments"] == [
            listed("me.png", "image/png", b"me"),
            listed("cv.xyz", "application/octet-stream", b"cv"),
        ]
        alone = await mini.person("send", attachments=[encoded("me.png", b"me")])
        assert (alone.status_code, alone.json()["text"]) == (201, "")
        await later(1)
        assert [event.data["text"] for event in mini.events("new-message")] == ["\ufffc\ufffcLook", "\ufffc"]
        png, other = mini.events("new-message")[0].data["attachments"]
        assert (png["mimeType"], other["mimeType"], other["uti"]) == ("image/png", None, "public.data")
        fetched = await mini.call("GET", f"/attachment/{other['guid']}/download")
        assert fetched.content == b"cv"

    live(story)


BAD_FILES = [
    {"name": "a.png"},
    {"name": "a.png", "contentBase64": "***"},
    {"name": "a.png", "contentBase64": ""},
    {"name": "", "contentBase64": "aGk="},
    "a.png",
]


@pytest.mark.parametrize("file", BAD_FILES)
def test_what_is_no_file_is_refused(file: object) -> None:
    async def story(mini: Miniworld) -> None:
        await mini.mac()
        answer = await mini.person("send", text="Look", attachments=[file])
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
        assert await mini.rows() == []

    live(story)


def test_a_file_of_a_person_is_bounded_too() -> None:
    async def story(mini: Miniworld) -> int:
        await mini.mac()
        return (await mini.person("send", attachments=[encoded("a.png", bytes(FILE_BYTES_MAX + 1))])).status_code

    assert live(story) == 400


# What is kept


def test_a_restart_keeps_files_uploads_and_what_is_still_to_come(tmp_path: Path) -> None:
    async def first(mini: Miniworld) -> str:
        mini.world.files = DiskFiles(tmp_path / "files")
        await mini.mac()
        await mini.person("send", attachments=[encoded("me.png", b"me")])
        await mini.files(number(Script.LATE), b"house", text="Hello")
        return await mini.upload(b"for later", "later.pdf")

    journal = DiskJournal(tmp_path)
    path = live(first, journal)
    journal.close()

    async def second(mini: Miniworld) -> None:
        mini.world.files = DiskFiles(tmp_path / "files")
        await later(8_000)
        [item] = await mini.received()
        assert item["attachments"] == [listed("0.png", "image/png", b"house")]
        assert all("tempGuid" not in event.data for event in mini.events("new-message"))
        rows = await mini.rows(**{"with": ["attachments"]})
        contents = [
            (await mini.call("GET", f"/attachment/{file['guid']}/download")).content
            for row in rows
            for file in row["attachments"]
        ]
        assert contents == [b"me", b"house"]
        body = {"chatGuid": CHAT, "parts": [{"partIndex": 0, "attachment": path, "name": "later.pdf"}]}
        assert (await mini.call("POST", "/message/multipart", body)).status_code == 200

    again = DiskJournal(tmp_path)
    live(second, again)
    again.close()


def test_a_file_is_kept_once_and_nothing_else_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    files = DiskFiles(tmp_path / "files")
    digests = {files.keep(b"x"), files.keep(b"x")}
    assert digests == {sha256(b"x").hexdigest()}
    assert [path.name for path in (tmp_path / "files").iterdir()] == list(digests)
    assert files.read(digests.pop()) == b"x"
    for name in ("../secret", "", ".", "0" * 64):
        assert files.read(name) is None
    assert MemoryFiles().read("x") is None


def test_a_file_that_is_gone_from_the_disk_is_said_to_be() -> None:
    async def story(mini: Miniworld) -> tuple[int, str]:
        await mini.mac()
        await mini.file(ORDINARY)
        [row] = await mini.rows(**{"with": ["attachments"]})
        mini.world.files = MemoryFiles()
        answer = await mini.call("GET", f"/attachment/{row['attachments'][0]['guid']}/download")
        return answer.status_code, answer.json()["error"]["message"]

    assert live(story, MemoryJournal()) == (500, "Attachment does not exist in disk!")


def test_a_process_keeps_its_files_beside_its_journal(tmp_path: Path) -> None:
    sandbox = spawn(tmp_path)
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            client.post("/devices", json={"id": "mac", "phone": LINE, "password": "pw"})
            client.post(f"/phones/{ORDINARY}/send", json={"to": LINE, "attachments": [encoded("a.txt", b"text")]})
            digest = sha256(b"text").hexdigest()
            assert (tmp_path / "files" / digest).read_bytes() == b"text"
            shown = client.get(f"/files/{digest}", params={"type": "text/html"})
            assert (shown.content, shown.headers["content-disposition"]) == (b"text", "attachment")
            assert shown.headers["content-type"] == "application/octet-stream"
            assert client.get("/files/..%2Fjournal.jsonl").status_code == 404
    finally:
        sandbox.stop()
