"""Bad input: whatever comes in, nothing is a 500, nothing is stored, and the answer names the field that is to blame."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.house import House, house, run
from posthaste.api.parse_sending import FIELDS

HI = {"message": "Hi", "recipientPhone": "+12025551234"}
TABLES = ("messages", "leads", "lead_addresses", "idempotency_keys", "timeline")
TEXTS = sorted(FIELDS - {"allowedDaysOfWeek", "sendFallbackSmsOnFailed", "attachmentUrls", "attachmentNames"})
IDS_OF_OTHERS = {"ghlContactId", "ghlLocationId", "hsContactId", "hsPortalId"}

# Answers whose documented sentence names no single field.
NAMELESS = {"NO_RECIPIENT", "INVALID_TIMEZONE", "INVALID_TIME_FORMAT", "INVALID_JSON", "BODY_NOT_OBJECT", "MESSAGE_EMPTY"}
NAMELESS |= {"BODY_TOO_DEEP"}


@contextmanager
def open_house(**changes: Any) -> Iterator[tuple[asyncio.Runner, House]]:
    """A house that serves many examples, on a loop of its own."""
    with asyncio.Runner() as runner:
        opened = house(**changes)
        it = runner.run(opened.__aenter__())
        try:
            yield runner, it
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def post(it: House, content: bytes, content_type: str = "application/json") -> httpx2.Response:
    return await it.client.post("/api/messages", content=content, headers={**it.auth, "Content-Type": content_type})


async def stored(it: House) -> int:
    return sum([await it.count(table) for table in TABLES])


async def refused(it: House, content: bytes, field: str | None = None, status: int = 400) -> None:
    """Hold that a body is refused, that nothing is stored, and that the answer names the field."""
    before = await stored(it)
    answer = await post(it, content)
    assert answer.status_code == status, answer.text
    assert await stored(it) == before
    if field is not None:
        assert field in answer.json()["error"], answer.text


def body(**fields: Any) -> bytes:
    return json.dumps({**HI, **fields}).encode()


@pytest.mark.parametrize("field", TEXTS)
def test_a_value_of_the_wrong_type_is_refused_by_its_field(field: str) -> None:
    async def main() -> None:
        async with house() as it:
            wrong: list[Any] = [True, 1.5, ["x"], {"x": 1}, [], {}]
            wrong += [] if field in IDS_OF_OTHERS else [0, 7]
            for value in wrong:
                await refused(it, body(**{field: value}), field)

    run(main)


@pytest.mark.parametrize("field", TEXTS)
def test_nul_and_half_a_surrogate_pair_are_refused_by_their_field(field: str) -> None:
    async def main() -> None:
        async with house() as it:
            for bad in ("\\u0000", "a\\u0000b", "\\ud800", "a\\uDFFFb", "\\udc00\\ud800"):
                content = json.dumps({**HI, field: "MARK"}).replace("MARK", bad).encode()
                await refused(it, content, field)

    run(main)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_nul_is_refused_on_both_databases_wherever_it_stands(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite://{tmp_path}/posthaste.db" if database == "sqlite" else request.getfixturevalue("postgres_url")

    async def main() -> None:
        async with house(url) as it:
            for content, field in [
                (b'{"message": "a\\u0000b", "recipientPhone": "+12025551234"}', "message"),
                (b'{"message": "Hi", "recipientPhone": "+12025551234", "x\\u0000": 1}', "x"),
                (b'{"message": "Hi", "recipientPhone": "+12025551234", "x": {"y": ["\\u0000"]}}', "x.y[0]"),
                (b'{"message": "Hi", "recipientPhone": "+12025551234", "batchId": "\\u0000"}', "batchId"),
            ]:
                await refused(it, content, field)
            for name in ("batchId", "status", "page", "leadId", "from"):
                listed = await it.get("/api/messages", **{name: "\0"})
                assert listed.status_code == 400
                assert name in listed.json()["error"]
            shown = await it.get("/api/messages/%00")
            assert shown.status_code == 400
            assert (await post(it, body(message="e\u0301\U0001f600\u202e\ufffd\ufdd0 \x01"))).status_code == 201
            kept = (await it.get("/api/messages")).json()["messages"][0]["message"]
            assert kept == "e\u0301\U0001f600\u202e\ufffd\ufdd0 \x01"

    run(main)


def test_bodies_that_are_no_json_are_refused() -> None:
    async def main() -> None:
        async with house() as it:
            whole = body()
            for content in [
                *(whole[:end] for end in range(0, len(whole), 7)),
                b"\x00",
                b"null",
                b"[]",
                b'"text"',
                b"12",
                b"NaN",
                b'{"message": NaN}',
                b"{'message': 'Hi'}",
                whole + b"x",
                whole + whole,
                b'{"message": "\xff\xfe"}',
                whole.decode().encode("utf-16"),
                b"message=Hi&recipientPhone=%2B12025551234",
                b"<message>Hi</message>",
            ]:
                await refused(it, content)

    run(main)


def test_a_byte_order_mark_is_no_mistake() -> None:
    async def main() -> None:
        async with house() as it:
            assert (await post(it, b"\xef\xbb\xbf" + body())).status_code == 201

    run(main)


def test_deep_json_is_refused() -> None:
    async def main() -> None:
        async with house() as it:
            for depth in (500, 900, 990, 1000, 5_000, 100_000):
                deep = b"[" * depth + b"]" * depth
                objects = b'{"a":' * depth + b"1" + b"}" * depth
                for content in (deep, objects, b"[" * depth):
                    await refused(it, content)
                for field in ("message", "x"):
                    answer = await post(it, json.dumps({**HI, field: "MARK"}).encode().replace(b'"MARK"', deep))
                    assert answer.status_code in (400, 201, 200), answer.text
                keyed = await it.client.post(
                    "/api/messages",
                    content=json.dumps({**HI, "x": "MARK"}).encode().replace(b'"MARK"', deep),
                    headers={**it.auth, "Idempotency-Key": str(depth)},
                )
                assert keyed.status_code in (400, 201, 200), keyed.text

    run(main)


def test_ten_megabytes_are_too_many_announced_or_not() -> None:
    async def main() -> None:
        async with house() as it:
            large = body(message="x" * 10_000_000)
            await refused(it, large, status=413)

            async def in_pieces() -> Any:
                for start in range(0, len(large), 65_536):
                    yield large[start : start + 65_536]

            before = await stored(it)
            answer = await it.client.post("/api/messages", content=in_pieces(), headers=it.auth)
            assert answer.status_code == 413
            assert await stored(it) == before
            await refused(it, body(message="x" * (it.settings.message_max_chars + 1)), "message")
            assert (await post(it, body(message="x" * it.settings.message_max_chars))).status_code == 201

    run(main)


def test_huge_numbers_are_numbers() -> None:
    async def main() -> None:
        async with house() as it:
            for number in ("9" * 400, "-" + "9" * 400, "1e308", "-1e308", "9007199254740993", "1E400", "9" * 10_000):
                for field in ("message", "allowedDaysOfWeek", "hsContactId", "timezone", "sendFallbackSmsOnFailed"):
                    content = json.dumps({**HI, field: "MARK"}).replace('"MARK"', number).encode()
                    answer = await post(it, content)
                    is_id = field == "hsContactId" and number == "9007199254740993"
                    assert answer.status_code in ((200, 201) if is_id else (400,)), (field, number, answer.text)
                    assert is_id or field in answer.json()["error"], answer.text
                days = json.dumps({**HI, "allowedDaysOfWeek": "MARK"}).replace('"MARK"', f"[{number}]").encode()
                await refused(it, days)
                keyed = {**it.auth, "Idempotency-Key": number[:200]}
                content = json.dumps({**HI, "x": "MARK"}).replace('"MARK"', number).encode()
                answer = await it.client.post("/api/messages", content=content, headers=keyed)
                assert answer.status_code in (200, 201, 400), answer.text

    run(main)


def test_a_long_key_over_a_long_array_does_not_fill_the_memory() -> None:
    async def main() -> None:
        async with house() as it:
            wide = json.dumps({**HI, "k" * 300_000: ["x"] * 100_000, "z": "MARK"}).replace("MARK", "\\u0000").encode()
            await refused(it, wide, "z")
            nested = json.dumps({**HI, "z": "MARK"}).encode()
            inner = b"[" * 400 + b"0," * 200_000 + b'"\\u0000"' + b"]" * 400
            await refused(it, nested.replace(b'"MARK"', inner))
            deep = '{"' + "k" * 500 + '":'
            await refused(it, deep.encode() * 800 + b'"\\u0000"' + b"}" * 800)

    run(main)


def test_of_duplicate_keys_the_last_wins() -> None:
    async def main() -> None:
        async with house() as it:
            twice = b'{"message": "One", "recipientPhone": "x", "message": "Two", "recipientPhone": "+12025551234"}'
            answer = await post(it, twice)
            assert (answer.status_code, answer.json()["message"]["message"]) == (201, "Two")

    run(main)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml", "\x7f"])
def test_any_content_type_but_multipart_is_read_as_json(kind: str) -> None:
    async def main() -> None:
        async with house() as it:
            assert (await post(it, body(), kind)).status_code == 201
            assert (await post(it, body(message="2"), "Multipart/Form-Data; boundary=x")).status_code == 415

    run(main)


def test_long_texts_are_refused_by_their_field() -> None:
    async def main() -> None:
        async with house() as it:
            for field in TEXTS:
                await refused(it, body(**{field: "x" * 100_000}))
            for field in ("recipientName", "batchId", *IDS_OF_OTHERS):
                await refused(it, body(**{field: "x" * 256}), field)
                await refused(it, body(**{field: "\U0001f600" * 256}), field)
            most = dict.fromkeys(("recipientName", "batchId", *IDS_OF_OTHERS), "😀" * 255)
            assert (await post(it, body(**most))).status_code == 201

    run(main)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
odd_texts = st.sampled_from(
    ["", " ", "\u00a0", "2026-13-01", "25:00", "09:00", "UTC", "US/Eastern", "+12025551234", "a@b.co", "0" * 24, "sms"]
) | st.text(max_size=40)
requests = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(FIELDS), odd_texts | json_values) | {"unknown": json_values})


def test_no_request_is_a_500_and_a_refused_one_stores_nothing() -> None:
    with open_house() as (runner, it):

        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(requests, st.booleans())
        def hold(fields: dict[str, Any], is_given_the_rest: bool) -> None:
            async def main() -> None:
                before = await stored(it)
                request = {**HI, **fields} if is_given_the_rest else fields
                answer = await post(it, json.dumps(request).encode())
                assert answer.status_code in (200, 201, 400, 404), answer.text
                if answer.status_code >= 400:
                    assert await stored(it) == before
                    told = answer.json()
                    assert told["code"] in NAMELESS or any(field in told["error"] for field in {*FIELDS, *request}), told

            runner.run(main())

        hold()


def test_no_bytes_are_a_500() -> None:
    with open_house() as (runner, it):

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.binary(max_size=60), st.sampled_from(["POST /api/messages", "POST /api/lines", "PATCH /api/lines/{line}"]))
        def hold(content: bytes, where: str) -> None:
            async def main() -> None:
                method, path = where.replace("{line}", it.lines[0].line.id).split()
                answer = await it.client.request(method, path, content=content, headers=it.auth)
                assert answer.status_code in (400, 413), answer.text

            runner.run(main())

        hold()


LINE_FIELDS = ("isActive", "dailyNewConversationsLimit", "dailyTotalMessagesLimit", "deviceGapSeconds", "contactGapSeconds")
DEVICE_FIELDS = ("timezone", "url", "password", "phone", "email", "deviceId", "channel")
line_changes = st.fixed_dictionaries({}, optional=dict.fromkeys((*LINE_FIELDS, *DEVICE_FIELDS), json_values))


def test_no_line_is_a_500() -> None:
    with open_house() as (runner, it):

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(line_changes, st.booleans())
        def hold(fields: dict[str, Any], is_new: bool) -> None:
            async def main() -> None:
                good = {"url": "http://mac.local:1", "password": "x", "phone": "+16462230999"}
                content = json.dumps({**good, **fields} if is_new else fields).encode()
                path = "/api/lines" if is_new else f"/api/lines/{it.lines[0].line.id}"
                answer = await it.client.request("POST" if is_new else "PATCH", path, content=content, headers=it.auth)
                assert answer.status_code in (200, 201, 400, 404, 409), answer.text

            runner.run(main())

        hold()


queries = st.dictionaries(
    st.sampled_from(["page", "limit", "status", "leadId", "lineId", "batchId", "from", "to", "x"]), odd_texts, max_size=4
)


def test_no_query_is_a_500() -> None:
    with open_house() as (runner, it):

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(queries, st.binary(max_size=30))
        def hold(query: dict[str, str], raw: bytes) -> None:
            async def main() -> None:
                assert (await it.get("/api/messages", **query)).status_code in (200, 400)
                quoted = "".join(f"%{byte:02x}" for byte in raw)
                answer = await it.client.get(f"/api/messages?batchId={quoted}&{quoted}", headers=it.auth)
                assert answer.status_code in (200, 400), answer.text
                shown = await it.client.get(f"/api/messages/x{quoted.replace('%2f', '')}", headers=it.auth)
                assert shown.status_code in (400, 404), shown.text

            runner.run(main())

        hold()


def test_no_header_is_a_500() -> None:
    with open_house(answer_wait_max_ms=0) as (runner, it):
        header = st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))
        names = ["authorization", "x-api-key", "idempotency-key", "prefer", "x-request-id", "content-type", "content-length"]

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.dictionaries(st.sampled_from(names), header | st.sampled_from([b"wait=999999999", b"wait=-1", b"9" * 30])))
        def hold(headers: dict[str, bytes]) -> None:
            async def main() -> None:
                status = await raw_status(it, headers)
                assert status in (200, 201, 400, 401, 413, 415), headers

            runner.run(main())

        hold()


async def raw_status(it: House, headers: dict[str, bytes]) -> int:
    """Call the application as a server would, with headers that no client would send."""
    named = {b"authorization": it.auth["Authorization"].encode()} | {k.encode(): v for k, v in headers.items()}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/messages",
        "raw_path": b"/api/messages",
        "query_string": b"",
        "headers": list(named.items()),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body(), "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await it.app(scope, receive, send)
    return int(sent[0]["status"])
