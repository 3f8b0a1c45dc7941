"""What every journal does, held against each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from citefidelity.errors import JournalError
from citefidelity.facts import Past, Stopped
from citefidelity.records import CitationKey, Outcome
from support.journals import (
    HASH,
    KINDS,
    JournalKind,
    OpenJournal,
    make_asked,
    make_began,
    make_delivered,
    make_ended,
    make_reopened,
    make_settled,
    make_transient,
)
from support.makers import make_failed, make_key, make_outcome, make_unassessable, make_verdict

KEY = make_key()
ONE = ("1", HASH)
OTHER_HASH = bytes(16)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> JournalKind:
    """Each kind of journal in turn."""
    return KINDS[str(request.param)](tmp_path)


@pytest.fixture
async def journal(kind: JournalKind) -> AsyncIterator[OpenJournal]:
    """An empty journal."""
    journal = await kind.open()
    yield journal
    await journal.close()


async def past_of(journal: OpenJournal, key: CitationKey = KEY, screening: str = "main") -> Past:
    """What is known of the first context of ``key`` under the usual hash."""
    return (await journal.recall(screening, [key])).get(key, {}).get(ONE, Past())


def under(outcome: Outcome, input_hash: bytes) -> Outcome:
    """The same outcome of another input."""
    return msgspec.structs.replace(outcome, input_hash=input_hash.hex())


async def test_an_empty_journal_knows_nothing(journal: OpenJournal) -> None:
    """Neither an unknown screening nor an unknown citation is an error."""
    assert await journal.recall("main", [KEY]) == {}
    await journal.append([make_settled()])
    assert await journal.recall("main", [make_key(2)]) == {}
    assert await journal.recall("other", [KEY]) == {}


async def test_an_outcome_comes_back_whole(journal: OpenJournal) -> None:
    """Verdict, failure and answer are as they were appended."""
    outcome = make_outcome(verdict=make_verdict("CONTRADICT", 0.123456789))
    failed = make_failed("2")
    await journal.append([make_settled(outcome), make_settled(failed)])
    assert await journal.recall("main", [KEY]) == {KEY: {ONE: Past(outcome=outcome), ("2", HASH): Past(outcome=failed)}}


async def test_every_kind_of_fact_is_taken(journal: OpenJournal) -> None:
    """A whole run can be appended in one go, and facts that settle nothing recall nothing."""
    await journal.append([make_began(), make_asked(1), make_ended(1), make_delivered(), make_reopened()])
    await journal.append([Stopped(run="run-1", why="complete", at=9.0)])
    assert await past_of(journal) == Past()


async def test_appending_nothing_is_no_error(journal: OpenJournal) -> None:
    """An empty append returns."""
    await journal.append([])


async def test_the_latest_usable_outcome_counts(journal: OpenJournal) -> None:
    """A later verdict stands, and a transient failure after it does not hide it."""
    await journal.append([make_settled(make_failed())])
    await journal.append([make_settled(make_unassessable()), make_transient()])
    assert (await past_of(journal)).outcome == make_unassessable()


async def test_an_outcome_counts_for_its_input_only(journal: OpenJournal) -> None:
    """Another input hash, screening or reference is another story."""
    await journal.append([make_settled(under(make_outcome(), OTHER_HASH))])
    await journal.append([make_settled(screening="other"), make_settled(key=make_key(1, "r2"))])
    assert await past_of(journal) == Past()
    assert await past_of(journal, screening="other") == Past(outcome=make_outcome())


async def test_transient_failures_are_counted_by_run(journal: OpenJournal) -> None:
    """Two in one run are one, and none of them is an outcome."""
    await journal.append([make_transient("run-1"), make_transient("run-1")])
    await journal.append([make_transient("run-2")])
    assert await past_of(journal) == Past(transient_runs=2)


async def test_unusable_replies_are_counted_over_runs(journal: OpenJournal) -> None:
    """They count for the context and input that was asked about, settled or not."""
    await journal.append([make_asked(1), make_asked(2, run="run-2"), make_asked(3), make_asked(4, instance_id="2")])
    await journal.append([make_ended(1, fault="unreadable_reply"), make_ended(2, fault="unreadable_reply")])
    await journal.append([make_ended(3, fault="truncated"), make_ended(4, fault="timeout")])
    assert await journal.recall("main", [KEY]) == {KEY: {ONE: Past(unreadable=2, truncated=1)}}


async def test_reopening_sets_aside_all_that_was_before(journal: OpenJournal) -> None:
    """Outcome, transient runs and unusable replies start again, of that context only."""
    await journal.append([make_asked(1), make_ended(1, fault="truncated"), make_transient(), make_settled()])
    await journal.append([make_settled(make_outcome("2")), make_reopened()])
    assert await journal.recall("main", [KEY]) == {KEY: {("2", HASH): Past(outcome=make_outcome("2"))}}
    await journal.append([make_asked(2), make_ended(2, fault="unreadable_reply"), make_transient("run-2")])
    assert await past_of(journal) == Past(unreadable=1, transient_runs=1)
    await journal.append([make_settled(make_failed())])
    assert (await past_of(journal)).outcome == make_failed()


async def test_reopening_in_one_screening_leaves_the_others(journal: OpenJournal) -> None:
    """The same context of another screening, and of another citation, keeps its outcome."""
    await journal.append([make_settled(), make_settled(screening="other"), make_settled(key=make_key(2))])
    await journal.append([make_reopened(screening="other")])
    assert (await past_of(journal)).outcome == make_outcome()
    assert (await past_of(journal, make_key(2))).outcome == make_outcome()
    assert await past_of(journal, screening="other") == Past()


async def test_order_within_one_append_is_kept(journal: OpenJournal) -> None:
    """What follows a reopening in the same append counts, what precedes it does not."""
    await journal.append([make_settled(make_failed()), make_reopened(), make_settled()])
    await journal.append([make_settled(key=make_key(2)), make_reopened(make_key(2))])
    assert (await past_of(journal)).outcome == make_outcome()
    assert await past_of(journal, make_key(2)) == Past()


async def test_a_page_of_many_citations_is_recalled_at_once(journal: OpenJournal) -> None:
    """However many are asked for, each gets its own past."""
    keys = [make_key(number) for number in range(300)]
    await journal.append([make_settled(make_outcome(), key) for key in keys[::2]])
    recalled = await journal.recall("main", keys)
    assert set(recalled) == set(keys[::2])
    assert all(past == {ONE: Past(outcome=make_outcome())} for past in recalled.values())


async def test_what_was_appended_outlives_the_process(kind: JournalKind) -> None:
    """After a close, and after a death without one, all of it is there and the name is the same."""
    journal = await kind.open()
    await journal.append([make_asked(1), make_ended(1, fault="truncated"), make_settled(), make_transient()])
    expected = Past(outcome=make_outcome(), transient_runs=1, truncated=1)
    crashed = await kind.open_after_crash()
    assert await past_of(crashed) == expected
    assert crashed.journal_id == journal.journal_id
    await crashed.close()
    await journal.close()
    again = await kind.open()
    assert await past_of(again) == expected
    assert again.journal_id == journal.journal_id
    await again.close()


async def test_reopening_counts_across_processes(kind: JournalKind) -> None:
    """Later stays later: what a former process settled is before what the next one reopens."""
    first = await kind.open()
    await first.append([make_asked(7), make_settled(), make_ended(7, fault="truncated")])
    await first.close()
    second = await kind.open()
    await second.append([make_reopened()])
    assert await past_of(second) == Past()
    await second.close()
    third = await kind.open()
    await third.append([make_settled()])
    assert await past_of(third) == Past(outcome=make_outcome())
    await third.close()


async def test_numbers_grow_for_ever(kind: JournalKind) -> None:
    """Every number is larger than all before it, in this process and in the next."""
    journal = await kind.open()
    numbers = [journal.number() for _ in range(3)]
    assert numbers == sorted(set(numbers))
    await journal.append([make_asked(number) for number in numbers])
    await journal.close()
    again = await kind.open()
    assert again.number() > numbers[-1]
    await again.close()


async def test_many_callers_append_at_once(journal: OpenJournal) -> None:
    """Each finds its own facts when its append returns."""

    async def one(number: int) -> None:
        key = make_key(number)
        await journal.append([make_asked(number, key)])
        await journal.append([make_ended(number), make_settled(key=key)])
        assert await past_of(journal, key) == Past(outcome=make_outcome())

    async with asyncio.TaskGroup() as group:
        for number in range(1, 201):
            group.create_task(one(number))


async def test_whoever_stops_waiting_loses_nothing(journal: OpenJournal) -> None:
    """A cancelled append is appended, and its neighbours in the batch get their acknowledgement."""
    cancelled = asyncio.ensure_future(journal.append([make_settled()]))
    neighbour = asyncio.ensure_future(journal.append([make_settled(key=make_key(2))]))
    await asyncio.sleep(0)
    cancelled.cancel()
    await neighbour
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await journal.append([make_settled(key=make_key(3))])
    assert len(await journal.recall("main", [make_key(n) for n in (1, 2, 3)])) == 3


async def test_closing_keeps_what_is_under_way(kind: JournalKind) -> None:
    """An append that was begun before the close is acknowledged; one after it is refused."""
    journal = await kind.open()
    under_way = asyncio.ensure_future(journal.append([make_settled()]))
    await asyncio.sleep(0)
    await journal.close()
    await under_way
    with pytest.raises(JournalError):
        await journal.append([make_settled(make_failed())])
    with pytest.raises(JournalError):
        await journal.recall("main", [KEY])
    await journal.close()
    again = await kind.open()
    assert await past_of(again) == Past(outcome=make_outcome())
    await again.close()
