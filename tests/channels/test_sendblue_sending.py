"""Sending through Sendblue and looking a lost send up: what is asked, and what each answer means."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from sendblue_cases import (
    DEVICE,
    HANDLE,
    HOOK,
    LATER,
    LATER_AT,
    LINE,
    MADE_AT,
    NOW_MS,
    OF_NUMBER,
    ORDER,
    PERSON,
    SECRET,
    TEXT,
    TRACE,
    UNPREPARED,
    WAY,
    Json,
    ask,
    page,
    row,
    step,
)
from wire import Answerer, breaks, says

from posthaste.channels.base import Connection, File, Order, Target, Trace
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.core.errors import Refused
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Found,
    Outcome,
    Refusal,
    Rejected,
)

BODY = {"number": PERSON, "content": TEXT, "from_number": LINE, "status_callback": f"{HOOK}?marker=marker-1"}


def send(answer: Answerer, order: Order = ORDER, body: Json = BODY, device: Connection = DEVICE) -> Outcome:
    return ask(lambda channel: channel.send(device, order), step("POST", "/api/send-message", answer, body))


# What is asked


def test_a_text_goes_from_the_lines_number_with_our_marker_in_the_callback() -> None:
    assert send(says(200, row(status="QUEUED"))) == Accepted(HANDLE)


def test_a_file_goes_by_its_address() -> None:
    file = File("a.png", "image/png", 1, Path("a.png"), "https://ours.test/files/a.png")
    order = replace(ORDER, files=[file], text="")
    assert send(says(200, row()), order, {**BODY, "content": "", "media_url": file.url}) == Accepted(HANDLE)


def test_the_number_of_the_setting_goes_before_the_lines() -> None:
    device = replace(OF_NUMBER, config={**OF_NUMBER.config, "fromNumber": "+16285553001"})
    assert send(says(200, row()), body={**BODY, "from_number": "+16285553001"}, device=device) == Accepted(HANDLE)


def test_the_key_travels_in_headers() -> None:
    def keyed(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["sb-api-key-id"] == "key"
        assert request.headers["sb-api-secret-key"] == "plain"
        return httpx2.Response(200, json=row())

    device = replace(DEVICE, secrets={"apiSecretKey": "plain"})
    assert isinstance(send(keyed, device=device), Accepted)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"address": "ana@people.example"}, Refusal.NOT_ON_CHANNEL),
        ({"text": " \n"}, Refusal.BAD_CONTENT),
        ({"text": "x" * 18_997}, Refusal.BAD_CONTENT),
        ({"files": [File("a", "b", 1, Path("a"), "c")] * 2}, Refusal.BAD_CONTENT),
    ],
)
def test_what_sendblue_cannot_carry_is_refused_before_anybody_is_asked(changed: Json, refusal: Refusal) -> None:
    order = replace(UNPREPARED, **changed)
    for outcome in (ask(lambda channel: channel.prepare(DEVICE, order)), ask(lambda channel: channel.send(DEVICE, order))):
        assert isinstance(outcome, Rejected)
        assert outcome.refusal is refusal


def test_nothing_has_to_be_asked_beforehand() -> None:
    assert ask(lambda channel: channel.prepare(DEVICE, UNPREPARED)) == Target("phone", WAY)


# What an answer means

TAKEN = ["QUEUED", "SENT", "REGISTERED", "PENDING", "ACCEPTED", "SUCCESS", "A_WORD_OF_TOMORROW", None]


@pytest.mark.parametrize("status", TAKEN)
def test_a_handle_without_an_error_is_taken_whatever_its_status(status: str | None) -> None:
    assert send(says(202, row(status=status))) == Accepted(HANDLE)


@pytest.mark.parametrize("fields", [{"error_code": 0}, {"error_code": 77_777}, {"error_key": "A_KEY_OF_TOMORROW"}])
def test_a_code_that_nobody_knows_is_no_word_of_failure(fields: Json) -> None:
    assert send(says(200, row(status="QUEUED", **fields))) == Accepted(HANDLE)


def test_what_is_delivered_at_once_is_delivered() -> None:
    assert send(says(200, row(status="DELIVERED", date_updated=LATER))) == Accepted(HANDLE, LATER_AT)


def test_what_went_as_sms_has_been_taken_too() -> None:
    assert send(says(200, row(was_downgraded=True, service="SMS"))) == Accepted(HANDLE)


@pytest.mark.parametrize(
    ("status", "fields", "refusal"),
    [
        (200, {"status": "ERROR", "error_code": 10001}, Refusal.OTHER),
        (200, {"status": "DECLINED"}, Refusal.OTHER),
        (200, {"status": "ERROR", "error_code": "4002"}, Refusal.BLOCKED),
        (200, {"status": "ERROR", "error_key": "OPTED_OUT"}, Refusal.BLOCKED),
        (403, {"status": "ERROR", "error_key": "OPTED_OUT", "message_handle": None}, Refusal.BLOCKED),
        (400, {"status": "ERROR", "error_code": 4000, "message_handle": None}, Refusal.BAD_CONTENT),
        (400, {"status": "ERROR", "message_handle": None}, Refusal.BAD_CONTENT),
    ],
)
def test_a_word_of_failure_is_a_refusal(status: int, fields: Json, refusal: Refusal) -> None:
    outcome = send(says(status, row(**fields)))
    assert isinstance(outcome, Rejected)
    assert outcome.refusal is refusal


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, {"status": "ERROR", "error_code": 4001}),
        (500, {"status": "ERROR", "error_code": 5003}),
        (429, {"status": "ERROR"}),
    ],
)
def test_what_is_told_to_wait_surely_did_not_go(status: int, fields: Json) -> None:
    outcome = send(says(status, row(**fields)))
    assert isinstance(outcome, Deferred)
    assert not outcome.device_is_down


def test_before_the_person_has_replied_it_waits_for_hours() -> None:
    outcome = send(says(400, {"status": "ERROR", "error_key": "PRE_REPLY_LIMIT_REACHED"}))
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after_ms == 6 * 3_600_000


def test_how_long_to_be_patient_is_heeded() -> None:
    assert send(says(429, "slow down", retry_after="7")) == Deferred("Sendblue asks for patience", 7_000)
    by_date = says(429, "slow down", retry_after="Wed, 21 Oct 2026 07:28:09 GMT", date="Wed, 21 Oct 2026 07:28:00 GMT")
    assert send(by_date) == Deferred("Sendblue asks for patience", 9_000)


DOWN: list[Answerer] = [
    says(401, {"status": "ERROR", "message": "no"}),
    says(402, {"status": "ERROR"}),
    says(403, "<html>"),
    says(404, "<html>"),
    says(400, "<html>"),
    says(400, {"odd": 1}),
    says(302, "", location="https://elsewhere.test"),
    breaks(httpx2.ConnectError),
    breaks(httpx2.ConnectTimeout),
]


@pytest.mark.parametrize("answer", DOWN)
def test_what_no_message_can_help_is_a_device_that_is_down(answer: Answerer) -> None:
    outcome = send(answer)
    assert isinstance(outcome, Deferred)
    assert outcome.device_is_down


DOUBT: list[Answerer] = [
    says(200, {}),
    says(200, "<html>"),
    says(200, row(message_handle=None)),
    says(200, row(status="ERROR", error_code=10002)),
    says(408, {"status": "ERROR"}),
    says(500, {"status": "ERROR"}),
    says(502, "<html>"),
    says(504, "<html>"),
    breaks(httpx2.ReadTimeout),
    breaks(httpx2.ReadError),
]


@pytest.mark.parametrize("answer", DOUBT)
def test_what_may_have_gone_is_in_doubt(answer: Answerer) -> None:
    assert isinstance(send(answer), Ambiguous)


@pytest.mark.parametrize("answer", [*DOWN, *DOUBT])
def test_no_outcome_tells_the_secret(answer: Answerer) -> None:
    assert SECRET not in repr(send(answer))


# Finding

QUERY = {"number": PERSON, "is_outbound": "true", "created_at_gte": "2026-11-24T19:15:46.000Z"}


def find(*rows: Json, trace: Trace = TRACE) -> Finding:
    return ask(lambda channel: channel.find(DEVICE, trace), page(*rows, query=QUERY))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": "Hi José, it's Ana \r\nshall we talk?"},
        {"date_sent": None, "date_updated": None},
        {"from_number": None, "sendblue_number": None},
        {"status": "A_WORD_OF_TOMORROW"},
    ],
)
def test_a_lost_send_is_found(fields: Json) -> None:
    assert find(row(**fields)) == Found(Accepted(HANDLE))


def test_a_lost_send_from_the_settings_number_is_found_and_one_from_the_lines_own_is_anothers() -> None:
    device = replace(OF_NUMBER, config={**OF_NUMBER.config, "fromNumber": "+16285553001"})
    target = ask(lambda channel: channel.prepare(device, UNPREPARED))
    assert isinstance(target, Target)
    theirs, ours = row(message_handle="theirs"), row(from_number="+16285553001", sendblue_number="+16285553001")
    found = ask(lambda channel: channel.find(device, replace(TRACE, target=target)), page(theirs, ours, query=QUERY))
    assert found == Found(Accepted(HANDLE))


@pytest.mark.parametrize("changed", [{"apiKeyId": "other"}, {"fromNumber": "+16285553001"}])
def test_another_account_or_number_cannot_say_that_a_send_is_absent(changed: Json) -> None:
    device = replace(DEVICE, config={**DEVICE.config, **changed})
    assert isinstance(ask(lambda channel: channel.find(device, TRACE)), CannotTell)


def test_a_lost_send_that_failed_is_found_as_such() -> None:
    found = find(row(status="ERROR", error_code=10001))
    assert isinstance(found, Found)
    assert found.error
    assert found.error.refusal is Refusal.OTHER


def test_of_two_the_older_one_is_it_and_what_is_anothers_is_not() -> None:
    older, newer = row(message_handle="older"), row(message_handle="newer", date_sent=LATER)
    assert find(newer, older) == Found(Accepted("older"))
    assert find(newer, older, trace=replace(TRACE, bound=frozenset({"older"}))) == Found(Accepted("newer"))


@pytest.mark.parametrize(
    "fields",
    [
        {"content": TEXT + "!"},
        {"is_outbound": False},
        {"number": "+12025550144"},
        {"sendblue_number": "+16285553009"},
        {"group_id": "group"},
        {"media_url": "https://files.test/a.png"},
        {"date_sent": "2026-11-24T19:00:00Z"},
        {"message_handle": None},
    ],
)
def test_what_is_not_ours_is_absence(fields: Json) -> None:
    assert find(row(**fields)) == Absent()


def test_a_file_is_looked_for_among_files() -> None:
    trace = replace(TRACE, text="", files=1)
    assert find(row(content="", media_url="https://files.test/a.png"), trace=trace) == Found(Accepted(HANDLE))


def test_what_cannot_be_read_might_be_it() -> None:
    assert isinstance(find(row(message_handle="odd", content=7)), CannotTell)
    assert isinstance(find(row(message_handle="odd", content=7), row(content="other")), CannotTell)
    assert find(row(message_handle="odd", content=7), row()) == Found(Accepted(HANDLE))


def test_nobody_knows_what_became_of_error_10002() -> None:
    assert isinstance(find(row(status="ERROR", error_code=10002)), CannotTell)


def test_pages_are_gone_through_to_the_last() -> None:
    steps = [page(row(content="other"), query=QUERY, more=True), page(row(), query=QUERY, offset=100)]
    assert ask(lambda channel: channel.find(DEVICE, TRACE), *steps) == Found(Accepted(HANDLE))


def test_more_than_can_be_looked_through_is_no_absence() -> None:
    steps = [page(row(content="other"), query=QUERY, offset=100 * number, more=True) for number in range(10)]
    assert isinstance(ask(lambda channel: channel.find(DEVICE, TRACE), *steps), CannotTell)


@pytest.mark.parametrize(
    "answer", [says(500, "x"), says(401, {"status": "ERROR"}), says(200, "<html>"), breaks(httpx2.ReadTimeout)]
)
def test_no_answer_is_no_absence(answer: Answerer) -> None:
    finding = ask(lambda channel: channel.find(DEVICE, TRACE), step("GET", "/api/v2/messages", answer))
    assert isinstance(finding, CannotTell)
    assert SECRET not in repr(finding)


# Settings


def test_a_line_needs_a_key_and_its_secret() -> None:
    setup = Sendblue.kind.setup_from({"apiKeyId": "key", "apiSecretKey": "s3cret"})
    assert setup.config == {"apiKeyId": "key", "baseUrl": "https://api.sendblue.co"}
    assert setup.secrets == {"apiSecretKey": "s3cret"}
    with pytest.raises(Refused):
        Sendblue.kind.setup_from({"apiKeyId": "key"})


@pytest.mark.parametrize("number", ["+1 628 555 3000", "16285553000", "(628) 555-3000", "+0628555300", "me"])
def test_a_number_is_written_as_sendblue_writes_it_or_nothing_that_comes_to_it_would_be_known(number: str) -> None:
    needed = {"apiKeyId": "key", "apiSecretKey": "s3cret"}
    assert Sendblue.kind.setup_from({**needed, "fromNumber": LINE}).config["fromNumber"] == LINE
    with pytest.raises(Refused, match="fromNumber must be a number as"):
        Sendblue.kind.setup_from({**needed, "fromNumber": number})


def test_times_agree() -> None:
    # The cases beside this file rest on it.
    assert MADE_AT < LATER_AT < NOW_MS
