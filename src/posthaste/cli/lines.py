"""`lines`: sending identities, added with the device that they send through, listed, tested, switched off and deleted.

What is given goes through the same parser as `POST /api/lines`, so both refuse the same things in the same words.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from posthaste.actions.delete_line import clear_deleted_lines, delete_line
from posthaste.actions.lines import LineChange, NewLine, add_line, change_line
from posthaste.actions.show import LineView, line_views
from posthaste.actions.workspaces import list_workspaces
from posthaste.api.parse_line import Setting, parse_new_line
from posthaste.app import open_vault
from posthaste.channels.catalog import KINDS
from posthaste.cli.channel_options import ChannelCommand, channel_options, fields_from
from posthaste.cli.opening import on_store
from posthaste.cli.options import DATABASE, settings_from, settings_options
from posthaste.cli.pinging import ping
from posthaste.cli.tables import table
from posthaste.cli.workspaces import workspace_named, workspace_option, zone_given
from posthaste.core.errors import NotFound
from posthaste.core.workspaces import Workspace
from posthaste.settings import OPTIONS, Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

_TEXTS = {
    "deviceId": ("--device", "Id of a device that is there already; the line shares it, its gap included."),
    "phone": ("--phone", "Phone number that the line writes from."),
    "email": ("--email", "E-mail address or Apple ID that the line writes from."),
    "firstName": ("--first-name", "Whose line it is, for {firstName} and the like in messages."),
    "lastName": ("--last-name", "Whose line it is."),
}
_NUMBERS = {
    "messages_per_day": "line_messages_per_day",
    "new_per_day": "line_new_per_day",
    "checks_per_day": "line_checks_per_day",
    "device_gap_ms": "device_gap_ms",
    "contact_gap_ms": "contact_gap_ms",
    "check_gap_ms": "check_gap_ms",
    "arrival_ms": "arrival_ms",
}


@click.group()
def lines() -> None:
    """Add, list, test, disable and delete lines.

    A line is an identity that sends: a number, an Apple ID or an e-mail address on one device.
    """


def _line_options(command: Any) -> Any:
    for name, setting in reversed(_NUMBERS.items()):
        flag, meaning = f"--{name.replace('_', '-')}", OPTIONS[setting].metadata["meaning"]
        text = f"{meaning} [{OPTIONS[setting].default}]"
        command = click.option(flag, name, type=click.IntRange(0, 1_000_000_000), metavar="N", help=text)(command)
    for field, (flag, meaning) in reversed(_TEXTS.items()):
        command = click.option(flag, field, metavar="TEXT", help=meaning)(command)
    return command


@lines.command(cls=ChannelCommand)
@workspace_option
@click.option("--channel", type=click.Choice(list(KINDS)), default="bluebubbles", show_default=True, help="What it speaks.")
@_line_options
@click.option(
    "--timezone", metavar="TEXT", callback=zone_given, help="Zone of its day, in which limits count; else the workspace's."
)
@channel_options
@settings_options(DATABASE)
def add(workspace: str | None, channel: str, **given: Any) -> None:
    """Add a line with its device and print the line's id.

    Say --phone or --email, what it writes from, and what its channel asks for; docs/channels.md goes step by step.
    """
    settings = settings_from({name: given.pop(name) for name in DATABASE})
    limits = {name: value for name in _NUMBERS if (value := given.pop(name)) is not None}
    fields = {"channel": channel, **{name: given[name] for name in (*_TEXTS, "timezone")}}
    if given["deviceId"] is None:
        fields |= fields_from(KINDS[channel], given)

    async def work(store: Store) -> LineView:
        vault = await open_vault(store, settings)
        return await store.write(_add, settings, Setting(KINDS, vault), workspace, fields, limits)

    made = on_store(settings, work)
    click.echo(made.line.id)
    click.echo(f"Next: posthaste lines test {made.line.id}. A running server takes the line up by itself.", err=True)
    if KINDS[channel].promises.has_webhooks:
        where = f"POSTHASTE_PUBLIC_URL{made.hook_path}"
        click.echo(f"Its device reports to {where}, which most channels set up by themselves.", err=True)


def _add(
    tx: Transaction,
    settings: Settings,
    setting: Setting,
    wanted: str | None,
    fields: Mapping[str, object],
    limits: Mapping[str, int],
) -> LineView:
    workspace = workspace_named(tx, wanted, is_for_real=True)
    new: NewLine = replace(parse_new_line(fields, workspace, setting), **limits)  # type: ignore[arg-type]
    return add_line(tx, settings, workspace.id, new)


@lines.command("list")
@click.option("--workspace", metavar="ID|NAME", help="Only this workspace's.")
@settings_options(DATABASE)
def list_them(workspace: str | None, **given: Any) -> None:
    """List the lines with what they sent today and how their devices are."""

    async def work(store: Store) -> list[tuple[Workspace, LineView]]:
        return await store.read(_every, workspace)

    names = ("ID", "WORKSPACE", "CHANNEL", "SENDS AS", "TODAY", "NEW TODAY", "STATE")
    click.echo(table(names, [_row(owner, view) for owner, view in on_store(settings_from(given), work)]))


def _row(owner: Workspace, view: LineView) -> tuple[object, ...]:
    line, device = view.line, view.device
    state = "up" if device.is_up else f"down: {device.state_reason or 'it does not answer'}"
    return (
        line.id,
        owner.name,
        device.channel,
        line.phone or line.email,
        f"{line.usage_total}/{line.messages_per_day}",
        f"{line.usage_new}/{line.new_per_day}",
        state if line.is_active else "disabled",
    )


def _every(tx: Transaction, workspace: str | None) -> list[tuple[Workspace, LineView]]:
    owners = list_workspaces(tx) if workspace is None else [workspace_named(tx, workspace)]
    return [(owner, view) for owner in owners for view in line_views(tx, owner.id)]


def _find(tx: Transaction, line_id: str) -> LineView:
    for _, view in _every(tx, None):
        if view.line.id == line_id:
            return view
    raise NotFound(f"there is no line {line_id}; `posthaste lines list` shows them", code="LINE_NOT_FOUND")


@lines.command()
@click.argument("line_id", metavar="ID")
@settings_options(DATABASE)
def test(line_id: str, **given: Any) -> None:
    """Ask a line's device whether it can send. Nothing is sent; the exit code is 1 if it cannot."""
    settings = settings_from(given)

    async def work(store: Store) -> tuple[bool, str]:
        view = await store.read(_find, line_id)
        [(is_up, detail)] = await ping(store, settings, [view.device.id])
        return is_up, detail

    is_up, detail = on_store(settings, work)
    if not is_up:
        raise click.ClickException(f"down: {detail}")
    click.echo(f"up: {detail}")


@lines.command()
@click.argument("line_id", metavar="ID")
@settings_options(DATABASE)
def disable(line_id: str, **given: Any) -> None:
    """Stop a line from sending. What waits on it waits until it is enabled again."""
    _switch(line_id, given, is_active=False)


@lines.command()
@click.argument("line_id", metavar="ID")
@settings_options(DATABASE)
def enable(line_id: str, **given: Any) -> None:
    """Let a disabled line send again."""
    _switch(line_id, given, is_active=True)


def _switch(line_id: str, given: Mapping[str, Any], *, is_active: bool) -> None:
    async def work(store: Store) -> None:
        view = await store.read(_find, line_id)
        await store.write(change_line, view.line.workspace_id, line_id, LineChange(is_active=is_active))

    on_store(settings_from(given), work)
    click.echo(f"{'enabled' if is_active else 'disabled'} {line_id}")


@lines.command()
@click.argument("line_id", metavar="ID")
@settings_options(DATABASE)
def delete(line_id: str, **given: Any) -> None:
    """Delete a line. What waits on it goes out through others, unless its sender was asked for: that is cancelled."""

    async def work(store: Store) -> None:
        view = await store.read(_find, line_id)
        await store.write(delete_line, view.line.workspace_id, line_id)
        while await store.write(clear_deleted_lines):
            pass

    on_store(settings_from(given), work)
    click.echo(f"deleted {line_id}")
