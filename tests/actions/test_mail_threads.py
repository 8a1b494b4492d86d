"""The e-mails of one conversation: each follows those before it, and goes on under their subject."""

import pytest
from builders import House

from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Accepted
from posthaste.core.signals import Inbound
from posthaste.links import Links
from posthaste.loops.orders import order_of
from posthaste.vault import Vault

LINKS = Links(Vault(["test"]), "https://posthaste.test")
ANN = "ann@example.com"


@pytest.mark.parametrize(
    ("subjects", "about"),
    [
        ((None, None), "Good morning"),
        (("Your offer", None), "Your offer"),
        ((None, "Your offer"), "Your offer"),
        (("Your offer", "Your invoice"), "Your invoice"),
    ],
)
def test_a_mail_follows_those_before_it(any_house: House, subjects: tuple[str | None, str | None], about: str) -> None:
    line = any_house.add_line(channel="email", message_type=MessageType.EMAIL, phone=None, email="ada@posthaste.test")
    mail = {"phone": None, "email": ANN, "message_type": MessageType.EMAIL}
    guids = []
    for subject, text in zip(subjects, ("Good morning", "Are you there?"), strict=True):
        any_house.send(text=text, subject=subject, **mail)
        sent = any_house.begin()
        guids.append(f"<{sent.attempt.id}@posthaste.test>")
        any_house.record(sent, Accepted(guids[-1]))
        any_house.later(1)
    any_house.receive(line.device_id, Inbound("<reply@example.com>", 1, ANN, "Which offer?", any_house.clock.now))
    any_house.later(1)
    any_house.send(text="This one", **mail)
    (claimed,) = any_house.claim()
    letter = order_of(claimed, ANN, (), LINKS).letter
    assert letter.references == (*guids, "<reply@example.com>")
    assert (letter.subject, letter.about) == (None, about)


def test_the_first_mail_is_about_itself(house: House) -> None:
    house.add_line(channel="email", message_type=MessageType.EMAIL, phone=None, email="ada@posthaste.test")
    house.send(phone=None, email=ANN, message_type=MessageType.EMAIL)
    (claimed,) = house.claim()
    letter = order_of(claimed, ANN, (), LINKS).letter
    assert (letter.references, letter.about) == ((), "")
