"""The simulated Android phone is honest: SMS Gate's official client drives it and understands all that it says."""

import json
import subprocess
from pathlib import Path

import httpx2
from android_world import ANDROID, PASSWORD, USERNAME
from miniworld import number

from fixtures.installed import python_program
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

PEERS = Path(__file__).parent / "peers"
DRIVEN_WITHIN_S = 60


def test_the_official_client_sends_listens_and_looks_into_the_inbox(tmp_path: Path) -> None:
    python = python_program("smsgate", PEERS / "smsgate.lock")
    person = number(Script.REPLIES)
    sandbox = spawn(tmp_path)
    try:
        with httpx2.Client(base_url=sandbox.url) as control:
            url = control.post("/devices", json=ANDROID).json()["url"]
            command = [str(python), str(PEERS / "drive_smsgate.py"), url, USERNAME, PASSWORD, person]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DRIVEN_WITHIN_S, check=False)
            assert done.returncode == 0, done.stderr
            received = control.get("/received").json()
    finally:
        sandbox.stop()
    assert json.loads(done.stdout) == {
        "health": "pass",
        "devices": ["android"],
        "hooks": ["sms:delivered", "sms:received", "sms:sent"],
        "sent": ["official-1", "Pending", [[person, "Pending"]]],
        "again": 409,
        "nonsense": 400,
        "posts": ["sms:delivered", "sms:received", "sms:sent"],
        "state": ["official-1", "Delivered", [[person, "Delivered"]]],
        "unknown": 404,
        "listed": ["official-1"],
        "reply": [person, "Got it, thanks!"],
        "inbox": [[person, "Got it, thanks!", True]],
        "left": 0,
        "stranger": 401,
    }
    assert [(item["to"], item["text"], item["channel"]) for item in received] == [(person, "Hello", "sms")]
