"""Logs go to stderr, in one line each, without secrets."""

from __future__ import annotations

import logging

from citefidelity.cli.output import Output

THEIRS = ("neo4j", "engineio.server", "socketio.server")
"""They log each broken connection as an error, of a store or of a browser that was open before the pages were.

What it means is said by our own messages, or nothing has to be done; -v shows theirs, too.
"""

LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


class _Lines(logging.Handler):
    """Hands each line to the output, which knows the secrets and whether a live view has the terminal."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """One record, one line."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a log line that cannot be made must not end a run
            self.handleError(record)
            return
        self._out.log(line)


def log_to(out: Output) -> None:
    """Send all logs of this process to ``out``, as much of them as its verbosity asks for."""
    handler = _Lines(out)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger()
    # Replaced, not added to: a second command in the same process would say everything twice.
    root.handlers = [handler]
    root.setLevel(LEVELS.get(out.verbosity, logging.DEBUG))
    for name in THEIRS:
        logging.getLogger(name).setLevel(logging.CRITICAL if out.verbosity < 1 else root.level)
