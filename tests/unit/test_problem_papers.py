"""The articles with the most unsupported citations."""

from __future__ import annotations

from citefidelity.records import CitationKey
from citefidelity.specs.spec import builtin_spec
from citefidelity.views.problem_papers import UNSUPPORTED, JudgedCitation, problem_papers, unsupported_of


def citation(source: str, target: str, *categories: str, reference: str = "") -> JudgedCitation:
    """A citation with a verdict for each of its contexts."""
    return JudgedCitation(CitationKey(source, target, reference), categories, f"Title of {source}", None)


def test_articles_are_counted_on_both_sides_of_a_citation() -> None:
    """Each article has its contexts, its citations and their unsupported ones, cited and citing apart."""
    found = problem_papers(
        [
            citation("a", "x", "SUPPORT", "CONTRADICT"),
            citation("a", "x", "MISQUOTE", "MISQUOTE", reference="r2"),
            citation("b", "x", "SUPPORT"),
            citation("b", "y", "UNCERTAIN"),
        ]
    )
    (cited,) = found.cited
    assert (cited.article_id, cited.judged, cited.unsupported, cited.share) == ("x", 5, 3, 0.6)
    assert (cited.citations, cited.citations_unsupported) == (3, 2)
    assert cited.categories == {"CONTRADICT": 1, "MISQUOTE": 2}
    assert cited.title is None
    (citing,) = found.citing
    assert (citing.article_id, citing.title, citing.judged, citing.unsupported) == ("a", "Title of a", 4, 3)
    assert (found.cited_articles, found.citing_articles) == (1, 1)


def test_the_most_unsupported_contexts_come_first() -> None:
    """The order is by unsupported contexts, then by their share, then by id; the rest is only counted."""
    found = problem_papers(
        [
            citation("a", "many", *["CONTRADICT"] * 3),
            citation("b", "half", "CONTRADICT", "SUPPORT"),
            citation("c", "all-2", "CONTRADICT"),
            citation("d", "all-1", "CONTRADICT"),
        ],
        most=3,
    )
    assert [paper.article_id for paper in found.cited] == ["many", "all-1", "all-2"]
    assert found.cited_articles == 4


def test_articles_with_too_few_contexts_can_be_left_out() -> None:
    """``at_least`` is about contexts with a verdict."""
    citations = [citation("a", "x", "CONTRADICT"), citation("a", "y", "CONTRADICT", "SUPPORT")]
    found = problem_papers(citations, at_least=2)
    assert [paper.article_id for paper in found.cited] == ["y"]
    assert found.cited_articles == 1


def test_other_categories_may_be_counted() -> None:
    """What counts as unsupported is the caller's choice; a citation without any verdict counts nowhere."""
    citations = [citation("a", "x", "OVERSIMPLIFY", "CONTRADICT"), citation("a", "z")]
    found = problem_papers(citations, ["OVERSIMPLIFY"])
    assert found.counted == ("OVERSIMPLIFY",)
    assert [(paper.unsupported, paper.judged, paper.citations) for paper in found.citing] == [(1, 2, 1)]


def test_what_counts_by_itself_is_what_the_builtin_spec_has() -> None:
    """All four categories are in the built-in spec; a spec with a set of its own has those it shares."""
    assert unsupported_of(builtin_spec().categories) == UNSUPPORTED
    assert unsupported_of(["REFUTED", "CONTRADICT"]) == ("CONTRADICT",)
