"""How the numbers of a run look: a board for a terminal, plain lines for a file or a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from citefidelity.meter import Snapshot
from citefidelity.views.advice import Level, advice
from citefidelity.views.amounts import cost, duration, percent, rate, short, size, times, wait
from citefidelity.views.live import Frame
from citefidelity.views.report import RunReport, Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

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

        # What holds a command stays in one line, to be copied; the rest is broken between words.
        self._console.print(Text(self._clean(text)), soft_wrap="`" in text)

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

        numbers, rows = frame.numbers, board_rows(frame.numbers)
        board = Table.grid(padding=(0, 2), expand=True)
        # A terminal writes ^C where the cursor stands: at the very edge it would begin another line, and push one line
        # of the board to where nothing takes it away.
        width = board.width = self._console.width - ROOM_FOR_CTRL_C
        board.add_column(style="bold", no_wrap=True)
        board.add_column(ratio=1)
        board.add_row(duration(numbers.elapsed_s), Text(self._clean(self._title), style="bold"))
        if numbers.to_do_at_start:
            board.add_row("", ProgressBar(total=numbers.to_do_at_start, completed=numbers.delivered))
        for name, value in rows:
            board.add_row(name, Text(fitted(self._clean(value), width - LABEL_COLUMNS)))
        standing = advice(numbers)
        # Without room for more, what to do stands in the lines above the board only.
        short_of_room = self._console.height < len(rows) + LINES_OF_ADVICE * len(standing) + LINES_AROUND
        for said in standing:
            text = said.what if short_of_room else f"{said.what}. {said.hint}"
            board.add_row(said.level, Text(self._clean(text), style=STYLES[said.level]))
        board.add_row("", Text(STOPPING if frame.stopping else HOW_TO_STOP, style="dim"))
        return board


STYLES: Mapping[Level, str] = {"serious": "bold red", "warning": "yellow", "note": "dim"}
LABEL_COLUMNS = 13
ROOM_FOR_CTRL_C = 5
NO_BREAK = "\N{NO-BREAK SPACE}"
LINES_OF_ADVICE, LINES_AROUND = 3, 5

HOW_TO_STOP = "Ctrl-C stops asking and keeps what is in flight; the same command goes on later."
STOPPING = "Stopping: what is in flight is kept. Ctrl-C again leaves at once, as safe as kill -9."


def greeting(started: Started) -> list[str]:
    """What a run found before it asked anything."""
    went_on = "begins" if started.new_screening else "goes on"
    to_do = "still counting what is" if started.to_do is None else f"{started.to_do:,} citations"
    lines = [
        f"Screening {started.screening} {went_on}: {to_do} to do in {started.store}",
        f"Asking {started.model} ({started.provider}), up to {started.concurrency:,} calls at once",
        f"Every answer is on disk before it counts: {started.journal}",
    ]
    if not started.new_screening:
        waiting = "; answers of earlier runs wait to be delivered, no call needed" if started.waiting else ""
        lines.append(f"After an earlier run: repeated {started.repeated:,}, maybe paid {started.maybe_paid:,}{waiting}")
    return lines


def board_rows(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The lines of the board: what they are about, and the numbers. What has nothing to tell is left out."""
    rows = [
        ("citations", citations_of(snapshot)),
        ("contexts", contexts_of(snapshot)),
        ("verdicts", _counted(snapshot.categories)),
        ("failures", _counted(snapshot.failures_by_kind)),
        ("calls", calls_of(snapshot)),
        ("latency", latency_of(snapshot)),
        ("trouble", trouble_of(snapshot)),
        ("faults", _counted(snapshot.faults_by_kind)),
        ("tokens", tokens_of(snapshot)),
        ("cost", cost_of(snapshot)),
        ("store", store_of(snapshot)),
        ("journal", journal_of(snapshot)),
        ("memory", "" if snapshot.memory_bytes is None else size(snapshot.memory_bytes)),
    ]
    return [(name, value) for name, value in rows if value]


def in_one_line(snapshot: Snapshot) -> str:
    """The numbers that matter, in one line."""
    parts = (
        citations_of(snapshot),
        contexts_of(snapshot),
        calls_of(snapshot),
        latency_of(snapshot),
        trouble_of(snapshot),
        f"{tokens_of(snapshot)}, cost {cost_of(snapshot)}",
    )
    return f"{duration(snapshot.elapsed_s)}  {'; '.join(part for part in parts if part)}"


def citations_of(snapshot: Snapshot) -> str:
    """How far the run is."""
    of = f" of {snapshot.to_do_at_start:,}" if snapshot.to_do_at_start is not None else ""
    left = f", about {duration(snapshot.time_left_s)} left" if snapshot.time_left_s else ""
    share = f" ({snapshot.delivered / snapshot.to_do_at_start:.0%})" if snapshot.to_do_at_start else ""
    return f"{snapshot.delivered:,}{of} citations delivered{share}{left}"


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
    """How many calls there are, and how many there may be."""
    asked_for = f" ({snapshot.concurrency:,} asked for)" if snapshot.allowed < snapshot.concurrency else ""
    kept_to = f" (kept to {rate(snapshot.pace_per_s)})" if snapshot.pace_per_s is not None else ""
    return (
        f"{rate(snapshot.calls_per_s)}{kept_to}, {snapshot.in_flight:,} of {snapshot.allowed:,} in flight{asked_for}, "
        f"{snapshot.calls:,} in all"
    )


def latency_of(of: Snapshot | RunReport) -> str:
    """How long answers take."""
    if of.latency_p50 is None or of.latency_p95 is None or of.latency_p99 is None:
        return ""
    return f"half within {wait(of.latency_p50)}, 95% within {wait(of.latency_p95)}, 99% within {wait(of.latency_p99)}"


def trouble_of(snapshot: Snapshot) -> str:
    """What did not go well at the first try."""
    parts = [
        *([f"no call leaves for {duration(snapshot.pause_s)}"] if snapshot.pause_s > 0 else []),
        *([f"{snapshot.retries:,} asked again"] if snapshot.retries else []),
        *([f"told {times(snapshot.pushbacks)} to slow down"] if snapshot.pushbacks else []),
        *([f"{percent(snapshot.error_rate)} wrong lately"] if snapshot.error_rate else []),
    ]
    return ", ".join(parts)


def tokens_of(snapshot: Snapshot) -> str:
    """What it takes."""
    cached = f" ({percent(snapshot.cached_share)} cached)" if snapshot.cached_tokens else ""
    return f"{short(snapshot.input_tokens)} tokens in{cached}, {short(snapshot.output_tokens)} out"


def cost_of(snapshot: Snapshot) -> str:
    """What it costs, and what counts towards the caps: those are over all runs."""
    return ", ".join([cost(snapshot.cost_usd if snapshot.calls else 0.0), *caps_of(snapshot)])


def caps_of(snapshot: Snapshot) -> list[str]:
    """How much of each cap is used up: that on money, then that on tokens."""
    caps: list[str] = []
    if snapshot.max_cost_usd is not None:
        caps.append(f"{cost(snapshot.spent_cost_usd)} of {cost(snapshot.max_cost_usd)} over all runs")
    if snapshot.max_tokens is not None:
        caps.append(f"{short(snapshot.spent_tokens or 0)} of {short(snapshot.max_tokens)} tokens over all runs")
    return caps


def store_of(snapshot: Snapshot) -> str:
    """What waits for the store, how fast it is, and its connections where it has any."""
    parts = [f"{snapshot.deliver_backlog:,} of {snapshot.deliver_bound:,} wait"]
    if snapshot.store_write is not None:
        parts.append(f"write {wait(snapshot.store_write.p50)}")
    if snapshot.store_read is not None:
        parts.append(f"read {wait(snapshot.store_read.p50)}")
    if snapshot.pool_size is not None:
        parts.append(f"{snapshot.pool_in_use or 0:,} of {snapshot.pool_size:,} connections")
    return ", ".join(parts)


def journal_of(snapshot: Snapshot) -> str:
    """What waits for the journal, how fast its disk is, and how much room it has."""
    parts = [f"{snapshot.journal_backlog:,} facts wait"]
    if snapshot.journal_commit is not None:
        parts.append(f"commit {wait(snapshot.journal_commit.p50)}")
    if snapshot.disk_free_bytes is not None:
        parts.append(f"{size(snapshot.disk_free_bytes)} free on its disk")
    return ", ".join(parts)


def _counted(numbers: dict[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return "  ".join(f"{name} {number:,}" for name, number in most)


def fitted(value: str, columns: int) -> str:
    """The value in lines of so many columns; what stands two spaces apart are pairs, which stay together."""
    pairs = value.split("  ")
    if len(pairs) > 1:
        value = "  ".join(pair.replace(" ", NO_BREAK) for pair in pairs)
    return "\n".join(textwrap.wrap(value, max(columns, 1))).replace(NO_BREAK, " ")
