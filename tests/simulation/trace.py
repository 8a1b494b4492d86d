"""The story of a run, line by line: what two runs of one seed are compared by, and what a person reads when one fails."""

from dataclasses import dataclass, field
from hashlib import sha256

from .virtual import VirtualClock


@dataclass
class Trace:
    """Everything that happened, in order."""

    clock: VirtualClock
    lines: list[str] = field(default_factory=list)

    def say(self, who: str, what: str) -> None:
        at = self.clock.now_ms() - self.clock.began_at
        self.lines.append(f"{at // 1000:>9}.{at % 1000:03d}  {who:<9} {what}")

    def digest(self) -> str:
        return sha256("\n".join(self.lines).encode()).hexdigest()
