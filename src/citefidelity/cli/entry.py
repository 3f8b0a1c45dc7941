"""The way in and the way out: which command, and which exit code, whatever happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from citefidelity.cli import catalogue
from citefidelity.cli.helping import command_help, program_help
from citefidelity.cli.output import Output, discard_stdout, open_streams, whole
from citefidelity.cli.parsing import parse
from citefidelity.cli.words import Call
from citefidelity.errors import CitefidelityError, UsageError

INTERRUPTED = 130
PIPE_CLOSED = 141
"""As a shell reports a program that SIGPIPE ended: ``citefidelity export | head``."""

LONGEST_SURPRISE = 300


def main() -> int:
    """Run the command that the process was started with; its exit code."""
    open_streams()
    return run_command(sys.argv[1:], os.environ, Path(), whole(sys.stdout), sys.stderr, start_logs=_log_to)


def run_command(  # noqa: PLR0913 - the world of a process, given so that tests can give another
    words: Sequence[str],
    environ: Mapping[str, str],
    directory: Path,
    stdout: TextIO,
    stderr: TextIO,
    *,
    start_logs: Callable[[Output], None] = lambda _: None,
) -> int:
    """Run one command; its exit code. No exception leaves it.

    ``start_logs`` sends the logs of the process to the output, once it is known how much of them is wanted.
    """
    # Looked for before anything is parsed, because a wrong option is answered as JSON, too.
    before_end = words[: words.index("--")] if "--" in words else words
    out = Output(stdout, stderr, environ, json="--json" in before_end)
    return _guarded(out, lambda: _dispatch(words, environ, directory, out, start_logs))


def _dispatch(
    words: Sequence[str],
    environ: Mapping[str, str],
    directory: Path,
    out: Output,
    start_logs: Callable[[Output], None],
) -> int:
    first = words[0] if words else ""
    if first in {"-h", "--help"}:
        out.write(_front_page(out))
        return 0
    if first == "--version":
        return _version(out)
    if not first:
        out.stderr.write(_front_page(out))
        return UsageError.exit_code
    command = catalogue.find(first)
    parsed = parse(command, words[1:])
    if parsed.given["help"]:
        out.write(command_help(command, out.width))
        return 0
    if parsed.given["version"]:
        return _version(out)
    out.verbosity = -1 if parsed.given["quiet"] else parsed.given["verbose"]
    start_logs(out)
    return command.handle(Call(command.name, parsed.given, parsed.flags, environ, directory, out))


def _log_to(out: Output) -> None:
    from citefidelity.cli.logs import log_to  # noqa: PLC0415 - `--version` and help log nothing

    log_to(out)


def _guarded(out: Output, action: Callable[[], int]) -> int:
    """Whatever happens becomes an exit code and a message; a stack trace only for what was never expected, with -v."""
    try:
        try:
            return action()
        except KeyboardInterrupt:
            out.say("Interrupted. What was committed stands; the command can be repeated.")
            return INTERRUPTED
        except BrokenPipeError:
            raise
        except Exception as err:  # noqa: BLE001 - the last place where an error can become an exit code
            known = _expected(err)
            if known is None:
                known = _surprise(err)
                _tell_where(out, err)
            out.error(known)
            return known.exit_code
    except BrokenPipeError:
        discard_stdout()
        return PIPE_CLOSED


def _expected(err: BaseException) -> CitefidelityError | None:
    """The error that was raised on purpose, also where it comes out of a group of tasks; None for a surprise."""
    if isinstance(err, CitefidelityError):
        return err
    if isinstance(err, BaseExceptionGroup):
        inner = [_expected(one) for one in err.exceptions]
        # A surprise among them must not hide behind an expected one.
        return next((one for one in inner if one), None) if all(inner) else None
    return None


def _surprise(err: Exception) -> CitefidelityError:
    said = " ".join(str(err).split())[:LONGEST_SURPRISE]
    return CitefidelityError(
        f"Something unexpected happened ({type(err).__name__}: {said}). It is a fault of this program. "
        "What was committed to the store and the journal stands, and the command can be repeated.",
        "Please report it with the command, `citefidelity --version`, and what -v shows.",
        kind="unexpected",
    )


def _tell_where(out: Output, err: Exception) -> None:
    import traceback  # noqa: PLC0415 - for surprises only

    # Without local variables, which hold keys and papers.
    out.detail("".join(traceback.format_exception(err)))


def _front_page(out: Output) -> str:
    groups = [
        (heading, [(name, catalogue.find(name).summary) for name in names]) for heading, names in catalogue.GROUPS
    ]
    return program_help(groups, out.width)


def _version(out: Output) -> int:
    from importlib.metadata import version  # noqa: PLC0415 - for this answer only

    number = version("citefidelity")
    out.result({"version": number}, f"citefidelity {number}")
    return 0
