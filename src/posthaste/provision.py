"""Give the sandbox its workspace, lines and key, and write down how to use them.

Runs at every start and makes only what is missing, so that a second start keeps everything. `sandbox.json` holds the
only copy of the sandbox's key; it is written whole, and before `/readyz` says that the server is ready.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from posthaste.actions.keys import digest_of, find_workspace, make_key
from posthaste.actions.lines import NewLine, add_line, move_device
from posthaste.actions.show import LineView, line_views
from posthaste.actions.workspaces import list_workspaces, make_workspace
from posthaste.core.errors import SettingError
from posthaste.settings import Settings
from posthaste.store import devices, workspaces
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction
from posthaste.vault import Vault

_PHONES = ("+16285550001", "+16285550002")
_NAMES = (("Ada", "Sandbox"), ("Ben", "Sandbox"))
_PLENTY = 100_000
_ARRIVAL_MS = 10_000


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """What a newcomer needs: where the sandbox is, and a key and a line to use with it."""

    url: str
    api_key: str
    workspace_id: str
    lines: Sequence[LineView]
    sandbox_url: str


async def provision(store: Store, settings: Settings, vault: Vault, sandbox_url: str, url: str) -> Sandboxed:
    """Make sure that the sandbox's workspace has its lines, and `data/sandbox.json` a key that works."""
    path = settings.data / "sandbox.json"
    workspace_id = await store.write(_workspace)
    lines = await store.write(_lines, settings, vault, workspace_id, sandbox_url)
    await _make_macs(store, vault, sandbox_url, lines)
    key = await _working_key(store, path, workspace_id)
    made = Sandboxed(url, key, workspace_id, lines, sandbox_url)
    _write_whole(path, made)
    return made


def _workspace(tx: Transaction) -> str:
    # Several processes may start on one database at the same moment.
    workspaces.make_alone(tx)
    for workspace in list_workspaces(tx):
        if workspace.is_sandbox:
            return workspace.id
    return make_workspace(tx, "Sandbox", is_sandbox=True).id


def _lines(tx: Transaction, settings: Settings, vault: Vault, workspace_id: str, sandbox_url: str) -> list[LineView]:
    workspaces.make_alone(tx)
    have = {view.line.phone for view in line_views(tx, workspace_id)}
    for phone, (first_name, last_name) in zip(_PHONES, _NAMES, strict=True):
        if phone not in have:
            add_line(tx, settings, workspace_id, _new_line(tx, vault, phone, first_name, last_name))
    views = line_views(tx, workspace_id)
    for view in views:
        move_device(tx, view.device.id, f"{sandbox_url}/macs/{view.device.id}")
    return views


def _new_line(tx: Transaction, vault: Vault, phone: str, first_name: str, last_name: str) -> NewLine:
    return NewLine(
        channel="bluebubbles",
        message_type="imessage",
        secret=vault.seal({"password": tx.secret()}),
        phone=phone,
        first_name=first_name,
        last_name=last_name,
        messages_per_day=_PLENTY,
        new_per_day=_PLENTY,
        checks_per_day=_PLENTY,
        device_gap_ms=0,
        contact_gap_ms=0,
        check_gap_ms=0,
        arrival_ms=_ARRIVAL_MS,
        is_sandbox=True,
    )


async def _make_macs(store: Store, vault: Vault, sandbox_url: str, lines: Sequence[LineView]) -> None:
    """Tell the sandbox which Macs it has; it keeps those that it knows."""
    access = await store.read(devices.access, [view.device.id for view in lines])
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
            for view in lines:
                mac = {
                    "id": view.device.id,
                    "phone": view.line.phone,
                    "password": vault.open(access[view.device.id].secret)["password"],
                    "privateApi": True,
                }
                answer = await client.post(f"{sandbox_url}/devices", json=mac)
                answer.raise_for_status()
    except httpx2.HTTPError as error:
        raise SettingError(f"the sandbox at {sandbox_url} did not answer as one: {type(error).__name__}") from None


async def _working_key(store: Store, path: Path, workspace_id: str) -> str:
    key = _kept_key(path)
    if key:
        workspace = await store.read(find_workspace, digest_of(key))
        if workspace is not None and workspace.id == workspace_id:
            return key
    made = await store.write(make_key, workspace_id, "sandbox")
    return made.key


def _kept_key(path: Path) -> str:
    try:
        return str(json.loads(path.read_text()).get("apiKey", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _write_whole(path: Path, made: Sandboxed) -> None:
    """Write the file aside and rename it, so that nobody ever reads half of it; it holds a key, so it is the owner's
    alone.
    """
    text = json.dumps(
        {
            "url": made.url,
            "apiKey": made.api_key,
            "workspaceId": made.workspace_id,
            "lines": [
                {"_id": view.line.id, "phone": view.line.phone, "channel": view.device.channel, "type": view.line.message_type}
                for view in made.lines
            ],
            "sandboxUrl": made.sandbox_url,
        },
        indent=2,
    )
    aside = path.with_suffix(".json.new")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text + "\n")
    aside.replace(path)
