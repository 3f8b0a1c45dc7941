"""The commands of a first screening, as processes, against a scripted provider."""

from __future__ import annotations

import os
import pty
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from citefidelity.testing.answers import prompt_hash
from support.cli import PROGRAM, clean_environ, provider, run_cli
from support.makers import make_line

RUN_KEYS = {
    "citations", "contexts", "answered", "unassessable", "failed", "delivered", "calls", "input_tokens",
    "output_tokens", "cached_tokens", "cost_usd", "elapsed_s", "stopped", "run_id", "screening", "remaining",
    "undeliverable", "maybe_paid", "total_cost_usd", "done_elsewhere",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A provider that answers well and at once."""
    with provider() as url:
        yield url


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a store of three citations: two contexts, one context, and one without evidence."""
    bare = [{"instance_id": 1, "context_text": "As shown before [9]."}]
    lines = [make_line(1, 2), make_line(2, 1), make_line(3, bare)]
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines))
    assert run_cli(["import", "in.jsonl", "--json"], cwd=tmp_path).json()["new"] == 3
    return tmp_path


def test_from_a_file_to_verdicts(place: Path, server: str) -> None:
    """Run, status, screenings, show and export tell one story, with the keys of the design."""
    report = run_cli(["run", "--base-url", server, "--model", "m", "--json"], cwd=place)
    assert report.code == 0, report
    ran = report.json()
    assert set(ran) >= RUN_KEYS
    assert (ran["citations"], ran["contexts"], ran["answered"], ran["unassessable"]) == (3, 4, 3, 1)
    assert (ran["delivered"], ran["calls"], ran["remaining"], ran["stopped"]) == (3, 3, 0, "complete")
    assert "citations delivered" in report.stderr

    status = run_cli(["status", "--json"], cwd=place).json()
    assert (status["delivered"], status["remaining"], status["held_by"], status["live"]) == (3, 0, None, None)
    assert status["states"] == {"verdict": 3, "unassessable": 1, "failed": 0, "not_delivered": 0}
    journal = status["journal"]
    assert (journal["calls"], status["maybe_paid"], journal["answered"], journal["undelivered"]) == (3, 0, 3, False)
    assert journal["categories"] == ran["categories"]

    listing = run_cli(["screenings", "--json"], cwd=place).json()
    (main,) = listing["screenings"]
    assert (main["screening"], main["model"], main["delivered"]) == ("main", "m", 3)
    assert main["fingerprint"] == status["begun"]["spec"]
    assert main["spec"]["categories"]["SUPPORT"]

    exported = run_cli(["export"], cwd=place)
    records = [msgspec.json.decode(line) for line in exported.stdout.splitlines()]
    assert [record["classified"] for record in records] == [True] * 3
    assert_shown(place, records[0], ran)


def assert_shown(place: Path, record: dict[str, Any], ran: dict[str, Any]) -> None:
    """The command show has everything about this delivered citation (G10), with the journal and without."""
    args = ["show", record["source_id"], record["target_id"], record["reference_id"]]
    shown = run_cli([*args, "--json"], cwd=place).json()
    (citation,) = shown["citations"]
    assert citation["record"] == record
    assert citation["run"] == ran["run_id"]
    assert [context["instance_id"] for context in citation["contexts"]] == ["1", "2"]
    for context, written in zip(citation["contexts"], record["contexts"], strict=True):
        assert context["verdict"] == written["verdict"]
        assert prompt_hash(context["prompt"]) == context["input_hash"] == written["answer"]["input_hash"]
        assert written["context_text"] in context["prompt"]
        (attempt,) = context["attempts"]
        assert attempt["program"] == written["answer"]["program"]
        assert context["verdict"]["justification"] in attempt["reply"]
    people = run_cli([*args, "1"], cwd=place).stdout
    for words in ("Prompt, as it was sent:", "Raw reply:", "asked by  citefidelity", "Context 1"):
        assert words in people
    assert "Context 2" not in people
    assert run_cli([*args, "9", "--json"], cwd=place).error()["kind"] == "not_found"
    (place / "citefidelity.db.journal").rename(place / "elsewhere")
    without = run_cli([*args, "--json"], cwd=place).json()
    assert "journal" in without["notes"][0]
    assert without["citations"][0]["contexts"][0]["verdict"]["category"]
    assert without["citations"][0]["contexts"][0]["prompt"] is None
    (place / "elsewhere").rename(place / "citefidelity.db.journal")


def test_an_export_without_a_verdict_is_said(place: Path, server: str) -> None:
    """A name with a mistake in it gives a file all the same, and a note that no verdict is in it."""
    note = "Screening mian has judged none of them; `citefidelity screenings` lists those that have begun."
    assert run_cli(["run", "--base-url", server, "--model", "m"], cwd=place).code == 0
    wrong = run_cli(["export", "-o", "x.csv", "--screening", "mian"], cwd=place)
    assert (wrong.code, note in wrong.stderr) == (0, True)
    assert "none of them" not in run_cli(["export", "-o", "x.csv"], cwd=place).stderr


def test_a_limit_and_then_nothing_to_do(place: Path, server: str) -> None:
    """What is left, and what could be done though nothing is left, is said as a command."""
    first = run_cli(["run", "--base-url", server, "--model", "m", "--limit", "1"], cwd=place)
    assert first.code == 0
    assert f"The rest: citefidelity run --base-url {server} --model m" in first.stdout
    second = run_cli(["run", "--base-url", server, "-q"], cwd=place)
    assert (second.code, second.stderr) == (0, "")
    third = run_cli(["run", "--base-url", server], cwd=place)
    assert third.code == 0
    assert "  calls      0\n  cost       $0.00\n" in third.stdout
    assert "repeated 0, maybe paid 0" in third.stderr
    assert "citefidelity run --screening second --spec FILE" in third.stdout
    other = run_cli(["run", "--base-url", server, "--model", "other", "--json"], cwd=place)
    assert other.code == 2
    assert "--screening" in other.error()["hint"]


def test_a_cap_counts_what_was_asked_when_no_price_was_known(place: Path, server: str) -> None:
    """A cap on money is over all runs: those without a price count at the price that is known now."""
    one = ["run", "--base-url", server, "--model", "m", "--limit", "1", "--json"]
    unpriced = run_cli(one, cwd=place).json()
    one += ["--price", "1000,1000"]
    priced = run_cli(one, cwd=place).json()
    run_cli(["import", "-"], cwd=place, stdin=make_line(4, 1).decode())
    before = priced["total_cost_usd"] + (unpriced["input_tokens"] + unpriced["output_tokens"]) / 1_000
    capped = run_cli([*one, "--max-cost", f"{before + 0.5:.2f}"], cwd=place).json()
    assert (unpriced["cost_usd"], priced["calls"], capped["stopped"], capped["calls"]) == (None, 1, "budget", 0)
    status = run_cli(["status", "--json"], cwd=place).json()
    assert (status["total_cost_usd"], status["unpriced"]) == (priced["cost_usd"], unpriced["calls"])
    assert (capped["total_cost_usd"], capped["unpriced"]) == (priced["cost_usd"], unpriced["calls"])


def test_failures_are_counted_by_kind_and_named(place: Path) -> None:
    """What failed for good is exit code 3, in the report, in status, and with the way on."""
    with provider("--fault", "refusal@all*always") as url:
        ran = run_cli(["run", "--base-url", url, "--model", "m"], cwd=place)
    assert ran.code == 3, ran
    assert "citefidelity retry" in ran.stdout
    status = run_cli(["status", "--json"], cwd=place).json()
    assert status["states"]["failed"] == 3
    assert status["journal"] is not None, status["notes"]
    assert status["journal"]["failures_by_kind"] == {"refused": 3}


def test_failures_are_tried_again_and_the_audit_is_clean(place: Path, server: str) -> None:
    """After retry the next run asks what had failed, and verify finds nothing wrong; until a row is taken away."""
    with provider("--fault", "refusal@all*always") as url:
        assert run_cli(["run", "--base-url", url, "--model", "m", "-q"], cwd=place).code == 3
    assert run_cli(["retry", "--kind", "nonsense", "--json"], cwd=place).code == 2
    retried = run_cli(["retry", "--kind", "refused", "--json"], cwd=place)
    assert retried.code == 0, retried
    assert retried.json()["by_kind"] == {"refused": 3}
    assert "Nothing to try again" in run_cli(["retry"], cwd=place).stdout
    again = run_cli(["run", "--base-url", server, "--json"], cwd=place).json()
    assert (again["answered"], again["calls"], again["delivered"], again["remaining"]) == (3, 3, 2, 0)
    clean = run_cli(["verify"], cwd=place)
    assert clean.code == 0, clean
    assert "Clean: no violations." in clean.stdout
    with sqlite3.connect(place / "citefidelity.db") as store:
        store.execute("DELETE FROM outcome WHERE rowid = (SELECT min(rowid) FROM outcome)")
    store.close()
    broken = run_cli(["verify", "--json"], cwd=place)
    assert broken.code == 6
    assert broken.json()["violations_total"] >= 1
    assert run_cli(["verify", "-q"], cwd=place).stdout.startswith("1 violations")


def test_no_key_and_no_server(place: Path) -> None:
    """A key that is not set is a usage error; a port where nothing listens stops the run and marks no context."""
    keyless = run_cli(["run", "--model", "m", "--json"], cwd=place)
    assert keyless.code == 2
    assert keyless.error()["kind"] == "key_not_set"
    assert "OPENAI_API_KEY" in keyless.error()["message"]
    nobody = run_cli(["run", "--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--json"], cwd=place)
    assert nobody.code == 4, nobody
    assert nobody.json()["stopped"] == "provider"
    assert nobody.json()["failed"] == 0


def test_beside_a_live_run_status_shows_it(place: Path) -> None:
    """While a run goes on, status names who holds the journal and shows its numbers; a second run is refused."""
    with provider("--latency", "20") as url:
        command = [*PROGRAM, "run", "--base-url", url, "--model", "m", "--grace", "0"]
        with subprocess.Popen(
            command, cwd=place, env=clean_environ(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run:
            try:
                status = eventually(
                    lambda: run_cli(["status", "--json"], cwd=place).json(),
                    lambda seen: seen["live"] and seen["live"]["numbers"]["in_flight"] == 3,
                )
                assert status["held_by"]["pid"] == run.pid
                refused = run_cli(["run", "--base-url", url, "--json"], cwd=place)
                assert refused.code == 5
                assert str(run.pid) in refused.error()["message"]
                people = run_cli(["status"], cwd=place).stdout
                assert "3 of 100 in flight" in people
            finally:
                run.send_signal(signal.SIGTERM)
                run.communicate(timeout=20)
    assert run.returncode == 130
    again = run_cli(["status", "--json"], cwd=place).json()
    assert (again["maybe_paid"], again["held_by"]) == (3, None)


def test_on_a_terminal(place: Path) -> None:
    """There is a board that redraws itself; Ctrl-C ends the run gently and the cursor is left visible."""
    with provider("--latency", "20") as url:
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(place)
            environ = clean_environ(place, {"TERM": "xterm"})
            os.execve(PROGRAM[0], [*PROGRAM, "run", "--base-url", url, "--model", "m", "--grace", "0"], environ)  # noqa: S606 - a fork's child
        shown = read_until(terminal, b"calls/s")
        os.write(terminal, b"\x03")
        shown += read_until(terminal, None)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
        os.close(terminal)
    assert b"citations delivered" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
    assert b"Traceback" not in shown


def test_a_person_is_asked_before_anything_leaves_the_machine(place: Path) -> None:
    """On a terminal, with a host elsewhere, the estimate is shown first; anything but yes asks nothing."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        environ = clean_environ(place, {"TERM": "xterm", "OPENAI_API_KEY": "canary-key"})
        os.execve(PROGRAM[0], [*PROGRAM, "run", "--model", "m"], environ)  # noqa: S606 - a fork's child
    shown = read_until(terminal, b"[y/N]")
    os.write(terminal, b"\n")
    shown += read_until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(terminal)
    assert b"api.openai.com" in shown
    assert b"3, if each is answered at once" in shown
    assert b"Nothing was asked." in shown
    assert b"canary" not in shown
    assert not (place / "citefidelity.db.journal").exists()


def test_an_estimate_is_what_the_run_does(place: Path, server: str) -> None:
    """The number of calls that was estimated is the number that leave, and the prompt shown is the one that is sent."""
    flags = ["--base-url", server, "--model", "m", "--json"]
    estimated = run_cli(["estimate", *flags], cwd=place).json()
    assert (estimated["host"], estimated["model"]) == (None, "m")
    assert run_cli(["run", *flags], cwd=place).json()["calls"] == estimated["estimate"]["calls"] == 3
    sample = estimated["estimate"]["sample"]
    shown = run_cli(["show", *sample["key"], sample["instance_id"], "--json"], cwd=place).json()
    assert shown["fixed_prompt"] == sample["fixed"]
    assert shown["citations"][0]["contexts"][0]["prompt"] == sample["variable"]
    after = run_cli(["estimate", *flags], cwd=place).json()
    assert after["estimate"]["calls"] == 0


def read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What a terminal shows until ``wanted`` was seen, or to its end."""
    seen = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (wanted is None or wanted not in seen):
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    return seen


def eventually(look: Any, good: Any) -> Any:
    """What ``look`` gives as soon as it is ``good``."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        seen = look()
        if good(seen):
            return seen
    pytest.fail("it never came")
