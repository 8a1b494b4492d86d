"""Personalisation: the names in braces that a text may carry, and how they are filled when it is sent.

    {firstName}   {firstName|there}   {{firstName}}   {{ firstName | there }}

Only the names in `FIELDS` are known; everything else in braces, JSON and code included, is left exactly as it stands.
Blanks next to the braces are allowed in the double form only, since `{ name }` is how code looks. Filled in one pass: a
value that contains braces (a lead's name is somebody else's text) is never expanded itself.
"""

import re
from collections.abc import Mapping

LEAD_FIELDS = frozenset({"firstName", "lastName", "fullName", "name", "email", "phone", "companyName"})
LINE_FIELDS = frozenset({"senderFirstName", "senderLastName", "senderName", "senderPhone", "senderEmail"})
FIELDS = LEAD_FIELDS | LINE_FIELDS

_PLACE = re.compile(
    r"""
      \{\{ \s* (?P<double>[A-Za-z]+) \s* (?: \| (?P<double_default>[^{}]*) )? \}\}
    | \{       (?P<single>[A-Za-z]+)     (?: \| (?P<single_default>[^{}]*) )? \}
    """,
    re.VERBOSE,
)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the text with each known name replaced by its value, else by its default, else by nothing."""

    def replacement(place: re.Match[str]) -> str:
        name = place["double"] or place["single"]
        if name not in FIELDS:
            return place[0]
        default = place["double_default"] or place["single_default"] or ""
        return values.get(name, "").strip() or default.strip()

    return _PLACE.sub(replacement, text)
