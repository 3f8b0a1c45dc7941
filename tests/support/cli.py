"""The real program, started as users start it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from citefidelity.cli.entry import run_command
from citefidelity.views.report import Started

PROGRAM = (sys.executable, "-m", "citefidelity")
KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "TMPDIR", "VIRTUAL_ENV")


class Result(NamedTuple):
    """What a command left: its exit code and what it said."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The one JSON object on stdout; fails where there is anything else."""
        value = msgspec.json.decode(self.stdout)
        assert isinstance(value, dict), self
        return value

    def error(self) -> dict[str, str]:
        """The error object on stdout; fails where there is none, or where it has other keys than it should."""
        content = self.json()
        assert set(content) == {"error"}, self
        error: dict[str, str] = content["error"]
        assert set(error) == {"kind", "message", "hint"}, self
        assert error["message"], self
        return error


def clean_environ(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without this machine's settings and keys, with ``home`` as its home."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")} | dict(extra or {})


def run_cli(
    args: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 30.0,
) -> Result:
    """Run ``citefidelity ARGS`` in ``cwd`` as a process of its own, and wait for it."""
    done = subprocess.run(
        [*PROGRAM, *map(str, args)],
        cwd=cwd,
        env=clean_environ(cwd, env),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def call_cli(args: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """The same inside this process: quicker, for what needs no process of its own."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    stderr = io.StringIO()
    code = run_command([*map(str, args)], clean_environ(cwd, env), cwd, stdout, stderr)
    stdout.seek(0)
    return Result(code, stdout.read(), stderr.getvalue())


def as_is(text: str) -> str:
    """A cleaner that changes nothing."""
    return text


@contextmanager
def provider(*arguments: str) -> Iterator[str]:
    """The shipped scripted provider in a process of its own; its base URL. It ends with the block."""
    command = [sys.executable, "-m", "citefidelity.testing.provider", "--with-parent", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url: str = msgspec.json.decode(process.stdout.readline())["base_url"]
            yield url
        finally:
            process.stdin.close()


def started(**changes: Any) -> Started:
    """What a run found; any part of it may be given."""
    found: dict[str, Any] = {
        "run_id": "r1",
        "screening": "main",
        "new_screening": False,
        "store": "sqlite:///c.db",
        "journal": "c.db.journal",
        "provider": "openai",
        "model": "m-1",
        "to_do": 1_688,
        "done_elsewhere": 0,
        "maybe_paid": 37,
        "waiting": False,
        "concurrency": 100,
    }
    return Started(**(found | changes))
