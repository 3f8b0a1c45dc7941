"""Names that a graph may have, and those that could be a query of their own."""

from __future__ import annotations

import pytest

from citefidelity.config.graph_names import GraphNames, graph_names
from citefidelity.errors import UsageError
from citefidelity.stores.neo4j_cypher import Cypher


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1st",
        "a b",
        "a-b",
        "a`b",
        "a`) DETACH DELETE (n",
        "\\u0060",
        "ä",
        "x" * 65,
        "a\n",
        "FidelityVerdict",
        "fidelity_x",
    ],
)
def test_a_name_that_could_be_more_is_refused(name: str) -> None:
    """Only letters, digits and underscores get into the text of a query, and nothing that is ours."""
    with pytest.raises(UsageError) as told:
        graph_names({"article": name})
    assert told.value.kind == "bad_graph_name"
    assert name.lower().startswith("fidelity") or "letters from A to Z" in told.value.hint


def test_an_unknown_field_is_refused() -> None:
    """A misspelt field would silently leave the usual name in place."""
    with pytest.raises(UsageError, match="'artikel'"):
        graph_names({"artikel": "Paper"})


@pytest.mark.parametrize("given", ["article", "article=Paper,", "article=A,article=B", {"article": 5}, ["article"], 5])
def test_what_names_nothing_is_refused(given: object) -> None:
    """A table or pairs of words are taken, each field once; anything else would be guessed at."""
    with pytest.raises(UsageError) as told:
        graph_names(given)
    assert told.value.kind == "bad_graph_name"


def test_names_are_shown_as_they_are_given() -> None:
    """What `config` shows of names can be given again, and does not repeat the usual ones."""
    names = graph_names({"article": "Paper", "cites": "CITES"})
    assert str(names) == "article=Paper"
    assert graph_names(" article = Paper ") == names
    assert str(GraphNames()) == "usual"


def test_two_meanings_of_one_property_are_refused() -> None:
    """Where the title is the id, no write could keep both."""
    with pytest.raises(UsageError, match="'title'"):
        graph_names({"article_id": "title"})


def test_given_names_stand_in_every_query() -> None:
    """No query keeps a usual name that was replaced."""
    names = {field: f"x{number}" for number, field in enumerate(GraphNames.__struct_fields__)}
    cypher = Cypher(graph_names(names))
    texts = [
        cypher.bound("strings", last=True),
        cypher.native_id(),
        cypher.keys("to_do", "strings", last=False),
        cypher.keys("all", "odd", last=True),
        cypher.counts("numbers", last=True),
        cypher.fetch(outcomes=True),
        cypher.lock(),
        cypher.look(),
        cypher.deliver(),
        cypher.unmark(),
        cypher.make_articles(),
        cypher.article_properties(),
        cypher.make_citations(),
        cypher.change_citations(),
    ]
    for text in texts:
        assert f":{names['article']}" in text
        assert not any(usual in text for usual in (":Article", "CITES", ".article_id", ".pub_year", ".classified "))
