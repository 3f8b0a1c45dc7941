"""The view of a run that fits where stderr goes: a board, lines, or nothing."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from citefidelity.cli.output import Output, is_terminal
from citefidelity.screening import Observer
from citefidelity.views.live import LiveView, Painter
from citefidelity.views.painters import Board, Lines


@contextmanager
def viewing(out: Output) -> Iterator[list[Observer]]:
    """The observers that show a run to a person; none with ``-q``."""
    if out.verbosity < 0:
        yield []
        return
    stream = _own_stream(out.stderr)
    painter: Painter = Lines(stream, out.clean)
    if is_terminal(out.stderr) and not out.dumb:
        painter = Board(stream, out.clean, colour=out.colour_on_stderr)
    out.live = LiveView(painter)
    try:
        yield [out.live]
    finally:
        out.live = None


def _own_stream(stderr: TextIO) -> TextIO:
    """A stream of its own to the same place.

    The thread of the view may hang in a write to a paused terminal, and hold the lock of the stream meanwhile. On
    ``sys.stderr`` itself, Python would not get through its own end. It is not closed for the same reason.
    """
    try:
        return os.fdopen(
            os.dup(stderr.fileno()), "w", encoding=stderr.encoding, errors="backslashreplace", closefd=False
        )
    except (io.UnsupportedOperation, OSError, ValueError):
        return stderr
