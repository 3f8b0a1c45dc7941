"""``retry`` through the real program: what failed is asked again, its neighbours are not, wherever it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.cli import clean_environ, provider, run_cli
from support.makers import make_line

CHILD = Path(__file__).parents[1] / "support" / "retry_child.py"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store in which four citations are delivered; of eight contexts the third and the sixth failed for good."""
    (tmp_path / "in.jsonl").write_bytes(b"".join(make_line(number, 2) for number in range(1, 5)))
    run_cli(["import", "in.jsonl"], cwd=tmp_path)
    with provider("--fault", "filtered@3*always", "--fault", "too_long_openai@6*always") as url:
        ran = run_cli(["run", "--base-url", url, "--model", "m", "--concurrency", "1", "--json"], cwd=tmp_path)
    assert ran.code == 3
    assert ran.json()["failed"] == 2
    return tmp_path


def go_on(place: Path) -> dict[str, Any]:
    """Run again, against a provider that is well; the report."""
    with provider() as url:
        report: dict[str, Any] = run_cli(["run", "--base-url", url, "--json"], cwd=place).json()
    return report


def states(place: Path) -> tuple[int, int, int, dict[str, int]]:
    """Contexts with a verdict, failed and to do, and the notes, from an audit that is clean."""
    result = run_cli(["verify", "--json"], cwd=place)
    assert result.code == 0, result
    audit = result.json()
    found = audit["states"]
    return found["verdict"], found["failed"], found["to_do"], audit["notes_by_kind"]


@pytest.mark.guarantee("G2", "G3", "G4")
def test_what_failed_is_asked_again_and_nothing_else(place: Path) -> None:
    """Retry says what it did and what comes next; the run after it asks two contexts, and all is delivered."""
    assert states(place) == (6, 2, 0, {})
    said = run_cli(["retry"], cwd=place)
    assert said.code == 0, said
    assert "2 contexts of 2 citations" in said.stdout
    assert "citefidelity run" in said.stdout
    assert states(place) == (6, 0, 2, {})
    again = run_cli(["retry", "--json"], cwd=place).json()
    assert (again["contexts"], again["withdrawn"]) == (0, 0)
    report = go_on(place)
    assert (report["calls"], report["answered"], report["delivered"], report["remaining"]) == (2, 2, 2, 0)
    assert states(place) == (8, 0, 0, {})


@pytest.mark.guarantee("G3", "G4")
@pytest.mark.parametrize(
    ("when", "left"),
    [("before", (6, 2, 0, {"retry_interrupted": 2})), ("after", (6, 0, 2, {}))],
)
def test_killed_with_sigkill(place: Path, when: str, left: tuple[int, int, int, dict[str, int]]) -> None:
    """Killed between the journal and the store, or right after the store, it is repeated and all is as it should be."""
    died = subprocess.run(
        [sys.executable, CHILD, "citefidelity.db", when], cwd=place, env=clean_environ(place), timeout=30, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert states(place) == left
    again = run_cli(["retry", "--json"], cwd=place).json()
    finished = 2 if when == "before" else 0
    assert (again["contexts"], again["finished"], again["withdrawn"]) == (0, finished, finished)
    report = go_on(place)
    assert (report["calls"], report["answered"], report["delivered"]) == (2, 2, 2)
    assert states(place) == (8, 0, 0, {})
