"""The OpenAPI document, held against what the application reads, answers and refuses."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import posthaste
from api.house import SETTINGS, Answers, Reports, SetClock
from posthaste.api import docs
from posthaste.api.application import verbs
from posthaste.api.parse_filters import STATUSES
from posthaste.api.parse_line import ADDABLE, CHANGEABLE, Setting
from posthaste.api.parse_sending import FIELDS
from posthaste.channels.catalog import KINDS
from posthaste.core.channels import Kind
from posthaste.core.holds import Reason
from posthaste.core.messages import MessageType
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.store.inline import InlineStore
from posthaste.vault import Vault

SOURCE = Path(posthaste.__file__).parent
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))

# The contract's list of what a message's document may hold.
DOCUMENT = [
    "_id",
    "message",
    "messageType",
    "direction",
    "status",
    "fromLineId",
    "fromLinePhone",
    "fromLineEmail",
    "recipientPhone",
    "recipientEmail",
    "recipientName",
    "leadId",
    "workspaceId",
    "scheduledDate",
    "batchId",
    "settings",
    "sentAt",
    "deliveredAt",
    "readAt",
    "externalMessageId",
    "errorMessage",
    "code",
    "checkedAddresses",
    "sendFallbackSmsOnFailed",
    "fallbackOf",
    "fallbackMessageId",
    "attachmentUrls",
    "attachmentNames",
    "ghlContactId",
    "ghlLocationId",
    "hsContactId",
    "hsPortalId",
    "validUntil",
    "createdAt",
    "updatedAt",
    # And what the hosted product's documents do not have.
    "replyTo",
    "subject",
    "html",
    "segments",
    "reactions",
]

# Codes of errors that only the command line meets.
NOT_OVER_HTTP = {"INVALID_SETTING", "SCHEMA_MISMATCH", "FOLDER_IN_USE", "INVALID_REGION", "KEY_NOT_FOUND"}


@cache
def openapi() -> Mapping[str, Any]:
    return docs.openapi(KINDS)


def schema(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = openapi()["components"]["schemas"][name]
    return found


def test_the_document_is_valid() -> None:
    validate(dict(openapi()))


def test_every_route_is_in_the_document_and_every_operation_is_a_route() -> None:
    clock = SetClock()
    vault = Vault(["test"])
    setting, links = Setting(KINDS, vault), Links(vault, "http://posthaste.test")
    every = verbs(SETTINGS, InlineStore(clock, Ids()), clock, Reports(), Answers(), lambda: True, setting, links)
    documented = {
        (method.upper(), path) for path, item in openapi()["paths"].items() for method in item if method != "parameters"
    }
    assert {(verb.method, verb.path) for verb in every} == documented


def test_the_fields_that_are_read_are_the_fields_that_are_documented() -> None:
    assert set(schema("SendMessageRequest")["properties"]) == FIELDS
    own = {name for kind in KINDS.values() for name in kind.field_names()}
    assert not own & {*ADDABLE, *CHANGEABLE}
    assert set(schema("AddLineRequest")["properties"]) == {*ADDABLE, *own}
    assert set(schema("ChangeLineRequest")["properties"]) == {*CHANGEABLE, *own}
    assert set(schema("Message")["properties"]) == set(DOCUMENT)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_channel_is_documented_with_what_it_asks_for(kind: Kind) -> None:
    properties = schema("AddLineRequest")["properties"]
    assert kind.name in properties["channel"]["enum"]
    assert kind.title in properties["channel"]["description"]
    for field in kind.fields:
        assert f"For `{kind.name}`: {field.meaning}" in properties[field.name]["description"]
        assert all(one in properties[field.name]["description"] for one in field.choices)
        assert not field.is_secret or properties[field.name]["writeOnly"]


def test_closed_sets_are_documented_as_they_are() -> None:
    assert schema("MessageStatus")["enum"] == list(STATUSES) or set(schema("MessageStatus")["enum"]) == set(STATUSES)
    assert schema("HoldReason")["enum"] == [reason.value for reason in Reason]
    assert schema("MessageType")["enum"] == [kind.value for kind in MessageType]


def test_every_error_code_is_documented_and_none_that_does_not_exist() -> None:
    raised = set(codes())
    documented = set(schema("ErrorCode")["enum"])
    assert raised - documented == NOT_OVER_HTTP & raised
    assert documented - raised - {"INVALID_SCHEDULED_DATE", "INVALID_VALID_UNTIL", "INVALID_FROM", "INVALID_TO"} == {
        "NO_SUCH_ROUTE",
        "METHOD_NOT_ALLOWED",
    }


def test_every_code_of_an_error_is_in_the_guide() -> None:
    guide = (SOURCE.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    assert [code for code in schema("ErrorCode")["enum"] if f"`{code}`" not in guide] == []


def codes() -> Iterator[str]:
    """Yield the code of every error that the API can meet, as the source writes it."""
    for folder in ("api", "core", "actions", "channels", "store"):
        for path in (SOURCE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield from _codes_of(node)


def _codes_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        names = [one.arg for one in node.args.args[-len(node.args.defaults) :]] if node.args.defaults else []
        pairs = [*zip(names, node.args.defaults, strict=True)]
        pairs += [(a.arg, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
        yield from (d.value for name, d in pairs if name == "code" and isinstance(d, ast.Constant) and isinstance(d.value, str))
    if isinstance(node, ast.Call) and _is_error(node.func):
        given = [one.value for one in node.keywords if one.arg == "code"] or node.args[1:2]
        yield from (one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _is_error(called: ast.expr) -> bool:
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name in {
        *("Refused", "Unauthorized", "Forbidden", "NotFound", "Conflict", "TooLarge", "Mismatch", "Unavailable"),
        *("TooManyRequests", "UnsupportedMediaType", "SettingError", "__init__"),
    }


@cache
def document_with_local_references() -> str:
    return json.dumps(openapi())


def errors(part: Mapping[str, Any], value: object) -> list[str]:
    """Validate a value against a part of the document."""
    whole = {**json.loads(document_with_local_references()), **part}
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in Draft202012Validator(whole).iter_errors(value)]


def operation_of(request: Mapping[str, str]) -> Mapping[str, Any] | None:
    path = request["path"].partition("?")[0]
    for template, item in sorted(openapi()["paths"].items(), key=lambda one: "{" in one[0]):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return item.get(request["method"].lower())  # type: ignore[no-any-return]
    return None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_the_examples_answer_is_what_the_document_says(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    operation = operation_of(example["request"])
    wanted = example["answer"]
    if operation is None:
        assert wanted["status"] in (404, 405)
        return
    response = operation["responses"][str(wanted["status"])]
    if "$ref" in response:
        response = openapi()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert errors(response["content"]["application/json"]["schema"], filled(wanted["body"])) == []


def filled(value: Any) -> Any:
    """Put a value of the right shape where an example names one."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return {"$instant": "2026-03-12T12:00:00.000Z", "$text": "text", "$workspace": "org_1"}.get(value, "0" * 24)
    return value


def own_examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yield every example of the document with the schema that it must fit."""
    parts = [openapi()["components"]["responses"]]
    parts += [op["responses"] for item in openapi()["paths"].values() for m, op in item.items() if m != "parameters"]
    parts += [
        {"request": op["requestBody"]}
        for item in openapi()["paths"].values()
        for m, op in item.items()
        if m != "parameters" and "requestBody" in op
    ]
    for part in parts:
        for name, response in part.items():
            for content in response.get("content", {}).values():
                examples = {k: v["value"] for k, v in content.get("examples", {}).items()}
                if "example" in content:
                    examples["example"] = content["example"]
                yield from ((f"{name} {key}", content["schema"], value) for key, value in examples.items())


def test_the_documents_own_examples_fit_it() -> None:
    every = list(own_examples())
    assert len(every) > 30
    assert [(name, found) for name, part, value in every if (found := errors(part, value))] == []
