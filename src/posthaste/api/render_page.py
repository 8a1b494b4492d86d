"""Which page of a list an answer holds."""

from posthaste.api.render_message import Document


def pages(total: int, limit: int) -> int:
    """Return how many pages there are."""
    return -(-total // limit)


def render_pagination(page: int, limit: int, total: int) -> Document:
    return {"page": page, "limit": limit, "totalCount": total, "totalPages": pages(total, limit)}
