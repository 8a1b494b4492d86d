"""What a server says, made fit to be told: without a secret of ours, should it ever repeat one, and short."""

from collections.abc import Iterable
from dataclasses import replace

from posthaste.core.outcomes import Accepted, Outcome

_DETAIL_CHARS = 200


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return text[:_DETAIL_CHARS]


def scrubbed_outcome(outcome: Outcome, secrets: Iterable[str]) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else replace(outcome, detail=scrubbed(outcome.detail, secrets))
