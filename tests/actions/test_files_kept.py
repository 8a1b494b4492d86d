"""Files in the database: whose they are, how long they are kept, and how those that come in are shown with their message."""

import pytest
from builders import House, a_sending, accepted, refused

from fixtures.tiny_files import TINY
from posthaste.actions.files import (
    RECEIVED_FILES_AT_MOST,
    RECEIVED_TRIES_AT_MOST,
    StoredFile,
    WaitingFile,
    find,
    miss_inbound,
    needed_until,
    next_inbound_file_in_ms,
    open_any,
    open_own,
    store_inbound,
    sweep_files,
    take_inbound_files,
    upload,
)
from posthaste.actions.workspaces import make_workspace
from posthaste.core import files
from posthaste.core.errors import Forbidden, NotFound
from posthaste.core.files import upload_url
from posthaste.core.outcomes import Refusal, Rejected
from posthaste.core.signals import Inbound, InboundFile
from posthaste.settings import DAY_MS
from posthaste.store.files import Use

PUBLIC = "https://posthaste.test"
PDF = TINY[files.PDF]
WEEK_MS, MONTH_MS = 7 * DAY_MS, 30 * DAY_MS


def an_upload(house: House, content: bytes = PDF, workspace_id: str | None = None) -> StoredFile:
    return house.write(upload, house.settings, workspace_id or house.workspace.id, "offer ü.pdf", files.PDF, content)


def url_of(file: StoredFile) -> str:
    return upload_url(PUBLIC, file.id, file.name)


def is_there(house: House, file: StoredFile) -> bool:
    return house.read(find, file.id) is not None


def sweep(house: House) -> None:
    assert house.write(sweep_files, house.settings) is False


# Uploads


def test_an_upload_comes_back_byte_for_byte(any_house: House) -> None:
    content = bytes(range(256)) * 5_000
    file = an_upload(any_house, content)
    opened = any_house.read(open_own, any_house.workspace.id, file.id)
    assert opened.content == content
    assert opened.file == file
    assert (file.name, file.media_type, file.size) == ("offer ü.pdf", "application/pdf", len(content))
    assert any_house.read(open_any, file.id).content == content


def test_an_upload_is_its_workspaces_alone(any_house: House) -> None:
    file, other = an_upload(any_house), any_house.write(make_workspace, "Other")
    with pytest.raises(Forbidden):
        any_house.read(open_own, other.id, file.id)
    with pytest.raises(NotFound):
        any_house.read(open_own, any_house.workspace.id, "0" * 24)


def test_a_message_with_another_workspaces_upload_is_refused_and_the_others_of_its_batch_go_on(any_house: House) -> None:
    any_house.add_line()
    theirs = an_upload(any_house, workspace_id=any_house.write(make_workspace, "Other").id)
    ours = an_upload(any_house)
    results = any_house.accept(
        a_sending(1, attachment_urls=("https://h.test/a.png", url_of(theirs))),
        a_sending(2, attachment_urls=(url_of(ours),)),
        a_sending(3),
    )
    assert isinstance(refused(results[0]), Forbidden)
    assert refused(results[0]).code == "FORBIDDEN"
    assert [any_house.view(accepted(one).message_id).message.attachments for one in results[1:]] == [((url_of(ours), None),), ()]
    assert any_house.count("messages") == 2 and any_house.count("file_uses") == 1


def test_a_refusal_uses_no_key_up(any_house: House) -> None:
    any_house.add_line()
    theirs = an_upload(any_house, workspace_id=any_house.write(make_workspace, "Other").id)
    asked = any_house.keyed("k", a_sending(1, attachment_urls=(url_of(theirs),)))
    assert isinstance(refused(any_house.accept(asked)[0]), Forbidden)
    assert any_house.count("idempotency_keys") == 0


def test_attachments_are_kept_with_their_names_by_position(any_house: House) -> None:
    any_house.add_line()
    urls = ("https://h.test/a.png", "https://h.test/b.png")
    first = any_house.send(1, text="", attachment_urls=urls, attachment_names=("", "second"))
    second = any_house.send(2, attachment_urls=urls[:1], attachment_names=("first", "too many"))
    assert any_house.view(first).message.attachments == ((urls[0], None), (urls[1], "second"))
    assert any_house.view(second).message.attachments == ((urls[0], "first"),)


def test_other_attachments_make_another_message_to_the_double_send_guard(any_house: House) -> None:
    any_house.add_line()
    first = any_house.send(1, attachment_urls=("https://h.test/a.png",))
    again = accepted(any_house.accept(a_sending(1, attachment_urls=("https://h.test/a.png",)))[0])
    other = accepted(any_house.accept(a_sending(1, attachment_urls=("https://h.test/b.png",)))[0])
    assert again.skipped is not None and again.message_id == first
    assert other.skipped is None


# How long they are kept


def test_an_upload_that_no_message_names_goes_after_a_week(any_house: House) -> None:
    file = an_upload(any_house)
    any_house.later(WEEK_MS - 1)
    sweep(any_house)
    assert is_there(any_house, file)
    any_house.later(1)
    sweep(any_house)
    assert not is_there(any_house, file)


def test_an_upload_stays_while_a_message_waits_and_a_month_after_it_was_sent(any_house: House) -> None:
    any_house.add_line()
    file = an_upload(any_house)
    any_house.send(1, attachment_urls=(url_of(file),), scheduled_at=any_house.clock.now + 2 * WEEK_MS)
    for _ in range(13):
        any_house.later(DAY_MS)
        sweep(any_house)
    assert is_there(any_house, file)
    any_house.later(DAY_MS)
    any_house.deliver()
    any_house.later(MONTH_MS - 1)
    sweep(any_house)
    assert is_there(any_house, file)
    any_house.later(DAY_MS)
    sweep(any_house)
    assert not is_there(any_house, file)
    assert any_house.count("file_uses") == 0


def test_of_several_messages_the_last_one_counts(any_house: House) -> None:
    any_house.add_line()
    file = an_upload(any_house)
    any_house.send(1, attachment_urls=(url_of(file),))
    any_house.deliver()
    any_house.later(MONTH_MS - 1)
    any_house.send(2, attachment_urls=(url_of(file),))
    any_house.deliver(Rejected(Refusal.BAD_CONTENT, "no"))
    any_house.later(2)
    sweep(any_house)
    assert is_there(any_house, file)
    any_house.later(MONTH_MS + DAY_MS)
    sweep(any_house)
    assert not is_there(any_house, file)


@pytest.mark.parametrize(
    ("uses", "until"),
    [
        ([], None),
        ([Use("sent", 990)], 1_090),
        ([Use("sent", 900)], None),
        ([Use("failed", 900), Use("delivered", 950)], 1_050),
        ([Use("sent", 0), Use("waiting", 0)], 1_000 + DAY_MS),
        ([Use("sending", 0)], 1_000 + DAY_MS),
    ],
)
def test_a_file_is_needed_until_its_last_message_has_ended_and_a_while_longer(uses: list[Use], until: int | None) -> None:
    assert needed_until(1_000, uses, 100) == until


# What comes in


def receive(house: House, *received: InboundFile) -> str:
    """Have somebody write a message with files; return its id."""
    line = house.add_line()
    house.receive(line.device_id, Inbound("in-1", 1, "+12025550001", "Look", house.clock.now, files=received))
    return str(house.read(lambda tx: tx.one("SELECT id FROM messages WHERE direction = 'received'"))[0])  # type: ignore[index]


def take(house: House, limit: int = 8) -> list[WaitingFile]:
    return [waiting for waiting, _ in house.write(take_inbound_files, 60_000, limit)]


def store(house: House, waiting: WaitingFile, content: bytes) -> None:
    house.write(store_inbound, house.settings, waiting, content, PUBLIC)


def test_files_that_came_in_are_shown_with_their_message_in_its_order(any_house: House) -> None:
    message_id = receive(any_house, InboundFile("ref-1", "one.bin", "text/html"), InboundFile("ref-2", "two.gif"))
    assert "files" in any_house.woken
    assert any_house.codes(message_id) == ["received"]
    first, second = take(any_house)
    assert (first.ref, second.ref, first.tries) == ("ref-1", "ref-2", 1)
    store(any_house, second, TINY[files.PNG])
    assert [name for _, name in any_house.view(message_id).message.attachments] == ["two.png"]
    store(any_house, first, b"<html>what this is, nobody knows</html>")
    shown = any_house.view(message_id).message.attachments
    assert [name for _, name in shown] == ["one.bin", "two.png"]
    opened = [any_house.read(open_own, any_house.workspace.id, url.split("/")[-2]) for url, _ in shown]
    assert [(one.file.media_type, one.file.size) for one in opened] == [("application/octet-stream", 39), ("image/png", 69)]
    assert any_house.codes(message_id)[-2:] == ["file_stored", "file_stored"]
    assert take(any_house) == []
    assert any_house.read(next_inbound_file_in_ms) is None


def test_a_file_is_taken_by_one_at_a_time_and_again_if_nothing_comes_of_it(any_house: House) -> None:
    receive(any_house, InboundFile("ref"))
    assert [one.tries for one in take(any_house)] == [1]
    assert take(any_house) == []
    assert any_house.read(next_inbound_file_in_ms) == 60_000
    any_house.later(60_000)
    assert [one.tries for one in take(any_house)] == [2]


def test_of_two_who_fetched_it_the_second_changes_nothing(any_house: House) -> None:
    message_id = receive(any_house, InboundFile("ref", "a.png"))
    (early,) = take(any_house)
    any_house.later(60_000)
    (late,) = take(any_house)
    store(any_house, late, TINY[files.PNG])
    store(any_house, early, TINY[files.PNG])
    any_house.write(miss_inbound, early, "it is gone")
    assert any_house.count("files") == 1
    assert len(any_house.view(message_id).message.attachments) == 1
    assert any_house.codes(message_id).count("file_stored") == 1


def test_a_file_that_cannot_be_had_is_tried_more_and_more_slowly_and_given_up(any_house: House) -> None:
    message_id = receive(any_house, InboundFile("ref", "a.png"))
    waits = []
    for _ in range(RECEIVED_TRIES_AT_MOST):
        (waiting,) = take(any_house)
        any_house.write(miss_inbound, waiting, "the Mac is away")
        waits.append(any_house.read(next_inbound_file_in_ms))
        any_house.later(waits[-1] or 0)
    assert waits[:4] == [10_000, 20_000, 40_000, 80_000]
    assert max(one for one in waits if one) == 3_600_000
    assert waits[-1] is None
    assert take(any_house) == []
    (lost,) = [one for one in any_house.story(message_id) if one.code == "file_lost"]
    assert "the Mac is away" in lost.says
    assert any_house.view(message_id).message.attachments == ()


def test_names_that_no_database_takes_are_cleaned_and_of_very_many_files_the_first_are_fetched(any_house: House) -> None:
    many = [InboundFile(f"ref-{number}", "a\x00\ud800b/../c.png") for number in range(RECEIVED_FILES_AT_MOST + 2)]
    message_id = receive(any_house, *many)
    taken = take(any_house, 100)
    assert [one.ref for one in taken] == [one.ref for one in many[:RECEIVED_FILES_AT_MOST]]
    assert {one.name for one in taken} == {"c.png"}
    assert any_house.codes(message_id).count("file_lost") == 2


def test_what_came_in_may_be_sent_on_and_goes_after_a_year(any_house: House) -> None:
    message_id = receive(any_house, InboundFile("ref", "a.png"))
    (waiting,) = take(any_house)
    store(any_house, waiting, TINY[files.PNG])
    ((url, _),) = any_house.view(message_id).message.attachments
    any_house.later(364 * DAY_MS)
    sweep(any_house)
    any_house.send(2, attachment_urls=(url,), scheduled_at=any_house.clock.now + 3 * DAY_MS)
    any_house.later(DAY_MS)
    sweep(any_house)
    assert any_house.count("files") == 1  # A message that waits needs it.
    any_house.later(2 * DAY_MS)
    any_house.deliver()
    any_house.later(MONTH_MS + DAY_MS)
    sweep(any_house)
    assert any_house.count("files") == any_house.count("inbound_files") == 0
