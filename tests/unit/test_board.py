"""How the numbers of a run look."""

from __future__ import annotations

import io
import re

from rich.console import ConsoleDimensions

from citefidelity.views.live import Frame
from citefidelity.views.painters import Board, Lines, board_rows, greeting, in_one_line
from support.cli import as_is, started
from support.runs import busy, numbers


def painted(columns: int, rows: int) -> list[str]:
    """What a terminal of that size shows of a busy run."""
    stream = io.StringIO()
    board = Board(stream, as_is, colour=False)
    board.begin(started(model="deepseek-flash", provider="deepseek"))
    board._console.size = ConsoleDimensions(columns, rows)  # noqa: SLF001 - a terminal of that size
    stream.seek(0)
    stream.truncate()
    board.draw(Frame(busy(), stopping=False))
    return [line.rstrip() for line in re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", stream.getvalue()).splitlines()]


AT_80 = """\
12 min 04 s  deepseek-flash (deepseek), screening main
             ━━━━━━━━━━━━━━━━━━━━━━━╸
citations    640 of 1,688 citations delivered (38%), about 19 min 12 s left
contexts     2,711 contexts done, 3 failed, 12 without evidence, 4 flagged
verdicts     SUPPORT 1,900  NOT_SUBSTANTIATE 401  OVERSIMPLIFY 210
             CONTRADICT 90  UNCERTAIN 12
failures     too_long 2  refused 1
calls        8.4 calls/s, 97 of 97 in flight (100 asked for), 2,950 in all
latency      half within 11 s, 95% within 19 s, 99% within 32 s
trouble      12 asked again, told 3 times to slow down, 6.2% wrong lately
faults       timeout 20  server_error 4  rate_limited 3
tokens       4.1M tokens in (88% cached), 512k out
cost         $1.20, $4.61 of $50.00 over all runs
store        12 of 2,000 wait, write 200 ms, read 50 ms, 1 of 8 connections
journal      3 facts wait, commit 4 ms, 38 GB free on its disk
memory       612 MB
warning      this process holds 612 MB of memory. Under 500 MB is usual. If
             it grows on: Ctrl-C, and run again with fewer
             --citation-workers and a lower --concurrency; no answer is
             lost.
warning      6.2% of the last 500 calls went wrong (in all: timeout 20,
             server_error 4, rate_limited 3). Under 5% is usual, and is
             asked again. Above, look to the provider's status page;
             timeouts want a longer --timeout, rate_limited a lower
             --concurrency or --rpm.
note         the provider takes 97 calls at once, not 100 (told to slow
             down 3 times). Nothing is lost, and more is tried now and
             then. Where a limit is known, --concurrency or --rpm below it
             spares the refusals.
             Ctrl-C stops asking and keeps what is in flight; the same
             command goes on later."""


def test_the_board_of_a_busy_run_at_80_columns() -> None:
    """Everything that one asks of a run stands there, nothing is cut off, and what to do is said."""
    assert painted(80, 50) == AT_80.splitlines()


def test_ctrl_c_has_room_beside_the_board() -> None:
    """The ^C that a terminal writes does not begin a new line, which would leave a line of the board behind."""
    stream = io.StringIO()
    board = Board(stream, as_is, colour=False)
    board._console.size = ConsoleDimensions(80, 50)  # noqa: SLF001 - a terminal of that size
    board.draw(Frame(busy(), stopping=False))
    lines = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80 - len("^C^C")


def test_the_board_at_120_columns() -> None:
    """A wide terminal has the same numbers in fewer lines."""
    wide = painted(120, 50)
    assert len(wide) < len(AT_80.splitlines())
    words, at_80 = ([word for word in text.split() if "━" not in word] for text in ("\n".join(wide), AT_80))
    assert words == at_80


def test_a_low_terminal_shows_what_is_the_case_and_leaves_the_remedies_to_the_lines() -> None:
    """Three warnings fit on 24 lines, without what to do."""
    low = painted(80, 24)
    assert "warning      this process holds 612 MB of memory" in low
    assert low[-1] != "", low
    assert len(low) <= 24


def test_a_run_that_has_just_begun_has_a_short_board() -> None:
    """What has nothing to tell is no row."""
    assert [name for name, _ in board_rows(numbers())] == [
        "citations",
        "contexts",
        "verdicts",
        "failures",
        "calls",
        "tokens",
        "cost",
        "store",
        "journal",
    ]


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
