"""What a person sees while a run is under way: a small board on a terminal, a line now and then elsewhere.

Everything is written by one thread of its own. A terminal that is paused (Ctrl-S), a slow connection or a full pipe
then holds up that thread, and no call: the run goes on, and only frames are left out.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from citefidelity.meter import Snapshot
from citefidelity.views.advice import Watch
from citefidelity.views.report import Started

LINES_KEPT = 1_000
"""Lines that wait while the terminal is paused; older ones are dropped, and their number is said."""
GOODBYE_S = 1.0
"""How long the end of a run waits for a terminal that does not take what is written."""


class Frame(NamedTuple):
    """The numbers of one moment, and whether the run is on its way out."""

    numbers: Snapshot
    stopping: bool


class Painter(Protocol):
    """Puts the numbers before a person. Called from one thread only; may take as long as it takes."""

    every: float
    """Seconds from one frame to the next."""

    def begin(self, started: Started) -> None:
        """Say what the run found before it asked anything."""

    def draw(self, frame: Frame) -> None:
        """Show these numbers, instead of the last ones where that is possible."""

    def line(self, text: str) -> None:
        """Say something that stays."""

    def close(self, last: Frame) -> None:
        """Leave the screen tidy; ``last`` are the final numbers."""


class LiveView:
    """Hands numbers and lines to a painter, in the painter's own thread. An observer of one run."""

    def __init__(self, painter: Painter, now: Callable[[], float] = time.monotonic) -> None:
        self._painter = painter
        self._now = now
        self._due = now() + painter.every
        self._changed = threading.Condition()
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._dropped = 0
        self._frame: Frame | None = None
        self._last: Frame | None = None
        self._open = False

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Show the run until cancelled; the numbers are taken in the loop's thread, where they are also changed."""
        loop = asyncio.get_running_loop()

        def take() -> None:
            frame = Frame(numbers(), stopping())
            with self._changed:
                self._frame = frame
                self._changed.notify()

        def request() -> None:
            loop.call_soon_threadsafe(take)

        # A daemon, so that a paused terminal cannot keep a run from ending.
        thread = threading.Thread(target=self._paint, args=(started, request), name="live view", daemon=True)
        self._open = True
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            with self._changed:
                self._open = False
                self._last = Frame(numbers(), stopping())
                self._changed.notify()
            thread.join(GOODBYE_S)

    def line(self, text: str) -> bool:
        """Say something that stays, between the frames; false while nothing is shown. From any thread; never waits."""
        with self._changed:
            if self._open:
                self._dropped += len(self._lines) == LINES_KEPT
                self._lines.append(text)
                self._changed.notify()
            return self._open

    def _paint(self, started: Started, request: Callable[[], None]) -> None:
        watch = Watch()
        try:
            self._painter.begin(started)
            last = None
            while last is None:
                lines, frame, last = self._next(request)
                for line in lines:
                    self._painter.line(line)
                if frame is not None:
                    for line in watch.see(frame.numbers):
                        self._painter.line(line)
                    self._painter.draw(frame)
            self._painter.close(last)
        except (OSError, ValueError, RuntimeError):
            # Nobody is there any more to see it, or the loop has ended meanwhile; the run does not mind.
            with self._changed:
                self._open = False

    def _next(self, request: Callable[[], None]) -> tuple[list[str], Frame | None, Frame | None]:
        """Wait for lines, for the end, or for the time of the next frame: the lines, that frame, the last frame."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout=max(0.0, self._due - self._now()))
            if self._now() >= self._due and self._last is None:
                self._due = self._now() + self._painter.every
                request()
                self._changed.wait_for(lambda: self._last is not None or self._frame is not None)
            lines = list(self._lines)
            self._lines.clear()
            if self._dropped:
                lines.insert(0, f"({self._dropped:,} lines were left out while the terminal was not reading)")
                self._dropped = 0
            frame, self._frame = self._frame, None
            return lines, frame, self._last

    def _has_news(self) -> bool:
        return self._last is not None or bool(self._lines)
