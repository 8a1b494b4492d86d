"""A workspace: the tenant whose leads, lines and messages nobody else sees."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workspace:
    """A row of `workspaces`. `region` reads phone numbers without a country code, `timezone` serves days without a zone."""

    id: str
    name: str
    region: str
    timezone: str
    is_sandbox: bool
    read_only_reason: str | None
    created_at: int
