"""Command-line options out of the settings: `--attempts-max 3` for `attempts_max`, with the meaning and default that stand there.

Nothing is declared twice: an option that is added to the settings is on the command line, under the heading of those above it.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

import click

from posthaste.settings import OPTIONS, PREFIX, Settings, load

Command = Callable[..., Any]

#: The first option of each section, in the order of the settings.
HEADINGS = {
    "host": "Where it listens and keeps things",
    "answer_wait_ms": "The API",
    "line_messages_per_day": "Rules of real lines, as they are when a line is added",
    "double_send_ms": "Messages",
    "claim_batch": "Sending",
    "connect_timeout_ms": "Devices",
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
                heading = HEADINGS.get(parameter.name or "", heading) if parameter.name in OPTIONS else "Options"
                sections.setdefault(heading, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=34)


def settings_options(names: Collection[str] = tuple(OPTIONS)) -> Callable[[Command], Command]:
    """Give a command the named settings as options; it takes them as keyword arguments and hands them to `settings_from`."""

    def give(command: Command) -> Command:
        for name in reversed([name for name in OPTIONS if name in names]):
            command = _option(OPTIONS[name])(command)
        return command

    return give


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings of the environment and the command line."""
    return load(os.environ, given)


def _option(field: Field[Any]) -> Callable[[Command], Command]:
    flag = field.name.replace("_", "-")
    default = field.default
    shown = {True: "on", False: "off", "": "empty"}.get(default, default) if isinstance(default, bool | str) else default
    text = f"{field.metadata['meaning']} [{shown}]"
    if isinstance(default, bool):
        return click.option(f"--{flag}/--no-{flag}", field.name, default=None, help=text)
    return click.option(f"--{flag}", field.name, type=_type(field), default=None, help=text)


def _type(field: Field[Any]) -> click.ParamType[Any] | type[Any]:
    match field.default:
        case int():
            return click.IntRange(min=field.metadata["least"])
        case Path():
            return click.Path(file_okay=True, path_type=Path)
        case _:
            return str


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()
