"""What a gateway's answer means, as configuration describes it: statuses, and patterns for gateways that say it in words.

First match wins; what matches nothing may have been sent:

| status | body | outcome |
| --- | --- | --- |
| one of acceptedStatuses | matches acceptedPattern | Accepted; its group `id` is the provider's id, else ours is |
| any | matches rejectedPattern | Rejected |
| any | matches deferredPattern | Deferred |
| one of acceptedStatuses | any, and there is no acceptedPattern | Accepted |
| one of deferredStatuses | any | Deferred; Retry-After is kept |
| one of rejectedStatuses | any | Rejected |
| one of downStatuses | any | Deferred, down: the credentials or the address are wrong |
| 3xx | any | Deferred, down: redirects are never followed |
| any other | any | Ambiguous |

Patterns are a stranger's code: a careless one takes ages on the wrong text. So only the beginning of an answer is looked at,
each search has a deadline, which the engine of the `regex` library keeps, and where one is missed nothing is decided.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

import regex  # type: ignore[import-untyped]

from posthaste.channels.http import Answer, retry_after_ms
from posthaste.channels.reading import without_nul
from posthaste.core.errors import Refused, shown
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected

_LOOKED_AT_BYTES = 8_192
_SEARCH_S = 0.05
_PATTERN_CHARS = 500
_ID_CHARS = 320
_WORDS_CHARS = 160
_ESCAPED = regex.compile(r"\\u([0-9a-fA-F]{4})|\\(.)")


@dataclass(frozen=True, slots=True)
class Statuses:
    """Some HTTP statuses, as ranges."""

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.ranges)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that cannot hold the program up."""

    expression: "regex.Pattern[str]"

    def search(self, body: str) -> Mapping[str, str | None] | None:
        """Return the named groups of the first match, None if there is none; raise `TimeoutError` when it takes too long."""
        found = self.expression.search(body, timeout=_SEARCH_S)
        return found.groupdict() if found else None

    def is_in(self, body: str) -> bool:
        return self.search(body) is not None


@dataclass(frozen=True, slots=True)
class Answers:
    """How answers are read."""

    accepted: Statuses
    accepted_pattern: Pattern | None
    rejected: Statuses
    rejected_pattern: Pattern | None
    deferred: Statuses
    deferred_pattern: Pattern | None
    down: Statuses
    healthy: Statuses


def answers_of(config: Mapping[str, str]) -> Answers:
    """Parse how answers are read, or refuse it, naming the field."""
    return Answers(
        accepted=statuses_of(config, "acceptedStatuses"),
        accepted_pattern=pattern_of(config, "acceptedPattern"),
        rejected=statuses_of(config, "rejectedStatuses"),
        rejected_pattern=pattern_of(config, "rejectedPattern"),
        deferred=statuses_of(config, "deferredStatuses"),
        deferred_pattern=pattern_of(config, "deferredPattern"),
        down=statuses_of(config, "downStatuses"),
        healthy=statuses_of(config, "healthStatuses"),
    )


def statuses_of(config: Mapping[str, str], field: str) -> Statuses:
    """Read statuses as `200, 202, 400-499`."""
    return Statuses(tuple(_range(field, part.strip()) for part in config.get(field, "").split(",") if part.strip()))


def _range(field: str, text: str) -> tuple[int, int]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    ends = [first, last if dash else first]
    if not all(len(end) == 3 and end.isascii() and end.isdecimal() and end[0] in "12345" for end in ends) or ends[0] > ends[1]:
        raise Refused(f"{field} must be statuses as 200, 202, 400-499, got {shown(text)}", code="INVALID_TEMPLATE")
    return int(ends[0]), int(ends[1])


def pattern_of(config: Mapping[str, str], field: str) -> Pattern | None:
    """Read a regular expression; its only named group may be `id`."""
    text = config.get(field, "")
    if not text:
        return None
    if len(text) > _PATTERN_CHARS:
        raise Refused(f"{field} is {len(text)} characters long, {_PATTERN_CHARS} at most", code="TEXT_TOO_LONG")
    try:
        expression = regex.compile(text)
    except (regex.error, ValueError, OverflowError, RecursionError):
        raise Refused(f"{field} is not a regular expression: {shown(text)}", code="INVALID_TEMPLATE") from None
    if set(expression.groupindex) - {"id"}:
        raise Refused(f"{field} may have one named group, id", code="INVALID_TEMPLATE")
    return Pattern(expression)


def classify(answers: Answers, answer: Answer, own_id: str, secrets: Sequence[str]) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function and the next two."""
    said = complaint(answer, secrets)
    try:
        by_words = _by_words(answers, answer, own_id, said)
    except TimeoutError:
        return Ambiguous("a pattern took too long on the gateway's answer")
    return by_words or _by_status(answers, answer, own_id, said)


def _by_words(answers: Answers, answer: Answer, own_id: str, said: str) -> Outcome | None:
    body = answer.body[:_LOOKED_AT_BYTES].decode(errors="replace")
    if answers.accepted_pattern and answer.status in answers.accepted:
        found = answers.accepted_pattern.search(body)
        if found is not None:
            return Accepted(_id(found, own_id))
    if answers.rejected_pattern and answers.rejected_pattern.is_in(body):
        return Rejected(Refusal.OTHER, said)
    if answers.deferred_pattern and answers.deferred_pattern.is_in(body):
        return Deferred(said, retry_after_ms(answer))
    return None


def _by_status(answers: Answers, answer: Answer, own_id: str, said: str) -> Outcome:
    status = answer.status
    if status in answers.accepted and answers.accepted_pattern is None:
        return Accepted(own_id)
    if status in answers.deferred:
        return Deferred(said, retry_after_ms(answer))
    if status in answers.rejected:
        return Rejected(Refusal.OTHER, said)
    if status in answers.down or 300 <= status < 400:
        return Deferred(said, device_is_down=True)
    return Ambiguous(said)


def _id(found: Mapping[str, str | None], own_id: str) -> str:
    given = found.get("id") or ""
    return given if 0 < len(given) <= _ID_CHARS and "\x00" not in given else own_id


def complaint(answer: Answer, secrets: Sequence[str]) -> str:
    """Quote a gateway, for people only, without what it must not repeat; one that repeats it in a disguise is not quoted."""
    words = _folded(without_nul(answer.body[:_LOOKED_AT_BYTES].decode(errors="replace")))
    for secret in map(_folded, secrets):
        words = words.replace(secret, "…") if secret else words
    if any(secret in reading for reading in _readings(words) for secret in secrets):
        words = ""
    return f"the gateway answered {answer.status}" + (f": {words[:_WORDS_CHARS]}" if words else "")


def _folded(text: str) -> str:
    return " ".join(text.split())


def _readings(words: str) -> Sequence[str]:
    """Return what words say to whoever reads them as HTML, as a part of an address, or as JSON."""
    return html.unescape(words), unquote(words), unquote_plus(words), _ESCAPED.sub(_unescaped, words)


def _unescaped(found: "regex.Match[str]") -> str:
    return chr(int(found[1], 16)) if found[1] else str(found[2])
