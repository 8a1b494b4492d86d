"""Every example of the hosted product's document has one of ours that is asked and answered in its shape, field by field.

The examples themselves are run by `test_examples`. Here stands which of them replays which, and, where its document is at
hand, that none is missing: all fields of a request of theirs are asked in ours, all fields of their answer are in ours with
the same type, and errors have the same words. What we add, clients of the hosted product do not look at.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.installed import did_not_run

DOCUMENT = Path(__file__).parents[3] / "shared" / "spec" / "tuco-openapi.json"
EXAMPLES = Path(__file__).parent / "examples"

MESSAGES = "post /api/messages"
REPLIES = "get /api/replies"
LINES = "get /api/lines/by-user"
CHECK = "get /api/leads/check-availability"
CHECKS = "post /api/leads/check-availability"
CANCEL = "post /api/messages/cancel-for-lead"

REPLAYED_BY: Mapping[str, str] = {
    f"{MESSAGES} asks minimal": "minimal-lead-id",
    f"{MESSAGES} asks hubspotLead": "hubspot-lead",
    f"{MESSAGES} asks ghlLead": "ghl-lead",
    f"{MESSAGES} asks withAttachments": "attachments-lead",
    f"{MESSAGES} 200": "seed",
    f"{MESSAGES} 201 minimalSent": "minimal-lead-id",
    f"{MESSAGES} 201 hubspotLeadSent": "hubspot-lead",
    f"{MESSAGES} 201 ghlLeadSent": "ghl-lead",
    f"{MESSAGES} 400 bodyNotObject": "body-not-object",
    f"{MESSAGES} 400 invalidJson": "invalid-json",
    f"{MESSAGES} 400 empty": "empty",
    f"{MESSAGES} 400 invalidType": "invalid-type",
    f"{MESSAGES} 400 attachmentUrlsNotArray": "attachment-urls-not-array",
    f"{MESSAGES} 400 maxAttachments": "max-attachments",
    f"{MESSAGES} 400 noLines": "no-lines",
    f"{MESSAGES} 400 invalidScheduledDate": "invalid-scheduled-date",
    f"{MESSAGES} 400 invalidTimeWindow": "invalid-time-window",
    f"{MESSAGES} 400 invalidTimezone": "invalid-timezone",
    f"{MESSAGES} 400 noRecipient": "no-recipient",
    f"{MESSAGES} 400 fallback": "fallback",
    f"{MESSAGES} 401": "unauthorized",
    f"{MESSAGES} 402": "read-only",
    f"{MESSAGES} 403": "attachment-url-foreign",
    f"{MESSAGES} 404": "unknown-lead",
    f"{MESSAGES} 500": "send-breaks",
    f"{REPLIES} 200": "replies",
    f"{REPLIES} 400 invalidLeadId": "replies-invalid-lead",
    f"{REPLIES} 400 invalidCampaignId": "replies-invalid-campaign",
    f"{REPLIES} 401": "replies-unauthorized",
    f"{REPLIES} 404 leadNotFound": "replies-unknown-lead",
    f"{REPLIES} 404 campaignNotFound": "replies-unknown-campaign",
    f"{REPLIES} 500": "replies-breaks",
    f"{LINES} 200": "lines",
    f"{LINES} 401": "lines-unauthorized",
    f"{LINES} 500": "lines-breaks",
    f"{CHECK} 200 available": "check-lead-available",
    f"{CHECK} 200 unavailable": "check-lead-unavailable",
    f"{CHECK} 400": "check-lead-without-id",
    f"{CHECK} 401": "check-lead-unauthorized",
    f"{CHECK} 404": "check-unknown-lead",
    f"{CHECK} 429 rateLimit": "check-lead-limited",
    f"{CHECK} 429 dailyQuota": "check-exhausted",
    f"{CHECK} 500": "check-lead-breaks",
    f"{CHECKS} asks singleAddress": "check-address",
    f"{CHECKS} asks bulkLeads": "check-leads",
    f"{CHECKS} 200 single": "check-address",
    f"{CHECKS} 200 bulk": "check-leads",
    f"{CHECKS} 401": "check-leads-unauthorized",
    f"{CHECKS} 404": "check-no-leads",
    f"{CHECKS} 429 rateLimit": "check-address-limited",
    f"{CHECKS} 429 dailyQuota": "check-address-exhausted",
    f"{CHECKS} 500": "check-address-breaks",
    f"{CANCEL} asks byLeadId": "cancel-for-lead",
    f"{CANCEL} asks byPhone": "cancel-for-phone",
    f"{CANCEL} asks byEmail": "cancel-for-email",
    f"{CANCEL} 200 cancelled": "cancel-for-lead",
    f"{CANCEL} 200 noPending": "cancel-nothing",
    f"{CANCEL} 400 noIdentifier": "cancel-for-whom",
    f"{CANCEL} 400 invalidLeadId": "cancel-for-invalid-lead",
    f"{CANCEL} 401": "cancel-for-unauthorized",
    f"{CANCEL} 500": "cancel-for-breaks",
}
# A key belongs to one workspace, so there is none without.
CANNOT_HAPPEN = {f"{REPLIES} 400 noWorkspace", f"{LINES} 400", f"{CHECKS} 400", f"{CANCEL} 400 noWorkspace"}
# One sentence stands for everything that breaks.
OTHER_WORDS = {f"{REPLIES} 500"}


def theirs() -> Mapping[str, Any]:
    """Return all examples of the routes above from the document, by names as they stand in `REPLAYED_BY`."""
    if not DOCUMENT.exists():
        did_not_run(f"the hosted product's document {DOCUMENT.name} is not here")
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    found: dict[str, Any] = {}
    for route in (MESSAGES, REPLIES, LINES, CHECK, CHECKS, CANCEL):
        method, path = route.split()
        operation = paths[path][method]
        found |= named(f"{route} asks", operation.get("requestBody", {}))
        for status, answer in operation["responses"].items():
            found |= named(f"{route} {status}", answer)
    return found


def named(name: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    content = part.get("content", {}).get("application/json", {})
    one = {name: content["example"]} if "example" in content else {}
    return one | {f"{name} {key}": example["value"] for key, example in content.get("examples", {}).items()}


def ours(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((EXAMPLES / f"{REPLAYED_BY[name]}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", REPLAYED_BY)
def test_the_example_is_asked_of_the_same_route(name: str) -> None:
    method, path, kind = name.split()[:3]
    example = ours(name)
    asked = example["request"]
    assert (asked["method"].lower(), asked["path"].partition("?")[0]) == (method, path)
    assert kind in ("asks", str(example["answer"]["status"]))


def test_no_example_of_the_hosted_product_is_missing() -> None:
    assert set(theirs()) == set(REPLAYED_BY) | CANNOT_HAPPEN


def test_what_it_asks_and_answers_is_asked_and_answered_here() -> None:
    lacking = {name: list(lacks(value, counterpart(name), name)) for name, value in theirs().items() if name in REPLAYED_BY}
    assert {name: found for name, found in lacking.items() if found} == {}


def counterpart(name: str) -> Any:
    example = ours(name)
    return example["request"]["body"] if " asks " in name else example["answer"]["body"]


def lacks(wanted: Any, got: Any, name: str, at: str = "") -> Iterator[str]:
    """Yield where ours lacks a field of theirs, or has one of another type; null is of every type."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in wanted.items():
            if key not in got:
                yield f"{at}.{key} is missing"
            else:
                yield from lacks(value, got[key], name, f"{at}.{key}")
    elif isinstance(wanted, list) and isinstance(got, list):
        for index, (one, other) in enumerate(zip(wanted, got, strict=False)):
            yield from lacks(one, other, name, f"{at}[{index}]")
    elif is_of_another_type(wanted, got) or (at == ".error" and got != wanted and name not in OTHER_WORDS):
        yield f"{at} is {got!r} where theirs is {wanted!r}"


def is_of_another_type(wanted: Any, got: Any) -> bool:
    return None not in (wanted, got) and type(wanted) is not type(got)
