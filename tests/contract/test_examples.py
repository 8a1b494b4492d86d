"""Every documented example, run through the application: the files in `examples` say what is asked and what must be answered.

Bodies are compared key by key: nothing may be missing and nothing may be added. `$id`, `$instant` and `$text` stand for any value
of that shape; `$line`, `$lead`, `$earlier`, `$reply`, `$blocked`, `$sms` and `$workspace` for the ids of what the example was
given, and `$foreign` for the address of a file that another workspace uploaded.
"""

import asyncio
import json
import re
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.house import House, house, run
from posthaste.actions.contacts import block
from posthaste.actions.health import note_health
from posthaste.core.outcomes import Outcome, Refusal, Rejected
from posthaste.core.signals import Reaction, Typing

FILES = sorted((Path(__file__).parent / "examples").glob("*.json"))
SHAPES = {
    "$id": re.compile(r"[0-9a-f]{24}"),
    "$instant": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "$text": re.compile(r".+", re.DOTALL),
}
OUTCOMES: Mapping[str | None, Outcome | None] = {None: None, "rejected": Rejected(Refusal.BAD_CONTENT, "it says no")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_example_is_answered_as_documented(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    run(lambda: check(example))


async def check(example: Mapping[str, Any]) -> None:
    given = example.get("given", {})
    async with house(lines=given.get("lines", 1), requests_per_minute=given.get("limit", 0)) as it:
        names = await prepare(it, given)
        before = await it.count("messages")
        answer = await ask(it, example["request"], given, names)
        wanted = example["answer"]
        assert answer.status_code == wanted["status"], answer.text
        assert differences(answer.json(), wanted["body"], names) == []
        for name, value in wanted.get("headers", {}).items():
            assert answer.headers[name] == value
        if wanted["status"] >= 400:
            assert await it.count("messages") == before


async def prepare(it: House, given: Mapping[str, Any]) -> dict[str, str]:
    """Bring the house into the state that an example is given, and return the ids that it may name."""
    names = {"$workspace": it.workspace.id}
    if "line" in given:
        await it.add_line("imessage", **given["line"])
    if "added" in given:
        await it.client.post("/api/lines", json=given["added"], headers=it.auth)
    if it.lines:
        names["$line"] = it.lines[0].line.id
    for body in given.get("earlier", []):
        first = (await it.send(body)).json()
        names |= {"$lead": first["leadId"], "$earlier": first["message"]["_id"]}
        if given.get("sender"):
            await it.settle()
    if given.get("down"):
        for line in it.lines:
            await it.store.write(note_health, it.settings, line.device.id, is_up=False, detail="gone", options={}, cursor=None)
            await it.store.write(note_health, it.settings, line.device.id, is_up=False, detail="gone", options={}, cursor=None)
    await what_people_did(it, given, names)
    for address in given.get("blocked", []):
        entry, _ = await it.store.write(block, it.workspace.id, [address], "given")
        names["$blocked"] = entry.id
    if given.get("sms"):
        names["$sms"] = (await it.add_line("sms")).line.id
    if given.get("foreign_file"):
        names["$foreign"] = await foreign_file(it)
    it.answers.on_imessage |= set(given.get("on_imessage", []))
    it.answers.why_not, it.answers.is_exhausted = given.get("why_not", ""), given.get("exhausted", False)
    it.answers.failures = tuple(given.get("failures", []))
    if given.get("read_only"):
        await it.restrict(given["read_only"])
    it.clock.now += given.get("later_s", 0) * 1000
    for _ in range(given.get("limit", 0)):
        await it.get("/api/lines/by-user")
    return names


async def foreign_file(it: House) -> str:
    """Let another workspace upload a file, and return its address."""
    _, key = await it.another()
    kept = await it.client.post("/api/attachments", content=b"%PDF-1.4\n%%EOF\n", headers={"Authorization": f"Bearer {key}"})
    return str(kept.json()["attachment"]["url"])


async def what_people_did(it: House, given: Mapping[str, Any], names: dict[str, str]) -> None:
    """Let people write, react, or begin to write."""
    for reply in given.get("replies", []):
        it.clock.now += 60_000
        names["$reply"] = await it.person_writes(reply["from"], reply["text"])
    if "reaction" in given:
        answered = f"guid-{names['$earlier']}"
        await it.report(Reaction("r-1", 1, given["reaction"]["from"], answered, given["reaction"]["kind"], it.clock.now))
    if "typing" in given:
        await it.report(Typing(given["typing"], is_typing=True))


async def ask(it: House, request: Mapping[str, Any], given: Mapping[str, Any], names: Mapping[str, str]) -> httpx2.Response:
    is_sent = given.get("sender") and (request["method"], request["path"]) == ("POST", "/api/messages")
    headers = {**it.auth, **({"Prefer": "wait=20"} if is_sent else {}), **request.get("headers", {})}
    content = request["raw"].encode() if "raw" in request else None
    if "body" in request:
        content = named(json.dumps(request["body"]), names).encode()
    call = it.client.request(request["method"], named(request["path"], names), content=content, headers=headers)
    if given.get("breaks"):
        return await broken(it, call)
    answer = asyncio.create_task(call)
    if is_sent:
        await it.settle_next(OUTCOMES[given.get("outcome")])
    return await answer


async def broken(it: House, call: Coroutine[Any, Any, httpx2.Response]) -> httpx2.Response:
    """Make a call whose database fails in a way that nobody thought of."""

    async def explode(*_: object) -> None:
        raise RuntimeError("the number +12025551234")

    await it.get("/api/lines/by-user")  # so that the key is known before the store breaks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(it.store, "read", explode)
        patch.setattr(it.store, "write", explode)
        return await call


def named(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def differences(got: Any, wanted: Any, names: Mapping[str, str], at: str = "") -> list[str]:
    """Say what differs, in words."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        missing = [f"{at}.{key} is missing" for key in wanted.keys() - got.keys()]
        more = [f"{at}.{key} is too much: {got[key]!r}" for key in got.keys() - wanted.keys()]
        common = [key for key in wanted if key in got]
        return missing + more + [one for key in common for one in differences(got[key], wanted[key], names, f"{at}.{key}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = enumerate(zip(got, wanted, strict=True))
        return [one for index, (a, b) in pairs for one in differences(a, b, names, f"{at}[{index}]")]
    if isinstance(wanted, str) and wanted in SHAPES:
        return [] if isinstance(got, str) and SHAPES[wanted].fullmatch(got) else [f"{at} is {got!r}, not like {wanted}"]
    wanted = names.get(wanted, wanted) if isinstance(wanted, str) else wanted
    return [] if got == wanted and type(got) is type(wanted) else [f"{at} is {got!r}, not {wanted!r}"]


def test_every_error_text_of_the_vendor_has_its_example() -> None:
    texts = {json.loads(path.read_text(encoding="utf-8"))["answer"]["body"].get("error") for path in FILES}
    assert len(TWELVE) == 12
    assert texts >= TWELVE


TWELVE = {
    "Request body must be a JSON object",
    "Invalid request body (JSON required)",
    "Message and attachmentUrls cannot both be empty",
    "Invalid messageType. Must be email, sms, or imessage",
    "attachmentUrls must be an array",
    "Maximum 2 attachments per message",
    "No active lines in workspace. Add and activate a line, or provide fromLineId.",
    "Invalid scheduledDate format",
    "Invalid time format. sendWindowStart and sendWindowEnd must be in HH:mm format (e.g., 09:00, 17:00)",
    "Invalid timezone or time window settings. Please check your timezone and time format.",
    "Either recipientEmail or recipientPhone is required (in body or on the lead when leadId is provided).",
    "sendFallbackSmsOnFailed is true but fallback SMS is not configured. Configure fallback in workspace settings"
    " (Settings → Fallback) or set sendFallbackSmsOnFailed to false.",
}
