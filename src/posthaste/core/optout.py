"""What a reply asks of us: to stop, to start again, or for help. Only the whole reply counts, never a word within one."""

import re
from enum import StrEnum
from unicodedata import category, normalize


class Wish(StrEnum):
    """What a person wishes with a reply."""

    STOP = "stop"
    START = "start"
    HELP = "help"


_WORDS = {
    **dict.fromkeys(
        (
            *("stop", "stopall", "quit", "end", "revoke", "opt out", "optout", "cancel", "unsubscribe"),
            *("remove me", "do not contact"),
        ),
        Wish.STOP,
    ),
    **dict.fromkeys(("start", "unstop"), Wish.START),
    **dict.fromkeys(("help", "info"), Wish.HELP),
}
_LONGEST = 40


def wish_of(text: str) -> Wish | None:
    """Return what a reply asks for; case, punctuation and blanks around and between words do not matter."""
    if len(text) > _LONGEST:
        return None
    letters = "".join(" " if category(one)[0] in "PSZC" else one for one in normalize("NFKC", text).casefold())
    return _WORDS.get(re.sub(r"\s+", " ", letters).strip())
