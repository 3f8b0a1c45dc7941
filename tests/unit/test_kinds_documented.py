"""The closed table of kinds in the documents is the one in the code."""

from __future__ import annotations

import re
from pathlib import Path

from citefidelity.kinds import FailureKind, ProviderFault, UndeliverableKind

DOCUMENT = Path(__file__).parents[2] / "docs" / "failures.md"


def test_every_kind_has_a_row_and_every_row_a_kind() -> None:
    """Whoever adds, renames or removes a kind has to tell people."""
    rows = re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = [kind.value for table in (FailureKind, UndeliverableKind, ProviderFault) for kind in table]
    assert sorted(rows) == sorted(kinds)
