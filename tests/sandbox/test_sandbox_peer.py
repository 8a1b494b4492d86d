"""The sandbox is honest: two BlueBubbles clients that we did not write send and receive through it, files too."""

import json
import os
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
from hermes_peer import PeerMissingError, drive, hermes_python
from miniworld import LINE, number
from photon_peer import drive_photon, photon_driver

from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

DRIVEN_WITHIN_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def installed(name: str, install: Callable[[], Path]) -> Path:
    """Return the peer, or skip loudly; where nothing may be skipped, fail."""
    try:
        return install()
    except PeerMissingError as error:
        said = f"THE HONESTY CHECK DID NOT RUN, {name} cannot be installed here: {error}"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return a picture and a document."""
    picture, document = tmp_path / "house.png", tmp_path / "plan.pdf"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    document.write_bytes(b"%PDF-1.4\r\n" + bytes(range(256)) * 20)
    return [picture, document]


def digests_of(files: list[Path]) -> list[str]:
    return [sha256(path.read_bytes()).hexdigest() for path in files]


def test_hermes_agent_connects_sends_and_receives(tmp_path: Path, files: list[Path]) -> None:
    python = installed("hermes-agent", hermes_python)
    person, digests = number(Script.REPLIES), digests_of(files)
    sandbox = spawn(tmp_path / "sandbox")
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            mac = {"id": "mac", "phone": LINE, "password": "pass word&"}
            url = client.post("/devices", json=mac).json()["url"]
            home = tmp_path / "home"
            home.mkdir()
            arguments = [url, mac["password"], str(free_port()), person, LINE, *map(str, files)]
            told = json.loads(drive(python, home, *arguments, within_s=DRIVEN_WITHIN_S).strip().splitlines()[-1])
            received = client.get("/received").json()
            hooks = client.get(f"{url}/api/v1/webhook", params={"password": mac["password"]}).json()["data"]
    finally:
        sandbox.stop()
    assert told["connected"] is True
    assert [send["success"] for send in told["sends"]] == [True, True], told["sends"]
    assert [(item["to"], item["text"]) for item in received] == [
        (person, "Hello from a stranger"),
        (person, "And again"),
        (person, ""),
        (person, "The house"),
        (person, ""),
    ]
    assert told["sends"][1]["message_id"] == received[1]["guid"]
    assert told["inbound"] == {"text": "Got it, thanks!", "chat": f"iMessage;-;{person}", "sender": person}
    assert told["chat"] == {"name": person, "type": "dm", "participants": [person]}
    assert told["marked_read"] is True
    listed = [item["attachments"][0] for item in received if "attachments" in item]
    assert [(file["name"], file["mediaType"], file["sha256"]) for file in listed] == [
        ("house.png", "image/png", digests[0]),
        ("the plan.pdf", "application/pdf", digests[1]),
    ]
    assert [send["success"] for send in told["files"]] == [True, True], told["files"]
    assert [send["message_id"] for send in told["files"]] == [received[2]["guid"], received[4]["guid"]]
    assert told["typing"] == [[LINE], []]
    assert told["media"]["sha256"] == digests, "it fetched both of the person's files"
    assert told["media"]["types"] == ["image/png", "application/pdf"]
    assert "And yours" in told["media"]["text"]
    assert hooks == [], "it deleted its webhook when it left"


def test_photons_sdk_sends_looks_up_and_fetches(tmp_path: Path, files: list[Path]) -> None:
    driver = installed("Photon's SDK", photon_driver)
    person, digests = number(Script.DELIVERED), digests_of(files)
    sandbox = spawn(tmp_path / "sandbox")
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            mac = {"id": "mac", "phone": LINE, "password": "pass word&"}
            url = client.post("/devices", json=mac).json()["url"]
            arguments = [url, mac["password"], person, *map(str, files)]
            told = json.loads(drive_photon(driver, tmp_path, *arguments, within_s=DRIVEN_WITHIN_S))
            received = client.get("/received").json()
    finally:
        sandbox.stop()
    assert (told["info"], told["available"], told["count"]) == ("1.9.9", True, 3)
    assert "Chat does not exist" in told["stranger"], "it knows the refusal by the server's words"
    assert [(item["text"], [file["name"] for file in item.get("attachments", [])]) for item in received] == [
        ("Hello from a stranger", []),
        ("A text", []),
        ("", ["house.png"]),
        ("Both", ["house.png", "the plan.pdf"]),
    ]
    assert [told["text"], told["file"], told["several"]] == [item["guid"] for item in received[1:]]
    assert [row["guid"] for row in told["rows"]] == [item["guid"] for item in received]
    assert [row["files"] for row in told["rows"][2:]] == [
        [["house.png", digests[0]]],
        [["house.png", digests[0]], ["the plan.pdf", digests[1]]],
    ]
