"""What a person wrote in a mail: the words that are new, without the quoted tail and without a signature.

HTML becomes plain lines; where a quotation begins is found by a library that knows how the mail programs of a dozen
languages introduce one. What would surprise: a library's patterns take minutes over a hostile line, so that only the
beginning of a mail and only lines as short as an introduction can be are shown to it; and of signatures only what
surely is one is cut off, since a lost sentence is worse than a name too many.
"""

import re
from html.parser import HTMLParser

from mailparser_reply import EmailMessage as QuotedMail  # type: ignore[import-untyped]
from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]

from posthaste.core.optout import Wish, wish_of

_LINES_SEARCHED = 400
_LONGEST_INTRODUCTION = 200
_INTRODUCTION_LINES = 6
_TIME = re.compile(r"\b\d{1,2}[:.h]\d\d\b")
_HIDDEN = re.compile("\ue000(\\d+)\ue000")
_LANGUAGES = sorted(MAIL_LANGUAGES)
_LONGEST_TEXT = 100_000
_SIGNATURE_LINES, _SIGNATURE_LINE_CHARS = 6, 60

_SIGNATURE_BEGINS = re.compile(r"(--|__|—)\s*$")
_SENT_FROM = re.compile(
    r"(sent from|sent via|sent with|get outlook for|envoyé de|envoyé depuis|obtenez outlook|gesendet von|gesendet mit|"
    r"von meinem \S+ gesendet|enviado desde|enviado do|inviato da|verzonden vanaf|verstuurd vanaf|skickat från|sendt fra|"
    r"sendt fra min|wysłane z|odesláno z)\b.{0,60}$",
    re.IGNORECASE,
)

_BLOCKS = frozenset(
    ("address", "article", "blockquote", "br", "div", "dd", "dl", "dt", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
     "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul")
)  # fmt: skip
_PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6"))
#: Not `head`, whose end may be left out; what of it could be seen is named here.
_UNSEEN = frozenset(("script", "style", "title", "template"))
_VOID = frozenset(("br", "hr", "img", "input", "meta", "link", "col", "wbr"))
_QUOTE_CLASSES = frozenset(("gmail_quote", "yahoo_quoted", "moz-cite-prefix", "protonmail_quote"))
_QUOTE_IDS = frozenset(("appendonsend", "divrplyfwdmsg"))


def reply_of(text: str) -> str:
    """Return what is new in a mail's text; where nothing seems new, the whole text."""
    whole = _tidy(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")[:_LONGEST_TEXT])
    new = _without_signature(_unquoted(_first_of_thread(whole)))
    return _only_a_wish(new) or new or whole


def text_of_html(html: str) -> str:
    """Return the lines that a reader of HTML sees, without what is marked as quoted."""
    lines = _Lines()
    lines.feed(html[: 10 * _LONGEST_TEXT])
    lines.close()
    return _tidy(lines.text())


def _first_of_thread(text: str) -> str:
    """Return what stands before the first line that introduces a quotation, or all of it."""
    lines = text.split("\n")
    searched, rest = lines[:_LINES_SEARCHED], lines[_LINES_SEARCHED:]
    shown = [line if len(line) <= _LONGEST_INTRODUCTION else f"\ue000{at}\ue000" for at, line in enumerate(searched)]
    replies = QuotedMail(text="\n".join(shown), languages=list(_LANGUAGES), keep_hyphen_lists=True).read().replies
    if not replies:
        return text
    first = _HIDDEN.sub(lambda found: searched[int(found[1])], replies[0].full_body)
    return first if len(replies) > 1 else "\n".join([first, *rest])


def _unquoted(text: str) -> str:
    kept: list[str] = []
    for line in text.split("\n"):
        if line.lstrip().startswith(">"):
            kept = _without_introduction(kept)
        else:
            kept.append(line)
    return _tidy("\n".join(kept))


def _without_introduction(lines: list[str]) -> list[str]:
    """Take off the words that introduce a quotation in a language that the library does not know, or not in this form:
    a paragraph right before it, with a time and an address, that ends with a colon.
    """
    last = "\n".join(lines[-_INTRODUCTION_LINES:]).rstrip()
    head, _, paragraph = last.rpartition("\n\n")
    if not (paragraph.endswith(":") and "@" in paragraph and _TIME.search(paragraph)):
        return lines
    return lines[:-_INTRODUCTION_LINES] + head.split("\n")


def _without_signature(text: str) -> str:
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if at and _SIGNATURE_BEGINS.match(line.strip()):
            lines = lines[:at]
            break
    while len(lines) > 1 and (not lines[-1].strip() or _SENT_FROM.match(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines).strip()


def _only_a_wish(text: str) -> str | None:
    """Return the first line where it alone asks us to stop and what follows is no more than a name.

    People close a mail with their name, and a wish to be left alone must not fail for that.
    """
    first, _, rest = text.partition("\n")
    if wish_of(first) is not Wish.STOP:
        return None
    lines = [line.strip() for line in rest.split("\n") if line.strip()]
    is_name = len(lines) <= _SIGNATURE_LINES and not any(
        len(line) > _SIGNATURE_LINE_CHARS or line[-1] in ".?!:" for line in lines
    )
    return first.strip() if is_name else None


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in text.replace("\xa0", " ").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Lines(HTMLParser):
    """Collects text; `_skipped` holds the open elements within one that is not shown, the innermost last."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._skipped: list[str] = []
        self._is_over = False

    def text(self) -> str:
        joined = "".join(self._parts)
        return "\n".join(" ".join(line.split()) for line in joined.split("\n"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped:
            if tag not in _VOID:
                self._skipped.append(tag)
            return
        given = {name: (value or "").lower() for name, value in attrs}
        if given.get("id", "") in _QUOTE_IDS:
            self._is_over = True  # Outlook marks where its quotation begins, not what it holds.
        elif tag in _UNSEEN or _is_quote(tag, given):
            self._skipped.append(tag)
        elif tag in _BLOCKS:
            self._parts.append("\n\n" if tag in _PARAGRAPHS else "\n")

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag in self._skipped:
                while self._skipped.pop() != tag:
                    pass
        elif tag in _BLOCKS and tag not in _VOID:
            self._parts.append("\n\n" if tag in _PARAGRAPHS else "\n")

    def handle_data(self, data: str) -> None:
        if not self._skipped and not self._is_over:
            self._parts.append(" ".join(data.replace("\n", " ").replace("\r", " ").split(" ")))


def _is_quote(tag: str, given: dict[str, str]) -> bool:
    is_cited = tag == "blockquote" and given.get("type") == "cite"
    return is_cited or bool(_QUOTE_CLASSES & set(given.get("class", "").split()))
