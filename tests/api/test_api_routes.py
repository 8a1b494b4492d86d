"""Health, reports of devices, and the documentation's pages."""

from api.house import house, run


def test_ready_only_when_started_and_the_database_answers() -> None:
    async def main() -> None:
        ready = [False]
        async with house(is_ready=lambda: ready[0]) as it:
            assert (await it.client.get("/healthz")).status_code == 200
            assert (await it.client.get("/readyz")).status_code == 503
            ready[0] = True
            assert (await it.client.get("/readyz")).json() == {"status": "ready"}
            await it.store.close()
            assert (await it.client.get("/readyz")).status_code == 503
            assert (await it.client.get("/healthz")).status_code == 200

    run(main)


def test_a_report_is_taken_by_its_token_alone() -> None:
    async def main() -> None:
        async with house() as it:
            taken = await it.client.post("/hooks/bluebubbles/known", content=b"\xff not json")
            assert (taken.status_code, taken.json()) == (200, {"success": True})
            assert it.reports.taken == [("bluebubbles", "known", b"\xff not json")]
            assert (await it.client.post("/hooks/bluebubbles/other", content=b"{}")).status_code == 404
            assert (await it.client.get("/hooks/bluebubbles/known?status=sent")).status_code == 200
            assert (await it.client.put("/hooks/bluebubbles/known")).status_code == 405
            too_large = b"x" * (it.settings.body_max_bytes + 1)
            assert (await it.client.post("/hooks/bluebubbles/known", content=too_large)).status_code == 413
            assert len(it.reports.taken) == 2

    run(main)


def test_the_page_and_all_it_needs_are_served_and_nothing_else() -> None:
    async def main() -> None:
        async with house() as it:
            page = await it.client.get("/docs")
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "http://" not in page.text
            assert "https://" not in page.text
            for name in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.js"):
                assert f"/docs/{name}" in page.text
                assert (await it.client.get(f"/docs/{name}")).status_code == 200
            for name in ("docs.py", "..%2Fdocs.py", "swagger-ui-NOTICE.txt", "none.js", "%2e%2e%2f__init__.py"):
                assert (await it.client.get(f"/docs/{name}")).status_code == 404

    run(main)


def test_lines_are_added_changed_and_listed() -> None:
    async def main() -> None:
        async with house() as it:
            new = {"url": "http://mac.local:1234", "password": "p4ss", "phone": "+16462230999"}
            added = await it.client.post("/api/lines", json=new, headers=it.auth)
            assert added.status_code == 201, added.text
            assert "p4ss" not in added.text
            assert "mac.local" not in added.text
            device_id, line_id = added.json()["line"]["deviceId"], added.json()["line"]["_id"]
            shared = {"deviceId": device_id, "email": "Lisa@iCloud.com"}
            second = await it.client.post("/api/lines", json=shared, headers=it.auth)
            assert (second.json()["line"]["deviceId"], second.json()["line"]["email"]) == (device_id, "lisa@icloud.com")
            changed = await it.client.patch(f"/api/lines/{line_id}", json={"deviceGapSeconds": 2}, headers=it.auth)
            assert changed.json()["line"]["deviceGapSeconds"] == 2
            listed = (await it.get("/api/lines/by-user")).json()["lines"]
            assert [one["_id"] for one in listed] == [it.lines[0].line.id, line_id, second.json()["line"]["_id"]]
            assert [one["deviceGapSeconds"] for one in listed] == [0, 2, 2]
            assert all(one["channel"] == "bluebubbles" for one in listed)

    run(main)


def test_a_line_that_makes_no_sense_is_refused() -> None:
    async def main() -> None:
        async with house() as it:
            good = {"url": "http://mac.local:1234", "password": "p4ss", "phone": "+16462230999"}
            for wrong, named in [
                ({"url": "mac.local"}, "url"),
                ({"url": "http://[::1"}, "url"),
                ({"url": "http://mac.local:99999"}, "url"),
                ({"url": "http://mac.local/?password=p4ss"}, "url"),
                ({"password": ""}, "password"),
                ({"phone": None}, "phone"),
                ({"phone": "12"}, "phone"),
                ({"email": "x"}, "email"),
                ({"channel": "carrier-pigeon"}, "channel"),
                ({"messageType": "sms"}, "messageType"),
                ({"timezone": "Mars/Base"}, "timezone"),
                ({"dailyTotalMessagesLimit": -1}, "dailyTotalMessagesLimit"),
                ({"dailyTotalMessagesLimit": 1.5}, "dailyTotalMessagesLimit"),
                ({"dailyNewConversationsLimit": True}, "dailyNewConversationsLimit"),
                ({"deviceGapSeconds": "30"}, "deviceGapSeconds"),
                ({"contactGapSeconds": 1e300}, "contactGapSeconds"),
                ({"deviceId": "x"}, "deviceId"),
            ]:
                answer = await it.client.post("/api/lines", json={**good, **wrong}, headers=it.auth)
                assert answer.status_code == 400, (wrong, answer.text)
                assert named in answer.json()["error"], (wrong, answer.text)
                assert "p4ss" not in answer.text
            unknown = {"deviceId": "0123456789abcdef01234567", "phone": "+16462230999"}
            assert (await it.client.post("/api/lines", json=unknown, headers=it.auth)).status_code == 404
            assert await it.count("lines") == 1

    run(main)
