"""Repairs where there is nothing to repair, or no way to."""

from __future__ import annotations

from pathlib import Path

import pytest

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
