"""How one field with a person's name becomes a first and a last name.

Nothing is guessed about titles, suffixes or which part is the family's: a wrong greeting is worse than a long last
name.
"""


def split_name(text: str) -> tuple[str, str]:
    """Split at the first blank: `"Ann Lee Smith"` is `("Ann", "Lee Smith")`; either part may be empty."""
    first, *rest = text.split(maxsplit=1) or [""]
    return first, rest[0].rstrip() if rest else ""
