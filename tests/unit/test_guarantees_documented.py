"""The document on the guarantees names tests that exist, for every guarantee."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    """Whoever renames a test that proves a guarantee has to say so there."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    there = {file.name for file in files}
    for file in files:
        there |= set(re.findall(r"\b(test_\w+)(?:\(| = )", file.read_text(encoding="utf-8")))
    named = set(re.findall(r"test_\w+(?:\.py)?", TEXT))
    assert named - there == set()
    assert all((ROOT / path).exists() for path in re.findall(r"tests/[\w/.]+", TEXT))


def test_every_guarantee_is_proved() -> None:
    """Each of the ten has a section, and each section names what proves it."""
    sections = dict(re.findall(r"^## (G\d+) (.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL))
    assert set(sections) == {f"G{number}" for number in range(1, 11)}
    assert all("Proof: " in section for section in sections.values())
