"""The channels that there are, and what each is made of. A new one gets its folder beside this file, and two lines here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

import httpx2

from posthaste.channels.base import Channel, Inbox
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.fetch.fetcher import Fetcher
from posthaste.channels.mail.channel import Mail
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.channels.smpp.channel import Smpp
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.channels.template.channel import Template
from posthaste.channels.twilio.channel import Twilio
from posthaste.core.channels import Kind

_EVERY = (BlueBubbles, Sendblue, SmsGate, Twilio, Smpp, Template, Mail)

KINDS: Mapping[str, Kind] = {one.kind.name: one.kind for one in _EVERY}
"""What each channel carries, promises and asks for, by its name."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What channels work with; how long they wait is in milliseconds, `answer_ms` for a send, `question_ms` for all else.

    `now_ms` reads the clock, for what a provider reports without saying when; `fetcher` brings files from addresses that others
    name, of whatever type.
    """

    client: httpx2.AsyncClient
    fetcher: Fetcher
    inbox: Inbox
    connect_ms: int
    question_ms: int
    answer_ms: int
    now_ms: Callable[[], int]


class _Waits(TypedDict):
    question_timeout_ms: int
    connect_timeout_ms: int


def make_channels(tools: Tools) -> dict[str, Channel]:
    """Return every channel by its name, as devices call it.

    How long an answer to a send may take is a setting for those whose provider answers late; the others know it themselves.
    """
    client, now_ms, answer_ms = tools.client, tools.now_ms, tools.answer_ms
    waits = _Waits(question_timeout_ms=tools.question_ms, connect_timeout_ms=tools.connect_ms)
    every: list[Channel] = [
        BlueBubbles(client, now_ms, answer_timeout_ms=answer_ms, **waits),
        Sendblue(client, now_ms, tools.fetcher, answer_timeout_ms=answer_ms, **waits),
        SmsGate(client, now_ms, **waits),
        Twilio(client, now_ms, **waits),
        Smpp(tools.inbox, now_ms, answer_timeout_ms=answer_ms, **waits),
        Template(client, now_ms, **waits),
        Mail(tools.inbox, now_ms, answer_timeout_ms=answer_ms, **waits),
    ]
    return {channel.kind.name: channel for channel in every}
