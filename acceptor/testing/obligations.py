"""The deadlines that a memory connection's server end obeys, as the sockets of real transports."""

import attrs

from acceptor.core.deadlines import Clock, Deadline, Timeouts
from acceptor.core.errors import DeadlineError
from acceptor.core.interfaces import Traffic


@attrs.define(eq=False)
class Obligations:
    """What one request obeys, and the bytes that it has read and written."""

    timeouts: Timeouts
    traffic: Traffic
    _clock: Clock
    _connection: Deadline
    _stalled_at: int = attrs.field(default=-1, init=False)

    @property
    def has_stalled(self) -> bool:
        """Whether the client exceeded a limit, and nothing has come or gone since."""
        return self._stalled_at == self.traffic[0] + self.traffic[1]

    def deadline(self, own: float | None, *, reads: bool) -> Deadline:
        """Return when a read or write that begins now takes too long.

        A timeout of the socket's own stands in for ours, but for that of the connection.

        Raises:
            DeadlineError: The connection's time is over already.
        """
        if self._connection.passed:
            raise self.late(own, reads=reads)
        seconds = self._limit(reads=reads) if own is None else own
        return Deadline.after(seconds, self._clock).sooner(self._connection)

    def late(self, own: float | None, *, reads: bool) -> TimeoutError:
        """Note that the client has exceeded a limit, and return the error that says which."""
        self._stalled_at = self.traffic[0] + self.traffic[1]
        if self._connection.passed:
            return DeadlineError("the connection has lasted longer than it may")
        if own is not None:
            return TimeoutError("timed out")
        act = "sent" if reads else "took"
        return DeadlineError(f"the client {act} nothing for {self._limit(reads=reads):g} s")

    def _limit(self, *, reads: bool) -> float | None:
        if not reads:
            return self.timeouts.write
        return self.timeouts.idle if self.traffic[0] else self.timeouts.first_data
