"""Lines over the API: every channel's own fields, secrets that are never shown, and deletion."""

from collections.abc import Mapping

import httpx2
import pytest

from api.house import House, house, run
from posthaste.channels.catalog import KINDS
from posthaste.core.channels import Form, Kind
from posthaste.core.messages import MessageType
from posthaste.store import devices
from posthaste.vault import Vault

VAULT = Vault(["test"])


async def add(it: House, **fields: object) -> httpx2.Response:
    given = {"url": "http://mac.local:1234", "password": "p4ss", "phone": "+16462230999", **fields}
    return await it.client.post("/api/lines", json=given, headers=it.auth)


async def change(it: House, line_id: str, **fields: object) -> httpx2.Response:
    return await it.client.patch(f"/api/lines/{line_id}", json=fields, headers=it.auth)


async def delete(it: House, line_id: str) -> httpx2.Response:
    return await it.client.delete(f"/api/lines/{line_id}", headers=it.auth)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_a_channel_needs_is_asked_for_by_name(kind: Kind) -> None:
    async def main() -> None:
        async with house() as it:
            answer = await it.client.post("/api/lines", json=_least(kind), headers=it.auth)
            needed = [field.name for field in kind.fields if field.is_needed]
            assert answer.status_code == (400 if needed else 201), answer.text
            if needed:
                assert answer.json()["code"] == "MISSING_FIELD"
                assert answer.json()["error"].startswith(f"{needed[0]} is required for {kind.name}: ")

    run(main)


def _least(kind: Kind) -> dict[str, object]:
    """Return a line of a channel without anything that the channel asks for."""
    address = {"email": "ada@example.com"} if kind.message_type is MessageType.EMAIL else {"phone": "+16462230999"}
    return {"channel": kind.name, **address}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_line_has_an_address_of_the_kind_that_it_writes_from(kind: Kind) -> None:
    async def main() -> None:
        async with house() as it:
            other = {"phone": "+16462230999"} if kind.message_type is MessageType.EMAIL else {"email": "ada@example.com"}
            answer = await it.client.post("/api/lines", json={"channel": kind.name, **other}, headers=it.auth)
            needed = {"sms": "phone is required: ", "email": "email is required: "}.get(kind.message_type, "")
            assert answer.json()["code"] == "MISSING_FIELD"
            assert answer.json()["error"].startswith(needed)

    run(main)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_secret_of_the_wrong_type_is_refused_without_being_shown(kind: Kind) -> None:
    async def main() -> None:
        async with house() as it:
            for field in kind.fields:
                body = {**_least(kind), field.name: [7_777_777]}
                answer = await it.client.post("/api/lines", json=body, headers=it.auth)
                assert answer.status_code == 400
                assert "7777777" not in answer.text

    run(main)


def test_numbers_and_flags_may_come_as_json_has_them() -> None:
    forms = {field.form for kind in KINDS.values() for field in kind.fields}
    assert Form.URL in forms, "or this test looks at nothing"

    async def main() -> None:
        async with house() as it:
            for kind in KINDS.values():
                for field in (one for one in kind.fields if one.form in (Form.NUMBER, Form.FLAG)):
                    for wrong in ("neither", 1.5):
                        answer = await it.client.post("/api/lines", json={**_least(kind), field.name: wrong}, headers=it.auth)
                        assert answer.status_code == 400

    run(main)


def test_a_password_is_changed_and_the_rest_is_kept() -> None:
    async def main() -> None:
        async with house() as it:
            line = (await add(it)).json()["line"]
            answer = await change(it, line["_id"], password="n3w")
            assert answer.status_code == 200
            assert "n3w" not in answer.text
            access = (await it.store.read(devices.access, [line["deviceId"]]))[line["deviceId"]]
            assert access.url == "http://mac.local:1234"
            assert VAULT.open(access.secret) == {"password": "n3w"}
            assert "n3w" not in access.secret

    run(main)


def test_names_and_limits_are_changed() -> None:
    async def main() -> None:
        async with house() as it:
            line_id = it.lines[0].line.id
            answer = await change(it, line_id, firstName="Grace", lastName="Hopper", dailyAvailabilityChecksLimit=3)
            line = answer.json()["line"]
            assert (line["firstName"], line["lastName"], line["dailyAvailabilityChecksLimit"]) == ("Grace", "Hopper", 3)

    run(main)


def test_null_takes_a_name_away() -> None:
    async def main() -> None:
        async with house() as it:
            line_id = it.lines[0].line.id
            await change(it, line_id, firstName="Grace", lastName="Hopper")
            kept = (await change(it, line_id, firstName=" ", lastName=None)).json()["line"]
            assert (kept.get("firstName"), kept.get("lastName")) == ("Grace", None)
            answer = await change(it, line_id, firstName=None)
            assert answer.status_code == 200, answer.text
            assert "firstName" not in answer.json()["line"]
            [shown] = (await it.get("/api/lines/by-user")).json()["lines"]
            assert not {"firstName", "lastName"} & shown.keys()

    run(main)


def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing() -> None:
    async def main() -> None:
        async with house() as it:
            line = (await add(it)).json()["line"]
            before = await it.store.read(devices.access, [line["deviceId"]])
            answer = await change(it, line["_id"], url="mac.local", password="n3w")
            assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_URL")
            assert await it.store.read(devices.access, [line["deviceId"]]) == before
            _, key = await it.another()
            foreign = await it.client.patch(
                f"/api/lines/{line['_id']}", json={"password": "x"}, headers={"Authorization": f"Bearer {key}"}
            )
            assert foreign.status_code == 404

    run(main)


CARRIER = {"channel": "smpp", "host": "centre.local", "port": 2776, "systemId": "us", "password": "p4ss", "systemType": "VMA"}
TWILIO = {
    "channel": "twilio",
    "accountSid": f"AC{'a' * 32}",
    "authToken": "t0ken",
    "apiKeySid": f"SK{'b' * 32}",
    "apiKeySecret": "s3cret",
    "number": "+16462230999",
}


async def add_with(it: House, given: Mapping[str, object]) -> tuple[str, str]:
    """Add a line, and return its id and its device's."""
    answer = await it.client.post("/api/lines", json={"phone": "+16462230999", **given}, headers=it.auth)
    assert answer.status_code == 201, answer.text
    return answer.json()["line"]["_id"], answer.json()["line"]["deviceId"]


async def set_up(it: House, device_id: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return what a device is set up with: what may be shown, and what is secret."""
    access = (await it.store.read(devices.access, [device_id]))[device_id]
    return access.config, VAULT.open(access.secret)


def test_null_takes_a_field_away_or_back_to_its_default() -> None:
    async def main() -> None:
        async with house() as it:
            line_id, device_id = await add_with(it, CARRIER)
            before, secrets = await set_up(it, device_id)
            answer = await change(it, line_id, systemType=None, port=None, host="", password=" ")
            assert answer.status_code == 200, answer.text
            kept = {name: value for name, value in before.items() if name != "systemType"}
            assert await set_up(it, device_id) == ({**kept, "port": "2775"}, secrets)

    run(main)


def test_a_secret_is_taken_away() -> None:
    async def main() -> None:
        async with house() as it:
            line_id, device_id = await add_with(it, TWILIO)
            assert (await change(it, line_id, apiKeySid=None, apiKeySecret=None)).status_code == 200
            config, secrets = await set_up(it, device_id)
            assert "apiKeySid" not in config
            assert secrets == {"authToken": "t0ken"}

    run(main)


@pytest.mark.parametrize(
    ("given", "fields", "code", "words"),
    [
        (CARRIER, {"host": None}, "MISSING_FIELD", "host is required for smpp: "),
        (CARRIER, {"password": None, "systemType": "X"}, "MISSING_FIELD", "password is required for smpp: "),
        (CARRIER, {"port": 70_000}, "INVALID_VALUE", "port must be 1 to 65535, got 70000"),
        (TWILIO, {"apiKeySid": None}, "MISSING_FIELD", "apiKeySid is required: "),
        (TWILIO, {"apiKeySecret": None}, "MISSING_FIELD", "apiKeySecret is required: "),
    ],
)
def test_a_line_is_left_with_what_it_could_have_been_added_with(
    given: Mapping[str, object], fields: dict[str, object], code: str, words: str
) -> None:
    async def main() -> None:
        async with house() as it:
            line_id, device_id = await add_with(it, given)
            before = await set_up(it, device_id)
            answer = await change(it, line_id, **fields)
            assert (answer.status_code, answer.json()["code"]) == (400, code)
            assert answer.json()["error"].startswith(words)
            assert await set_up(it, device_id) == before

    run(main)


def test_a_deleted_line_is_gone_and_its_messages_go_out_elsewhere() -> None:
    async def main() -> None:
        async with house(lines=2) as it:
            first, second = (view.line.id for view in it.lines)
            placed = await it.send({"message": "A", "recipientPhone": "+12025550101", "fromLineId": first})
            turned = await it.send({"message": "B", "recipientPhone": "+12025550102"})
            assert turned.json()["message"]["fromLineId"] == second
            assert (await delete(it, second)).json() == {"success": True}
            assert (await delete(it, second)).status_code == 404
            assert [one["_id"] for one in (await it.get("/api/lines/by-user")).json()["lines"]] == [first]
            moved = (await it.get(f"/api/messages/{turned.json()['message']['_id']}")).json()["message"]
            assert (moved["fromLineId"], moved["status"]) == (first, "pending")
            assert (await delete(it, first)).json() == {"success": True}
            ended = (await it.get(f"/api/messages/{placed.json()['message']['_id']}")).json()["message"]
            assert (ended["status"], ended["code"]) == ("cancelled", "LINE_DELETED")
            refused = await it.send({"message": "C", "recipientPhone": "+12025550103"})
            assert refused.json()["code"] == "NO_ACTIVE_LINES"
            gone = await it.send({"message": "C", "recipientPhone": "+12025550103", "fromLineId": first})
            assert (gone.status_code, gone.json()["code"]) == (404, "LINE_NOT_FOUND")

    run(main)


def test_a_line_of_another_workspace_is_not_deleted() -> None:
    async def main() -> None:
        async with house() as it:
            _, key = await it.another()
            path = f"/api/lines/{it.lines[0].line.id}"
            assert (await it.client.delete(path, headers={"Authorization": f"Bearer {key}"})).status_code == 404
            assert len((await it.get("/api/lines/by-user")).json()["lines"]) == 1

    run(main)
