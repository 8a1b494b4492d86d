"""The link in every e-mail that takes a person off everything of a workspace (RFC 8058).

Mail programs POST to it when somebody presses their unsubscribe button: no login, no redirect, and it is done. A person
who opens it sees a page with one button. A GET changes nothing, because scanners open every link in a mail.
"""

from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from posthaste.actions.optout import opt_out
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.links import Links
from posthaste.store.base import Store

_REASON = "the person used the unsubscribe link of an e-mail"
_BODY_BYTES = 8 * 1024
_ONE_CLICK = b"One-Click"
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_BUTTON = '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>'


@dataclass(frozen=True, slots=True)
class UnsubscribeRoutes:
    """What the routes of the link need."""

    store: Store
    links: Links

    def verbs(self) -> list[Verb]:
        return [
            Verb("POST", "/unsubscribe/{token}", self.leave, Access.OPEN),
            Verb("GET", "/unsubscribe/{token}", self.ask, Access.OPEN),
        ]

    async def leave(self, call: Call) -> Answer:
        who = self._who(call)
        if who is None:
            return _unknown()
        workspace_id, address = who
        if _ONE_CLICK not in await call.body(_BODY_BYTES):
            return _asking(400, address)
        await self.store.write(opt_out, workspace_id, address, _REASON)
        return _page(200, "You are unsubscribed", f"No more messages go to {address}.")

    async def ask(self, call: Call) -> Answer:
        who = self._who(call)
        return _unknown() if who is None else _asking(200, who[1])

    def _who(self, call: Call) -> tuple[str, str] | None:
        token = call.path("token")
        return self.links.who_unsubscribes(token) if token.isascii() else None


def _asking(status: int, address: str) -> Answer:
    return _page(status, "Unsubscribe?", f"Then no more messages go to {address}.", _BUTTON)


def _unknown() -> Answer:
    return _page(404, "This link is not valid", "It may have been cut off on its way. Reply STOP to the message instead.")


def _page(status: int, title: str, text: str, form: str = "") -> Answer:
    page = _template().substitute(title=escape(title), text=escape(text), form=form)
    return Answer(status, page.encode(), _HEADERS, b"text/html; charset=utf-8")


@cache
def _template() -> Template:
    return Template((files("posthaste.api") / "assets" / "unsubscribe.html").read_text(encoding="utf-8"))
