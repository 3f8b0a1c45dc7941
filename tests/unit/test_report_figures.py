"""What a report counts, and that it is the same whatever the order of pages."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from citefidelity.errors import JournalError, UsageError
from citefidelity.kinds import FailureKind, UndeliverableKind
from citefidelity.reporting.figures import LISTED, States
from citefidelity.reporting.meanings import MEANINGS
from citefidelity.reporting.tally import Tally
from citefidelity.suspicion import PATTERNS, UNSEEN
from citefidelity.testing.store import MemoryStore
from support.makers import make_key, make_record
from support.reports import SPEC, full_store, judged, report_on
from support.stores import all_stored


async def test_each_context_is_counted_in_one_state() -> None:
    """States, citations, groups and cost of a store that has contexts of every kind."""
    report = await report_on(await full_store())
    assert (report.citations, report.qualified_citations, report.delivered_citations) == (6, 5, 2)
    assert report.states == States(
        verdict=4, unassessable=1, failed=1, to_do=2, undeliverable=1, done_elsewhere=3, not_qualified=1
    )
    assert report.states.qualified == 12
    assert [(one.kind, one.contexts) for one in (*report.failures, *report.unassessable)] == [
        ("refused", 1),
        ("no_evidence", 1),
    ]
    assert [(one.kind, one.first[0].source_id) for one in report.undeliverable] == [("unreadable_record", "citing-6")]
    assert report.spent.cost_usd == pytest.approx(0.004)
    assert (report.spent.calls, report.spent.input_tokens, report.spent.cached_tokens) == (5, 5_000, 400)
    assert report.spent.unpriced == 1
    assert report.models == {"model-1-2026": 4, "model-2": 1}
    assert report.last_answer_at == "2026-01-05T00:00:00.000Z"


async def test_shares_are_of_verdicts_in_the_order_of_the_spec() -> None:
    """Every category of the spec stands there, those never given too, and the shares add up to one."""
    report = await report_on(await full_store())
    assert [one.name for one in report.categories] == list(SPEC.categories)
    assert [one.name for one in report.types] == list(SPEC.types)
    assert {one.name: one.contexts for one in report.categories if one.contexts} == {"SUPPORT": 2, "IRRELEVANT": 2}
    assert sum(one.share or 0 for one in report.categories) == pytest.approx(1)


async def test_confidence_is_told_of_all_and_of_each_category() -> None:
    """Mean, quartiles and a histogram whose last class holds 1; a category that was not given is left out."""
    together, *each = (await report_on(await full_store())).confidence
    assert (together.category, together.contexts, together.median) == ("", 4, 0.8)
    assert together.mean == pytest.approx((0.9 + 0.8 + 1.0 + 0.55) / 4)
    assert [at for at, number in enumerate(together.histogram) if number] == [11, 16, 18, 19]
    assert [(one.category, one.lower_quartile, one.upper_quartile) for one in each] == [
        ("SUPPORT", 0.55, 0.9),
        ("IRRELEVANT", 0.8, 1.0),
    ]


async def test_labels_are_compared_where_they_are() -> None:
    """Of contexts with a label and a verdict; without labels there is no comparison."""
    store = await full_store()
    agreement = (await report_on(store)).agreement
    assert agreement is not None
    assert (agreement.compared, agreement.agreed, agreement.labelled) == (3, 2, 3)
    assert agreement.confusion == {"SUPPORT": [2, 0, 0], "CONTRADICT": [0, 0, 1]}
    assert (await report_on(store, labels=None)).agreement is None


async def test_problem_papers_are_those_of_the_view() -> None:
    """The article with most unsupported contexts comes first, with its title."""
    papers = (await report_on(await full_store())).papers
    assert [(one.article_id, one.unsupported, one.judged) for one in papers.cited] == [("cited-1", 2, 3)]
    assert papers.citing[0].title is not None


async def test_the_order_of_citations_changes_no_number() -> None:
    """A store may give them in another order, or in other pages; only which ones are listed may differ."""
    stored = await all_stored(await full_store())
    seen = set()
    for order in itertools.islice(itertools.permutations(stored), 0, 720, 37):
        tally = Tally(SPEC)
        for one in order:
            tally.add(one)
        numbers = [tally.states, tally.categories(), tally.types(), tally.papers(), tally.spent().calls]
        seen.add(msgspec.json.encode([*numbers, [one.histogram for one in tally.confidence()]]))
    assert len(seen) == 1


async def test_lists_are_cut_and_counts_are_not() -> None:
    """However many fail, only the first few are named; all are counted."""
    number = LISTED + 7
    store = MemoryStore([msgspec.structs.replace(make_record(at), contexts=b"nonsense") for at in range(number)])
    await store.begin_screening((await (await full_store()).screenings())[0])
    (group,) = (await report_on(store)).undeliverable
    assert (group.contexts, len(group.first)) == (number, LISTED)


async def test_a_screening_that_has_not_begun_has_no_report() -> None:
    """The ones that there are are named."""
    store = await full_store()
    with pytest.raises(UsageError, match="has not begun") as told:
        await report_on(store, screening="other")
    assert "main" in told.value.hint


async def test_without_a_journal_the_rest_is_reported(tmp_path: Path) -> None:
    """That it is missing is said, without the name of a directory; one that was named must be there."""
    store = await full_store()
    report = await report_on(store, usual=tmp_path / "gone")
    assert report.journals is None
    (note,) = report.notes
    assert "No journal was read" in note
    assert str(tmp_path) not in note
    with pytest.raises(JournalError):
        await report_on(store, journals=[tmp_path / "gone"])


async def test_the_audit_is_run_where_it_is_wanted() -> None:
    """Its counts stand in the report; without it nothing is claimed."""
    store = await full_store()
    report = await report_on(store, audit=True)
    assert report.audit is not None
    assert report.audit.not_audited == 6
    assert (await report_on(store)).audit is None


def test_every_kind_and_every_flag_has_a_meaning() -> None:
    """Nothing stands in a report that it does not explain."""
    flags = {pattern.flag for pattern in PATTERNS} | {flag for flag, _ in UNSEEN}
    assert {*FailureKind, *UndeliverableKind, *flags} <= set(MEANINGS)


async def test_a_verdict_that_the_spec_does_not_know_is_shown_all_the_same() -> None:
    """It stands after those of the spec: a report hides nothing."""
    tally = Tally(SPEC)
    (stored,) = [one for one in await all_stored(await full_store()) if one.record.key == make_key(3)]
    tally.add(msgspec.structs.replace(stored, outcomes=(judged("ODD", 0.5),)))
    assert [one.name for one in tally.categories()][-1] == "ODD"
