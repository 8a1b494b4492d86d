"""The sandbox is honest: two BlueBubbles clients that we did not write send and receive through it, files too."""

import json
import os
import socket
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from miniworld import LINE, number

from fixtures.installed import node_program, python_program
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

PEERS = Path(__file__).parent / "peers"
DRIVEN_WITHIN_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def drive(home: Path, *command: str | Path) -> dict[str, Any]:
    """Run a driver with nothing of this user's settings in reach, and return what it prints in its last line."""
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "HERMES_HOME": str(home / "hermes")}
    done = subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=DRIVEN_WITHIN_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


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
    python = python_program("hermes", PEERS / "hermes.lock")
    person, digests = number(Script.REPLIES), digests_of(files)
    sandbox = spawn(tmp_path / "sandbox")
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            mac = {"id": "mac", "phone": LINE, "password": "pass word&"}
            url = client.post("/devices", json=mac).json()["url"]
            arguments = [url, mac["password"], str(free_port()), person, LINE, *files]
            told = drive(tmp_path / "home", python, PEERS / "drive_hermes.py", *arguments)
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
    driver = node_program("photon", PEERS / "photon") / "drive.js"
    person, digests = number(Script.DELIVERED), digests_of(files)
    sandbox = spawn(tmp_path / "sandbox")
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            mac = {"id": "mac", "phone": LINE, "password": "pass word&"}
            url = client.post("/devices", json=mac).json()["url"]
            told = drive(tmp_path / "home", "node", driver, url, mac["password"], person, *files)
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
