"""Records as properties of a graph, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.config.graph_names import GraphNames
from citefidelity.record_format import parse_record
from citefidelity.records import CitationKey
from citefidelity.stores.neo4j_records import article_of, citation_properties, key_of, native_ids, record_of
from support.makers import make_line

NAMES = GraphNames()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé"\\\0𝄞'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)


def there_and_back(line: bytes, existing: dict[str, dict[str, Any]] | None = None) -> None:
    """Put a record into a graph, with articles made of it or already there, and read it out of the same properties."""
    record, _ = parse_record(line)
    ends = {}
    for end in ("source", "target"):
        made = article_of(record, end, NAMES)
        node = (existing or {}).get(end) or {
            "id": made["article_id"],
            "title": made.get("title"),
            "authors": made.get("authors"),
            "year": made.get("pub_year"),
        }
        ends[end] = node
    edge = citation_properties(record, ends["source"], ends["target"], NAMES)
    row = {
        "source": ends["source"]["id"],
        "target": ends["target"]["id"],
        "reference": edge["reference_id"],
        **{f"{end}_{field}": ends[end][field] for end in ends for field in ("title", "authors", "year")},
        "qualified": edge["qualified"],
        "contexts": edge["citation_contexts_json"],
        "context_count": edge["context_count"],
        "fields_json": edge["fidelity_fields_json"],
    }
    assert key_of(row) == record.key
    assert record_of(record.key, row) == record


@given(st.dictionaries(st.sampled_from(["source_year", "source_authors", "target_authors", "x", "y"]), VALUES))
def test_any_record_comes_back_byte_for_byte(fields: dict[str, Any]) -> None:
    """Whatever the fields hold, and wherever a graph keeps them, the record is the same (G1)."""
    there_and_back(make_line(1, 2, **fields))


def test_what_the_graph_says_otherwise_stays_on_the_edge() -> None:
    """An article that exists keeps its title; the record keeps its own."""
    other = {"id": 7, "title": "Another title", "authors": [], "year": None}
    there_and_back(
        make_line(1, source_id=7, source_title="Mine", source_authors=[], source_year=2020), {"source": other}
    )
    there_and_back(make_line(1, source_id="7", source_title="Another title"), {"source": other})


def test_what_the_graph_keeps_is_not_kept_twice() -> None:
    """Titles that an article has are not on the edge, so that a change of the article shows."""
    record, _ = parse_record(make_line(1, note="x"))
    source, target = (
        {"id": made["article_id"], "title": made["title"], "authors": None, "year": None}
        for made in (article_of(record, "source", NAMES), article_of(record, "target", NAMES))
    )
    template = json.loads(citation_properties(record, source, target, NAMES)["fidelity_fields_json"])
    assert template == [
        ["source_id"],
        ["target_id"],
        ["reference_id"],
        ["source_title"],
        ["target_title"],
        ["note", "x"],
    ]


@pytest.mark.parametrize(
    ("article_id", "natives"),
    [
        ("a", ["a"]),
        ("12", ["12", 12]),
        ("-5", ["-5", -5]),
        ("012", ["012"]),
        ("-0", ["-0"]),
        ("٣", ["٣"]),
        ("1.0", ["1.0"]),
        (str(2**63 - 1), [str(2**63 - 1), 2**63 - 1]),
        (str(2**63), [str(2**63)]),
        ("9" * 5_000, ["9" * 5_000]),
        ("", [""]),
    ],
)
def test_an_id_is_looked_up_as_what_it_may_be(article_id: str, natives: list[object]) -> None:
    """A plain decimal number may be an integer in the graph; anything else is only a string."""
    assert native_ids(article_id) == natives


def test_an_edge_without_our_fields_is_made_of_what_the_graph_has() -> None:
    """A graph that others made gives records with the fields that it knows."""
    row = {
        "source": 1,
        "target": "b",
        "reference": None,
        **{f"{end}_{field}": None for end in ("source", "target") for field in ("title", "authors", "year")},
        "target_authors": ["X"],
        "qualified": False,
        "contexts": "[{}, {}]",
        "context_count": None,
        "fields_json": None,
    }
    record = record_of(CitationKey("1", "b", ""), row)
    assert json.loads(record.fields) == {"source_id": 1, "target_id": "b", "target_authors": ["X"], "qualified": False}
    assert (record.qualified, record.context_count) == (False, 2)
