"""Repairs where there is nothing to repair, or no way to."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.cli.repair_text import repair_text
from citefidelity.damage import Damage
from citefidelity.repairing import Repaired, RepairReport
from support.cli import call_cli
from support.makers import make_line


@pytest.mark.parametrize("words", [[], ["--apply"]])
def test_an_embedded_store_holds_nothing_to_repair(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, leaves no file and ends well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_bytes(make_line())
    assert call_cli(["import", "in.jsonl"], cwd=tmp_path).code == 0
    result = call_cli(["repair", *words], cwd=tmp_path)
    assert result.code == 0, result
    assert "Nothing to repair in sqlite:///citefidelity.db" in result.stdout
    assert call_cli(["repair", *words, "--json"], cwd=tmp_path).json()["possible"] is False
    assert list(tmp_path.glob("*repair*")) == []


def test_a_backup_is_for_apply_only(tmp_path: Path) -> None:
    """A list changes nothing, so a backup of it was meant for something else."""
    result = call_cli(["repair", "--backup", "x.jsonl", "--json"], cwd=tmp_path)
    assert result.code == 2
    assert "--apply" in result.error()["hint"]


def test_each_number_says_what_it_counts() -> None:
    """Citations are called so, and a context that has no number is not an empty place between commas."""
    damage = Damage(
        source_id="a",
        target_id="b",
        reference_id="",
        kinds=["blanked"],
        contexts=3,
        blanked=["1", ""],
        recoverable=[],
        repairs=[],
    )
    report = RepairReport(
        store="here", looked_at=5, by_kind={"blanked": 1}, blanked=2, damaged=[Repaired(damage=damage)]
    )
    told = "\n".join(repair_text(report, "again"))
    assert "a -> b: blanked (1, one without a number of 3)" in told
    assert "5 citations in here were classified by another program; of these\n  1 with contexts that lost" in told
