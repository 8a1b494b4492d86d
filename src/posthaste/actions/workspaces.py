"""Workspaces: made, found and listed."""

from posthaste.core.addresses import is_region
from posthaste.core.errors import NotFound, Refused
from posthaste.core.windows import zone_named
from posthaste.core.workspaces import Workspace
from posthaste.store import workspaces
from posthaste.store.transaction import Transaction


def make_workspace(
    tx: Transaction, name: str, *, region: str = "US", timezone: str = "UTC", is_sandbox: bool = False
) -> Workspace:
    if not is_region(region):
        raise Refused(f"region {region} is not a country code such as US", code="INVALID_REGION")
    zone_named(timezone)
    workspace = Workspace(f"org_{tx.new_id()}", name, region, timezone, is_sandbox, None, tx.now)
    workspaces.add(tx, workspace)
    return workspace


def workspace_of(tx: Transaction, workspace_id: str) -> Workspace:
    """Return a workspace as it stands now."""
    workspace = workspaces.find(tx, workspace_id)
    if workspace is None:
        raise NotFound(f"There is no workspace {workspace_id}", code="WORKSPACE_NOT_FOUND")
    return workspace


def list_workspaces(tx: Transaction) -> list[Workspace]:
    return workspaces.every(tx)
