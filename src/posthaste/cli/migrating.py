"""`migrate`: bring the schema up to date. On SQLite it needs the data folder for itself, so the server must be stopped."""

from contextlib import ExitStack
from typing import Any

import click

from posthaste.app import database_url, is_alone, make_folder
from posthaste.cli.options import DATABASE, settings_from, settings_options
from posthaste.store.lock import hold
from posthaste.store.opening import migrate as bring_up


@click.command()
@settings_options(DATABASE)
def migrate(**given: Any) -> None:
    """Bring the database's schema up to date.

    `serve`, `api` and `worker` do it too when they start; this is for doing it beforehand. Several may run at once.
    """
    settings = settings_from(given)
    with ExitStack() as stack:
        if is_alone(settings):
            make_folder(settings)
            stack.callback(hold(settings.data))
        applied = bring_up(database_url(settings))
    click.echo("\n".join(f"applied {migration}" for migration in applied) or "the schema is up to date")
