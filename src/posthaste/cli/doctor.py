"""`doctor`: look at everything that a server needs, one line each, and end with 1 if something is wrong.

It changes nothing and stops nothing, so it may be run beside a server. A check that fails does not hide those after it.
"""

import os
import socket
import sqlite3
import sys
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import click
import httpx2

from posthaste.app import database_url
from posthaste.cli.opening import on_store, sqlite_file
from posthaste.cli.options import DATABASE, settings_from, settings_options
from posthaste.cli.pinging import ping
from posthaste.clock import SystemClock
from posthaste.core.errors import PosthasteError
from posthaste.core.schedule import render_instant
from posthaste.core.windows import zone_named
from posthaste.settings import Settings
from posthaste.store import devices
from posthaste.store.base import Store
from posthaste.store.devices import Access
from posthaste.store.opening import is_postgres
from posthaste.store.sqlite_transaction import require_version
from posthaste.store.transaction import Transaction

_EARLIEST_MS = 1_767_225_600_000  # 2026-01-01: no release of this program is older.
_DRIFT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    is_well: bool
    subject: str
    says: str


@click.command()
@settings_options((*DATABASE, "host", "port"))
def doctor(**given: Any) -> None:
    """Check this machine, the database and every device, and say in words what is wrong.

    Changes nothing; may be run while a server runs. The exit code is 1 if something is wrong.
    """
    settings = settings_from(given)
    wrong = 0
    for finding in _findings(settings):
        click.echo(f"{'ok   ' if finding.is_well else 'WRONG'}  {finding.subject}: {finding.says}")
        wrong += not finding.is_well
    if wrong:
        raise click.ClickException(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong")


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding(sys.version_info >= (3, 11), "Python", sys.version.split()[0])
    yield _checked("time zones", _time_zones)
    yield _checked("SQLite", _sqlite)
    yield _folder(settings)
    yield _port(settings)
    yield from _database(settings)


def _checked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(True, subject, look())
    except PosthasteError as error:
        return Finding(False, subject, error.message)


def _time_zones() -> str:
    zone_named("Europe/Berlin")
    return (
        f"from the machine: {', '.join(zoneinfo.TZPATH)}" if zoneinfo.TZPATH else f"from the package tzdata {version('tzdata')}"
    )


def _sqlite() -> str:
    require_version()
    return sqlite3.sqlite_version


def _folder(settings: Settings) -> Finding:
    """Look without making anything: a folder that is missing is made at the first start, if the one above it allows."""
    data = settings.data.resolve()
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not there.is_dir():
        return Finding(False, "data folder", f"{there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(False, "data folder", f"{there} cannot be written")
    return Finding(True, "data folder", f"{data} can be written" if there == data else f"{data} will be made")


def _port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    try:
        socket.create_server((settings.host, settings.port), family=_family(settings.host)).close()
    except (OSError, OverflowError) as error:
        if _answers(settings):
            return Finding(True, "port", f"Posthaste answers at {where}")
        return Finding(False, "port", f"cannot listen on {where}: {getattr(error, 'strerror', None) or error}")
    return Finding(True, "port", f"{where} is free")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _answers(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        answer = httpx2.get(f"http://{host}:{settings.port}/healthz", timeout=2.0, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False
    return answer.status_code == 200 and answer.headers.get("content-type", "").startswith("application/json")


def _database(settings: Settings) -> Iterator[Finding]:
    now = SystemClock().now_ms()
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        yield Finding(True, "database", f"{file} will be made at the first start")
        yield _clock(now, now)
        return

    async def work(store: Store) -> tuple[int, list[Finding]]:
        return await store.read(_now), await _devices(store, settings)

    try:
        database_now, found = on_store(settings, work)
    except PosthasteError as error:
        yield Finding(False, "database", error.message)
        yield _clock(now, now)
        return
    kind = "PostgreSQL" if is_postgres(database_url(settings)) else str(file)
    yield Finding(True, "database", f"{kind} is there and up to date")
    yield _clock(now, database_now)
    yield from found


def _now(tx: Transaction) -> int:
    return tx.now


def _clock(now: int, database_now: int) -> Finding:
    if now < _EARLIEST_MS:
        return Finding(False, "clock", f"it says {render_instant(now)}, which is in the past")
    if abs(now - database_now) > _DRIFT_MS:
        return Finding(False, "clock", f"it is {abs(now - database_now)} ms away from the database's")
    return Finding(True, "clock", render_instant(now))


async def _devices(store: Store, settings: Settings) -> list[Finding]:
    every: list[Access] = await store.read(devices.in_use)
    answers = await ping(store, settings, [device.device_id for device in every])
    return [
        Finding(is_up, f"device {device.device_id} ({device.channel})", detail)
        for device, (is_up, detail) in zip(every, answers, strict=True)
    ]
