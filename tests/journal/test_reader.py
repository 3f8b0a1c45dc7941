"""Reading a journal: while a run writes, and everything that a run has left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import msgspec
import pytest

from citefidelity.errors import JournalError
from citefidelity.facts import Fact, Past, Stopped
from citefidelity.journal import JournalReader, SqliteJournal, Totals
from citefidelity.records import Usage
from support.journals import (
    HASH,
    make_asked,
    make_began,
    make_delivered,
    make_ended,
    make_reopened,
    make_settled,
    make_transient,
    open_sqlite_journal,
)
from support.makers import make_failed, make_key, make_outcome, make_unassessable, make_verdict

PROMPT = "Zitierender Text: \u03b1 < 0.05 \N{GRINNING FACE}\r\n\0"


async def journal_with(path: Path, *facts: Fact) -> JournalReader:
    """A reader of a journal that holds these facts."""
    async with await open_sqlite_journal(path) as journal:
        await journal.append(facts)
    return JournalReader(path)


async def test_an_attempt_comes_back_as_it_was(tmp_path: Path) -> None:
    """G10: asked, ended, raw reply and prompt, byte for byte; by citation, by context, and in order of number."""
    asked = make_asked(3, prompt=PROMPT, manner="json_object")
    ended = make_ended(
        3,
        seconds=1.25,
        status=429,
        body=bytes(range(256)),
        fault="rate_limited",
        message="slow down",
        billed="no",
        usage=Usage(10, 20, 5, 2),
        cost_usd=0.25,
        answering_model="m",
        system_fingerprint="fp",
        finish_reason="stop",
        request_id="r",
    )
    never_left = make_ended(1, sent=False, body=None)
    others = [make_asked(2, instance_id="2"), make_asked(1, make_key(2))]
    with await journal_with(tmp_path / "j", asked, ended, *others, never_left) as reader:
        (attempt,) = reader.attempts("main", make_key(), "1")
        assert attempt.asked == msgspec.structs.replace(asked, prompt="")
        assert attempt.ended == ended
        assert reader.prompt(HASH) == PROMPT
        assert reader.prompt(bytes(16)) is None
        assert [one.asked.attempt for one in reader.attempts("main", make_key())] == [2, 3]
        first, *_ = every = list(reader.attempts("main"))
        assert [one.asked.attempt for one in every] == [1, 2, 3]
        assert first.ended == never_left
        assert list(reader.attempts("other")) == []
        assert list(reader.attempts("main", make_key(9))) == []


async def test_what_no_table_can_hold_is_written_another_way(tmp_path: Path) -> None:
    """Half a surrogate pair or an endless number from a model costs neither its own reply nor its neighbours'."""
    odd = make_settled(make_outcome(verdict=make_verdict("SUPPORT\ud800")))
    ended = make_ended(1, body=b"\xff\xfe", message="\udcff", usage=Usage(10**30))
    facts: list[Fact] = [make_asked(1, prompt="a \ud83d b"), ended, odd, make_settled(make_outcome("2"))]
    with await journal_with(tmp_path / "j", *facts) as reader:
        assert reader.prompt(HASH) == "a \ud83d b"
        (attempt,) = reader.attempts("main")
        assert attempt.ended is not None
        assert attempt.ended.body == b"\xff\xfe"
        assert attempt.ended.message == "\\udcff"
        assert reader.totals("main").categories == {"SUPPORT\\ud800": 1, "SUPPORT": 1}
        assert reader.totals("main").input_tokens == 2**63


async def test_history_keeps_what_was_set_aside(tmp_path: Path) -> None:
    """All outcomes of a citation in order, with flags, and their place before or after each reopening."""
    first = make_settled(make_failed(), flags=("asks for a verdict",), attempt=1)
    facts: list[Fact] = [first, make_settled(make_outcome("2")), make_reopened(), make_settled()]
    with await journal_with(tmp_path / "j", *facts, make_settled(key=make_key(2))) as reader:
        history = list(reader.settled("main", make_key()))
        assert [one.settled for one in history] == [first, make_settled(make_outcome("2")), make_settled()]
        (reopened,) = reader.reopened("main")
        assert (reopened.key, reopened.instance_id) == (make_key(), "1")
        assert [one.seq > reopened.seq for one in history] == [False, False, True]
        assert len(list(reader.settled("main"))) == 4


async def test_every_citation_is_streamed_together(tmp_path: Path) -> None:
    """However the outcomes of citations are mixed in time, those of one come one after another, in order."""
    facts = [make_settled(make_outcome(str(instance)), make_key(n)) for instance in (2, 1) for n in (2, 1, 3)]
    with await journal_with(tmp_path / "j", *facts) as reader:
        seen = [(one.settled.key, one.settled.outcome.instance_id) for one in reader.settled("main")]
    assert seen == [(make_key(n), instance) for n in (2, 1, 3) for instance in ("2", "1")]


async def test_what_stands(tmp_path: Path) -> None:
    """The latest usable outcome of each context since it was reopened; failures alone, or of one kind, for retry."""
    refused, none = make_settled(make_failed("2")), make_settled(make_unassessable("3"))
    facts: list[Fact] = [make_settled(make_failed()), make_settled(), refused, none, make_transient(key=make_key(2))]
    gone: list[Fact] = [make_settled(make_failed("4")), make_reopened(instance_id="4")]
    with await journal_with(tmp_path / "j", *facts, *gone) as reader:
        assert list(reader.standing("main")) == [make_settled(), refused, none]
        assert list(reader.standing("main", failures_only=True)) == [refused, none]
        assert list(reader.standing("main", failures_only=True, kind="refused")) == [refused]
        assert list(reader.standing("main", failures_only=True, kind="no_evidence")) == [none]
        assert list(reader.standing("other")) == []


async def test_totals(tmp_path: Path) -> None:
    """Attempts, money and what may have been paid over all runs; contexts by what stands."""
    facts: list[Fact] = [
        *(make_asked(number, instance_id=str(number)) for number in range(1, 7)),
        make_ended(1, usage=Usage(100, 10, 60), cost_usd=0.5),
        make_ended(2, usage=Usage(100, 20), cost_usd=0.25, fault="refused"),
        make_ended(3, billed="unknown", fault="timeout"),
        make_ended(4, billed="no", sent=False, fault="connection"),
        make_ended(6),
        make_settled(make_outcome("1")),
        make_settled(make_failed("2")),
        make_transient(outcome=make_failed("3", "timeout", retryable=True)),
        make_settled(make_unassessable("9")),
        make_asked(7, screening="other"),
    ]
    with await journal_with(tmp_path / "j", *facts) as reader:
        assert reader.totals("main") == Totals(
            attempts=6,
            calls=5,
            open_attempts=1,
            maybe_paid=2,
            input_tokens=200,
            output_tokens=30,
            cached_tokens=60,
            cost_usd=0.75,
            faults={"refused": 1, "timeout": 1, "connection": 1},
            states={"verdict": 1, "failed": 1, "unassessable": 1},
            categories={"SUPPORT": 1},
            failures={"refused": 1},
            waiting=1,
        )
        assert reader.open_attempts("main") == 1
        assert reader.totals("other") == Totals(attempts=1, calls=1, open_attempts=1, maybe_paid=1, cost_usd=None)
        assert reader.totals("unknown") == Totals()


async def test_totals_tell_what_no_price_was_known_for(tmp_path: Path) -> None:
    """Calls and tokens of runs without a price stand beside the cost of the others, not in it."""
    facts: list[Fact] = [
        *(make_asked(number, instance_id=str(number)) for number in range(1, 5)),
        make_ended(1, usage=Usage(100, 10), cost_usd=0.5),
        make_ended(2, usage=Usage(200, 20)),
        make_ended(3, usage=Usage(300, 30)),
        make_ended(4, billed="unknown", fault="timeout"),
    ]
    with await journal_with(tmp_path / "j", *facts) as reader:
        totals = reader.totals("main")
    assert (totals.cost_usd, totals.unpriced) == (0.5, 2)
    assert (totals.unpriced_input_tokens, totals.unpriced_output_tokens) == (500, 50)


async def test_totals_count_contexts_not_outcomes(tmp_path: Path) -> None:
    """A verdict after a transient failure, a second verdict, and one set aside are not counted twice."""
    facts: list[Fact] = [make_transient(), make_settled(make_failed()), make_settled()]
    with await journal_with(tmp_path / "j", *facts) as reader:
        totals = reader.totals("main")
        assert (totals.states, totals.failures, totals.waiting) == ({"verdict": 1}, {}, 0)
    with await journal_with(tmp_path / "j", make_reopened()) as reader:
        assert reader.totals("main") == Totals()
    with await journal_with(tmp_path / "j", make_transient()) as reader:
        assert (reader.totals("main").waiting, reader.totals("main").states) == (1, {})


async def test_undelivered(tmp_path: Path) -> None:
    """Until a delivery is later than all that counts: new outcomes, and a reopening that took it out of the store."""
    path = tmp_path / "j"

    async def after(*facts: Fact) -> bool:
        with await journal_with(path, *facts) as reader:
            assert reader.undelivered("main") == (list(reader.undelivered_citations("main")) == [make_key()])
            return reader.undelivered("main")

    assert not await after(make_began())
    assert not await after(make_transient())
    assert await after(make_settled(), make_settled(make_outcome("2")))
    assert not await after(make_delivered())
    assert await after(make_reopened())
    assert await after(make_settled())
    assert not await after(make_delivered())
    assert not await after(make_reopened(), make_reopened(instance_id="2"))


async def test_screenings_and_runs(tmp_path: Path) -> None:
    """Each screening with the spec it began with; each run with its end, where it came to one by itself."""
    later = msgspec.structs.replace(make_began("run-3"), spec="{}", fingerprint="other")
    facts: list[Fact] = [
        make_began(),
        Stopped(run="run-1", why="interrupted", at=8.0),
        make_began("run-2", "other"),
        later,
    ]
    with await journal_with(tmp_path / "j", *facts) as reader:
        assert [(one.name, one.spec) for one in reader.screenings()] == [
            ("main", make_began().spec),
            ("other", make_began().spec),
        ]
        first, last = reader.runs("main")
        assert (first.began, first.stopped, first.stopped_at) == (make_began(), "interrupted", 8.0)
        assert (last.began, last.stopped, last.stopped_at) == (later, None, None)


async def test_deliveries_and_recall(tmp_path: Path) -> None:
    """A reader tells what was delivered, and recalls as the run does."""
    with await journal_with(tmp_path / "j", make_settled(), make_delivered(), make_delivered(make_key(2))) as reader:
        assert list(reader.delivered("main")) == [make_delivered(), make_delivered(make_key(2))]
        assert reader.recall("main", [make_key()]) == {make_key(): {("1", HASH): Past(outcome=make_outcome())}}


async def write_much(journal: SqliteJournal, numbers: range) -> None:
    """Append a thousand contexts in a hundred commits."""
    for number in numbers:
        await journal.append([make_settled(key=make_key(10 * number + n)) for n in range(10)])


async def test_reading_does_not_hold_up_the_run(tmp_path: Path) -> None:
    """In the middle of a reader's iterator the run commits and closes; the reader goes on with what it began with."""
    journal = await open_sqlite_journal(tmp_path / "j")
    await write_much(journal, range(50))
    with JournalReader(tmp_path / "j") as reader:
        rows = reader.settled("main")
        next(rows)
        async with asyncio.timeout(10):
            await write_much(journal, range(50, 150))
            await journal.close()
        assert sum(1 for _ in rows) == 499
    with JournalReader(tmp_path / "j") as reader:
        assert len(list(reader.settled("main"))) == 1500
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        assert len(await journal.recall("main", [make_key(n) for n in range(1500)])) == 1500


async def test_many_short_readers_during_a_run(tmp_path: Path) -> None:
    """Readers in other threads never see half a batch and never disturb a commit."""
    journal = await open_sqlite_journal(tmp_path / "j")
    writing = asyncio.ensure_future(write_much(journal, range(100)))

    def read() -> int:
        with JournalReader(tmp_path / "j") as reader:
            return sum(1 for _ in reader.settled("main"))

    seen = [0]
    while not writing.done():
        seen.append(await asyncio.to_thread(read))
    await writing
    await journal.close()
    assert seen == sorted(seen)
    assert all(count % 10 == 0 for count in seen)


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Its connection refuses."""
    with await journal_with(tmp_path / "j", make_settled()) as reader, pytest.raises(apsw.ReadOnlyError):
        reader._connection.execute("DELETE FROM settled")  # noqa: SLF001 - nothing public could even try


async def test_what_goes_wrong_while_reading_is_told_in_our_words(tmp_path: Path) -> None:
    """A page that is damaged turns up in the middle of a stream, as one clear error."""
    reader = await journal_with(tmp_path / "j", *(make_settled(key=make_key(n)) for n in range(2000)))
    reader.close()
    content = bytearray((tmp_path / "j").read_bytes())
    content[-40 * 4096 :] = b"\xff" * 40 * 4096
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(JournalError) as refused, JournalReader(tmp_path / "j") as reader:
        list(reader.settled("main"))
    assert refused.value.kind == "journal_damaged"
    with JournalReader(tmp_path / "j") as reader:
        assert reader.damage()


async def test_no_journal_to_read(tmp_path: Path) -> None:
    """A path where nothing is gets the usual refusal."""
    with pytest.raises(JournalError) as refused:
        JournalReader(tmp_path / "j")
    assert refused.value.kind == "journal_missing"


async def test_where_to_take_up_is_a_little_before_the_last_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is of this screening, and leaves room for what was open; without a delivery there is none."""
    monkeypatch.setattr("citefidelity.journal.reader.STRAGGLERS", 3)
    others = [make_delivered(make_key(number), screening="other") for number in range(10, 15)]
    mine = [make_delivered(make_key(number)) for number in range(1, 6)]
    with await journal_with(tmp_path / "j", *others, *mine, *others) as reader:
        assert reader.behind("main") == make_key(3)
        assert reader.behind("other") == make_key(12)
        assert reader.behind("unknown") is None
    with await journal_with(tmp_path / "k", mine[0]) as reader:
        assert reader.behind("main") == make_key(1)
