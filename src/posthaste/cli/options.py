"""Command-line options out of the settings: `--attempts-max 3` for `attempts_max`, with the meaning and default that
stand there.

Nothing is declared twice: an option that is added to the settings is on the command line, under the heading of those
above it.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

import click

from posthaste.settings import OPTIONS, Settings, load

Command = Callable[..., Any]

#: The first option of each section, in the order of the settings.
HEADINGS = {
    "host": "Where it listens and keeps things",
    "answer_wait_ms": "The API",
    "line_messages_per_day": "Rules of real lines, as they are when a line is added",
    "help_text": "Messages",
    "claim_batch": "Sending",
    "connect_timeout_ms": "Devices",
    "attachment_max_bytes": "Files",
}

DATABASE = ("data", "database_url")


class SettingsCommand(click.Command):
    """A command whose help shows the settings in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        heading = "Options"
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = parameter.name or ""
                heading = HEADINGS.get(name, heading) if name in OPTIONS else "Options"
                sections.setdefault(heading, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=32)


def settings_options(names: Collection[str] = tuple(OPTIONS)) -> Callable[[Command], Command]:
    """Give a command the named settings as options; it takes them as keywords and hands them to `settings_from`."""

    def give(command: Command) -> Command:
        for name in reversed([name for name in OPTIONS if name in names]):
            command = _option(OPTIONS[name])(command)
        return command

    return give


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings of the environment and the command line."""
    return load(os.environ, given)


def _option(field: Field[Any]) -> Callable[[Command], Command]:
    name, flag = field.name, f"--{field.name.replace('_', '-')}"
    text = f"{field.metadata['meaning']} [{in_words(field.default)}]"
    match field.default:
        case bool():
            return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
        case int():
            return click.option(flag, name, type=int, metavar="N", help=text)
        case Path():
            return click.option(flag, name, type=click.Path(path_type=Path), metavar="FOLDER", help=text)
        case _:
            return click.option(flag, name, metavar="TEXT", help=text)


def in_words(default: object) -> str:
    """Return a default as a person reads it."""
    match default:
        case bool():
            return "on" if default else "off"
        case "":
            return "empty"
        case _:
            return str(default)
