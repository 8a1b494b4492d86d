"""Command-line options out of what channels ask for: `--auth-token` for `authToken`, with the meaning that stands there.

Nothing is declared twice: a channel that is added has its options, and its part of the help. What is secret may stand in an
environment variable, or is asked for at a terminal, so that it is in no shell's history.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from posthaste.channels.catalog import KINDS
from posthaste.core.channels import Field, Form, Kind
from posthaste.core.errors import Refused

Command = Callable[..., Any]


def flag_of(name: str) -> str:
    """Return the option of a field."""
    return "--" + re.sub(r"(?<=[a-z0-9])([A-Z])", r"-\1", name).lower()


def variable_of(kind: Kind, field: Field) -> str:
    """Return the environment variable of a secret: `TWILIO_AUTH_TOKEN` for `authToken` of `twilio`."""
    return f"{kind.name}_{flag_of(field.name)[2:]}".replace("-", "_").upper()


class ChannelCommand(click.Command):
    """A command whose help shows the options of each channel together, under the channel's name."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        of_channels = set(_names(KINDS.values()))
        common = [one for one in self.get_params(ctx) if one.name not in of_channels]
        with formatter.section("Options"):
            formatter.write_dl([record for one in common if (record := one.get_help_record(ctx))], col_max=32)
        for kind in KINDS.values():
            with formatter.section(f"--channel {kind.name}: {kind.title}, for {kind.message_type}"):
                formatter.write_dl([(f"{flag_of(one.name)} TEXT", _help(kind, one)) for one in kind.fields], col_max=32)


def channel_options(command: Command) -> Command:
    """Give a command one option for each field that any channel has."""
    for name in reversed(_names(KINDS.values())):
        command = click.option(flag_of(name), name, metavar="TEXT")(command)
    return command


def fields_from(kind: Kind, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what was given for a channel, from options, variables, files and, if need be, questions."""
    known = set(kind.field_names())
    for name in _names(KINDS.values()):
        if given.get(name) is not None and name not in known:
            raise click.UsageError(f"{flag_of(name)} is not an option of --channel {kind.name}.")
    found = {field.name: _value(kind, field, given) for field in kind.fields}
    return {name: value for name, value in found.items() if value is not None}


def _value(kind: Kind, field: Field, given: Mapping[str, str | None]) -> str | None:
    value = given.get(field.name)
    if value is None and field.is_secret:
        value = os.environ.get(variable_of(kind, field)) or _asked(field, given)
    if value is not None and field.form is Form.LONG_TEXT and value.startswith("@"):
        return _content(field, Path(value[1:]))
    return value


def _asked(field: Field, given: Mapping[str, str | None]) -> str | None:
    """Ask for a secret that is needed here; where nobody is there to answer, the channel says that it is missing."""
    if not (field.is_needed or given.get(field.asked_with)) or not sys.stdin.isatty():
        return None
    answer: str = click.prompt(_sentence(field), hide_input=True, err=True)
    return answer


def _content(field: Field, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise Refused(f"{field.name}: cannot read {path}: {why}", code="INVALID_REQUEST") from None


def _names(kinds: Iterable[Kind]) -> list[str]:
    return list(dict.fromkeys(field.name for kind in kinds for field in kind.fields))


def _sentence(field: Field) -> str:
    # Not `capitalize`, which would make of BlueBubbles a word without capitals.
    return field.meaning[:1].upper() + field.meaning[1:]


def _help(kind: Kind, field: Field) -> str:
    facts = ["needed"] if field.is_needed else []
    facts += [f"one of {', '.join(field.choices)}"] if field.choices else []
    facts += [f"[{field.default}]"] if field.default else []
    is_asked = field.is_needed or field.asked_with
    facts += [f"better in {variable_of(kind, field)}{', or when asked for it' if is_asked else ''}"] if field.is_secret else []
    facts += ["@FILE reads a file"] if field.form is Form.LONG_TEXT else []
    return f"{_sentence(field)}{'; ' if facts else ''}{'; '.join(facts)}."
