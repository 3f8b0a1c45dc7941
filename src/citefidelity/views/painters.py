"""How the numbers of a run look: a board for a terminal, plain lines for a file or a pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from citefidelity.meter import Snapshot
from citefidelity.views.amounts import cost, duration, rate, short
from citefidelity.views.live import Frame
from citefidelity.views.report import Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

BACKLOG_WORTH_TELLING = 50
BAR_COLUMNS = 50

Clean = Callable[[str], str]
"""Takes out of a text what must not be shown."""


class Lines:
    """A line every ten seconds, and one at the end."""

    every = 10.0

    def __init__(self, stream: TextIO, clean: Clean) -> None:
        self._stream = stream
        self._clean = clean

    def begin(self, started: Started) -> None:
        """What the run found, in a few lines."""
        for line in greeting(started):
            self.line(line)

    def draw(self, frame: Frame) -> None:
        """One line with the numbers that matter."""
        self.line(in_one_line(frame.numbers))

    def line(self, text: str) -> None:
        """The line, at once."""
        self._stream.write(f"{self._clean(text)}\n")
        self._stream.flush()

    def close(self, last: Frame) -> None:
        """The final numbers."""
        self.draw(last)


class Board:
    """A board of a few lines that is drawn anew four times a second."""

    every = 0.25

    def __init__(self, stream: TextIO, clean: Clean, *, colour: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it

        self._clean = clean
        self._title = ""
        # Whoever makes a board has seen that there is a terminal.
        self._console: Console = Console(
            file=stream, force_terminal=True, no_color=not colour, highlight=False, emoji=False, markup=False
        )
        self._live: Live | None = None

    def begin(self, started: Started) -> None:
        """What the run found, above the board."""
        for line in greeting(started):
            self.line(line)
        self._title = f"{started.model} ({started.provider}), screening {started.screening}"

    def draw(self, frame: Frame) -> None:
        """The board with these numbers, in the place of the last one."""
        board = self._board(frame)
        if self._live is None:
            self._live = self._start()
        self._live.update(board, refresh=True)

    def line(self, text: str) -> None:
        """The line, above the board."""
        from rich.text import Text  # noqa: PLC0415 - as above

        self._console.print(Text(self._clean(text)), soft_wrap=True)

    def close(self, last: Frame) -> None:  # noqa: ARG002 - the summary of the run, which follows, shows the numbers
        """Take the board away."""
        if self._live is not None:
            self._live.stop()

    def _start(self) -> Live:
        from rich.live import Live  # noqa: PLC0415 - as above

        live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        live.start()
        # Hidden, the cursor would stay hidden in the user's shell after kill -9.
        self._console.show_cursor(show=True)
        return live

    def _board(self, frame: Frame) -> RenderableType:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - as above
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        numbers = frame.numbers
        board = Table.grid(padding=(0, 2), expand=True)
        board.add_column(style="bold", no_wrap=True)
        board.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        board.add_row(Text(duration(numbers.elapsed_s)), Text(self._clean(self._title), style="bold"))
        if numbers.to_do_at_start:
            bar = ProgressBar(total=numbers.to_do_at_start, completed=numbers.delivered, width=BAR_COLUMNS)
            board.add_row(Text(""), bar)
        for name, value in board_rows(numbers):
            board.add_row(Text(name), Text(self._clean(value)))
        board.add_row(Text(""), Text(STOPPING if frame.stopping else HOW_TO_STOP, style="dim"))
        return board


HOW_TO_STOP = "Ctrl-C stops asking and keeps what is in flight; the same command goes on later."
STOPPING = "Stopping: what is in flight is kept. Ctrl-C again leaves at once, as safe as kill -9."


def greeting(started: Started) -> list[str]:
    """What a run found before it asked anything."""
    went_on = "begins" if started.new_screening else "goes on"
    lines = [
        f"Screening {started.screening} {went_on}: {started.to_do:,} citations to do in {started.store}",
        f"Asking {started.model} ({started.provider}), up to {started.concurrency:,} calls at once",
        f"Every answer is on disk before it counts: {started.journal}",
    ]
    if not started.new_screening:
        waiting = "; answers of earlier runs wait to be delivered, no call needed" if started.waiting else ""
        lines.append(f"After an earlier run: repeated {started.repeated:,}, maybe paid {started.maybe_paid:,}{waiting}")
    return lines


def board_rows(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The lines of the board: what they are about, and the numbers."""
    rows = [
        ("citations", citations_of(snapshot)),
        ("contexts", contexts_of(snapshot)),
        ("calls", calls_of(snapshot)),
        ("tokens", tokens_of(snapshot)),
    ]
    if snapshot.categories:
        most = sorted(snapshot.categories.items(), key=lambda item: (-item[1], item[0]))
        rows.append(("verdicts", "  ".join(f"{name} {number:,}" for name, number in most)))
    if snapshot.failures_by_kind:
        rows.append(("failures", "  ".join(f"{kind} {number:,}" for kind, number in snapshot.failures_by_kind.items())))
    if max(snapshot.journal_backlog, snapshot.deliver_backlog) >= BACKLOG_WORTH_TELLING:
        rows.append(("waiting", f"{snapshot.journal_backlog:,} journal, {snapshot.deliver_backlog:,} delivery"))
    return rows


def in_one_line(snapshot: Snapshot) -> str:
    """The numbers that matter, in one line."""
    parts = (citations_of(snapshot), contexts_of(snapshot), calls_of(snapshot), tokens_of(snapshot))
    return f"{duration(snapshot.elapsed_s)}  {'; '.join(parts)}"


def citations_of(snapshot: Snapshot) -> str:
    """How far the run is."""
    of = f" of {snapshot.to_do_at_start:,}" if snapshot.to_do_at_start is not None else ""
    left = f", about {duration(snapshot.time_left_s)} left" if snapshot.time_left_s else ""
    return f"{snapshot.delivered:,}{of} citations delivered{left}"


def contexts_of(snapshot: Snapshot) -> str:
    """How the contexts ended, the zeros left out."""
    parts = [
        f"{snapshot.contexts_done:,} contexts done",
        *([f"{snapshot.failed:,} failed"] if snapshot.failed else []),
        *([f"{snapshot.unassessable:,} without evidence"] if snapshot.unassessable else []),
        *([f"{snapshot.left:,} left for the next run"] if snapshot.left else []),
        *([f"{snapshot.flagged:,} flagged"] if snapshot.flagged else []),
    ]
    return ", ".join(parts)


def calls_of(snapshot: Snapshot) -> str:
    """How the calls go."""
    parts = [rate(snapshot.calls_per_s), f"{snapshot.in_flight:,} of {snapshot.allowed:,} in flight"]
    if snapshot.latency_p50 is not None:
        parts.append(f"half within {snapshot.latency_p50:.1f} s")
    if snapshot.retries:
        parts.append(f"{snapshot.retries:,} asked again")
    if snapshot.pushbacks:
        parts.append(f"{snapshot.pushbacks:,} times told to slow down")
    return ", ".join(parts)


def tokens_of(snapshot: Snapshot) -> str:
    """What it takes."""
    cached = f" ({snapshot.cached_tokens / snapshot.input_tokens:.0%} cached)" if snapshot.cached_tokens else ""
    return (
        f"{short(snapshot.input_tokens)} tokens in{cached}, {short(snapshot.output_tokens)} out, "
        f"cost {cost(snapshot.cost_usd)}"
    )
