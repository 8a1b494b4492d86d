"""A `PATCH /api/workspace/fallback-config` from its JSON object."""

from posthaste.actions.fallback_config import FallbackChange
from posthaste.api.fields import Fields, flag, own_id
from posthaste.core.errors import Refused


def parse_fallback_change(fields: Fields) -> FallbackChange:
    """Return what is to become different; what is not given stays."""
    change = FallbackChange(flag(fields, "enabled"), own_id(fields, "lineId"), flag(fields, "sendFallbackSmsOnFailed"))
    if change == FallbackChange():
        raise Refused(
            "Nothing to change: give at least one of enabled, lineId, sendFallbackSmsOnFailed", code="NOTHING_TO_CHANGE"
        )
    return change
