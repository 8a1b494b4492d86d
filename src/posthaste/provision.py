"""Give the sandbox its workspace, lines and key, and write down how to use them.

Runs at every start and makes only what is missing, so that a second start keeps everything. `sandbox.json` holds the
only copy of the sandbox's key; it is written whole, and before `/readyz` says that the server is ready.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from posthaste.actions.keys import digest_of, find_workspace, make_key
from posthaste.actions.lines import NewLine, add_line, move_device
from posthaste.actions.show import LineView, line_views
from posthaste.actions.workspaces import list_workspaces, make_workspace
from posthaste.core.errors import SettingError
from posthaste.core.messages import MessageType
from posthaste.core.workspaces import Fallback
from posthaste.settings import Settings
from posthaste.store import devices, workspaces
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction
from posthaste.vault import Vault

_PLENTY = 100_000
_ARRIVAL_MS = 10_000
_USERNAME = "sms"


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the sandbox and the device behind it, by its address."""

    channel: str
    message_type: MessageType
    address: str
    first_name: str
    secrets: tuple[str, ...]

    @property
    def is_mail(self) -> bool:
        return self.message_type is MessageType.EMAIL


#: iMessage first: whoever takes the first lines of the list means those.
PARTS = (
    Part("bluebubbles", MessageType.IMESSAGE, "+16285550001", "Ada", ("password",)),
    Part("bluebubbles", MessageType.IMESSAGE, "+16285550002", "Ben", ("password",)),
    Part("smsgate", MessageType.SMS, "+16285550003", "Cleo", ("password",)),
    Part("email", MessageType.EMAIL, "dora@sandbox.test", "Dora", ("smtpPassword", "imapPassword")),
)


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
    lines = await store.write(_lines, settings, vault, workspace_id)
    await _make_devices(store, vault, sandbox_url, lines)
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


def _lines(tx: Transaction, settings: Settings, vault: Vault, workspace_id: str) -> list[LineView]:
    workspaces.make_alone(tx)
    have = {view.line.phone or view.line.email for view in line_views(tx, workspace_id)}
    for part in PARTS:
        if part.address not in have:
            add_line(tx, settings, workspace_id, _new_line(tx, vault, part))
    views = line_views(tx, workspace_id)
    _fall_back(tx, workspace_id, views)
    return views


def _fall_back(tx: Transaction, workspace_id: str, views: Sequence[LineView]) -> None:
    """Make the SMS line the fallback, unless somebody has chosen already."""
    workspace = workspaces.find(tx, workspace_id)
    sms = next((view.line for view in views if view.line.message_type == MessageType.SMS), None)
    if sms is not None and workspace is not None and workspace.fallback.line_id is None:
        workspaces.save_fallback(tx, workspace_id, Fallback(is_enabled=True, line_id=sms.id))


def _new_line(tx: Transaction, vault: Vault, part: Part) -> NewLine:
    return NewLine(
        channel=part.channel,
        message_type=part.message_type,
        secret=vault.seal(dict.fromkeys(part.secrets, tx.secret())),
        phone=None if part.is_mail else part.address,
        email=part.address if part.is_mail else None,
        first_name=part.first_name,
        last_name="Sandbox",
        messages_per_day=_PLENTY,
        new_per_day=_PLENTY,
        checks_per_day=_PLENTY,
        device_gap_ms=0,
        contact_gap_ms=0,
        check_gap_ms=0,
        arrival_ms=_ARRIVAL_MS,
        is_sandbox=True,
    )


async def _make_devices(store: Store, vault: Vault, sandbox_url: str, lines: Sequence[LineView]) -> None:
    """Tell the sandbox which devices it has, of which it keeps those that it knows, and note where each answers."""
    access = await store.read(devices.access, [view.device.id for view in lines])
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
            for view in lines:
                password = next(iter(vault.open(access[view.device.id].secret).values()))
                answer = await client.post(f"{sandbox_url}/devices", json=_device(view, password))
                answer.raise_for_status()
                url, config = _reached(view, sandbox_url, answer.json())
                await store.write(move_device, view.device.id, url, config)
    except httpx2.HTTPError as error:
        raise SettingError(f"the sandbox at {sandbox_url} did not answer as one: {type(error).__name__}") from None


def _device(view: LineView, password: str) -> dict[str, object]:
    """Return a device as the sandbox wants to be told of it."""
    match view.device.channel:
        case "smsgate":
            return {
                "kind": "android",
                "id": view.device.id,
                "phone": view.line.phone,
                "username": _USERNAME,
                "password": password,
            }
        case "email":
            return {"kind": "mail", "id": view.device.id, "email": view.line.email, "password": password}
        case _:
            return {"id": view.device.id, "phone": view.line.phone, "password": password, "privateApi": True}


def _reached(view: LineView, sandbox_url: str, made: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """Return where a device of the sandbox answers: its address, and the settings of its line."""
    match view.device.channel:
        case "smsgate":
            url = f"{sandbox_url}/androids/{view.device.id}"
            return url, {"url": url, "username": _USERNAME}
        case "email":
            host, user = str(made["host"]), str(made["email"])
            return "", {
                "smtpHost": host,
                "smtpPort": str(made["smtpPort"]),
                "smtpSecurity": "none",
                "smtpUsername": user,
                "imapHost": host,
                "imapPort": str(made["imapPort"]),
                "imapSecurity": "none",
                "imapUsername": user,
                "imapFolder": "INBOX",
            }
        case _:
            url = f"{sandbox_url}/macs/{view.device.id}"
            return url, {"url": url}


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
                {
                    "_id": view.line.id,
                    "phone": view.line.phone,
                    "email": view.line.email,
                    "channel": view.device.channel,
                    "type": view.line.message_type,
                }
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
