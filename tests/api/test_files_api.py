"""Files over HTTP: uploading one, whose it is, getting it back with a key or by a link, and what is refused."""

import asyncio
from typing import Any

import httpx2
import pytest

from api.house import House, house, run
from fixtures.tiny_files import NONE_OF_THEM, TINY
from posthaste.actions.lines import NewLine, add_line
from posthaste.core import files
from posthaste.core.files import FileType
from posthaste.links import Links
from posthaste.vault import Vault

PDF = TINY[files.PDF]
LINKS = Links(Vault(["test"]), "http://posthaste.test")


async def upload(it: House, content: bytes = PDF, query: str = "?name=offer.pdf", **headers: str) -> httpx2.Response:
    return await it.client.post(f"/api/attachments{query}", content=content, headers={**it.auth, **headers})


async def kept(it: House, content: bytes = PDF, query: str = "?name=offer.pdf") -> dict[str, Any]:
    answer = await upload(it, content, query)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["attachment"]
    return found


@pytest.mark.parametrize(("kind", "content"), TINY.items())
def test_a_file_of_each_type_comes_back_as_what_it_is(kind: FileType, content: bytes) -> None:
    async def main() -> None:
        async with house() as it:
            file = await kept(it, content, "?name=It.exe")
            assert file["mediaType"] == kind.media_type
            assert file["name"] == "It.exe" + kind.extensions[0]
            assert file["url"] == f"http://posthaste.test/api/attachments/{file['_id']}/{file['name']}"
            assert file["size"] == len(content)
            answer = await it.get(file["url"])
            assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, kind.media_type)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith("inline;")

    run(main)


def test_a_form_is_read_and_its_other_fields_are_not() -> None:
    async def main() -> None:
        async with house() as it:
            fields = {"other": "x" * 1_000, "file2": "no"}
            named = {"file": ("Müller.pdf", PDF, "text/html")}
            answer = await it.client.post("/api/attachments", data=fields, files=named, headers=it.auth)
            assert answer.status_code == 201, answer.text
            file = answer.json()["attachment"]
            assert (file["name"], file["size"]) == ("Müller.pdf", len(PDF))
            back = await it.get(file["url"])
            assert back.content == PDF
            disposition = back.headers["content-disposition"]
            assert disposition == "inline; filename=\"M_ller.pdf\"; filename*=UTF-8''M%C3%BCller.pdf"

    run(main)


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"", "application/pdf", "MISSING_FIELD"),
        (b"--x--", "multipart/form-data", "INVALID_FORM"),
        (b"nothing of a form", "multipart/form-data; boundary=x", "INVALID_FORM"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", "MISSING_FIELD"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n\r\n--x--',
            "multipart/form-data; boundary=x",
            "MISSING_FIELD",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nGIF89a\r\n--x--',
            "multipart/form-data; boundary=x",
            "MISSING_FIELD",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nGIF89a cut off',
            "multipart/form-data; boundary=x",
            "INVALID_FORM",
        ),
        (b"--x\r\n\r\nGIF89a\r\n--x--", "multipart/form-data; boundary=x", "MISSING_FIELD"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 30, "multipart/form-data; boundary=x", "INVALID_FORM"),
        (PDF, f"multipart/form-data; boundary={'x' * 3_000}", "INVALID_FORM"),
    ],
)
def test_without_a_file_there_is_nothing_to_keep(body: bytes, content_type: str, code: str) -> None:
    async def main() -> None:
        async with house() as it:
            answer = await upload(it, body, "", **{"Content-Type": content_type})
            assert (answer.status_code, answer.json()["code"]) == (400, code)
            assert await it.count("files") == 0

    run(main)


@pytest.mark.parametrize("what", [name for name in NONE_OF_THEM if name != "nothing"])
def test_what_no_message_can_carry_is_refused(what: str) -> None:
    async def main() -> None:
        async with house() as it:
            answer = await upload(it, NONE_OF_THEM[what], "?name=a.png", **{"Content-Type": "image/png"})
            assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_FILE_TYPE")
            assert await it.count("files") == 0

    run(main)


def test_the_largest_file_is_kept_and_one_byte_more_is_not() -> None:
    most = 2_000

    async def main() -> None:
        async with house(attachment_max_bytes=most) as it:
            largest = PDF + b"x" * (most - len(PDF))
            assert (await upload(it, largest)).status_code == 201
            form = {"file": ("a.pdf", largest, "application/pdf")}
            assert (await it.client.post("/api/attachments", files=form, headers=it.auth)).status_code == 201
            for answer in (
                await upload(it, largest + b"x"),
                await it.client.post("/api/attachments", files={"file": ("a.pdf", largest + b"x")}, headers=it.auth),
                await it.client.post("/api/attachments", content=_endless(), headers=it.auth),
            ):
                assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
            assert await it.count("files") == 2

    run(main)


async def _endless() -> Any:
    for _ in range(1_000):
        yield b"x" * 1_000


def test_a_form_is_refused_everywhere_else() -> None:
    async def main() -> None:
        async with house() as it:
            answer = await it.client.post("/api/messages", files={"file": PDF}, headers=it.auth)
            assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    run(main)


def test_a_file_is_its_workspaces_alone() -> None:
    async def main() -> None:
        async with house() as it:
            file = await kept(it)
            _, other_key = await it.another()
            theirs = {"Authorization": f"Bearer {other_key}"}
            answer = await it.client.get(file["url"], headers=theirs)
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
            answer = await it.client.get(file["url"])
            assert answer.status_code == 401
            answer = await it.client.get(f"/api/attachments/{'0' * 24}/x", headers=theirs)
            assert (answer.status_code, answer.json()["code"]) == (404, "FILE_NOT_FOUND")
            answer = await it.get("/api/attachments/x/x")
            assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ID")

    run(main)


def test_a_message_may_name_its_own_workspaces_file_and_no_others() -> None:
    async def main() -> None:
        async with house() as it:
            file = await kept(it)
            workspace, other_key = await it.another()
            body = {"recipientPhone": "+12025551234", "attachmentUrls": [file["url"]], "attachmentNames": ["Our offer"]}
            answer = await it.send(body)
            assert answer.status_code == 201, answer.text
            message = answer.json()["message"]
            assert (message["attachmentUrls"], message["attachmentNames"]) == ([file["url"]], ["Our offer"])
            new = NewLine(channel="bluebubbles", message_type="imessage", phone="+16462239999")
            await it.store.write(add_line, it.settings, workspace.id, new)
            theirs = await it.client.post("/api/messages", json=body, headers={"Authorization": f"Bearer {other_key}"})
            assert (theirs.status_code, theirs.json()["code"]) == (403, "FORBIDDEN")
            assert await it.count("messages") == 1

    run(main)


def test_a_link_is_its_own_permission_and_cannot_be_made_up() -> None:
    async def main() -> None:
        async with house() as it:
            file, another = await kept(it), await kept(it)
            link = LINKS.file(file["_id"], file["name"])
            answer = await it.client.get(link)
            assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PDF, "application/pdf")
            head = await it.client.head(link)
            assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PDF)))
            signature = link.split("/")[-2]
            for path in (
                f"/files/{another['_id']}/{signature}/{file['name']}",
                f"/files/{file['_id']}/{'0' * 32}/{file['name']}",
                f"/files/x/{signature}/{file['name']}",
                LINKS.file("0" * 24, "x").removeprefix("http://posthaste.test"),
            ):
                refused = await it.client.get(path)
                assert (refused.status_code, refused.json()["code"]) == (404, "FILE_NOT_FOUND")

    run(main)


def test_only_so_many_uploads_are_in_memory_at_once() -> None:
    async def main() -> None:
        async with house(uploads_max=1) as it:
            may_end, has_begun = asyncio.Event(), asyncio.Event()

            async def slow() -> Any:
                yield PDF
                has_begun.set()
                await may_end.wait()

            app, sent = it.app, []

            async def send(event: Any) -> None:
                sent.append(event)

            pieces = slow()

            async def receive() -> dict[str, Any]:
                try:
                    return {"type": "http.request", "body": await anext(pieces), "more_body": True}
                except StopAsyncIteration:
                    return {"type": "http.request", "body": b"", "more_body": False}

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/api/attachments",
                "query_string": b"",
                "headers": [(b"authorization", f"Bearer {it.key}".encode())],
            }
            first = asyncio.create_task(app(scope, receive, send))
            await has_begun.wait()
            answer = await upload(it)
            assert (answer.status_code, answer.json()["code"]) == (503, "BUSY")
            assert answer.headers["retry-after"]
            may_end.set()
            await first
            assert sent[0]["status"] == 201
            assert (await upload(it)).status_code == 201

    run(main)


def test_an_upload_that_takes_too_long_is_given_up() -> None:
    async def main() -> None:
        async with house(upload_timeout_ms=50) as it:

            async def receive() -> dict[str, Any]:
                await asyncio.Event().wait()
                raise AssertionError

            sent: list[Any] = []

            async def send(event: Any) -> None:
                sent.append(event)

            headers = [(b"authorization", f"Bearer {it.key}".encode())]
            scope = {"type": "http", "method": "POST", "path": "/api/attachments", "query_string": b"", "headers": headers}
            await it.app(scope, receive, send)
            assert sent[0]["status"] == 408
            assert b"UPLOAD_TOO_SLOW" in sent[1]["body"]
            assert (await upload(it)).status_code == 201

    run(main)


def test_a_read_only_workspace_keeps_nothing_and_may_still_look() -> None:
    async def main() -> None:
        async with house() as it:
            file = await kept(it)
            await it.restrict("past_due")
            assert (await upload(it)).status_code == 402
            assert (await it.get(file["url"])).status_code == 200

    run(main)
