"""A workspace: the tenant whose leads, lines and messages nobody else sees."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fallback:
    """Whether and through which line people get an SMS who are not on iMessage.

    `send_on_failed`: also what failed otherwise, for every message of the workspace.
    """

    is_enabled: bool = False
    line_id: str | None = None
    send_on_failed: bool = False

    @property
    def is_configured(self) -> bool:
        return self.is_enabled and self.line_id is not None


NO_FALLBACK = Fallback()


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
    fallback: Fallback = NO_FALLBACK
