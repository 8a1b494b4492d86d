"""The sandbox as a process of its own: it ends with its parent, keeps its folder and port, and survives `kill -9` with
all it said.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from miniworld import LINE, ORDINARY, number

from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import Sandbox, SandboxError, spawn

SOON_S = 10.0
QUERY = {"password": "pw"}


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[tuple[Sandbox, httpx2.Client]]:
    sandbox = spawn(folder, port)
    try:
        with httpx2.Client(base_url=sandbox.url) as client:
            client.post("/devices", json={"id": "mac", "phone": LINE, "password": "pw"})
            yield sandbox, client
    finally:
        sandbox.stop()


def send(client: httpx2.Client, to: str, text: str = "Hello") -> httpx2.Response:
    body = {"addresses": [to], "message": text, "method": "private-api"}
    return client.post("/macs/mac/api/v1/chat/new", params=QUERY, json=body)


def received(client: httpx2.Client) -> list[str]:
    return [item["text"] for item in client.get("/received").json()]


def test_it_listens_where_it_says_and_stops_when_told(tmp_path: Path) -> None:
    with running(tmp_path) as (sandbox, client):
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert client.get("/healthz").status_code == 200
    assert sandbox.process.returncode == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{sandbox.url}/healthz")


def test_a_hangup_closes_the_socket_without_a_byte_and_the_text_is_on_the_phone(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            send(client, number(Script.HANGUP))
        assert received(client) == ["Hello"]


def test_a_mac_that_is_down_closes_the_socket_and_the_sandbox_itself_answers(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        client.post("/devices/mac", json={"state": "down"})
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            client.get("/macs/mac/api/v1/ping", params=QUERY)
        client.post("/devices/mac", json={"state": "up"})
        assert client.get("/macs/mac/api/v1/ping", params=QUERY).status_code == 200


@pytest.mark.parametrize("script", [Script.DELIVERED, Script.HANGUP])
def test_what_was_answered_survives_kill_9(tmp_path: Path, script: Script) -> None:
    with running(tmp_path) as (sandbox, client):
        for count in range(5):
            try:
                assert send(client, number(script), f"text {count}").status_code == 200
            except (httpx2.RemoteProtocolError, httpx2.ReadError):
                assert script is Script.HANGUP
        sandbox.process.kill()
        sandbox.process.wait(SOON_S)
    with running(tmp_path) as (again, client):
        assert received(client) == [f"text {count}" for count in range(5)]
        assert again.url == sandbox.url, "the port is the one that lines and webhooks know"
        rows = client.get("/macs/mac/api/v1/message/count", params=QUERY).json()["data"]
        assert rows == {"total": 5}


PARENT = """
import sys, time
from pathlib import Path
from posthaste.sandbox.server import spawn
sandbox = spawn(Path(sys.argv[1]))
print(sandbox.process.pid, sandbox.url, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_parent_does_however_that_went(tmp_path: Path, how: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid, url = parent.stdout.readline().split()
        child = os.pidfd_open(int(pid))
        try:
            assert httpx2.get(f"{url}/healthz").status_code == 200
            parent.send_signal(how)
            parent.wait(SOON_S)
            ended, _, _ = select.select([child], [], [], SOON_S)
            assert ended, "the sandbox outlived its parent"
        finally:
            os.close(child)
    with running(tmp_path):
        pass


def test_the_folder_of_a_sandbox_that_runs_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as (_, client):
        with pytest.raises(SandboxError, match="exit code 1"):
            spawn(tmp_path)
        assert client.get("/healthz").status_code == 200
    assert f"another sandbox uses {tmp_path}" in capfd.readouterr().err


def test_a_port_that_is_taken_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match="exit code 1"):
            spawn(tmp_path, port)
    said = capfd.readouterr().err
    assert said == f"Error: the sandbox cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxError, match="exit code 1"):
        spawn(tmp_path / "file" / "folder")
    assert capfd.readouterr().err == f"Error: the sandbox cannot write to {tmp_path}/file/folder: Not a directory\n"


def test_it_never_writes_a_password_to_its_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as (_, client):
        client.get("/macs/mac/api/v1/ping", params={"password": "secret-word"})
        send(client, ORDINARY)
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")
