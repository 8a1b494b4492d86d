"""What tests of channels share."""

from collections.abc import Iterator

import mail_lab
import pytest


@pytest.fixture(scope="session")
def lab() -> Iterator[mail_lab.Lab]:
    """Postfix and Dovecot, started when the first test asks for them; each test has a mailbox of its own there."""
    mail_lab.require()
    with mail_lab.running() as lab:
        yield lab
