"""Any SMS gateway with an HTTP interface, described in configuration: Kannel, httpSMS, textbee, a carrier's own.

This file asks and hears; how the request is filled is in `filling`, what an answer means in `answers`, what a
report means in `reports`. All of it is parsed when a line is added, so that a mistake is refused then, by the name of
its field. Nothing is promised that a stranger's gateway may not keep: a send whose answer never came cannot be looked up, and
becomes `unknown` until a report repeats its {attempt}.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, quote_plus

import httpx2

from posthaste.channels.base import Availability, Connection, Health, News, Order, Target, Trace, Unreachable
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange, knock, unanswered
from posthaste.channels.template import answers, filling, reports
from posthaste.core.channels import Field, Form, Kind, Pace, Promises, Setup
from posthaste.core.errors import Refused
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import CannotTell, Deferred, Finding, Outcome, Refusal, Rejected
from posthaste.core.segments import Alphabet, segments_of

SMS: Final = "sms"
_UNASKED = "somebody listens there, and no more is known: healthUrl is not given"
_LINE = {"from", "fromDigits"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a gateway is asked, as configuration describes it."""

    plan: filling.Plan
    health: filling.Plan | None
    answers: answers.Answers


def recipe_of(config: Mapping[str, str], secrets: Mapping[str, str]) -> Recipe:
    """Parse what a line was set up with, or refuse it, naming the field."""
    made = Recipe(filling.plan_of(config), filling.health_plan_of(config), answers.answers_of(config))
    used = made.plan.places | (made.health.places if made.health else frozenset())
    for name in filling.SECRETS:
        secret = secrets.get(name, "")
        is_used = name in used or ("basic" in used and name != "token")
        if is_used and not secret:
            raise Refused(f"{name} is required: a place asks for it", code="MISSING_FIELD")
        if not (secret.isascii() and secret.isprintable()):
            raise Refused(f"{name} holds a character that no header can have", code="INVALID_TEMPLATE")
    if not {"to", "toDigits"} & made.plan.places:
        raise Refused("sendUrl or body must have the place {to}", code="INVALID_TEMPLATE")
    if "text" not in made.plan.places:
        raise Refused("sendUrl or body must have the place {text}", code="INVALID_TEMPLATE")
    return made


def _check(setup: Setup) -> None:
    recipe_of(setup.config, setup.secrets)
    reports.reports_of(setup.config, setup.secrets)


class Template:
    """The channel. It keeps nothing."""

    kind = Kind(
        name="http",
        title="any gateway with an HTTP interface",
        message_type=MessageType.SMS,
        promises=Promises(repeats_safely=False, can_find=False, can_check=False, has_receipts=True, has_attachments=True),
        fields=(
            Field("sendUrl", "the address that sends, with places as {to} and {text}", Form.LONG_TEXT, is_needed=True),
            Field("method", "how it is called", default="POST", choices=("GET", "POST", "PUT")),
            Field("headers", "headers, one a line, as `Authorization: Bearer {token}`", Form.LONG_TEXT),
            Field("bodyType", "what the body is", default="none", choices=("none", "json", "form")),
            Field("body", "the body, with places", Form.LONG_TEXT),
            Field("username", "what {username} stands for", is_secret=True),
            Field("password", "what {password} stands for", is_secret=True),
            Field("token", "what {token} stands for", is_secret=True),
            Field("acceptedStatuses", "statuses that mean accepted", default="200-299"),
            Field("acceptedPattern", "what the body of an accepting answer matches; a group named id is the provider's id"),
            Field("rejectedStatuses", "statuses that mean surely not sent, and never will be", default="400,422"),
            Field("rejectedPattern", "what a body matches that means the same"),
            Field("deferredStatuses", "statuses that mean surely not sent, but later perhaps", default="429"),
            Field("deferredPattern", "what a body matches that means the same"),
            Field("downStatuses", "statuses that mean wrong credentials or a wrong address", default="401,403,404,405"),
            Field("healthUrl", "an address that can be asked (GET) whether the gateway is well", Form.LONG_TEXT),
            Field("healthStatuses", "statuses of its answer that mean yes", default="200-299"),
            Field("statusField", "where a report says what became of a message"),
            Field("idField", "where a report names the message, by the provider's id or our {id}"),
            Field("attemptField", "where a report repeats our {attempt}, by which even a send whose answer was lost is known"),
            Field("errorField", "where a report says why it failed"),
            Field("deliveredValues", "statuses of a report that mean delivered, separated by commas"),
            Field("failedValues", "statuses of a report that mean failed"),
            Field("sentValues", "statuses of a report that mean sent"),
            Field("inboundValues", "statuses of a report that mean that a person wrote; else one without a status does"),
            Field("inboundIdField", "where what a person wrote has its id"),
            Field("fromField", "where it says who wrote"),
            Field("toField", "where it says to which number"),
            Field("textField", "where its text is"),
            Field("timeField", "where a report says when it happened"),
            Field("region", "the country of numbers that are written without one, as US"),
            Field("signatureHeader", "the header with which reports are signed by an HMAC of their body"),
            Field("signatureAlgorithm", "the hash of that HMAC", default="sha256", choices=("sha256", "sha1")),
            Field("signatureEncoding", "how that HMAC is written", default="hex", choices=("hex", "base64")),
            Field("signatureSecret", "the secret of that HMAC", is_secret=True),
        ),
        # A careful pace for a phone as gateway, since nothing is known. A carrier's line is given a gap of 0, and then has as
        # many sends under way as are allowed here.
        pace=Pace(gap_ms=1_000, contact_gap_ms=0, max_in_flight=4),
        check=_check,
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 30_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 1024 * 1024,
    ) -> None:
        self._client, self._now_ms = client, now_ms
        self._questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._sends = replace(self._questions, answer_ms=answer_timeout_ms)

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Refuse what has no place in the request; there is nothing to ask."""
        try:
            plan = recipe_of(device.config, device.secrets).plan
        except Refused as error:
            return Deferred(f"the line is set up wrongly: {error.message}", device_is_down=True)
        if _LINE & plan.places and not order.sender.phone:
            return Rejected(Refusal.UNAUTHORIZED, "the line has no number to send from")
        if not order.text.strip() and not order.files:
            return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
        if len(order.files) > plan.room:
            return Rejected(Refusal.BAD_CONTENT, f"this gateway takes {'one attachment' if plan.room else 'no attachments'}")
        return Target(SMS, order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends."""
        recipe = recipe_of(device.config, device.secrets)
        request = filling.fill(recipe.plan, _values(device, order), [file.url for file in order.files])
        result = await self._exchange(request, self._sends)
        if not isinstance(result, Answer):
            return unanswered(result)
        return answers.classify(recipe.answers, result, order.key, _spellings(device))

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        return CannotTell("this gateway cannot be asked what became of a message")

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "an SMS can be sent to any mobile number")

    async def ping(self, device: Connection) -> Health:
        """Ask the address that was given for it; without one nothing is known but whether somebody listens where we send."""
        try:
            recipe = recipe_of(device.config, device.secrets)
        except Refused as error:
            return Health(False, f"the line is set up wrongly: {error.message}", device.options)
        if recipe.health is None:
            why = await knock(recipe.plan.url, self._questions)
            return Health(False, why, device.options) if why else Health(True, _UNASKED, {})
        match await self._exchange(filling.fill(recipe.health, _secrets(device)), self._questions):
            case NeverLeft(why) | NoAnswer(why):
                return Health(False, why, device.options)
            case Answer(status=status) if status in recipe.answers.healthy:
                return Health(True, f"the gateway answered {status}", {})
            case Answer() as answer:
                return Health(False, answers.complaint(answer, _spellings(device)), device.options)

    # Listening

    async def listen(self, device: Connection) -> None:
        """The gateway is told by whoever set it up, or by each message's {callback}."""
        return

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        return News((), cursor, is_complete=True)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a report, by POST or GET, if it is signed as was agreed."""
        try:
            agreed = reports.reports_of(device.config, device.secrets)
        except Refused:
            return None
        if agreed.signature is not None and not agreed.signature.is_of(call):
            return None
        return Heard(reports.heard(agreed, call, self._now_ms()))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        raise Unreachable("files that come in through this gateway are not fetched")

    def forget(self, device_id: str) -> None:
        return None

    async def close(self) -> None:
        return None

    # Asking

    async def _exchange(self, request: filling.Filled, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        return await exchange(
            self._client,
            request.method,
            request.url,
            query={},
            content=request.content,
            limits=limits,
            headers=request.headers,
        )


def _values(device: Connection, order: Order) -> Mapping[str, str]:
    own = order.sender.phone or ""
    is_plain = segments_of(order.text).alphabet is Alphabet.GSM_7
    return {
        **_secrets(device),
        "to": order.address,
        "toDigits": order.address.lstrip("+"),
        "from": own,
        "fromDigits": own.lstrip("+"),
        "text": order.text,
        "coding": "0" if is_plain else "2",
        "id": order.key,
        "attempt": order.marker,
        "callback": device.hook_url,
    }


def _secrets(device: Connection) -> Mapping[str, str]:
    found = {name: device.secrets.get(name, "") for name in filling.SECRETS}
    basic = b64encode(f"{found['username']}:{found['password']}".encode()).decode()
    return {**found, "basic": basic}


def _spellings(device: Connection) -> Sequence[str]:
    """Return the secrets in every spelling in which a gateway might repeat them, the longest first."""
    plain = [one for one in _secrets(device).values() if one]
    return sorted({*plain, *map(quote_plus, plain), *(quote(one, safe="") for one in plain)}, key=len, reverse=True)
