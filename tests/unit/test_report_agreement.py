"""Verdicts against labels, checked against plain lists of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.errors import UsageError
from citefidelity.records import StoredCitation
from citefidelity.reporting.calibration import UNKNOWN_NAMED, Agreement, Comparison
from citefidelity.reporting.labels import FieldLabels, FileLabels
from support.makers import make_failed, make_key, make_outcome, make_record, make_unassessable, make_verdict

CATEGORIES = ["SUPPORT", "CONTRADICT", "IRRELEVANT", "UNCERTAIN"]
TWICE = '{"source_id": "a", "target_id": "b", "instance_id": 1}'
JUDGED = st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(CATEGORIES), st.integers(0, 100))


def compared(*rows: tuple[str | None, str, float], **mapping: str) -> Agreement:
    """The agreement of rows of label, category and confidence."""
    comparison = Comparison(CATEGORIES, "gold", mapping)
    for label, category, confidence in rows:
        comparison.add(label, make_outcome(verdict=make_verdict(category, confidence)))
    return comparison.result()


@given(st.lists(JUDGED, min_size=1, max_size=60))
def test_every_number_by_its_definition(drawn: list[tuple[str, str, int]]) -> None:
    """Accuracy, precision, recall, F1, baseline, bins and calibration error are what counting by hand gives."""
    rows = [(label, said, hundredths / 100) for label, said, hundredths in drawn]
    found = compared(*rows)
    total = len(rows)
    assert found.agreed == sum(label == said for label, said, _ in rows)
    assert found.accuracy == pytest.approx(found.agreed / total)
    assert found.baseline == max(sum(label == name for label, *_ in rows) for name in CATEGORIES) / total
    f1s = []
    for scores in found.scores:
        name = scores.category
        hit = sum(label == said == name for label, said, _ in rows)
        labels = sum(label == name for label, *_ in rows)
        verdicts = sum(said == name for _, said, _ in rows)
        assert (scores.labels, scores.verdicts) == (labels, verdicts)
        assert scores.precision == (hit / verdicts if verdicts else None)
        assert scores.recall == (hit / labels if labels else None)
        if labels:
            precision, recall = hit / verdicts if verdicts else 0.0, hit / labels
            f1s.append(2 * precision * recall / (precision + recall) if hit else 0.0)
    assert found.macro_f1 == pytest.approx(sum(f1s) / len(f1s))
    error = 0.0
    for at, one in enumerate(found.bins):
        inside = [row for row in rows if at <= min(int(row[2] * 100 + 0.5) // 10, 9) < at + 1]
        assert one.contexts == len(inside)
        if inside:
            agreement = sum(label == said for label, said, _ in inside) / len(inside)
            confidence = sum(row[2] for row in inside) / len(inside)
            assert [one.agreement, one.confidence] == pytest.approx([agreement, confidence])
            error += len(inside) / total * abs(agreement - confidence)
    assert found.calibration_error == pytest.approx(error)
    assert sum(sum(numbers) for numbers in found.confusion.values()) == total


def test_a_confidence_on_the_edge_belongs_to_the_class_above() -> None:
    """Each class holds its lower end, and the last one holds 1 as well."""
    found = compared(*((CATEGORIES[0], CATEGORIES[0], tenth / 10) for tenth in range(11)))
    assert [one.contexts for one in found.bins] == [1] * 9 + [2]


def test_names_are_mapped_on_both_sides() -> None:
    """A label of another scheme becomes a category, and categories mapped to one name are one."""
    rows = [("ACCURATE", "SUPPORT", 0.9), ("WRONG", "CONTRADICT", 0.9), ("WRONG", "IRRELEVANT", 0.9)]
    found = compared(*rows, ACCURATE="SUPPORT", CONTRADICT="WRONG", IRRELEVANT="WRONG")
    assert (found.compared, found.agreed, found.unknown_contexts) == (3, 3, 0)
    assert found.columns == ["SUPPORT", "WRONG"]
    assert found.kappa == 1
    assert compared(*rows).unknown == {"ACCURATE": 1, "WRONG": 2}


def test_what_cannot_be_compared_is_counted_and_left_out() -> None:
    """No label, no verdict, or a label that stands for no category: each has its own count, and agrees with nothing."""
    comparison = Comparison(CATEGORIES, "gold", {})
    comparison.add(None, make_outcome())
    comparison.add("SUPPORT", None)
    comparison.add("SUPPORT", make_failed())
    comparison.add("SUPPORT", make_unassessable())
    comparison.add("PERHAPS", make_outcome())
    comparison.add("SUPPORT", make_outcome())
    found = comparison.result()
    assert (found.labelled, found.without_label, found.without_verdict, found.unknown_contexts) == (5, 1, 3, 1)
    assert (found.compared, found.agreed) == (1, 1)


def test_uncertain_disagrees_and_is_told_apart() -> None:
    """An abstention counts as disagreement in the one figure, and is left out of the other."""
    found = compared(("SUPPORT", "UNCERTAIN", 0.2), ("SUPPORT", "SUPPORT", 0.9))
    assert (found.accuracy, found.decided, found.decided_accuracy) == (0.5, 1, 1.0)
    assert compared(("UNCERTAIN", "UNCERTAIN", 0.2)).decided == 1


def test_a_field_of_free_text_does_not_fill_the_memory() -> None:
    """Labels that stand for no category are named up to a bound, and all counted."""
    found = compared(*((f"note {number}", "SUPPORT", 0.5) for number in range(1_000)))
    assert (len(found.unknown), found.unknown_contexts, found.compared) == (UNKNOWN_NAMED, 1_000, 0)
    assert (found.accuracy, found.kappa, found.calibration_error, found.baseline_label) == (None, None, None, None)


def labelled(*values: Any) -> StoredCitation:
    """A citation whose contexts have these labels."""
    contexts = [{"instance_id": number, "context_text": "x", "gold": value} for number, value in enumerate(values, 1)]
    return StoredCitation(make_record(1, contexts=contexts))


def test_labels_in_a_field_of_the_contexts() -> None:
    """A word or a number is a label; null, blank, absent and anything else is none; a broken record has none."""
    found = FieldLabels("gold").of(labelled("SUPPORT", " A ", 3, None, " ", ["SUPPORT"], {"a": 1}))
    assert list(found.values()) == ["SUPPORT", "A", "3", None, None, None, None]
    assert list(found) == list("1234567")
    assert set(FieldLabels("other").of(labelled("SUPPORT")).values()) == {None}
    broken = msgspec.structs.replace(labelled().record, contexts=b"[{]")
    assert FieldLabels("gold").of(StoredCitation(broken)) == {}


def test_labels_in_a_file_of_their_own(tmp_path: Path) -> None:
    """A line for each context; a reference that is null is empty, as in a record; others have no label."""
    key = {"source_id": "citing-1", "target_id": "cited-1", "reference_id": "r1"}
    rows = [
        key | {"instance_id": 1, "gold": "SUPPORT"},
        key | {"instance_id": "2", "gold": None},
        {"source_id": 5, "target_id": "b", "reference_id": None, "instance_id": 1, "gold": "IRRELEVANT"},
    ]
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    labels = FileLabels(path, "gold")
    assert labels.source == "gold in gold.jsonl"
    assert labels.of(labelled("CONTRADICT", "CONTRADICT")) == {"1": "SUPPORT", "2": None}
    other = msgspec.structs.replace(
        make_record(), key=make_key()._replace(source_id="5", target_id="b", reference_id="")
    )
    assert labels.of(StoredCitation(other)) == {"1": "IRRELEVANT"}
    assert labels.of(StoredCitation(make_record(2))) == {}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"source_id": "a", "instance_id": 1}',
        '{"source_id": "a", "target_id": "b"}',
        '{"source_id": "a", "target_id": [], "instance_id": 1}',
        f"{TWICE}\n{TWICE}",
    ],
)
def test_a_line_that_names_no_context_is_named(tmp_path: Path, line: str) -> None:
    """The file and the line stand in the message; nothing of the file is taken."""
    path = tmp_path / "gold.jsonl"
    path.write_text(line)
    with pytest.raises(UsageError, match=r"gold.jsonl, line \d") as told:
        FileLabels(path, "gold")
    assert told.value.kind == "bad_gold_file"
    with pytest.raises(UsageError, match="cannot be read"):
        FileLabels(tmp_path / "none", "gold")
