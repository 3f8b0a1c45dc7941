"""The live view: what it shows, and that it can hold up nothing."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from contextlib import suppress

import pytest

from citefidelity.meter import Gauges, Meter, Snapshot
from citefidelity.views.live import LINES_KEPT, Frame, LiveView
from citefidelity.views.painters import Board, Lines, board_rows, greeting, in_one_line
from citefidelity.views.report import Started
from support.cli import as_is, started


def numbers() -> Snapshot:
    """Numbers of a run that has just begun."""
    meter = Meter(lambda: 0.0)
    meter.to_do_at_start = 1_688
    meter.categories["SUPPORT"] = 3
    meter.failures["too_long"] = 1
    return meter.snapshot()


class Recorder:
    """A painter that keeps what it is told; it paints only while ``reading`` is set."""

    def __init__(self, every: float = 0.01) -> None:
        self.every = every
        self.reading = threading.Event()
        self.reading.set()
        self.said: list[str] = []
        self.frames: list[Frame] = []
        self.last: Frame | None = None
        self.drawn = threading.Event()

    def begin(self, started: Started) -> None:
        """Keep the run's name."""
        self.said.append(f"began {started.run_id}")

    def draw(self, frame: Frame) -> None:
        """Keep the frame, as soon as somebody reads."""
        self.drawn.set()
        self.reading.wait()
        self.frames.append(frame)

    def line(self, text: str) -> None:
        """Keep the line."""
        self.said.append(text)

    def close(self, last: Frame) -> None:
        """Keep the final numbers."""
        self.last = last


async def watch_for(view: LiveView, seconds: float) -> None:
    """Let ``view`` watch a run that takes that long."""
    task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_frames_lines_and_the_end() -> None:
    """A view begins, draws frame after frame, says lines between them, and closes with the final numbers."""
    painter = Recorder()
    view = LiveView(painter)
    assert not view.line("before")
    task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
    await asyncio.sleep(0.1)
    assert view.line("in it")
    await asyncio.sleep(0.1)
    assert view.line("at the end")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not view.line("after")
    assert painter.said == ["began r1", "in it", "at the end"]
    assert len(painter.frames) >= 2
    assert painter.last is not None


async def test_frames_come_between_many_lines() -> None:
    """A stream of lines does not keep the numbers away."""
    painter = Recorder()
    view = LiveView(painter)
    task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
    await asyncio.sleep(0)
    for at in range(100):
        view.line(str(at))
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert painter.said == ["began r1", *map(str, range(100))]
    assert painter.frames


async def test_a_painter_that_hangs_holds_up_nothing() -> None:
    """While the terminal reads nothing the loop goes on, lines are kept up to a bound, and the end comes."""
    painter = Recorder()
    painter.reading.clear()
    view = LiveView(painter)
    task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
    await asyncio.to_thread(painter.drawn.wait, 5)
    before = time.monotonic()
    for at in range(LINES_KEPT + 5):
        view.line(str(at))
    await asyncio.sleep(0)
    assert time.monotonic() - before < 0.5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic() - before < 3
    painter.reading.set()


async def test_lines_left_out_are_counted() -> None:
    """When the terminal reads again it learns how many lines it missed."""
    painter = Recorder()
    painter.reading.clear()
    view = LiveView(painter)
    task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
    await asyncio.to_thread(painter.drawn.wait, 5)
    for at in range(LINES_KEPT + 5):
        view.line(str(at))
    painter.reading.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert painter.said[1] == "(5 lines were left out while the terminal was not reading)"
    assert painter.said[2] == "5"


async def test_a_painter_whose_reader_is_gone_ends_alone() -> None:
    """A broken pipe ends the view; the run does not notice."""

    class Gone(Recorder):
        def draw(self, frame: Frame) -> None:  # noqa: ARG002 - nothing is drawn
            raise BrokenPipeError

    await watch_for(LiveView(Gone()), 0.05)


async def test_a_paused_terminal_holds_up_nothing() -> None:
    """A real terminal that nobody reads fills up; the loop goes on, and the end comes."""
    master, slave = os.openpty()
    # What is still buffered at the end cannot be written any more, as the terminal is gone.
    with suppress(OSError), os.fdopen(slave, "w") as stream:
        board = Board(stream, as_is, colour=True)
        board.every = 0.001
        view = LiveView(board)
        task = asyncio.create_task(view.watch(started(), numbers, lambda: False))
        for _ in range(200):
            view.line("x" * 200)
            before = time.monotonic()
            await asyncio.sleep(0.001)
            assert time.monotonic() - before < 0.5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert any(thread.name == "live view" for thread in threading.enumerate()), "the terminal never filled up"
        # Closing it lets the thread that hangs in a write come to its end before the file is closed under it.
        os.close(master)
        for thread in threading.enumerate():
            if thread.name == "live view":
                thread.join(5)


def test_the_board_shows_the_numbers_and_steers_no_terminal() -> None:
    """The board names what the design asks for, and cleans what comes from outside."""
    stream = io.StringIO()
    board = Board(stream, lambda text: text.replace("\x1b", "?"), colour=False)
    board.begin(started(model="evil\x1b]0;x"))
    board.draw(Frame(numbers(), stopping=False))
    shown = stream.getvalue()
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "kill -9 would leave the cursor hidden"
    board.draw(Frame(numbers(), stopping=True))
    board.close(Frame(numbers(), stopping=True))
    text = stream.getvalue()
    for words in ("0 of 1,688 citations", "in flight", "calls/s", "tokens in", "SUPPORT 3", "too_long 1", "Stopping"):
        assert words in text
    assert "\x1b]0" not in text


def test_plain_lines_have_no_escapes() -> None:
    """Where there is no terminal a frame is one line of plain text."""
    stream = io.StringIO()
    lines = Lines(stream, as_is)
    lines.begin(started())
    lines.draw(Frame(numbers(), stopping=False))
    assert stream.getvalue().splitlines()[-1] == in_one_line(numbers())
    assert "\x1b" not in stream.getvalue()


def test_the_start_after_a_kill_says_what_it_found() -> None:
    """What was repeated and what may have been paid is named; a first run has neither."""
    assert "After an earlier run: repeated 0, maybe paid 37" in greeting(started())
    assert "repeated" not in " ".join(greeting(started(new_screening=True)))
    assert "wait to be delivered" in " ".join(greeting(started(waiting=True)))


@pytest.mark.parametrize("journal", [0, 500])
def test_backlogs_are_shown_when_they_are_worth_it(journal: int) -> None:
    """A backlog of some size is told, a small one is not."""
    meter = Meter(lambda: 0.0)
    meter.gauges = lambda: Gauges(journal_backlog=journal)
    assert ("waiting" in dict(board_rows(meter.snapshot()))) is (journal > 0)
