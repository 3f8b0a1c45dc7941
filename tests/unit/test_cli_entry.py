"""Whatever happens becomes an exit code and a message."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from citefidelity.cli import catalogue, entry
from citefidelity.cli.output import Output, visible
from citefidelity.cli.words import Call, Command
from citefidelity.config.secret import BLANK, Secret
from citefidelity.errors import JournalError, ProviderError, StoreHeld, UsageError
from support.cli import Result, clean_environ

CANARY = 'sk-canary"\\0123456789'


def call_handler(handle: Callable[[Call], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> Result:
    """Run a command that does what ``handle`` does."""
    command = Command("spec", "", "", handle)
    monkeypatch.setattr(catalogue, "find", lambda _: command)
    stdout, stderr = io.StringIO(), io.StringIO()
    code = entry.run_command(["spec", *words], clean_environ(tmp_path), tmp_path, stdout, stderr)
    return Result(code, stdout.getvalue(), stderr.getvalue())


def raising(error: BaseException) -> Callable[[Call], int]:
    """A handler that raises."""

    def handle(_: Call) -> int:
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (UsageError("m", "h"), 2, "usage"),
        (ProviderError("m", "h"), 4, "provider"),
        (StoreHeld("m", "h"), 5, "held"),
        (ExceptionGroup("", [JournalError("m", "h")]), 5, "journal"),
        (ExceptionGroup("", [ExceptionGroup("", [JournalError("m", "h")])]), 5, "journal"),
    ],
)
def test_expected_errors(
    error: Exception, code: int, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An error raised on purpose is its exit code, its message and its hint, and never a stack trace."""
    plain = call_handler(raising(error), monkeypatch, tmp_path, "-v")
    assert plain == Result(code, "", "error: m\n  h\n")
    as_json = call_handler(raising(error), monkeypatch, tmp_path, "--json")
    assert as_json.code == code
    assert as_json.error() == {"kind": kind, "message": "m", "hint": "h"}
    assert as_json.stderr == ""


def test_surprises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unexpected error is exit code 1, how to report it, and a stack trace with -v only, without local variables."""

    def handle(_: Call) -> int:
        paper = "a local variable"
        raise ValueError(len(paper))

    short = call_handler(handle, monkeypatch, tmp_path)
    assert short.code == 1
    assert "ValueError: 16" in short.stderr
    assert "report it" in short.stderr
    assert "Traceback" not in short.stderr
    long = call_handler(handle, monkeypatch, tmp_path, "-v")
    assert "Traceback" in long.stderr
    assert "raise ValueError(len(paper))" in long.stderr
    as_json = call_handler(handle, monkeypatch, tmp_path, "--json")
    assert as_json.error()["kind"] == "unexpected"


def test_a_surprise_does_not_hide_behind_an_expected_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where tasks failed for both reasons, the fault of the program is what is told."""
    group = ExceptionGroup("", [UsageError("m"), KeyError("k")])
    assert call_handler(raising(group), monkeypatch, tmp_path).code == 1


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ctrl-C in any command is exit code 130 and no stack trace."""
    result = call_handler(raising(KeyboardInterrupt()), monkeypatch, tmp_path)
    assert result.code == 130
    assert "Traceback" not in result.stderr


def test_no_secret_leaves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A known secret is blanked out of results, errors, notes and stack traces, JSON included (G9)."""

    def handle(call: Call) -> int:
        call.out.keep_secret([Secret(CANARY)])
        call.out.say(f"note {CANARY}")
        call.out.result({"text": CANARY}, f"result {CANARY}")
        message = f"surprise {CANARY}"
        raise ValueError(message)

    for words in ([], ["-v"], ["--json", "-v"]):
        result = call_handler(handle, monkeypatch, tmp_path, *words)
        assert "canary" not in result.stdout + result.stderr
        assert BLANK in result.stdout
    first = msgspec.json.decode(result.stdout.splitlines()[0])
    assert first == {"text": BLANK}


def test_results_are_data_and_keep_what_only_looks_like_a_secret(tmp_path: Path) -> None:
    """A paper that mentions a key-like word is shown as it is; only known secrets are blanked out of data."""
    stdout = io.StringIO()
    out = Output(stdout, io.StringIO(), clean_environ(tmp_path), json=True)
    report = {"a": "see http://x", "b": "y@z sk-abcdefghijkl"}
    out.result(report, "")
    assert msgspec.json.decode(stdout.getvalue()) == report


def test_quiet_and_verbose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """-q leaves out notes, and never results and errors."""

    def handle(call: Call) -> int:
        call.out.say("a note")
        call.out.result({}, "the result")
        raise UsageError("wrong")

    assert call_handler(handle, monkeypatch, tmp_path).stderr == "a note\nerror: wrong\n"
    quiet = call_handler(handle, monkeypatch, tmp_path, "-q")
    assert quiet == Result(2, "the result\n", "error: wrong\n")


@pytest.mark.parametrize("words", [["spec"], ["spec", "--json"]])
def test_a_full_disk_is_one_message(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A result that cannot be written is an error with words on stderr, not a stack trace, with --json too."""

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    def handle(call: Call) -> int:
        call.out.result({}, "x")
        return 0

    command = Command("spec", "", "", handle)
    monkeypatch.setattr(catalogue, "find", lambda _: command)
    stderr = io.StringIO()
    assert entry.run_command(words, clean_environ(tmp_path), tmp_path, Full(), stderr) == 1
    assert "No space left on device. What the command did in the store and the journal stands." in stderr.getvalue()


def test_what_steers_a_terminal_becomes_visible() -> None:
    """Escape sequences, bells, backspaces and changes of direction are shown; colours, tabs and line feeds pass."""
    assert visible("a\x1b[1mb\tc\n") == "a\x1b[1mb\tc\n"
    assert visible("\x1b]0;title\x07") == "\\x1b]0;title\\x07"
    assert visible("\x1b[2J\x9b2J") == "\\x1b[2J\\x9b2J"
    assert visible("a\u202eb\rc\x08") == "a\\u202eb\\rc\\x08"
