"""One action on its way to a database thread and back.

A job is made on the event loop, run on a database thread and resumed on the loop again. Its caller may be gone by
then: a cancelled caller's job runs or not, and nobody is told. Which transaction it runs in is the stores'
business.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from posthaste.store.transaction import Transaction
from posthaste.store.wakes import Wakes


class Open(Transaction, Protocol):
    """A transaction as its store sees it: with whom it wakes after the commit."""

    topics: dict[str, None]


class Job:
    """An action with its arguments, and what came of it."""

    __slots__ = ("_action", "_args", "_error", "_future", "_kwargs", "_result", "_transaction")

    def __init__(
        self, future: asyncio.Future[Any], action: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._future = future
        self._action = action
        self._args = args
        self._kwargs = kwargs
        self._result: Any = None
        self._error: BaseException | None = None
        self._transaction: Open | None = None

    @property
    def is_unwanted(self) -> bool:
        """Tell whether the caller has gone, so that the action need not begin."""
        return self._future.cancelled()

    def run(self, transaction: Open) -> None:
        """Run the action; what an earlier run left is forgotten."""
        self._error = self._transaction = None
        self._result = self._action(transaction, *self._args, **self._kwargs)
        self._transaction = transaction

    def fail(self, error: BaseException) -> None:
        """Have the caller get this error, and drop what was to follow the commit."""
        self._error = error
        self._result = self._transaction = None

    @property
    def topics(self) -> Iterable[str]:
        return self._transaction.topics if self._transaction else ()

    def resume(self) -> None:
        """Hand the result or the error to the caller, if it still waits. Only on the loop's thread."""
        if self._future.done():
            return
        match self._error:
            case None:
                self._future.set_result(self._result)
            case StopIteration() as error:
                # A future refuses StopIteration, and would leave its caller waiting for ever.
                self._future.set_exception(RuntimeError(f"an action raised {error!r}"))
            case error:
                self._future.set_exception(error)


def deliver(jobs: Iterable[Job], wakes: Wakes) -> None:
    """Resume the callers of finished jobs, then wake whom their commits concern. Only on the loop's thread."""
    topics: dict[str, None] = {}
    for job in jobs:
        job.resume()
        topics.update(dict.fromkeys(job.topics))
    wakes.dispatch(topics)


def report_to(loop: asyncio.AbstractEventLoop) -> Callable[[Exception], None]:
    """Return how to tell a loop of an error that no caller waits for."""

    def report(error: Exception) -> None:
        loop.call_exception_handler({"message": "a call after a commit failed", "exception": error})

    return report
