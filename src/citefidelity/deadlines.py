"""Cuts off calls that take too long, but never one whose reply has already arrived.

After a gap in the clock (the process was stopped, the machine slept) many deadlines have passed at once while the
replies wait in the sockets. ``asyncio.timeout`` would cancel those calls: in one turn of the loop it fires before the
task that was just given its data runs. So when a deadline has passed, the loop first takes some more turns, each of
which reads every socket that has something, and only what is still waiting after them is cut.
"""

from __future__ import annotations

import asyncio
from itertools import takewhile
from typing import Any

from citefidelity.kinds import FailureKind
from citefidelity.ports import Clock

TURNS = 100
"""Turns of the loop before a cut. One turn reads up to 256 kB of each socket; a reply may have 2 MB, and the parser
hands it on in pieces, a few turns each."""


class Call:
    """One call under a deadline. ``cut`` says why it was cut off, None while it was not."""

    __slots__ = ("began", "cut", "due", "task")

    def __init__(self, task: asyncio.Task[Any], began: float, timeout: float) -> None:
        self.task = task
        self.began = began
        self.due = began + timeout
        self.cut: FailureKind | None = None


class Deadlines:
    """All calls in flight, each with the same total time. Enter just before a call, leave right after it."""

    def __init__(self, timeout: float, clock: Clock) -> None:
        self._timeout = timeout
        self._clock = clock
        # In order of their deadline, as all have the same timeout: one timer serves them all.
        self._calls: dict[Call, None] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._closing = False

    def enter(self, task: asyncio.Task[Any]) -> Call:
        """Put a task, the one that calls this, under a deadline from now on."""
        call = Call(task, self._clock.monotonic(), self._timeout)
        self._calls[call] = None
        if self._timer is None:
            self._arm()
        return call

    def leave(self, call: Call) -> None:
        """The call is over, however it ended."""
        self._calls.pop(call, None)
        if not self._calls and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cut_all(self) -> None:
        """Cut every call that has no reply by now: the run leaves."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._turn(TURNS)

    def _arm(self) -> None:
        first = next(iter(self._calls), None)
        if first is None:
            self._timer = None
            return
        wait = 0.0 if self._closing else max(0.0, first.due - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._turn, TURNS)

    def _turn(self, turns: int) -> None:
        if turns and self._overdue():
            self._timer = asyncio.get_running_loop().call_soon(self._turn, turns - 1)
            return
        for call in self._overdue():
            # Its reply may still come while the task unwinds; the answer is lost then, and counted as maybe paid.
            call.cut = FailureKind.ABANDONED if self._closing else FailureKind.TIMEOUT
            del self._calls[call]
            call.task.cancel()
        self._arm()

    def _overdue(self) -> list[Call]:
        if self._closing:
            return list(self._calls)
        now = self._clock.monotonic()
        return list(takewhile(lambda call: call.due <= now, self._calls))
