"""``citefidelity web`` as people start it, and runs to look at."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from support.cli import PROGRAM, Result, call_cli, clean_environ, run_cli
from support.makers import make_line

WATCH = re.compile(r"Watch it in a browser: (\S+)")
ANY_PORT = ("--web-address", "127.0.0.1:0")


def fill(directory: Path, citations: int, contexts: int = 1) -> None:
    """A store with so many citations."""
    lines = b"".join(make_line(number, contexts) for number in range(1, citations + 1))
    (directory / "records.jsonl").write_bytes(lines)
    done = quick(["import", "records.jsonl"], directory)
    assert done.code == 0, done


def screen(directory: Path, url: str, *flags: str) -> dict[str, Any]:
    """Run to the end against a scripted provider; what the run reports."""
    done = run_cli(["run", "--base-url", url, "--model", "m", "--json", *flags], cwd=directory)
    report: dict[str, Any] = done.json()
    return report


def status(directory: Path) -> dict[str, Any]:
    """What ``status --json`` says."""
    said: dict[str, Any] = quick(["status", "--json"], directory).json()
    return said


def quick(args: Sequence[str], directory: Path) -> Result:
    """A command in this process, but in another thread: this one may have a browser's event loop."""
    store = ("--store", f"sqlite:///{directory / 'citefidelity.db'}")
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call_cli, [*args, *store], cwd=directory).result()


@contextmanager
def pages(directory: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """The pages of the store in ``directory``, in a process of their own; what it says of itself."""
    address = () if "--web-address" in flags else ANY_PORT
    command = [*PROGRAM, "web", "--json", "--with-parent", *address, *flags]
    with subprocess.Popen(
        command,
        cwd=directory,
        env=clean_environ(directory, env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            serving: dict[str, Any] = msgspec.json.decode(line)
            yield serving
        finally:
            process.stdin.close()
            said = process.stderr.read()
            process.wait(10)
    assert (process.returncode, said) == (0, "")


class Running(NamedTuple):
    """A run under way, and where to watch it."""

    process: subprocess.Popen[str]
    url: str


@contextmanager
def running(directory: Path, url: str, *flags: str) -> Iterator[Running]:
    """``run --web``, in a process of its own; ended with the block."""
    command = [*PROGRAM, "run", "--base-url", url, "--model", "m", "--json", "--web", *ANY_PORT, *flags]
    with subprocess.Popen(
        command,
        cwd=directory,
        env=clean_environ(directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        try:
            found = next(filter(None, map(WATCH.search, process.stderr)))
            yield Running(process, found[1])
        finally:
            process.kill()
