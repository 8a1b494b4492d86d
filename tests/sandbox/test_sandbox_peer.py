"""The sandbox is honest: a BlueBubbles client that we did not write connects, sends and receives through it."""

import json
import socket
from pathlib import Path

import httpx2
import pytest
from hermes_peer import PeerMissingError, drive, hermes_python
from miniworld import LINE, number

from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

DRIVEN_WITHIN_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def test_hermes_agent_connects_sends_and_receives(tmp_path: Path) -> None:
    try:
        python = hermes_python()
    except PeerMissingError as error:
        pytest.skip(f"THE HONESTY CHECK DID NOT RUN, hermes-agent cannot be installed here: {error}")
    person = number(Script.REPLIES)
    sandbox = spawn(tmp_path / "sandbox")
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            mac = {"id": "mac", "phone": LINE, "password": "pass word&"}
            url = client.post("/devices", json=mac).json()["url"]
            home = tmp_path / "home"
            home.mkdir()
            told = json.loads(
                drive(python, home, url, mac["password"], str(free_port()), person, within_s=DRIVEN_WITHIN_S)
                .strip()
                .splitlines()[-1]
            )
            received = client.get("/received").json()
            hooks = client.get(f"{url}/api/v1/webhook", params={"password": mac["password"]}).json()["data"]
    finally:
        sandbox.stop()
    assert told["connected"] is True
    assert [send["success"] for send in told["sends"]] == [True, True], told["sends"]
    assert [(item["to"], item["text"]) for item in received] == [
        (person, "Hello from a stranger"),
        (person, "And again"),
    ]
    assert told["sends"][1]["message_id"] == received[1]["guid"]
    assert told["inbound"] == {"text": "Got it, thanks!", "chat": f"iMessage;-;{person}", "sender": person}
    assert told["chat"] == {"name": person, "type": "dm", "participants": [person]}
    assert told["marked_read"] is True
    assert hooks == [], "it deleted its webhook when it left"
