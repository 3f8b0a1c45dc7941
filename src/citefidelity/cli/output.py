"""What the program says: results on stdout, everything else on stderr, secrets on neither.

Foreign text (papers, replies) may hold sequences that steer a terminal; here they become visible instead.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from citefidelity.config.secret import Secret, blank_known, blank_out
from citefidelity.errors import CitefidelityError

if TYPE_CHECKING:
    import msgspec

    from citefidelity.views.live import LiveView

WIDEST = 100
"""Columns used even where there are more: longer lines are hard to read."""

# All control characters but tab and line feed, and those that turn the direction of writing; plain colours may pass.
STEERING = re.compile(
    r"(?P<colour>\x1b\[[0-9;]{0,8}m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Output:
    """The two streams of one command. ``verbosity``: -1 quiet, 0 as it is, 1 and 2 more."""

    def __init__(
        self, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], *, json: bool = False, verbosity: int = 0
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.json = json
        self.verbosity = verbosity
        self.live: LiveView | None = None
        """The view that has the terminal while a run goes on: what is said meanwhile goes through it."""
        self._secrets: list[Secret] = []
        self.dumb = environ.get("TERM") == "dumb"
        plain = bool(environ.get("NO_COLOR")) or self.dumb
        self.colour = is_terminal(stdout) and not plain
        self.colour_on_stderr = is_terminal(stderr) and not plain
        for stream in (stdout, stderr):
            # A terminal that knows no UTF-8 gets escapes, not a crash.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def keep_secret(self, secrets: Iterable[Secret]) -> None:
        """From here on, blank these out of everything."""
        self._secrets += secrets

    @property
    def width(self) -> int:
        """Columns to write in."""
        return max(40, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))

    def bold(self, text: str) -> str:
        """``text``, strong where stdout shows it."""
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def faint(self, text: str) -> str:
        """``text``, weak where stdout shows it."""
        return f"\x1b[2m{text}\x1b[0m" if self.colour else text

    def clean(self, text: str) -> str:
        """``text`` as it may be shown: no secret in it, nothing that steers a terminal, no half of a character."""
        return visible(blank_out(as_text(text), self._secrets))

    def result(self, report: msgspec.Struct | Mapping[str, Any], text: str) -> None:
        """The result of the command: ``report`` as one JSON object with ``--json``, else ``text``.

        What merely looks like a secret stays: results are data, and are shown as they are.
        """
        if self.json:
            self.write_json(report)
        elif text:
            self.write(visible(blank_known(text, self._secrets)).rstrip("\n") + "\n")

    def write_json(self, report: msgspec.Struct | Mapping[str, Any]) -> None:
        """One JSON object on stdout, in one line."""
        import msgspec  # noqa: PLC0415 - slow to import, and not every start needs it

        # The secret as it stands inside a JSON string, where a quote or a backslash in it is escaped.
        escaped = [Secret(msgspec.json.encode(secret.reveal()).decode()[1:-1]) for secret in self._secrets]
        self.write(blank_known(msgspec.json.encode(report).decode(), escaped) + "\n")

    def write(self, text: str) -> None:
        """``text`` on stdout, as it is."""
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as err:
            raise CitefidelityError(
                f"The result could not be written: {err.strerror}. What the command did in the store and the journal "
                "stands.",
                "Free some space, or write elsewhere. Repeating the command is safe, and no answer is paid again.",
                kind="output",
            ) from err

    def say(self, line: str) -> None:
        """A note for people, on stderr; not with ``-q``."""
        if self.verbosity >= 0:
            self._tell(line)

    def error(self, error: CitefidelityError) -> None:
        """What went wrong: for people on stderr, with ``--json`` as an object on stdout."""
        if self.json:
            fields = {"kind": error.kind, "message": self.clean(error.message), "hint": self.clean(error.hint)}
            try:
                self.write_json({"error": fields})
            except CitefidelityError:
                # There is no stdout to say it on; stderr is the one place left.
                self._tell(f"error: {error.message}")
            return
        self._tell(f"{self._red('error:')} {error.message}")
        if error.hint:
            self._tell(f"  {error.hint}")

    def log(self, line: str) -> None:
        """A line of the log, on stderr; how much is logged is decided where it is written."""
        self._tell(line)

    def detail(self, text: str) -> None:
        """More about an error, on stderr, only with ``-v``."""
        if self.verbosity > 0:
            self._tell(text)

    def _tell(self, line: str) -> None:
        if self.live is not None and self.live.line(line):
            return
        # Whoever read stderr may be gone; that is no reason to end what is under way.
        with suppress(OSError, ValueError):
            self.stderr.write(f"{self.clean(line)}\n")
            self.stderr.flush()

    def _red(self, text: str) -> str:
        return f"\x1b[31m{text}\x1b[0m" if self.colour_on_stderr else text


def whole(stream: TextIO) -> TextIO:
    """``stream``, or one to the same place that writes all it is given.

    With PYTHONUNBUFFERED Python's own writes straight to the system, and takes no notice where only a part was taken:
    on a disk that is full the rest would be lost without a word.
    """
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.FileIO):
        return stream
    buffered = io.BufferedWriter(io.FileIO(raw.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(buffered, encoding=stream.encoding, errors=stream.errors)


def open_streams() -> None:
    """Give the process the streams that its parent has closed (``>&-``), to nowhere.

    A file opened later would take the number of a missing one, and what is printed would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def visible(text: str) -> str:
    """``text`` with whatever would steer a terminal shown as an escape."""
    return STEERING.sub(lambda match: match["colour"] or ascii(match[0])[1:-1], text)


def as_text(name: str) -> str:
    """``name`` with escapes for bytes that are no text, as names of files and directories may hold them."""
    return name.encode(errors="backslashreplace").decode()


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sees this stream; a closed one nobody sees."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def discard_stdout() -> None:
    """The reader of stdout is gone: what Python flushes at the end goes nowhere, without another error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
