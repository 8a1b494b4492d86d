"""What lines of each channel are set up with, as a part of the OpenAPI document.

Everything else in the document is written by hand; this is written from the channels' own fields, so that a channel that
is added is described, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from posthaste.core.channels import Field, Form, Kind

_TYPES: Mapping[Form, tuple[str, ...]] = {
    Form.TEXT: ("string",),
    Form.LONG_TEXT: ("string",),
    Form.URL: ("string",),
    Form.PHONE: ("string",),
    Form.NUMBER: ("integer", "string"),
    Form.FLAG: ("boolean", "string"),
}


def describe_channels(schemas: dict[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Write the channels and their fields into the schemas of lines."""
    names = {field.name: None for kind in kinds.values() for field in kind.fields}
    for name in names:
        schemas["AddLineRequest"]["properties"][name] = _property(name, kinds.values())
        schemas["ChangeLineRequest"]["properties"][name] = _change_of(name, kinds.values())
    schemas["AddLineRequest"]["properties"]["channel"] = {
        "type": "string",
        "enum": list(kinds),
        "default": "bluebubbles",
        "description": "What the line's device speaks. " + " ".join(_sentence(kind) for kind in kinds.values()),
    }


def _sentence(kind: Kind) -> str:
    needed = [f"`{field.name}`" for field in kind.fields if field.is_needed]
    needs = f", needs {', '.join(needed)}" if needed else ""
    return f"`{kind.name}`: {kind.title} ({kind.message_type}{needs})."


def _property(name: str, kinds: Iterable[Kind]) -> Mapping[str, Any]:
    """Return the schema of one field; channels may have fields of one name."""
    of_name = [(kind, field) for kind in kinds for field in kind.fields if field.name == name]
    types = dict.fromkeys(one for _, field in of_name for one in _TYPES[field.form])
    found: dict[str, Any] = {
        "type": list(types),
        "description": " ".join(_meaning(kind, field) for kind, field in of_name),
    }
    if any(field.is_secret for _, field in of_name):
        found["writeOnly"] = True
    return found


def _change_of(name: str, kinds: Iterable[Kind]) -> Mapping[str, Any]:
    """Return the schema of a field that can be taken away, unless it is needed wherever there is one of its name."""
    found = _property(name, kinds)
    is_needed = all(field.is_needed for kind in kinds for field in kind.fields if field.name == name)
    return found if is_needed else {**found, "type": [*found["type"], "null"]}


def _meaning(kind: Kind, field: Field) -> str:
    facts = ["needed"] if field.is_needed else []
    facts += [f"one of {', '.join(field.choices)}"] if field.choices else []
    facts += [f"{field.default} unless given"] if field.default else []
    facts += ["never shown again"] if field.is_secret else []
    aside = f" ({'; '.join(facts)})" if facts else ""
    return f"For `{kind.name}`: {field.meaning}{aside}."
