"""`posthaste serve` as a newcomer meets it: two commands, a call to paste, a text on a phone; and what keeps it from starting."""

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from programs import ended, environment, free_port, refused, running

from fixtures.installed import did_not_run
from posthaste.__main__ import main
from posthaste.provision import PARTS

ANSWERED = {"success", "status", "leadId", "ghlContactId", "ghlLocationId", "hsPortalId", "hsContactId", "message"}
KNOWN = {"duplicateOnly", "existingLeadIds", "leadIds", "duplicateMessage"}
DOCUMENT = {
    *("_id", "message", "messageType", "status", "fromLineId", "recipientPhone", "leadId", "workspaceId"),
    *("createdAt", "updatedAt", "sentAt"),
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[0-9a-f]{24}")


def test_a_fresh_start_needs_nothing_and_says_what_to_do_next(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        print(f"ready after {server.ready_after_s:.2f} s")
        made = server.sandbox
        assert made.keys() == {"url", "apiKey", "workspaceId", "lines", "sandboxUrl"}
        assert made["url"] == server.url
        assert re.fullmatch(r"tuco_sk_[0-9a-f]{48}", made["apiKey"])
        assert made["workspaceId"].startswith("org_")
        assert [line["channel"] for line in made["lines"]] == ["bluebubbles", "bluebubbles", "smsgate", "email"]
        assert all(ID.fullmatch(line["_id"]) for line in made["lines"])
        assert [line["phone"] or line["email"] for line in made["lines"]] == [part.address for part in PARTS]
        assert stat.S_IMODE((tmp_path / "data" / "sandbox.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data" / "posthaste.db").stat().st_mode) == 0o600
        assert made["apiKey"] in server.welcome
        assert made["sandboxUrl"] in server.welcome
        assert httpx2.get(f"{server.url}/readyz", trust_env=False).status_code == 200
        assert (tmp_path / "data.stderr").read_text() == ""


def test_the_call_that_is_printed_puts_a_text_on_a_phone(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        did_not_run("curl is not installed")
    with running(tmp_path / "data") as server:
        line = next(line for line in server.welcome.splitlines() if line.startswith("curl "))
        done = subprocess.run(
            [*shlex.split(line), "--silent", "--write-out", "\n%{http_code}"], capture_output=True, text=True, check=True
        )
        body, _, status = done.stdout.rpartition("\n")
        assert status == "201"
        assert '"status":"sent"' in body
        assert server.received("+12025551234") == ["Hi from Posthaste."]


def test_the_documented_call_is_answered_field_for_field(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        first = server.send("Hi from Tuco.", "+12025551234")
        assert first.status_code == 201
        answer = first.json()
        assert answer.keys() == ANSWERED
        assert (answer["success"], answer["status"], answer["message"]["status"]) == (True, "sent", "sent")
        assert [answer[name] for name in sorted(ANSWERED) if name.startswith(("ghl", "hs"))] == [None] * 4
        _check_document(answer, "Hi from Tuco.")

        again = server.send("Hi", "(202) 555-1234")
        assert again.status_code == 200
        known = again.json()
        assert known.keys() == ANSWERED | KNOWN
        assert known["duplicateOnly"] is True
        assert known["leadId"] == answer["leadId"]
        assert known["existingLeadIds"] == known["leadIds"] == [answer["leadId"]]
        assert known["duplicateMessage"] == "Lead was duplicate; message sent using existing lead."
        assert known["message"]["fromLineId"] == answer["message"]["fromLineId"]
        _check_document(known, "Hi")
        assert server.received("+12025551234") == ["Hi from Tuco.", "Hi"]
        assert server.received("+12025550000") == []


def _check_document(answer: dict[str, object], text: str) -> None:
    document = answer["message"]
    assert isinstance(document, dict)
    assert document.keys() >= DOCUMENT
    assert (document["message"], document["messageType"], document["recipientPhone"]) == (text, "imessage", "+12025551234")
    assert document["leadId"] == answer["leadId"]
    assert all(INSTANT.fullmatch(document[name]) for name in ("createdAt", "updatedAt", "sentAt"))
    assert all(ID.fullmatch(document[name]) for name in ("_id", "fromLineId", "leadId"))


def test_the_public_address_is_for_devices_and_the_printed_one_for_this_machine(tmp_path: Path) -> None:
    with running(tmp_path / "data", POSTHASTE_PUBLIC_URL="https://posthaste.example.com") as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.sandbox["url"] == server.url
        assert "example.com" not in server.welcome


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    with running(tmp_path / "data") as first:
        before = first.sandbox
        sent = first.send("Hello", "+12025550111").json()["message"]["_id"]
        assert first.stop() == 0
    with running(tmp_path / "data") as second:
        after = second.sandbox
        assert (after["apiKey"], after["workspaceId"], after["lines"]) == (
            before["apiKey"],
            before["workspaceId"],
            before["lines"],
        )
        assert second.call("GET", f"/api/messages/{sent}").json()["message"]["message"] == "Hello"
        assert second.send("Hello again", "+12025550111").status_code == 200
        assert second.received("+12025550111") == ["Hello", "Hello again"]


def test_without_the_sandbox_there_is_none(tmp_path: Path) -> None:
    for arguments, settings in ((["--no-sandbox"], {}), ([], {"POSTHASTE_SANDBOX": "off"})):
        folder = tmp_path / f"data-{len(arguments)}"
        with running(folder, *arguments, **settings) as server:
            assert server.children() == []
            assert not (folder / "sandbox.json").exists()
            assert not (folder / "sandbox").exists()
            assert httpx2.get(f"{server.url}/readyz", trust_env=False).status_code == 200
            assert server.stop() == 0


def test_a_sandbox_that_runs_by_itself_can_be_used_and_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "posthaste", "sandbox", "--data", str(tmp_path / "world")]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            url = sandbox.stdout.readline().strip()
            with running(tmp_path / "data", POSTHASTE_SANDBOX_URL=url) as server:
                assert server.children() == []
                assert server.sandbox["sandboxUrl"] == url
                assert server.send("Hello", "+12025550112").json()["status"] == "sent"
                assert server.received("+12025550112") == ["Hello"]
                assert server.stop() == 0
            assert httpx2.get(f"{url}/healthz", trust_env=False).status_code == 200
        finally:
            sandbox.terminate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_and_takes_the_sandbox_along(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        [child] = server.children()
        descriptor = os.pidfd_open(child)
        server.process.send_signal(number)
        assert server.process.wait(30) == 0
        assert ended(descriptor)


def test_the_sandbox_ends_with_a_server_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        [child] = server.children()
        descriptor = os.pidfd_open(child)
        server.process.kill()
        assert ended(descriptor)


def test_make_serve_passes_the_environment_on(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        did_not_run("make is not installed")
    top, port = Path(__file__).parents[2], free_port()
    command = ["make", "--silent", "--directory", str(top), f"--old-file={sys.prefix}/.serve", "serve", f"VENV={sys.prefix}"]
    with running(tmp_path / "data", command=command, POSTHASTE_PORT=str(port)) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        [posthaste_pid] = server.children()
        assert b"posthaste" in Path(f"/proc/{posthaste_pid}/cmdline").read_bytes()
        descriptor = os.pidfd_open(posthaste_pid)
        server.process.terminate()
        assert ended(descriptor)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("serve", "--data", tmp_path / "data", "--port", port)
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        assert f"{folder} cannot be written" in refused("serve", "--data", folder, "--port", 0)


def test_a_second_process_on_the_folder_is_one_line(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        for role in ("serve", "api", "worker", "migrate"):
            options = [] if role == "migrate" else ["--port", 0]
            line = refused(role, "--data", tmp_path / "data", *options)
            assert f"in use by process {server.process.pid}" in line
        assert server.send("Still here", "+12025550113").json()["status"] == "sent"


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        ([], {"POSTHASTE_PROT": "1"}, "POSTHASTE_PROT"),
        ([], {"POSTHASTE_PORT": "many"}, "POSTHASTE_PORT is 'many'"),
        ([], {"POSTHASTE_LEASE_MS": "1"}, "below its least value 1000"),
        ([], {"POSTHASTE_SANDBOX": "perhaps"}, "not on or off"),
        ([], {"POSTHASTE_LOG_LEVEL": "loud"}, "debug, info, warning, error"),
        (["--prot", "1"], {}, "--prot"),
        (["--port", "many"], {}, "'many'"),
        (["--lease-ms", "1"], {}, "below its least value 1000"),
        (["--data"], {}, "--data"),
    ],
)
def test_a_wrong_setting_is_one_line(
    arguments: list[str],
    settings: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["posthaste", "serve", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_a_wrong_address_is_one_line(tmp_path: Path) -> None:
    assert "65535" in refused("serve", "--port", 70000, "--data", tmp_path / "data")
    assert "postgresql://" in refused("serve", "--port", 0, "--data", tmp_path / "data", "--database-url", "mysql://localhost/x")
