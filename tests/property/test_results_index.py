"""The index of results against a plain reading of the same facts, while they are appended."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from citefidelity.clock import SystemClock
from citefidelity.facts import Fact, Settled
from citefidelity.records import CitationKey, Failure, Verdict
from citefidelity.results_index import gathering, index, words
from citefidelity.results_index.filters import ANYTHING, Filter
from citefidelity.results_index.index import ResultsIndex
from citefidelity.results_index.rows import ResultRow
from citefidelity.views.problem_papers import JudgedCitation, problem_papers
from support.journals import make_began, make_delivered, make_reopened, open_sqlite_journal
from support.result_facts import Plain, asked_about, ordered, passes, settled_by, standing

ARTICLES = ("10.1/A_b", "10.1/axb", "PMC%1", "é-2")
CATEGORIES = ("SUPPORT", "CONTRADICT", "MISQUOTE")
TEXTS = ("aspirin lowers risk", "naïve aspirin ignore", "risk of a claim")

# Few, so that much happens to each.
keys = st.sampled_from(
    (
        CitationKey(ARTICLES[0], ARTICLES[1], ""),
        CitationKey(ARTICLES[0], ARTICLES[1], "r1"),
        CitationKey(ARTICLES[1], ARTICLES[2], ""),
        CitationKey(ARTICLES[3], ARTICLES[0], ""),
    )
)
places = st.tuples(keys, st.sampled_from(("1", "2")))
verdicts = st.builds(
    Verdict,
    st.sampled_from(CATEGORIES),
    st.sampled_from(("CONCEPTUAL", "BACKGROUND")),
    st.sampled_from((0.0, 0.25, 0.5, 1.0)),
    st.sampled_from(("it says so", "the risk is other")),
)
failures = st.one_of(
    st.builds(Failure, st.sampled_from(("refused", "timeout")), st.just("no answer"), st.booleans()),
    st.just(Failure("no_evidence", "no passage")),
)
flags = st.sampled_from(((), ("role_marker",)))
outcomes = st.tuples(verdicts, st.none()) | st.tuples(st.none(), failures)
steps = st.one_of(
    st.tuples(st.just("settle"), places, outcomes, flags, st.sampled_from(TEXTS)),
    st.tuples(st.just("settle"), places, outcomes, flags, st.sampled_from(TEXTS)),
    st.tuples(st.just("reopen"), places),
    st.tuples(st.just("deliver"), keys),
    st.tuples(st.just("deliver"), keys),
    st.tuples(st.just("elsewhere"), places, outcomes),
)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Mostly nothing, so that filters of many parts do not let nothing through."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


filters = st.builds(
    Filter,
    state=maybe(st.sampled_from(("verdict", "unassessable", "failed", "to_do"))),
    category=maybe(st.sampled_from(CATEGORIES)),
    failure=maybe(st.sampled_from(("refused", "timeout", "no_evidence"))),
    type=maybe(st.sampled_from(("CONCEPTUAL", "BACKGROUND"))),
    min=maybe(st.sampled_from((0.0, 0.3, 1.0))),
    max=maybe(st.sampled_from((0.0, 0.3, 1.0))),
    article=maybe(st.sampled_from(("10.1", "a_", "%", "AXB", "É", "'"))),
    citing=maybe(st.sampled_from(ARTICLES)),
    cited=maybe(st.sampled_from(ARTICLES)),
    words=maybe(st.sampled_from(("aspirin", "risk aspirin", "NOT", "the risk", "nowhere"))),
    flagged=st.sampled_from((False, False, True)),
    waiting=st.sampled_from((False, False, True)),
    sort=st.sampled_from(("latest", "lowest", "highest")),
)


Step = tuple[Any, ...]
"""A name and its arguments, as ``steps`` draws them."""


class Past:
    """The facts so far, in the order of their appending."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.texts: dict[tuple[CitationKey, str], str] = {}

    def facts_of(self, step: Step) -> list[Fact]:
        """What one step of an example appends."""
        match step:
            case ("settle" | "elsewhere" as where, (key, instance_id), (verdict, failure), *rest):
                settled_flags, text = rest or ((), TEXTS[0])
                asked = asked_about(key, instance_id, text, len(self.facts) + 1)
                screening = "main" if where == "settle" else "other"
                settled = settled_by(asked, verdict=verdict, failure=failure, flags=settled_flags, screening=screening)
                if screening == "main":
                    self.texts[key, instance_id] = text
                new: list[Fact] = [asked, settled]
            case ("reopen", (key, instance_id)):
                new = [make_reopened(key, instance_id)]
            case ("deliver", key):
                new = [make_delivered(key)]
        self.facts += new
        return new


def same(row: ResultRow, plain: Plain) -> bool:
    """Whether a row of the page is the oracle's."""
    return (row.key, row.instance_id, row.state, row.detail, row.confidence, row.citation_type, row.delivered) == (
        plain.key,
        plain.instance_id,
        plain.state,
        plain.detail,
        plain.confidence,
        plain.type,
        plain.delivered,
    )


async def complete(results: ResultsIndex) -> None:
    """Ask until nothing is left to take over; each question waits for the slice before it."""
    await results.page(Filter(words="x"))
    while not ((progress := await results.progress()).complete and progress.words_complete):
        assert progress.problem is None


async def compare(rounds: list[tuple[list[Step], Filter]]) -> None:
    """Append, ask, compare, round after round."""
    past = Past()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "j"
        async with await open_sqlite_journal(path) as journal:
            await journal.append([make_began()])
            results = ResultsIndex(path, "main", SystemClock())
            try:
                for taken, wanted in rounds:
                    for step in taken:
                        await journal.append(past.facts_of(step))
                    await complete(results)
                    rows = standing(past.facts, past.texts)
                    await compare_pages(results, rows, ANYTHING)
                    await compare_pages(results, rows, wanted)
                    await compare_sums(results, rows)
            finally:
                await results.close()


async def compare_pages(results: ResultsIndex, rows: list[Plain], wanted: Filter) -> None:
    """The page that a filter lets through."""
    expected = ordered([row for row in rows if passes(row, wanted)], wanted)
    page = await results.page(wanted)
    assert page.total == len(expected)
    assert all(same(row, plain) for row, plain in zip(page.rows, expected, strict=True))


async def compare_sums(results: ResultsIndex, rows: list[Plain]) -> None:
    """The groups, and the papers."""
    groups = {(group.state, group.detail): group.contexts for group in await results.groups()}
    assert sum(groups.values()) == len(rows)
    assert all(contexts == sum((row.state, row.detail) == how for row in rows) for how, contexts in groups.items())
    judged: dict[CitationKey, list[str]] = {}
    for row in rows:
        if row.state == "verdict":
            judged.setdefault(row.key, []).append(row.detail)
    papers = await results.papers(CATEGORIES[1:], at_least=2)
    citations = [
        JudgedCitation(key, categories, f"On {key.source_id}", f"On {key.target_id}")
        for key, categories in judged.items()
    ]
    assert papers == problem_papers(citations, CATEGORIES[1:], at_least=2)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.lists(steps, max_size=12), filters), min_size=1, max_size=4))
def test_pages_are_what_a_plain_filter_gives(rounds: list[tuple[list[Step], Filter]]) -> None:
    """Whatever is settled, reopened and delivered, before the first look and after it, each filter gives the same."""
    with patch.object(gathering, "SLICE", 3), patch.object(words, "SLICE", 2), patch.object(index, "SHARE", 0):
        asyncio.run(compare(rounds))


def test_the_oracle_is_not_empty() -> None:
    """What the oracle is about are verdicts, failures, reopened and delivered ones."""
    past = Past()
    key = CitationKey("a", "b", "")
    verdict = Verdict("SUPPORT", "CONCEPTUAL", 0.5, "yes")
    for step in (("settle", (key, "1"), (verdict, None)), ("deliver", key), ("reopen", (key, "2"))):
        past.facts_of(step)
    (row,) = standing(past.facts, past.texts)
    assert (row.state, row.delivered) == ("verdict", False)
    assert sum(isinstance(fact, Settled) for fact in past.facts) == 1
