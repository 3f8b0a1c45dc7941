"""The journal or the store is lost, restored, full, or in other hands."""

from __future__ import annotations

import resource
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.cli import clean_environ, provider, run_cli
from support.crashes import JOURNAL, STORE, Place, audit_verdicts, eventually

CITATIONS = 12
CANARY = "sk-canary-3f9a1b7c5d"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A small store; the provider's address is set by each test."""
    place = Place(tmp_path, "", ["--concurrency", "4"])
    place.fill(CITATIONS, 1)
    return place


def killed_half_way(place: Place) -> None:
    """A run that has some answers and is killed."""
    with place.started() as run:
        eventually(lambda: place.stats()["answered"] >= 5, run)
        assert place.die(run)


@pytest.mark.guarantee("G5")
def test_a_second_run_is_refused_and_names_the_first(place: Place) -> None:
    """Two runs never work on one journal, nor on one store with two journals: exit 5, with the pid of the first."""
    with provider("--latency", "20") as place.url, place.started("--grace", "0") as run:
        eventually(lambda: place.stats()["in_flight"] == 4, run)
        again = run_cli(place.command()[3:], cwd=place.directory)
        assert (again.code, str(run.pid) in again.error()["message"]) == (5, True), again
        assert JOURNAL in again.error()["message"], "the journal itself must keep a second run out"
        beside = run_cli([*place.command()[3:], "--journal", "other", "--new-journal"], cwd=place.directory)
        assert (beside.code, str(run.pid) in beside.error()["message"]) == (5, True), beside
        assert place.stats()["received"] == 4
        # Where claims outlive their owner, this is how the next run on the journal knows that it is dead.
        (claim,) = (path for path in (place.directory / f"{STORE}.claims").iterdir() if path.name != "gate")
        journal_id = place.journal("SELECT journal_id FROM journal")[0][0]
        assert msgspec.json.decode(claim.read_bytes())["holder"]["journal_id"] == journal_id


@pytest.mark.guarantee("G5")
def test_partitions_work_side_by_side(place: Place) -> None:
    """Two runs at once, each with its part, ask every context once between them."""
    with provider("--latency", "0.2") as place.url, ExitStack() as runs:
        both = [runs.enter_context(place.started("--partition", part)) for part in ("1/2", "2/2")]
        reports: list[dict[str, Any]] = [msgspec.json.decode(run.communicate(timeout=40)[0]) for run in both]
        assert [run.returncode for run in both] == [0, 0]
        assert sum(report["delivered"] for report in reports) == CITATIONS
        assert all(report["delivered"] for report in reports)
        assert list(place.hits().values()) == [1] * CITATIONS


@pytest.mark.guarantee("G3")
def test_a_journal_that_is_gone_is_missed(place: Place) -> None:
    """Without the journal that another run left unfinished, nothing is asked until somebody says --new-journal."""
    with provider("--latency", "0.05") as place.url:
        killed_half_way(place)
        received = place.stats()["received"]
        for left in place.directory.glob(f"{JOURNAL}*"):
            left.unlink()
        refused = run_cli(place.command()[3:], cwd=place.directory)
        assert (refused.code, refused.error()["kind"]) == (5, "journal_elsewhere"), refused
        assert str(place.directory / JOURNAL) in refused.error()["message"]
        assert place.stats()["received"] == received
        assert place.finish("--new-journal")["remaining"] == 0
        # Now the store knows the new one, and it is enough.
        assert place.finish()["calls"] == 0


@pytest.mark.guarantee("G3", "G4")
def test_a_store_from_a_backup_heals_without_a_call(place: Place) -> None:
    """A store that has forgotten its deliveries, or even the screening, gets them again from the journal."""
    with provider() as place.url:
        shutil.copy(place.directory / STORE, place.directory / "backup")
        place.finish()
        received, stored = place.stats()["received"], place.store("SELECT input_hash, answer FROM outcome ORDER BY 1")
        shutil.copy(place.directory / "backup", place.directory / STORE)
        healed = place.finish()
        assert (healed["calls"], healed["delivered"], healed["remaining"]) == (0, CITATIONS, 0)
        assert place.stats()["received"] == received
        assert place.store("SELECT input_hash, answer FROM outcome ORDER BY 1") == stored
        audit_verdicts(place, citations=CITATIONS, contexts=1)


@pytest.mark.guarantee("G6")
def test_nobody_listens(place: Place) -> None:
    """A port where nothing listens stops the run with exit 4; no context is marked, and no call is counted."""
    place.url = "http://127.0.0.1:9/v1"
    for _ in range(4):
        nobody = run_cli(place.command("--max-attempts", "1")[3:], cwd=place.directory)
        assert nobody.code == 4, nobody
        report = nobody.json()
        assert (report["stopped"], report["failed"], report["calls"], report["maybe_paid"]) == ("provider", 0, 0, 0)
    with provider() as place.url:
        assert place.finish()["answered"] == CITATIONS


@pytest.mark.guarantee("G3")
def test_the_disk_is_full(place: Place) -> None:
    """When the journal takes no more, asking stops with exit 5 and a report; what it had taken is not asked again."""
    place.fill_more(60)
    with provider("--latency", "0.01") as place.url:
        done = subprocess.run(
            place.command(),
            cwd=place.directory,
            env=clean_environ(place.directory, {"TMPDIR": str(place.directory)}),
            capture_output=True,
            encoding="utf-8",
            timeout=50,
            check=False,
            preexec_fn=small_files,
        )
        assert done.returncode == 5, done
        report = msgspec.json.decode(done.stdout)
        assert report["stopped"] == "store"
        assert JOURNAL in report["reason"]
        acknowledged = {row[0].lower() for row in place.journal("SELECT hex(input_hash) FROM settled WHERE usable")}
        assert 0 < len(acknowledged) < CITATIONS + 60
        before = place.hits()
        assert sum(before.values()) - len(acknowledged) <= 2 * 4, "asking went on after the journal had failed"
        place.finish()
        after = place.hits()
        assert all(after[prompt] == before[prompt] for prompt in acknowledged)
        audit_verdicts(place, citations=CITATIONS + 60, contexts=1)


def small_files() -> None:
    """No file may grow beyond this, as if the disk were full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


def test_the_status_file_is_whole_at_every_moment(place: Place) -> None:
    """Beside a live run lies a file with its numbers; whoever reads it never sees half of it; at the end it says so."""
    path = place.directory / f"{JOURNAL}.status.json"
    with provider("--latency", "0.3") as place.url, place.started() as run:
        eventually(path.exists, run)
        seen = []
        while run.poll() is None:
            seen.append(msgspec.json.decode(path.read_bytes()))
        assert seen[0]["running"]
        assert {status["pid"] for status in seen} == {run.pid}
    last = msgspec.json.decode(path.read_bytes())
    assert (last["running"], last["numbers"]["delivered"]) == (False, CITATIONS)
    assert not list(place.directory.glob("*.new"))


@pytest.mark.guarantee("G9")
def test_the_key_is_nowhere(place: Place) -> None:
    """The key reaches the provider and nothing else: no output, journal, store, status file or process list has it."""
    faults = ["echo_key@1", "echo_key_escaped@2*always", "echo_key_header@3", "echo_key_not_http@4", "echo_key_cut@5"]
    arguments = [word for fault in faults for word in ("--fault", fault)]
    said = ""
    with provider("--latency", "0.2", *arguments) as place.url, place.started("-v", OPENAI_API_KEY=CANARY) as run:
        eventually(lambda: place.stats()["in_flight"], run)
        said += Path(f"/proc/{run.pid}/cmdline").read_text()
        said += "".join(run.communicate(timeout=50))
    with provider("--fault", "echo_key_refused@all*always") as place.url:
        place.fill_more(2)
        with place.started("-v", OPENAI_API_KEY=CANARY) as run:
            said += "".join(run.communicate(timeout=50))
        assert run.returncode == 4
    assert CANARY not in said
    for file in place.directory.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file
    replies = place.replies()
    assert any(b"You sent" in reply for reply in replies), "no reply echoed anything"
    assert all(CANARY.encode() not in reply for reply in replies)
