"""The kinds of violations and notes in the documents are those in the code."""

from __future__ import annotations

import re
from pathlib import Path

from citefidelity.audits.audited import Note, Violation

DOCUMENT = Path(__file__).parents[2] / "docs" / "verify.md"


def test_every_kind_has_a_row_and_every_row_a_kind() -> None:
    """Whoever adds, renames or removes a kind has to tell people; violations and notes are not mixed up."""
    violations, notes = DOCUMENT.read_text(encoding="utf-8").split("## Notes")
    for text, kinds in ((violations, Violation), (notes, Note)):
        rows = re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
        assert sorted(rows) == sorted(kind.value for kind in kinds)
