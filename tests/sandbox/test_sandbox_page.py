"""A person uses the page in a real browser: texts and pictures appear, answers and tapbacks go out, a Mac is switched off,
nothing is fetched from outside.
"""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from miniworld import LINE, ORDINARY, number, texts
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fixtures.installed import did_not_run
from posthaste.sandbox.numbers import Script
from posthaste.sandbox.server import Sandbox, spawn

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SMS_LINE = "+16285552000"
# A picture of one dot.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = spawn(tmp_path)
    httpx2.post(f"{sandbox.url}/devices", json={"id": "mac", "phone": LINE, "password": "pw"})
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        did_not_run("there is no Chromium on this machine")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(sandbox: Sandbox, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(sandbox.url)
    yield page
    page.close()
    assert asked == {urlsplit(sandbox.url).netloc}


def send(sandbox: Sandbox, to: str, text: str) -> None:
    body = {"addresses": [to], "message": text, "method": "private-api"}
    httpx2.post(f"{sandbox.url}/macs/mac/api/v1/chat/new?guid=pw", json=body).raise_for_status()


def rows(sandbox: Sandbox) -> list[str]:
    url = f"{sandbox.url}/macs/mac/api/v1/message/query?guid=pw"
    return texts(httpx2.post(url, json={"sort": "ASC"}).json()["data"])


def test_a_text_appears_by_itself_as_text_and_its_receipt_follows(sandbox: Sandbox, page: Page) -> None:
    expect(page.locator("#empty")).to_be_visible()
    send(sandbox, number(Script.READ), "<b>Hello</b>\n<script>alert(1)</script>")
    expect(page.locator(".bubble")).to_have_text("<b>Hello</b>\n<script>alert(1)</script>")
    expect(page.locator(".stamp")).to_have_text("read")
    expect(page.locator("#empty")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it fits on a phone"


def test_a_picture_is_shown_and_another_file_is_offered(sandbox: Sandbox, page: Page) -> None:
    send(sandbox, ORDINARY, "Hello")
    files = [{"name": "dot.png", "contentBase64": DOT}, {"name": "page.html", "contentBase64": "PGI+aGk8L2I+"}]
    httpx2.post(f"{sandbox.url}/phones/{ORDINARY}/send", json={"to": LINE, "text": "Look", "attachments": files})
    own = page.locator(".bubble.own")
    expect(own.locator(".words")).to_have_text("Look")
    expect(own.get_by_role("img", name="dot.png")).to_have_js_property("naturalWidth", 1)
    link = own.get_by_role("link", name="page.html")
    expect(link).to_have_attribute("download", "page.html")
    with page.expect_download() as download:
        link.click()
    assert download.value.path().read_bytes() == b"<b>hi</b>"


def test_a_person_sends_a_file_by_its_button(sandbox: Sandbox, page: Page) -> None:
    send(sandbox, ORDINARY, "Hello")
    card = page.locator(".phone")
    file = {"name": "dot.png", "mimeType": "image/png", "buffer": base64.b64decode(DOT)}
    card.get_by_label("Attach files").set_input_files(file)
    expect(card.locator(".chosen")).to_have_text("dot.png")
    card.get_by_role("button", name="Send answer").click()
    expect(card.get_by_role("img", name="dot.png")).to_have_js_property("naturalWidth", 1)
    expect(card.locator(".chosen")).to_be_hidden()
    assert rows(sandbox) == ["Hello", "\ufffc"]


def test_a_tapback_is_given_shown_and_taken_back(sandbox: Sandbox, page: Page) -> None:
    send(sandbox, ORDINARY, "Hello")
    card = page.locator(".phone")
    for done in ("Loved", "Removed a heart from"):
        card.get_by_label("React").click()
        card.get_by_role("button", name="love").click()
        expect(card.locator(".tapbacks").get_by_label("love")).to_have_count(1 if done == "Loved" else 0)
        assert rows(sandbox)[-1] == f"{done} “Hello”"
    expect(card.locator(".bubble")).to_have_count(1)


def test_a_person_reads_and_types_and_sees_the_mac_type(sandbox: Sandbox, page: Page) -> None:
    silent = number(Script.SILENT)
    send(sandbox, silent, "Hello")
    card = page.locator(".phone")
    card.get_by_role("button", name="mark read").click()
    expect(card.locator(".stamp")).to_have_text("read")
    with page.expect_response(lambda answer: answer.url.endswith("/typing") and answer.ok):
        card.get_by_label(f"Answer as {silent}").press_sequentially("Hi")
    mac = f"{sandbox.url}/macs/mac/api/v1/chat/iMessage;-;{silent.replace('+', '%2B')}/typing?guid=pw"
    httpx2.post(mac).raise_for_status()
    expect(card.locator(".typing")).to_be_visible()
    httpx2.delete(mac).raise_for_status()
    expect(card.locator(".typing")).to_have_count(0)


def test_an_answer_that_is_being_written_stays_and_goes_to_the_line(sandbox: Sandbox, page: Page) -> None:
    send(sandbox, ORDINARY, "Are you there?")
    answer = page.get_by_label(f"Answer as {ORDINARY}", exact=True)
    answer.fill("Yes, I am")
    send(sandbox, "+12025550144", "Another phone")
    expect(page.locator(".phone")).to_have_count(2)
    expect(answer).to_have_value("Yes, I am")
    answer.press("Enter")
    expect(page.locator(".bubble.own")).to_have_text("Yes, I am")
    expect(answer).to_have_value("")
    assert rows(sandbox) == ["Are you there?", "Another phone", "Yes, I am"]


def test_a_person_who_cannot_write_is_told_why(sandbox: Sandbox, page: Page) -> None:
    form = page.locator("#write")
    form.get_by_label("From").fill(number(Script.NO_IMESSAGE))
    form.get_by_label("Text").fill("Hello")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("not on iMessage")
    form.get_by_label("From").fill(ORDINARY)
    form.get_by_role("button", name="Send").click()
    expect(page.locator(".bubble.own")).to_have_text("Hello")
    expect(form.get_by_role("alert")).to_have_count(0)


def test_a_mac_is_switched_off_and_on(sandbox: Sandbox, page: Page) -> None:
    switch = page.get_by_role("switch", name=f"Mac of {LINE}")
    for is_up in ("false", "true"):
        switch.click()
        expect(switch).to_have_attribute("aria-checked", is_up)
        [mac] = httpx2.get(f"{sandbox.url}/devices").json()
        assert mac["state"] == {"true": "up", "false": "down"}[is_up]


def test_text_messages_and_mail_are_shown_and_answered_too(sandbox: Sandbox, page: Page) -> None:
    android = {"kind": "android", "id": "android", "phone": SMS_LINE, "username": "u", "password": "p"}
    mailbox = {"kind": "mail", "id": "mail", "email": "me@posthaste.example", "password": "p"}
    for device in (android, mailbox):
        httpx2.post(f"{sandbox.url}/devices", json=device).raise_for_status()
    httpx2.post(f"{sandbox.url}/phones/{ORDINARY}/send", json={"to": SMS_LINE, "text": "By SMS"}).raise_for_status()
    mail = {"to": "me@posthaste.example", "text": "By mail"}
    httpx2.post(f"{sandbox.url}/phones/ana@people.example/send", json=mail).raise_for_status()
    for who, channel, text in ((ORDINARY, "SMS", "By SMS"), ("ana@people.example", "E-mail", "By mail")):
        card = page.locator(".phone").filter(has_text=text)
        expect(card.locator(".from").first).to_contain_text(channel)
        card.get_by_label(f"Answer as {who}", exact=True).fill("Once more")
        card.get_by_role("button", name="Send answer").click()
        expect(card.locator(".bubble.own")).to_have_text([text, "Once more"])
        expect(card.get_by_label("React")).to_have_count(0)
    switch = page.get_by_role("switch", name=f"Android phone of {SMS_LINE}")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(page.get_by_role("switch", name="Mail server of me@posthaste.example")).to_have_attribute("aria-checked", "true")


def test_scripted_mailboxes_are_listed_and_a_mail_is_written_from_an_address(sandbox: Sandbox, page: Page) -> None:
    mailbox = {"kind": "mail", "id": "mail", "email": "me@posthaste.example", "password": "p"}
    httpx2.post(f"{sandbox.url}/devices", json=mailbox).raise_for_status()
    expect(page.get_by_role("button", name="Copy bounces@people.example")).to_be_visible()
    form = page.locator("#write")
    form.get_by_label("To line").select_option("me@posthaste.example")
    form.get_by_label("Text").fill("Hello")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_have_text("+12025550143 has no e-mail address, so it cannot write an e-mail")
    form.get_by_label("From").fill("ana@people.example")
    form.get_by_role("button", name="Send").click()
    expect(page.locator(".bubble.own")).to_have_text("Hello")


def test_it_says_when_the_sandbox_is_gone(sandbox: Sandbox, page: Page) -> None:
    expect(page.locator("#live")).to_have_text("live")
    sandbox.stop()
    expect(page.locator("#live")).to_have_text("sandbox not reachable")
