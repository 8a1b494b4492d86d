"""A provider that follows a script: the requests that it expects, in order, and what it answers to each.

A request that differs from the script or comes after its end fails the test at once, and so does a script that was not
played to its end; a channel therefore cannot ask more, less or other than the case says. No provider is known here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from posthaste.channels.http import open_client

Answerer = Callable[[httpx2.Request], httpx2.Response]


@dataclass(frozen=True)
class Step:
    """One request and its answer. `None` for `body` or `query` means that the case does not care."""

    method: str
    path: str
    answer: Answerer
    body: object = None
    query: Mapping[str, str] | None = None


def says(status: int, body: object = None, **headers: str) -> Answerer:
    """Answer with a status and JSON, or with a text where `body` is one."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx2.Response(status, content=content, headers=named)


def breaks(error: type[httpx2.RequestError]) -> Answerer:
    """Fail as the network does."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        # The library's own texts are quoted in no outcome; one with the URL in it proves that.
        raise error(f"cannot {request.url}", request=request)

    return answer


class Wire(httpx2.AsyncBaseTransport):
    """Play the steps; as a context manager, make sure at the end that all were played."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self._wrong: list[str] = []
        self.client = open_client(transport=self)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        if not self._steps:
            self._complain(f"unexpected {_line(request)}")
        step = self._steps.pop(0)
        self._compare("request", _line(request), f"{step.method} {step.path}")
        if step.body is not None:
            self._compare("body", json.loads(request.content), json.loads(json.dumps(step.body)))
        if step.query is not None:
            self._compare("query", dict(request.url.params), dict(step.query))
        return step.answer(request)

    def _compare(self, what: str, seen: object, expected: object) -> None:
        if seen != expected:
            self._complain(f"{what}: saw {seen!r}, expected {expected!r}")

    def _complain(self, wrong: str) -> None:
        self._wrong.append(wrong)
        raise AssertionError(wrong)

    def check(self) -> None:
        """Fail for what went wrong, even if the channel swallowed it, and for what was never asked."""
        assert not self._wrong, self._wrong
        assert not self._steps, [f"never asked: {step.method} {step.path}" for step in self._steps]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.client.aclose()
        if exc_value is None:
            self.check()


def _line(request: httpx2.Request) -> str:
    """Return method and path as they travel, percent signs and all."""
    return f"{request.method} {request.url.raw_path.partition(b'?')[0].decode()}"
