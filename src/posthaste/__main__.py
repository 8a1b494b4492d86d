"""The command line: which commands there are, and how one ends.

A command's module is loaded only when it is called, so that `posthaste --help` is quick. Whatever stops a command
ends in one line on the standard error and an exit code: 2 if it was called or configured wrongly, 1 if what it was
asked to do failed.
"""

import sys
from importlib import import_module

import click

from posthaste import __version__
from posthaste.core.errors import PosthasteError, SettingError

_COMMANDS = {
    "serve": ("posthaste.cli.running:serve", "Run everything: API, sender and, unless told otherwise, a sandbox."),
    "api": ("posthaste.cli.running:api", "Run the API alone; a worker sends."),
    "worker": ("posthaste.cli.running:worker", "Run the sender alone, without the API."),
    "sandbox": ("posthaste.sandbox.__main__:main", "Run the sandbox alone: simulated Macs and phones to try Posthaste with."),
    "migrate": ("posthaste.cli.migrating:migrate", "Bring the database's schema up to date."),
    "workspaces": ("posthaste.cli.workspaces:workspaces", "Make and list workspaces."),
    "keys": ("posthaste.cli.keys:keys", "Make, list and revoke API keys."),
    "lines": ("posthaste.cli.lines:lines", "Add, list, test, disable and delete lines."),
    "doctor": ("posthaste.cli.doctor:doctor", "Check this machine, the database and every device."),
}


class Commands(click.Group):
    """A group whose commands are named above and loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=Commands,
    epilog="Start with `posthaste serve`: it needs nothing and prints a key and a call to paste. "
    "`posthaste COMMAND --help` tells what a command takes; every option can also be set as an environment variable, "
    "--answer-wait-ms as POSTHASTE_ANSWER_WAIT_MS.",
)
@click.version_option(__version__, prog_name="posthaste")
def root() -> None:
    """Send messages to people by one HTTP call, each exactly as often as it was asked for: once."""


def main() -> None:
    """Run the command that was asked for, and end the process."""
    try:
        code = root.main(prog_name="posthaste", standalone_mode=False)
    except click.Abort:
        code = _end(130, "stopped")
    except KeyboardInterrupt:
        code = 130
    except click.UsageError as error:
        code = _end(2, _in_one_line(error))
    except click.ClickException as error:
        code = _end(error.exit_code, error.format_message())
    except SettingError as error:
        code = _end(2, error.message)
    except PosthasteError as error:
        code = _end(1, error.message)
    sys.exit(code if isinstance(code, int) else 0)


def _in_one_line(error: click.UsageError) -> str:
    asked = error.ctx.command_path if error.ctx else "posthaste"
    return f"{' '.join(error.format_message().split())} Try `{asked} --help`."


def _end(code: int, says: str) -> int:
    click.echo(f"posthaste: {says}", err=True)
    return code


if __name__ == "__main__":
    main()
