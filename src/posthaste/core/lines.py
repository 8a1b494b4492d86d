"""Lines and devices: the sending identities, the things they send through, and which line takes a message.

A device is the lock of everything that leaves through it. A line has two clocks: `opens_at` for all messages and
`new_opens_at` for first messages to new people, so that a full day of new conversations never holds a reply. Both
follow from its counts: a line that has used up its day opens when that day ends.
"""

from collections.abc import Sequence

from posthaste.core.messages import Lane
from posthaste.core.row import Row, replace
from posthaste.core.windows import LATEST_AT, day_start_after

#: When a line that is allowed nothing at all opens: not before somebody raises its cap.
NEVER_AT = LATEST_AT


class Device(Row, frozen=True):
    """A row of `devices` without what only its channel reads.

    `arrival_ms`: how long a text may still arrive after its hand-over; `files_arrival_ms` the same with attachments.
    """

    id: str
    workspace_id: str
    channel: str
    state: str
    state_reason: str | None
    state_at: int
    checked_at: int | None
    failures: int
    gap_ms: int
    free_at: int
    ready_at: int | None
    in_flight: int
    max_in_flight: int
    check_gap_ms: int
    check_free_at: int
    arrival_ms: int
    cursor: int
    files_arrival_ms: int = 0

    @property
    def is_up(self) -> bool:
        return self.state == "up"

    def arrives_within_ms(self, *, has_files: bool) -> int:
        return self.files_arrival_ms if has_files else self.arrival_ms

    def ready_by(self, at: int) -> "Device":
        """Return the device as one that has work from `at` on, or from when it is free."""
        at = max(at, self.free_at)
        return self if self.ready_at is not None and self.ready_at <= at else replace(self, ready_at=at)


class Line(Row, frozen=True):
    """A row of `lines`.

    Its counts are of the day that ends at `usage_until`: what was sent (`usage_*`) and given to it (`chosen_*`). One that was
    deleted is not active and stays only for the messages that name it.
    """

    id: str
    workspace_id: str
    device_id: str
    message_type: str
    phone: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    is_active: bool
    timezone: str
    messages_per_day: int
    new_per_day: int
    checks_per_day: int
    contact_gap_ms: int
    contact_free_at: int
    usage_until: int
    usage_total: int
    usage_new: int
    usage_checks: int
    chosen_at: int
    chosen_total: int
    chosen_new: int
    created_at: int
    updated_at: int
    deleted_at: int | None = None

    @property
    def opens_at(self) -> int:
        """The instant from which any message may go."""
        return self._full_until(self.usage_total, self.messages_per_day)

    @property
    def new_opens_at(self) -> int:
        """The instant from which a first message to a new person may go."""
        return max(self.opens_at, self.contact_free_at, self.new_full_until)

    @property
    def new_full_until(self) -> int:
        """The instant from which the day's cap on new conversations allows one more."""
        return self._full_until(self.usage_new, self.new_per_day)

    def _full_until(self, used: int, per_day: int) -> int:
        if per_day <= 0:
            return NEVER_AT  # The next day brings nothing either.
        return self.usage_until if used >= per_day else 0

    def lane_opens_at(self, lane: int) -> int:
        return self.new_opens_at if lane == Lane.NEW else self.opens_at

    def on_day_of(self, now: int) -> "Line":
        """Return the line with the counts of the day of `now`: fresh ones if its last day has ended."""
        if now < self.usage_until:
            return self
        return replace(
            self,
            usage_until=day_start_after(now, self.timezone),
            usage_total=0,
            usage_new=0,
            usage_checks=0,
            chosen_total=0,
            chosen_new=0,
        )

    def after_claim(self, now: int, *, is_new: bool) -> "Line":
        """Count one message that is about to leave; a first message also starts the gap to the next new person."""
        line = self.on_day_of(now)
        return replace(
            line,
            usage_total=line.usage_total + 1,
            usage_new=line.usage_new + is_new,
            contact_free_at=now + line.contact_gap_ms if is_new else line.contact_free_at,
        )

    def after_return(self, usage_until: int, *, was_new: bool) -> "Line":
        """Give back what one claim on the day that ended at `usage_until` had counted."""
        if usage_until != self.usage_until:
            return self
        return replace(self, usage_total=max(0, self.usage_total - 1), usage_new=max(0, self.usage_new - was_new))

    def has_room(self, now: int, *, is_new: bool) -> bool:
        """Tell whether one more message given to this line today could still go today."""
        if now >= self.usage_until:
            return self.ever_has_room(is_new=is_new)
        if max(self.usage_total, self.chosen_total) >= self.messages_per_day:
            return False
        return not is_new or max(self.usage_new, self.chosen_new) < self.new_per_day

    def ever_has_room(self, *, is_new: bool) -> bool:
        """Tell whether its caps allow such a message on any day."""
        return self.messages_per_day > 0 and (self.new_per_day > 0 or not is_new)

    def after_choice(self, now: int, *, is_new: bool) -> "Line":
        """Count one message given to this line, and send it to the end of the round."""
        line = self.on_day_of(now)
        return replace(line, chosen_at=now, chosen_total=line.chosen_total + 1, chosen_new=line.chosen_new + is_new)

    def after_acceptance(self, now: int, due_at: int, *, is_new: bool) -> "Line":
        """Count a message that is due today; one for a later day takes no room today, but it has had its turn."""
        line = self.on_day_of(now)
        return line.after_choice(now, is_new=is_new) if due_at < line.usage_until else replace(line, chosen_at=now)


def take_turn(lines: Sequence[Line], now: int, *, is_new: bool) -> tuple[Line, bool]:
    """Return the line whose turn it is among `lines` in order of their turn, and whether it has room today.

    If none has room, the one that has room first, which one that is allowed nothing never has; `lines` must not be empty.
    """
    for line in lines:
        if line.has_room(now, is_new=is_new):
            return line, True
    return min(lines, key=lambda line: (not line.ever_has_room(is_new=is_new), line.usage_until, line.chosen_total)), False
