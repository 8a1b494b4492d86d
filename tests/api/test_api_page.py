"""The page at `/docs` in a real browser: a call is tried, and no other server is asked for anything."""

import shutil

from api.served import served
from fixtures.installed import did_not_run

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_a_newcomer_sends_a_message_from_the_page() -> None:
    if BROWSER is None:
        did_not_run("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with served() as (address, it), sync_playwright() as players:
        browser = players.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{address}/docs")
        page.click("#operations-Messages-sendMessage .opblock-summary-control")
        page.click(".authorize")
        page.locator(".auth-container input").first.fill(it.key)
        page.locator(".auth-btn-wrapper .authorize").first.click()
        page.locator(".auth-btn-wrapper .btn-done").first.click()
        page.click(".execute")
        answer = page.locator(".live-responses-table .response").first.inner_text()
        browser.close()
        assert answer.startswith("201")
        assert "Hi from Posthaste." in answer
        assert [url for url in asked if not url.startswith(address)] == []
        assert said == []
