"""The simulated Sendblue account is honest: the official SDK drives it and understands all that it says."""

import json
import subprocess
from pathlib import Path

import httpx2
from miniworld import number

from fixtures.installed import python_program
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import spawn

PEERS = Path(__file__).parent / "peers"
DRIVEN_WITHIN_S = 60
LINE = "+16285553000"
ACCOUNT = {"kind": "sendblue", "id": "blue", "phone": LINE, "apiKeyId": "key", "apiSecretKey": "s3cret"}


def test_the_official_sdk_sends_listens_and_looks_messages_up(tmp_path: Path) -> None:
    python = python_program("sendblue", PEERS / "sendblue.lock")
    person = number(Script.REPLIES)
    sandbox = spawn(tmp_path)
    try:
        with httpx2.Client(base_url=sandbox.url) as control:
            url = control.post("/devices", json=ACCOUNT).json()["url"]
            arguments = [url, "key", "s3cret", LINE, person, number(Script.NO_IMESSAGE)]
            command = [str(python), str(PEERS / "drive_sendblue.py"), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DRIVEN_WITHIN_S, check=False)
            assert done.returncode == 0, done.stderr
            received = control.get("/received").json()
    finally:
        sandbox.stop()
    assert json.loads(done.stdout) == {
        "services": ["iMessage", "SMS"],
        "hooks": ["/in", "/out"],
        "secret": "hush",
        "sent": ["SENT", True, person, LINE, "Hello"],
        "posts": [
            ["/in", "hush", "RECEIVED", False, person],
            ["/out", None, "DELIVERED", True, person],
            ["/out", None, "SENT", True, person],
            ["/status", None, "DELIVERED", True, person],
            ["/status", None, "SENT", True, person],
        ],
        "state": ["DELIVERED", True],
        "found": ["DELIVERED", "iMessage", False],
        "listed": [[True, "Hello"], [False, "Got it, thanks!"]],
        "more": False,
        "inbound": [[person, LINE, "Got it, thanks!"]],
        "typing": "SENT",
        "left": [[], []],
        "stranger": 401,
        "nonsense": 400,
        "unknown": 404,
    }
    (text,) = received
    assert (text["to"], text["from"], text["text"], text["channel"]) == (person, LINE, "Hello", "imessage")
    assert [(one["name"], one["mediaType"]) for one in text["attachments"]] == [("picture.png", "image/png")]
