"""`workspaces`: tenants, made and listed. `--workspace` of the other commands is read here too."""

from typing import Any

import click

from posthaste.actions.workspaces import list_workspaces, make_workspace
from posthaste.cli.opening import on_store
from posthaste.cli.options import DATABASE, settings_from, settings_options
from posthaste.cli.tables import table
from posthaste.core.errors import NotFound, Refused
from posthaste.core.schedule import render_instant
from posthaste.core.windows import zone_named
from posthaste.core.workspaces import Workspace
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction


@click.group()
def workspaces() -> None:
    """Make and list workspaces. A workspace has its own keys, lines, people and messages, and sees no other's."""


def zone_given(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no time zone by its name; the API's sentence for it does not name the value."""
    try:
        return value if value is None else zone_named(value).key
    except Refused:
        raise click.BadParameter(f"{value!r} is not a time zone such as America/New_York.", ctx, parameter) from None


@workspaces.command()
@click.argument("name")
@click.option("--region", default="US", show_default=True, help="Country code by which phone numbers without one are read.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=zone_given,
    help="Time zone of its lines and of rules that name none.",
)
@settings_options(DATABASE)
def create(name: str, region: str, timezone: str, **given: Any) -> None:
    """Make a workspace and print its id."""

    async def work(store: Store) -> Workspace:
        return await store.write(make_workspace, name, region=region.upper(), timezone=timezone)

    made = on_store(settings_from(given), work, may_make=True)
    click.echo(made.id)
    click.echo(f"Next: posthaste keys create --workspace {made.id}, posthaste lines add --workspace {made.id}", err=True)


@workspaces.command("list")
@settings_options(DATABASE)
def list_them(**given: Any) -> None:
    """List the workspaces."""

    async def work(store: Store) -> list[Workspace]:
        return await store.read(list_workspaces)

    rows = [
        (one.id, one.name, one.region, one.timezone, "sandbox" if one.is_sandbox else "real", render_instant(one.created_at))
        for one in on_store(settings_from(given), work)
    ]
    click.echo(table(("ID", "NAME", "REGION", "TIMEZONE", "KIND", "CREATED"), rows))


workspace_option = click.option(
    "--workspace", metavar="ID|NAME", help="Which workspace; may be left out while there is only one."
)


def workspace_named(tx: Transaction, wanted: str | None, *, is_for_real: bool = False) -> Workspace:
    """Return the workspace that was named, or the only one: the sandbox's counts if there is no other and it will do."""
    every = list_workspaces(tx)
    if wanted is None:
        return _only([one for one in every if not one.is_sandbox] or ([] if is_for_real else every))
    found = [one for one in every if wanted in (one.id, one.name)]
    if not found:
        raise NotFound(f"there is no workspace {wanted}; `posthaste workspaces list` shows them", code="WORKSPACE_NOT_FOUND")
    if len(found) > 1:
        raise Refused(f"{len(found)} workspaces are named {wanted}; say which by its id", code="WORKSPACE_AMBIGUOUS")
    return found[0]


def _only(some: list[Workspace]) -> Workspace:
    if not some:
        raise Refused(
            "there is no workspace for it yet; make one with `posthaste workspaces create NAME`", code="WORKSPACE_NEEDED"
        )
    if len(some) > 1:
        raise Refused("there are several workspaces; say which with --workspace", code="WORKSPACE_AMBIGUOUS")
    return some[0]
