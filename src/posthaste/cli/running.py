"""`serve`, `api`, `worker`: the processes that stay. Each runs until SIGTERM or Ctrl-C and then ends what it has in hand."""

import asyncio
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec
import uvloop

from posthaste import app
from posthaste.cli.logs import write_logs
from posthaste.cli.options import SettingsCommand, settings_from, settings_options
from posthaste.provision import Sandboxed
from posthaste.settings import Settings

_FIRST_NUMBER = "+12025551234"


@click.command(cls=SettingsCommand)
@settings_options()
def serve(**given: Any) -> None:
    """Run everything in one process: the API, the sender and a sandbox to try it with.

    Needs nothing else. On the first start it makes a workspace, four lines (two on simulated Macs, one on a phone, one
    in a mailbox) and an API key, and prints a call to paste; whatever it makes is kept in the data folder. For real
    lines: `posthaste workspaces create`, `posthaste lines add`.
    """
    _run(app.SERVE, given, _welcome)


@click.command(cls=SettingsCommand)
@settings_options()
def api(**given: Any) -> None:
    """Take calls and store messages; another process sends them.

    More than one process needs PostgreSQL (--database-url). On SQLite this process has its data folder for itself.
    """
    _run(app.API, given, _say_api)


@click.command(cls=SettingsCommand)
@settings_options()
def worker(**given: Any) -> None:
    """Send what is stored, and follow what becomes of it.

    Several workers may share a PostgreSQL database. --public-url is where devices report to: the address of an API process.
    """
    _run(app.WORKER, given, _say_worker)


Announce = Callable[[Settings, str, Sandboxed | None], str]


def _run(role: app.Role, given: Mapping[str, Any], announce: Announce) -> None:
    settings = settings_from(given)
    write_logs(settings.log_level)

    def say(url: str, made: Sandboxed | None) -> None:
        click.echo(announce(settings, url, made))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(app.run(settings, role, say))


def _welcome(settings: Settings, url: str, made: Sandboxed | None) -> str:
    if made is None:
        return f"{_say_api(settings, url, made)}\nMake a key with `posthaste keys create`, add a line with `posthaste lines add`."
    return "\n".join(
        [
            f"Posthaste is ready at {made.url} (try calls at {made.url}/docs)",
            f"Phones of the sandbox: {made.sandbox_url}/",
            f"API key: {made.api_key} (kept in {settings.data / 'sandbox.json'})",
            "",
            "Send a message:",
            "",
            curl_line(made.url, made.api_key, "Hi from Posthaste.", _FIRST_NUMBER),
            "",
        ]
    )


def curl_line(url: str, api_key: str, text: str, phone: str) -> str:
    """Return a call that can be pasted into a shell."""
    body = msgspec.json.encode({"message": text, "recipientPhone": phone}).decode()
    headers = ("-H", f"Authorization: Bearer {api_key}", "-H", "Content-Type: application/json")
    return shlex.join(["curl", "-X", "POST", f"{url}/api/messages", *headers, "-d", body])


def _say_api(settings: Settings, url: str, made: Sandboxed | None) -> str:
    return f"Posthaste is ready at {url} (try calls at {url}/docs)"


def _say_worker(settings: Settings, url: str, made: Sandboxed | None) -> str:
    return f"Posthaste sends; devices report to {url}"
