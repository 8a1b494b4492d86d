"""When two texts count as the same.

Two questions with two answers: whether a request repeats the one before it (`fingerprint_text`), and whether a text
that a provider shows is the one that we handed over (`comparable`). Neither result is ever sent or shown to anybody.
"""

from unicodedata import normalize

# Messages puts this character where an attachment stands in the text.
_OBJECT_REPLACEMENT = "\ufffc"


def fingerprint_text(text: str) -> str:
    """Fold case and blanks, so that a text sent twice by a hasty click or a clumsy workflow is known again."""
    return _fold_blanks(normalize("NFC", text.lower()))


def comparable(text: str) -> str:
    """Fold what a provider may change on the way: line ends, blanks, composition of accents, marks of attachments.

    Case is kept, for no provider changes it and a false match would call a message sent that never was.
    """
    return _fold_blanks(normalize("NFC", text.replace(_OBJECT_REPLACEMENT, "")))


def _fold_blanks(text: str) -> str:
    # `split` without an argument knows every blank and line end of Unicode, the no-break ones included.
    return " ".join(text.split())
