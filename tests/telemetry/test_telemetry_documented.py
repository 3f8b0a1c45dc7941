"""The documents name every metric and attribute that there is, and none that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from citefidelity.telemetry import names, otel
from citefidelity.telemetry.families import BUILD_INFO, FAMILIES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "telemetry.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
METRIC = re.compile(r"\bcitefidelity_[a-z0-9_]+")
SUFFIXES = ("", "_bucket", "_sum", "_count")


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    """Name, kind, labels and meaning of each metric, in the order of the code."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `citefidelity_")]
    wanted = [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | {family.meaning} |"
        for family in FAMILIES
    ]
    assert rows == [f"| `{BUILD_INFO}` | info | `version` | Which program this is. |", *wanted], "\n".join(wanted)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_names_a_metric_that_is_not_there(document: Path) -> None:
    """Whoever renames a metric has to tell people everywhere."""
    offered = {f"{family.name}{suffix}" for family in FAMILIES for suffix in SUFFIXES} | {BUILD_INFO}
    assert set(METRIC.findall(document.read_text(encoding="utf-8"))) <= offered


def test_every_attribute_of_a_span_is_documented_and_no_other() -> None:
    """The table of attributes is the list in the code."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("| attribute | is |") : text.index("Metrics: `gen_ai")]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(name for cell in cells for name in re.findall(r"`([^`]+)`", cell)) == sorted(names.SPAN_ATTRIBUTES)
    assert names.DURATION in text
    assert names.TOKEN_USAGE in text


def test_the_goodbye_takes_as_long_as_is_said() -> None:
    """The page promises an end within five seconds."""
    assert "at most five seconds" in PAGE.read_text(encoding="utf-8")
    assert otel.GOODBYE_S == 5
