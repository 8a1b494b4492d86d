"""Which faults a seed has, and when: every boundary asks here, and the answer comes from the seed alone.

A fault has a budget, so that each story ends: what is retried must one day succeed.
"""

from dataclasses import dataclass, replace
from random import Random

#: Deaths strike where they can hurt: around these actions a process dies more often than elsewhere.
_TENDER = frozenset({"take", "claim", "hand", "record", "rescue", "conclude", "receive", "note_poll", "cancel", "change_line"})

_STALL = 0.002


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each kind of fault is, at each boundary."""

    deaths: int = 0
    death: float = 0.0
    refused: float = 0.0
    lost: float = 0.0
    answer_lost: float = 0.0
    hangs: float = 0.0
    gateway: float = 0.0
    delay: float = 0.0
    hook_lost: float = 0.0
    hook_twice: float = 0.0
    hook_late: float = 0.0
    call_lost: float = 0.0
    call_answer_lost: float = 0.0
    yields: float = 0.2
    slow: float = 0.0
    stalls: int = 0


CALM = Weather()


@dataclass(frozen=True, slots=True)
class Fate:
    """What the network does to one request. `page` is an answer that something between makes up."""

    refused: bool = False
    arrives: bool = True
    delay_ms: int = 0
    answered: bool = True
    answer_delay_ms: int = 0
    hangs: bool = False
    page: int | None = None
    twice_after_ms: int | None = None

    @property
    def is_fault(self) -> bool:
        return self != Fate(delay_ms=self.delay_ms, answer_delay_ms=self.answer_delay_ms)


class Faults:
    """The faults of one seed."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.weather = weather
        self._deaths_left, self._stalls_left = weather.deaths, weather.stalls
        self._store, self._wire, self._hook, self._call = (Random(f"{seed}/{name}") for name in ("store", "wire", "hook", "call"))
        self._stall = Random(f"{seed}/stall")
        self.is_over = False

    def dies(self, where: str) -> bool:
        if self._deaths_left <= 0 or self.is_over:
            return False
        weight = 1.0 if where in _TENDER else 0.1
        if self._store.random() >= self.weather.death * weight:
            return False
        self._deaths_left -= 1
        return True

    def database_wait_s(self) -> float | None:
        draw = self._store.random()
        if draw < self.weather.slow and not self.is_over:
            return self._store.choice((0.001, 0.02, 0.3, 2.5))
        return 0.0 if draw < self.weather.slow + self.weather.yields else None

    def stall_s(self) -> float:
        """Return for how long the machine stands still between two steps: as when it sleeps, or swaps."""
        if self._stall.random() > _STALL or self.is_over:
            return 0.0
        self._stalls_left -= 1
        return self._stall.choice((0.5, 2.1, 16.0, 400.0)) if self._stalls_left >= 0 else 0.0

    def of_request(self, longest_delay_ms: int, *, is_send: bool) -> Fate:
        """Draw the fate of a request to a Mac. A send is late by at most what its line allows for."""
        w, dice = self.weather, self._wire
        if self.is_over:
            return Fate()
        draw, slip = dice.random(), dice.random()
        delay_ms = dice.choice((1, 40, 900, longest_delay_ms if is_send else 8_000)) if slip < w.delay else 0
        answer_delay_ms = dice.choice((0, 5, 700, 3_000, 30_000)) if slip < 2 * w.delay else 0
        fate = Fate(delay_ms=delay_ms, answer_delay_ms=answer_delay_ms)
        if not is_send:
            draw *= 6  # A device of whom every question fails is merely down, which is a fault of its own.
        for limit, one in _stacked(
            (w.refused, replace(fate, refused=True, arrives=False)),
            (w.lost, replace(fate, arrives=False, answered=False, hangs=slip > 0.5)),
            (w.answer_lost, replace(fate, answered=False)),
            (w.hangs, replace(fate, answered=False, hangs=True)),
            (w.gateway, replace(fate, page=504, arrives=slip < 0.6)),
            (w.gateway / 3, replace(fate, page=521, arrives=False)),
        ):
            if draw < limit:
                return one
        return fate

    def of_hook(self) -> Fate:
        w, dice = self.weather, self._hook
        if self.is_over:
            return Fate()
        draw, length = dice.random(), dice.choice((1, 60, 1_500, 40_000))
        for limit, one in _stacked(
            (w.hook_lost, Fate(arrives=False, refused=True)),
            (w.hook_twice, Fate(twice_after_ms=length)),
            (w.hook_late, Fate(delay_ms=length)),
        ):
            if draw < limit:
                return one
        return Fate()

    def of_call(self) -> Fate:
        w, dice = self.weather, self._call
        if self.is_over:
            return Fate()
        draw = dice.random()
        for limit, one in _stacked(
            (w.call_lost, Fate(arrives=False, answered=False)),
            (w.call_answer_lost, Fate(answered=False)),
        ):
            if draw < limit:
                return one
        return Fate()


def _stacked(*chances: tuple[float, Fate]) -> list[tuple[float, Fate]]:
    total, stacked = 0.0, []
    for chance, fate in chances:
        total += chance
        stacked.append((total, fate))
    return stacked
