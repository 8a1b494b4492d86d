"""The commands beside the server: help, workspaces, keys, lines, migrate, doctor. They work while a server runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from programs import Server, free_port, posthaste, refused, running, said

from posthaste.__main__ import root
from posthaste.channels.catalog import KINDS
from posthaste.cli.channel_options import fields_from, flag_of, variable_of
from posthaste.core.channels import Kind
from posthaste.settings import OPTIONS

COMMANDS = ("serve", "api", "worker", "sandbox", "migrate", "workspaces", "keys", "lines", "doctor")
BESIDE = (
    *(("workspaces", "create"), ("workspaces", "list"), ("keys", "create"), ("keys", "list"), ("keys", "revoke")),
    *(("lines", "add"), ("lines", "list"), ("lines", "test"), ("lines", "disable"), ("lines", "enable"), ("lines", "delete")),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its sandbox; a revoked key is refused at once, and nothing else differs from the defaults."""
    with running(tmp_path_factory.mktemp("commands") / "data", POSTHASTE_KEY_CACHE_MS="0") as one:
        yield one


def help_of(*command: str) -> str:
    """Return a command's help, asked for in this process: there are many."""
    done = CliRunner().invoke(root, [*command, "--help"], prog_name="posthaste")
    assert done.exit_code == 0, done.output
    return done.output


def test_help_names_every_command() -> None:
    text = said("--help")
    assert not [command for command in COMMANDS if f"\n  {command} " not in text]


@pytest.mark.parametrize("command", [*((one,) for one in COMMANDS), *BESIDE], ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    assert help_of(*command).startswith(f"Usage: posthaste {' '.join(command)} ")


def test_serve_takes_every_setting() -> None:
    text = help_of("serve")
    assert not [name for name in OPTIONS if f"--{name.replace('_', '-')} " not in text]


def test_a_key_works_until_it_is_revoked(server: Server) -> None:
    key = said("keys", "create", "--data", server.folder, "--workspace", "Sandbox", "--name", "n8n")
    assert server.call("GET", "/api/lines/by-user", key=key).status_code == 200
    listed = next(row for row in said("keys", "list", "--data", server.folder).splitlines() if "n8n" in row)
    assert key not in listed
    assert key[-4:] in listed
    key_id = listed.split()[0]
    said("keys", "revoke", key_id, "--data", server.folder)
    assert server.call("GET", "/api/lines/by-user", key=key).status_code == 401
    assert key_id in refused("keys", "revoke", key_id, "--data", server.folder)


def test_a_real_line_has_a_workspace_of_its_own(server: Server) -> None:
    folder = ("--data", server.folder)
    mac = ("--url", f"http://127.0.0.1:{free_port()}", "--password", "secret", "--phone", "(628) 555-0123")
    assert "Sandbox lines and real lines do not mix" in refused("lines", "add", *folder, "--workspace", "Sandbox", *mac)
    workspace = said("workspaces", "create", "Acme", "--timezone", "America/New_York", *folder)
    assert workspace in said("workspaces", "list", *folder)
    line = said("lines", "add", *folder, *mac, "--workspace", "Acme", "--new-per-day", "7", "--device-gap-ms", "1500")
    assert f"Line {line} is on this device already" in refused("lines", "add", *folder, *mac, "--workspace", "Acme")
    key = said("keys", "create", *folder, "--workspace", workspace)
    [shown] = server.call("GET", "/api/lines/by-user", key=key).json()["lines"]
    assert (shown["_id"], shown["phone"], shown["timezone"]) == (line, "+16285550123", "America/New_York")
    assert (shown["dailyNewConversationsLimit"], shown["dailyTotalMessagesLimit"], shown["deviceGapSeconds"]) == (7, 150, 1.5)
    assert "secret" not in said("lines", "list", *folder)
    assert refused("lines", "test", line, *folder).startswith("posthaste: down: ")


def test_lines_are_tested_disabled_and_enabled_beside_the_server(server: Server) -> None:
    folder = ("--data", server.folder)
    line = server.sandbox["lines"][1]["_id"]
    assert "BlueBubbles" in said("lines", "test", line, *folder)
    said("lines", "disable", line, *folder)
    body = {"message": "Hi", "recipientPhone": "+12025550120", "fromLineId": line}
    assert server.call("POST", "/api/messages", body).json()["code"] == "LINE_INACTIVE"
    said("lines", "enable", line, *folder)
    assert server.call("POST", "/api/messages", body).json()["status"] == "sent"
    assert "there is no line" in refused("lines", "disable", "0" * 24, *folder)


def test_a_line_is_deleted_beside_the_server(server: Server) -> None:
    folder = ("--data", server.folder)
    workspace = said("workspaces", "create", "Deleting", *folder)
    key = said("keys", "create", *folder, "--workspace", workspace)
    where = ("--workspace", workspace, "--password", "x", "--url")
    old = said("lines", "add", *folder, *where, f"http://127.0.0.1:{free_port()}", "--phone", "+16285550131")
    waiting = server.call("POST", "/api/messages", {"message": "Hi", "recipientPhone": "+12025550131"}, key).json()["message"]
    other = said("lines", "add", *folder, *where, f"http://127.0.0.1:{free_port()}", "--phone", "+16285550132")
    assert said("lines", "delete", old, *folder) == f"deleted {old}"
    assert old not in said("lines", "list", *folder)
    assert "there is no line" in refused("lines", "delete", old, *folder)
    moved = server.call("GET", f"/api/messages/{waiting['_id']}", key=key).json()["message"]
    assert (moved["fromLineId"], moved["status"]) == (other, "queued")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_channel_has_its_part_of_the_help(kind: Kind) -> None:
    text = " ".join(help_of("lines", "add").split())
    part = text.partition(f"--channel {kind.name}: {kind.title}, for {kind.message_type}: ")[2].partition("--channel ")[0]
    assert not [field.name for field in kind.fields if f"{flag_of(field.name)} TEXT" not in part]
    assert not [field.name for field in kind.fields if field.is_secret and variable_of(kind, field) not in part]
    assert part.count("; needed") == sum(field.is_needed for field in kind.fields)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_a_channel_needs_is_asked_for_in_one_line(kind: Kind, tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    address = ("--email", "ada@example.com") if kind.message_type == "email" else ("--phone", "+16285550123")
    needed = next(field.name for field in kind.fields if field.is_needed)
    assert f"{needed} is required for {kind.name}" in refused("lines", "add", "--channel", kind.name, *address, *folder)


def test_secrets_come_from_the_environment_and_nobody_sees_them(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    phone = ("--channel", "smsgate", "--url", f"http://127.0.0.1:{free_port()}", "--username", "sms", "--phone", "+16285550123")
    line = said("lines", "add", *phone, *folder, SMSGATE_PASSWORD="hush-hush")
    told = posthaste("lines", "test", line, *folder)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("posthaste: down: ")
    assert "hush-hush" not in told.stderr + said("lines", "list", *folder)
    assert b"hush-hush" not in b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file())
    doctor = posthaste("doctor", *folder, "--port", free_port())
    assert "(smsgate): " in doctor.stdout
    assert "hush-hush" not in doctor.stdout + doctor.stderr


def test_a_secret_is_asked_for_at_a_terminal_in_the_words_of_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def prompt(question: str, **how: bool) -> str:
        assert how["hide_input"]
        asked.append(question)
        return "hush-hush"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.delenv("BLUEBUBBLES_PASSWORD", raising=False)
    assert fields_from(KINDS["bluebubbles"], {"url": "http://mac.local:1234"})["password"] == "hush-hush"
    assert asked == ["The password of the BlueBubbles server"]


def test_a_password_is_asked_for_once_its_user_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda question, **_: asked.append(question) or "hush-hush")
    mailbox = {"smtpHost": "smtp.example.com", "smtpUsername": "ada"}
    assert fields_from(KINDS["email"], mailbox)["smtpPassword"] == "hush-hush"
    assert len(asked) == 1, "there is no user name of IMAP, so there is no password to it"
    assert "apiKeySecret" in fields_from(KINDS["twilio"], {"accountSid": "AC1", "apiKeySid": "SK1"})


@pytest.mark.parametrize(("channel", "reports"), [("bluebubbles", True), ("email", False), ("smpp", False)])
def test_who_adds_a_line_is_told_where_it_reports_to_if_it_does(tmp_path: Path, channel: str, reports: bool) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    setups = {
        "bluebubbles": ("--url", "http://127.0.0.1:9", "--phone", "+16285550123"),
        "email": ("--smtp-host", "127.0.0.1", "--email", "ada@example.com"),
        "smpp": ("--host", "127.0.0.1", "--system-id", "acme", "--phone", "+16285550123"),
    }
    secrets = {"BLUEBUBBLES_PASSWORD": "a", "SMPP_PASSWORD": "b"}
    added = posthaste("lines", "add", "--channel", channel, *setups[channel], *folder, **secrets)
    assert added.returncode == 0, added.stderr
    assert (f"/hooks/{channel}/" in added.stderr) == reports


def test_a_lost_key_is_told_in_words(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    mac = ("--url", f"http://127.0.0.1:{free_port()}", "--phone", "+16285550123")
    line = said("lines", "add", *mac, *folder, BLUEBUBBLES_PASSWORD="secret")
    (tmp_path / "data" / "secret.key").unlink()
    assert "a key that this server does not have" in refused("lines", "test", line, *folder)
    done = posthaste("doctor", *folder, "--port", free_port())
    assert done.returncode == 1
    assert "a key that this server does not have" in done.stdout


def test_a_long_text_is_read_from_a_file(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    body = tmp_path / "body.json"
    gateway = ("--channel", "http", "--send-url", "http://127.0.0.1:9/send", "--body-type", "json", "--phone", "+16285550123")
    missing = refused("lines", "add", *gateway, "--body", f"@{body}", *folder)
    assert f"body: cannot read {body}: No such file" in missing
    body.write_text('{"to": "{to}", "text": "{text}"}')
    line = said("lines", "add", *gateway, "--body", f"@{body}", *folder)
    assert "nothing answers at 127.0.0.1:9" in refused("lines", "test", line, *folder)


def test_an_option_of_another_channel_is_refused(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    said("workspaces", "create", "One", *folder)
    told = refused("lines", "add", "--channel", "twilio", "--send-url", "http://127.0.0.1:9", "--phone", "+16285550123", *folder)
    assert "--send-url is not an option of --channel twilio" in told


def test_what_was_typed_wrongly_is_one_line(tmp_path: Path) -> None:
    folder = ("--data", tmp_path / "data")
    assert "there is no database" in refused("keys", "list", *folder)
    assert "a country code" in refused("workspaces", "create", "X", "--region", "USA", *folder)
    assert "Nowhere/Land" in refused("workspaces", "create", "X", "--timezone", "Nowhere/Land", *folder)
    assert "posthaste workspaces create" in refused("keys", "create", *folder)
    said("workspaces", "create", "One", *folder)
    said("workspaces", "create", "Two", *folder)
    assert "--workspace" in refused("keys", "create", *folder)
    assert "no workspace Three" in refused("keys", "create", "--workspace", "Three", *folder)
    assert "url" in refused("lines", "add", "--workspace", "One", "--password", "x", "--phone", "+16285550123", *folder)
    assert "No such command" in refused("line")


def test_a_database_is_migrated_once(tmp_path: Path) -> None:
    assert said("migrate", "--data", tmp_path / "data").startswith("applied 0001-")
    assert said("migrate", "--data", tmp_path / "data") == "the schema is up to date"


def test_commands_work_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    where = ("--database-url", postgres_url, "--data", tmp_path / "data")
    assert said("migrate", *where) == "the schema is up to date"
    workspace = said("workspaces", "create", "Acme", *where)
    assert said("keys", "create", *where).startswith("tuco_sk_")
    assert workspace in said("keys", "list", *where)
    assert "PostgreSQL is there and up to date" in said("doctor", *where, "--port", free_port())
    assert not (tmp_path / "data").exists()


def test_a_doctor_finds_nothing_wrong_before_the_first_start(tmp_path: Path) -> None:
    report = said("doctor", "--data", tmp_path / "data", "--port", free_port())
    assert "WRONG" not in report
    assert not (tmp_path / "data").exists()


def test_a_doctor_looks_at_a_running_server_and_its_devices(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        port = server.url.rpartition(":")[2]
        report = said("doctor", "--data", server.folder, "--port", port)
        assert "Posthaste answers" in report
        assert report.count("macOS") == 2


def test_a_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    said("workspaces", "create", "Acme", "--data", folder)
    mac = ("--url", f"http://127.0.0.1:{free_port()}", "--password", "x", "--email", "ada@example.com")
    said("lines", "add", "--data", folder, *mac)
    done = posthaste("doctor", "--data", folder, "--port", free_port())
    assert done.returncode == 1
    assert done.stdout.count("WRONG") == 1
    assert "WRONG  device" in done.stdout
    assert done.stderr == "posthaste: 1 thing is wrong\n"
