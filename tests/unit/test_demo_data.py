"""The demo's citations: what they promise to show is there, and every record is a good one."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from citefidelity.demo_data import demo_records
from citefidelity.specs.spec import builtin_spec


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """All records, parsed."""
    return [json.loads(line) for line in demo_records().splitlines()]


def test_there_are_twenty_citations_with_forty_contexts(records: list[dict[str, Any]]) -> None:
    """Small enough for two processor cores, large enough to be killed in the middle."""
    assert len(records) == 20
    assert sum(len(record["contexts"]) for record in records) == 40
    assert len({record["demo_field"] for record in records}) >= 8


def test_every_key_is_unique_and_one_pair_has_two_edges(records: list[dict[str, Any]]) -> None:
    """Two citations may join the same pair of articles; the reference tells them apart."""
    keys = Counter((record["source_id"], record["target_id"], record["reference_id"]) for record in records)
    pairs = Counter((record["source_id"], record["target_id"]) for record in records)
    assert max(keys.values()) == 1
    assert sorted(pairs.values())[-2:] == [1, 2]


def test_every_category_is_expected_somewhere(records: list[dict[str, Any]]) -> None:
    """Each kind of verdict can be seen, and one context has nothing to judge by."""
    expected = Counter(context["demo_expected"] for record in records for context in record["contexts"])
    assert expected.pop("unassessable") == 1
    assert set(expected) == set(builtin_spec().categories)


def test_texts_are_short_and_sentences_are_part_of_them(records: list[dict[str, Any]]) -> None:
    """A small model reads each context in about a second, and a sentence that counts is one of the passage."""
    for record in records:
        for context in record["contexts"]:
            evidence = context["evidence_segments"]
            assert len(context["context_text"]) < 250
            assert context.get("citation_sentence", "") in context["context_text"]
            assert len(evidence) <= 5
            assert sum(len(segment["text"]) for segment in evidence) < 400
            assert (context["demo_expected"] == "unassessable") == (not evidence)


def test_some_of_it_is_not_ascii(records: list[dict[str, Any]]) -> None:
    """Texts in other languages and signs come through as they are."""
    assert any(not record["target_title"].isascii() for record in records if record["target_title"])
    assert any(not record["target_id"].isascii() for record in records)
