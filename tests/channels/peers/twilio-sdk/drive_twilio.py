"""Drive Twilio's own Python library, in its own environment: `calls` makes requests, `signatures` signs and judges callbacks.

One line of JSON in, one out. The library sends to the host that it knows; a client of its own seam leads it elsewhere.
"""

import json
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client


class Elsewhere(TwilioHttpClient):
    """The library's HTTP client, with every request led to another server."""

    def __init__(self, base):
        super().__init__()
        self._base = base

    def request(self, method, url, *args, **kwargs):
        parts = urlsplit(url)
        target = self._base + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().request(method, target, *args, **kwargs)


def calls(given):
    client = Client(given["account"], given["token"], http_client=Elsewhere(given["base"]))
    by_key = Client(given["key"], given["secret"], given["account"], http_client=Elsewhere(given["base"]))
    since = datetime.fromtimestamp(given["since"], UTC)
    sent = {"to": given["to"], "body": given["body"], "status_callback": given["callback"]}
    return [
        client.messages.create(from_=given["from"], **sent).sid,
        by_key.messages.create(messaging_service_sid=given["service"], media_url=given["media"], **sent).sid,
        [one.sid for one in client.messages.list(to=given["to"], from_=given["from"], page_size=200)],
        [one.sid for one in client.messages.list(to=given["from"], date_sent_after=since, page_size=200)],
        client.messages(given["sid"]).fetch().status,
        [one.sid for one in client.messages(given["sid"]).media.list()],
        client.api.v2010.accounts(given["account"]).fetch().status,
        [one.sid for one in client.incoming_phone_numbers.list(phone_number=given["from"])],
        client.incoming_phone_numbers(given["number"])
        .update(sms_url=given["callback"], sms_method="POST", sms_application_sid="")
        .sid,
    ]


class Several(dict):
    """A form whose fields may repeat, as web frameworks hand it over."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self._pairs = pairs

    def getlist(self, name):
        return [value for other, value in self._pairs if other == name]


def signatures(given):
    validator = RequestValidator(given["token"])
    made = []
    for case in given["cases"]:
        url, fields = case["url"], case["fields"]
        fields = Several(fields) if isinstance(fields, list) else fields
        # A body of JSON is signed by its hash, which stands in the address.
        signature = case.get("signature") or validator.compute_signature(url, {} if isinstance(fields, str) else fields)
        made.append({"signature": signature, "is_valid": validator.validate(case.get("judged", url), fields, signature)})
    return made


if __name__ == "__main__":
    print(json.dumps({"calls": calls, "signatures": signatures}[sys.argv[1]](json.load(sys.stdin))))
