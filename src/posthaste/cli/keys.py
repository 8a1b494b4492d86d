"""`keys`: API keys, made, listed and revoked. A key is printed once, when it is made; only its digest is stored."""

from typing import Any

import click

from posthaste.actions.keys import MadeKey, list_keys, make_key, revoke_key
from posthaste.cli.opening import on_store
from posthaste.cli.options import DATABASE, settings_from, settings_options
from posthaste.cli.tables import table
from posthaste.cli.workspaces import workspace_named, workspace_option
from posthaste.core.schedule import render_instant
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction
from posthaste.store.workspaces import ApiKey


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@workspace_option
@click.option("--name", default="", help="What it is for, to know it again in the list.")
@settings_options(DATABASE)
def create(workspace: str | None, name: str, **given: Any) -> None:
    """Make a key and print it. It cannot be shown again."""

    async def work(store: Store) -> MadeKey:
        return await store.write(_make, workspace, name)

    made = on_store(settings_from(given), work)
    click.echo(made.key)
    click.echo(f"Keep it: it is not shown again. To revoke it: posthaste keys revoke {made.id}", err=True)


def _make(tx: Transaction, workspace: str | None, name: str) -> MadeKey:
    return make_key(tx, workspace_named(tx, workspace).id, name)


@keys.command("list")
@click.option("--workspace", metavar="ID|NAME", help="Only this workspace's.")
@settings_options(DATABASE)
def list_them(workspace: str | None, **given: Any) -> None:
    """List the keys, without the keys themselves."""

    async def work(store: Store) -> list[ApiKey]:
        return await store.read(_list, workspace)

    rows = [
        (one.id, one.workspace_id, f"…{one.hint}", one.name, render_instant(one.created_at), _when(one.revoked_at))
        for one in on_store(settings_from(given), work)
    ]
    click.echo(table(("ID", "WORKSPACE", "ENDS IN", "NAME", "CREATED", "REVOKED"), rows))


def _list(tx: Transaction, workspace: str | None) -> list[ApiKey]:
    return list_keys(tx, workspace and workspace_named(tx, workspace).id)


def _when(at: int | None) -> str | None:
    return None if at is None else render_instant(at)


@keys.command()
@click.argument("key_id", metavar="ID")
@settings_options(DATABASE)
def revoke(key_id: str, **given: Any) -> None:
    """Revoke a key. A running server refuses it within a second."""

    async def work(store: Store) -> None:
        await store.write(revoke_key, key_id)

    on_store(settings_from(given), work)
    click.echo(f"revoked {key_id}")
