"""The pages beside a run: they start with it, end with it, and what befalls them is no harm to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from support.cli import PROGRAM, call_cli, clean_environ, provider, run_cli
from support.pages import ANY_PORT, fill, running

FLAGS = ("--base-url", "http://127.0.0.1:1/v1", "--model", "m")


def pages_of(process: int) -> list[psutil.Process]:
    """The processes that serve the pages of this run."""
    return [child for child in psutil.Process(process).children() if "web" in child.cmdline()]


def test_a_port_that_is_taken_is_said_once_and_the_run_goes_on(tmp_path: Path) -> None:
    """A run does not need its pages: where they cannot be served, everything is asked and delivered nevertheless."""
    fill(tmp_path, 24)
    with socket.create_server(("127.0.0.1", 0)) as taken, provider("--latency", "0.5") as url:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = ("--base-url", url, "--model", "m", "--concurrency", "2", "--json")
        done = run_cli(["run", *flags, "--web", "--web-address", address], cwd=tmp_path)
    assert (done.code, done.json()["delivered"]) == (0, 24)
    assert done.stderr.count("There are no pages: The pages cannot be served at") == 1


def test_pages_that_die_are_said_once_and_the_run_goes_on(tmp_path: Path) -> None:
    """Kill -9 of the pages leaves the run as it was."""
    fill(tmp_path, 20)
    with provider("--latency", "0.7") as url, running(tmp_path, url, "--concurrency", "2") as run:
        assert run.process.stderr is not None
        assert run.process.stdout is not None
        (page,) = pages_of(run.process.pid)
        page.kill()
        said = run.process.stderr.read()
        assert run.process.wait(30) == 0
        assert '"delivered":20' in run.process.stdout.read()
    assert said.count("The pages are gone: their process ended with code -9.") == 1


def test_addresses_that_were_asked_for_are_said_even_when_quiet(tmp_path: Path) -> None:
    """With -q a run still says where its pages and metrics are: who asked for them cannot guess a free port."""
    fill(tmp_path, 24)
    with provider("--latency", "0.5") as url:
        flags = ("--base-url", url, "--model", "m", "--concurrency", "2", "--web", *ANY_PORT, "--metrics", "0", "-q")
        done = run_cli(["run", *flags], cwd=tmp_path)
    assert done.code == 0
    said = "|".join(done.stderr.splitlines())
    assert re.fullmatch(
        r"Metrics for Prometheus: http://127\.0\.0\.1:\d+/metrics\|Watch it in a browser: http://127\.0\.0\.1:\d+/"
        r"\|The pages end with the run; `citefidelity web --web-address 127\.0\.0\.1:0` shows them again\.",
        said,
    ), said


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_the_pages_end_with_the_run(tmp_path: Path, end: signal.Signals) -> None:
    """However a run ends, no process of it stays."""
    fill(tmp_path, 100)
    with provider("--latency", "0.3") as url, running(tmp_path, url, "--concurrency", "1") as run:
        (page,) = pages_of(run.process.pid)
        os.kill(run.process.pid, end)
        run.process.wait(30)
        gone, _ = psutil.wait_procs([page], timeout=10)
        assert gone == [page]


def test_the_pages_make_way_for_the_run(tmp_path: Path) -> None:
    """Where the machine is busy, the run comes first."""
    fill(tmp_path, 100)
    with provider("--latency", "0.5") as url, running(tmp_path, url, "--concurrency", "1") as run:
        (page,) = pages_of(run.process.pid)
        assert page.nice() > psutil.Process(run.process.pid).nice()


@pytest.mark.parametrize("words", [("run", *FLAGS, "--web"), ("web",)])
def test_without_the_extra_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Where NiceGUI is not installed, the command says how to get it before anything is asked."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    fill(tmp_path, 1)
    refused = call_cli([*words, "--json"], cwd=tmp_path)
    assert (refused.code, refused.error()["kind"]) == (2, "no_web")
    assert not (tmp_path / "citefidelity.db.journal").exists()


def test_pages_without_anything_to_show_are_refused(tmp_path: Path) -> None:
    """No store, no journal and no numbers of a run: most likely the wrong directory, and it says so."""
    refused = run_cli(["web", "--json", *ANY_PORT], cwd=tmp_path)
    assert (refused.code, refused.error()["kind"]) == (5, "store_missing")


def test_a_parent_that_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    """Standard input that is never closed would leave the pages behind."""
    fill(tmp_path, 1)
    with Path("/dev/null").open() as nothing:
        done = subprocess.run(
            [*PROGRAM, "web", "--json", "--with-parent", *ANY_PORT],
            cwd=tmp_path,
            env=clean_environ(tmp_path),
            stdin=nothing,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert (done.returncode, '"kind":"usage"' in done.stdout) == (2, True)


def test_ctrl_c_ends_the_pages_at_once(tmp_path: Path) -> None:
    """Ctrl-C is the way to end them, and no error."""
    fill(tmp_path, 1)
    with subprocess.Popen(
        [*PROGRAM, "web", *ANY_PORT],
        cwd=tmp_path,
        env=clean_environ(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Open http://127.0.0.1:")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert (process.returncode, said) == (0, "")
        assert time.monotonic() - began < 5
