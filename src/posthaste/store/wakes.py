"""Who wants to be woken by which topic. One registry for each store, used on the event loop's thread only.

A topic is a short text such as `devices` or `message:64f…`. A pattern is a topic, or the beginning of some followed
by `*`. Callbacks must be quick and must not await: they set an event or start a task.
"""

from collections.abc import Callable, Iterable

Call = Callable[[str], None]


class Wakes:
    """The callbacks by topic, and those by beginning."""

    __slots__ = ("_exact", "_on_error", "_prefixes")

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._exact: dict[str, list[Call]] = {}
        self._prefixes: dict[str, list[Call]] = {}
        self._on_error = on_error

    def add(self, pattern: str, call: Call) -> Callable[[], None]:
        """Register a callback and return how to take it away again; taking it away twice does nothing."""
        table, key = (self._prefixes, pattern[:-1]) if pattern.endswith("*") else (self._exact, pattern)
        table.setdefault(key, []).append(call)
        here = [True]

        def remove() -> None:
            if not here:
                return
            here.clear()
            table[key].remove(call)
            if not table[key]:
                del table[key]

        return remove

    def dispatch(self, topics: Iterable[str]) -> None:
        """Call everybody whom one of the topics concerns, once for each topic."""
        for topic in topics:
            for call in self._concerned(topic):
                self._call(call, topic)

    def dispatch_all(self) -> None:
        """Call everybody once, as after an outage that may have swallowed any wake-up; patterns get their own text."""
        for topic, calls in list(self._exact.items()):
            for call in list(calls):
                self._call(call, topic)
        for prefix, calls in list(self._prefixes.items()):
            for call in list(calls):
                self._call(call, prefix + "*")

    def _concerned(self, topic: str) -> list[Call]:
        concerned = list(self._exact.get(topic, ()))
        for prefix, calls in self._prefixes.items():
            if topic.startswith(prefix):
                concerned.extend(calls)
        return concerned

    def _call(self, call: Call, topic: str) -> None:
        try:
            call(topic)
        except Exception as error:
            # One listener's mistake must not take the wake-up from the others.
            self._on_error(error)
