"""What counts as damage, and which text may be put back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from citefidelity.damage import Edge, Finding, examine
from citefidelity.records import CitationKey
from support.origin import blank, error, judged


def edge(*contexts: dict[str, Any], reference: str = "r1", place: str = "", **more: Any) -> Edge:
    """An edge that another program has classified."""
    usual: dict[str, Any] = {"classified": True, "screened": False, "contexts": json.dumps(contexts), "properties": {}}
    return Edge(place=place or reference, key=CitationKey("a", "b", reference), **(usual | more))


def only(*edges: Edge) -> Finding:
    """The one damaged edge among these."""
    (finding,) = examine(edges)
    return finding


def mended(finding: Finding) -> list[Any]:
    """The contexts that would be written."""
    assert finding.mend is not None
    contexts: list[Any] = json.loads(finding.mend.contexts)
    return contexts


def test_a_sound_edge_is_not_damaged() -> None:
    """Judged contexts in their order, a single one, and no numbers at all: nothing is found."""
    assert examine([edge(judged(1), judged(2), judged(10))]) == []
    assert examine([edge(judged("b"), judged("a"))]) == []
    assert examine([edge(judged(2), judged(2))]) == []


@pytest.mark.parametrize("contexts", [None, 7, "", "no JSON", "{}", "[]", "[1]", '[{"context_text": "\\ud800"}]'])
def test_what_cannot_be_read_is_no_business_of_a_repair(contexts: object) -> None:
    """It is told by a run, and is not touched."""
    assert examine([edge(contexts=contexts)]) == []


def test_what_is_not_marked_or_was_screened_by_us_is_never_damaged() -> None:
    """However it looks."""
    assert examine([edge(blank(2), blank(1), classified=False)]) == []
    assert examine([edge(blank(2), blank(1), screened=True)]) == []


def test_blank_contexts_are_named_and_left_where_no_text_is() -> None:
    """Text and evidence are gone, and nothing else has them: nothing can be put back, and it stays classified."""
    finding = only(edge(judged(1), blank(2)))
    assert (finding.damage.kinds, finding.damage.blanked, finding.damage.recoverable) == (["blanked"], ["2"], [])
    assert finding.mend is None
    assert only(edge(blank(1))).mend is None


def test_errors_with_their_text_are_to_do_again() -> None:
    """Nothing but the mark changes: the contexts stay to the byte."""
    damaged = edge(error(1), error(2))
    finding = only(damaged)
    assert (finding.damage.kinds, finding.damage.repairs) == (["only_errors"], ["to_do"])
    assert finding.mend is not None
    assert (finding.mend.contexts, finding.mend.to_do) == (damaged.contexts, True)


def test_contexts_are_put_in_the_order_of_their_numbers() -> None:
    """As numbers, not as text; every field stays as it was written, and so does the mark."""
    finding = only(edge(judged(10), judged(9, odd=1.50)))
    assert (finding.damage.kinds, finding.damage.repairs) == (["out_of_order"], ["order"])
    assert finding.mend is not None
    assert not finding.mend.to_do
    assert mended(finding) == [judged(9, odd=1.50), judged(10)]
    assert only(edge(contexts='[{"instance_id":2,"n":1.0},{"instance_id":1}]')).mend.contexts == (  # type: ignore[union-attr]
        '[{"instance_id":1},{"instance_id":2,"n":1.0}]'
    )


def test_of_parallel_edges_with_one_content_both_are_named_and_none_is_touched() -> None:
    """Whose contexts they are cannot be told, so they are neither sorted nor asked again."""
    findings = examine([edge(error(2), error(1)), edge(error(2), error(1), reference="r2")])
    assert [finding.damage.kinds for finding in findings] == [["only_errors", "out_of_order", "overwritten"]] * 2
    assert [finding.mend for finding in findings] == [None, None]


def test_a_text_is_put_back_from_a_doubled_edge() -> None:
    """It comes with section and evidence; what was said of the failed call stays; the edge is to do again."""
    finding = only(edge(blank(1)), edge(judged(1), place="twin"))
    assert (finding.damage.recoverable, finding.damage.repairs) == (["1"], ["text", "to_do"])
    expected = judged(1, classification=blank(1)["classification"])
    del expected["human_review"]
    assert mended(finding) == [expected]


def test_a_text_is_put_back_from_a_context_that_names_this_reference() -> None:
    """Even where it stands on the edge of another reference."""
    other = edge(judged(1, ref_id="r1"), reference="r2", classified=False)
    assert mended(only(edge(blank(1)), other))[0]["context_text"] == judged(1)["context_text"]
    assert only(edge(blank(1)), edge(judged(1, ref_id="r2"), reference="r2")).mend is None


def test_a_text_is_put_back_from_a_parallel_edge_with_the_same_list() -> None:
    """What both have a text for must be the same; a list that shares nothing proves nothing."""
    same = edge(judged(1), judged(2), reference="r2")
    assert only(edge(judged(1), blank(2)), same).damage.recoverable == ["2"]
    other = edge(judged(1, context_text="Another."), judged(2), reference="r2")
    assert only(edge(judged(1), blank(2)), other).damage.recoverable == []
    assert only(edge(blank(1), blank(2)), same).damage.recoverable == []


def test_two_texts_for_one_context_are_ambiguous() -> None:
    """None of them is taken."""
    twins = [edge(judged(1, context_text=text), place=text) for text in ("One.", "Two.")]
    assert only(edge(blank(1)), *twins).mend is None
    assert only(edge(blank(1)), twins[0], edge(judged(1, context_text="One."), place="same")).mend is not None
