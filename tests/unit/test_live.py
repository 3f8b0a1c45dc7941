"""The live view: what it shows, and that it can hold up nothing."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress

import msgspec

from citefidelity.meter import Snapshot
from citefidelity.views.live import LINES_KEPT, Frame, LiveView
from citefidelity.views.painters import Board
from citefidelity.views.report import Started
from support.cli import as_is, started
from support.runs import busy, numbers


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


async def test_advice_is_a_line_too() -> None:
    """What crosses a threshold and stays there is said once between the frames, with what to do."""
    painter, began = Recorder(), time.monotonic()

    def heavy() -> Snapshot:
        return msgspec.structs.replace(busy(), elapsed_s=100 * (time.monotonic() - began))

    task = asyncio.create_task(LiveView(painter).watch(started(), heavy, lambda: False))
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [line.split(".")[0] for line in painter.said] == [
        "began r1",
        "Warning: this process holds 612 MB of memory",
        "Warning: 6",
        "Note: the provider takes 97 calls at once, not 100 (told to slow down 3 times)",
    ]
