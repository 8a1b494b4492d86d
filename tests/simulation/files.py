"""Judge attachments: a text is on a phone with all of its files or not at all, and what can never be had ends its message."""

from collections.abc import Iterator
from hashlib import sha256

from posthaste.core.lifecycle import Status

from .evidence import Evidence
from .web import GONE, NEVER, content_of


def judge_files(evidence: Evidence) -> Iterator[str]:
    """Yield every complaint, in words."""
    for mark, views in evidence.by_mark.items():
        pages = [url.rpartition("/")[2] for url, _ in views[0].message.attachments]
        wanted = [sha256(content_of(page)).hexdigest() for page in pages]
        for received in evidence.on_phones.get(mark, ()):
            had = [file.sha256 for file in received.attachments]
            if had != wanted:
                yield f"{mark} is on a phone with {len(had)} files that are not all of {pages}"
        if not {GONE, NEVER}.isdisjoint(pages):
            for view in views:
                if view.message.status in (Status.SENT, Status.DELIVERED, Status.UNKNOWN):
                    yield f"{mark} is {view.message.status} although its files cannot be had"
