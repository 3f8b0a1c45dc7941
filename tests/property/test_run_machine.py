"""Imports, runs, crashes, restores and retries in any order, against an oracle of plain dicts."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from citefidelity.audits.reopening import Wish
from citefidelity.audits.retrying import failure_kinds, retry
from citefidelity.clock import SystemClock
from citefidelity.journal import open_journal
from citefidelity.ports import JournalRow, Store
from citefidelity.records import Record
from citefidelity.stores.sqlite import open_sqlite
from support.bench import Ran, assert_right, screen
from support.makers import make_holder, make_record
from support.oracle import Oracle, Place, WatchedJournal, WatchedModel, run_quickly

MOST_CITATIONS = 8
SCREENINGS = st.sampled_from(["main", "main", "beside"])
SCRIPTS = st.lists(
    st.sampled_from(
        [
            "server_error@share:.3*2",
            "reset@share:.2*always",
            "half_verdict@share:.3*1",
            "half_verdict@share:.2*always",
            "length@share:.2*1",
            "refusal@share:.2*always",
            "rate_limited@every:3",
            "bad_gateway@share:.3*1",
            "key_rejected@hit:4",
        ]
    ),
    max_size=3,
)


class Screenings(RuleBasedStateMachine):
    """One store and one journal in a directory; a crash moves on to a copy of it."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.lives = self.runs = 0
        self.place = self.root / "0"
        self.place.mkdir()
        self.oracle = Oracle()
        self.versions: dict[tuple[int, int], int] = {}
        self.sizes: dict[int, int] = {}
        self.backup: Path | None = None
        self.last_run: str | None = None
        run_quickly(self.with_store(lambda store: store.store_id(), create=True))

    def teardown(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.root)

    # What can happen.

    @rule(contexts=st.lists(st.integers(1, 3), min_size=1, max_size=3))
    def import_new(self, contexts: list[int]) -> None:
        """New citations come in."""
        for number, size in enumerate(contexts, len(self.sizes) + 1):
            if number <= MOST_CITATIONS:
                self.sizes[number] = size
                self.put(number)

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def import_changed(self, data: st.DataObject) -> None:
        """The text of a context changes."""
        number = data.draw(st.sampled_from(sorted(self.sizes)))
        instance = data.draw(st.integers(1, self.sizes[number]))
        self.last_run = None
        self.versions[number, instance] = self.versions.get((number, instance), 0) + 1
        self.put(number)

    @rule(screening=SCREENINGS, script=SCRIPTS, limit=st.none() | st.integers(1, 3), concurrency=st.integers(1, 5))
    def run(self, screening: str, script: list[str], limit: int | None, concurrency: int) -> None:
        """A run, with or without faults."""
        ran = run_quickly(self.screened(screening, script, limit=limit, concurrency=concurrency))
        if not script and limit is None:
            assert (ran.why, ran.report.remaining) == ("complete", 0)

    @precondition(lambda self: self.sizes)
    @rule(screening=SCREENINGS, script=SCRIPTS, hits=st.integers(1, 8), concurrency=st.integers(1, 5))
    def crash_and_reopen(self, screening: str, script: list[str], hits: int, concurrency: int) -> None:
        """The process dies in the middle of a run: what is on disk at that moment is all there is."""
        run_quickly(self.screened(screening, script, dies_at=hits, concurrency=concurrency))

    @rule()
    def back_up_store(self) -> None:
        """Somebody copies the store."""
        self.backup = self.root / "backup"
        shutil.copy(self.place / "store", self.backup)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_store(self) -> None:
        """The store is older than its journal, from now on; its imports are made again."""
        assert self.backup is not None
        for file in self.place.glob("store*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        shutil.copy(self.backup, self.place / "store")
        for number in self.sizes:
            self.put(number)

    @rule()
    def lose_journal(self) -> None:
        """The journal is gone, and somebody goes on with a new one."""
        for file in self.place.glob("journal*"):
            file.unlink()
        self.oracle.forget_journal()

    @rule(screening=SCREENINGS, changed=st.booleans())
    def retry(self, screening: str, changed: bool) -> None:
        """Failures, or what was judged by other texts, are to be asked again."""
        if (screening,) in self.sql("store", "SELECT name FROM screening"):
            run_quickly(self.retried(screening, changed=changed))

    @precondition(lambda self: self.sizes)
    @rule(screening=SCREENINGS)
    def finish_and_run_once_more(self, screening: str) -> None:
        """When nothing is left, one run more asks nothing and writes nothing."""
        first = run_quickly(self.screened(screening, []))
        assert (first.report.remaining, first.report.left) == (0, 0)
        stored, attempts = self.stored(), self.sql("journal", "SELECT count(*) FROM asked")
        again = run_quickly(self.screened(screening, []))
        assert (again.numbers.calls, again.numbers.delivered, again.report.remaining) == (0, 0, 0)
        assert (self.stored(), self.sql("journal", "SELECT count(*) FROM asked")) == (stored, attempts)

    # What must hold after each of them.

    @invariant()
    def nothing_wrong_was_done(self) -> None:
        """No known or delivered context was asked, none without a note, none unreadable a third time."""
        assert self.oracle.wrongs == []

    @invariant()
    def what_was_acknowledged_is_in_the_journal(self) -> None:
        """Each usable outcome that was acknowledged to the engine is on disk."""
        if not self.oracle.known:
            return
        rows = self.sql(
            "journal",
            "SELECT n.name, c.source_id, s.instance_id, lower(hex(s.input_hash)) FROM settled s "
            "JOIN screening n ON n.id = s.screening JOIN citation c ON c.id = s.citation WHERE s.usable",
        )
        for place, texts in self.oracle.known.items():
            for outcome in texts.values():
                assert (place.screening, place.key.source_id, place.instance_id, outcome.input_hash) in rows

    @invariant()
    def the_store_holds_what_was_settled(self) -> None:
        """Each delivered citation has one outcome for each context, and each was settled for that very context."""
        run_quickly(self.with_store(self.check_store))

    # How it is done.

    async def check_store(self, store: Store) -> None:
        """See :meth:`the_store_holds_what_was_settled`."""
        # A store from a backup may not know a screening any more.
        self.oracle.delivered.clear()
        for row in await store.screenings():
            delivered = self.oracle.delivered[row.name] = set()
            async for page in store.stored(row.name):
                for one in page:
                    key = one.record.key
                    assert bool(one.outcomes) == (one.classified_at is not None)
                    if not one.outcomes:
                        continue
                    delivered.add(key)
                    assert len({outcome.instance_id for outcome in one.outcomes}) == one.record.context_count
                    for outcome in one.outcomes:
                        place = Place(row.name, key, outcome.instance_id)
                        assert outcome in self.oracle.outcomes[place, outcome.input_hash]
                        assert outcome.usable
                        if outcome.state == "verdict":
                            assert_right(outcome)
                            text = self.oracle.texts[outcome.input_hash]
                            assert (text.key, text.instance_id) == (key, outcome.instance_id)
                            now = self.versions.get(
                                (int(key.source_id.removeprefix("citing-")), int(text.instance_id)), 0
                            )
                            # What was just delivered is about the text as it is now, not as it was in another run.
                            assert text.version == now or one.run != self.last_run

    def record(self, number: int) -> Record:
        """A citation as it stands; every third context has no evidence."""
        contexts = [
            {
                "instance_id": instance,
                "context_text": f"It was so [{number}.{instance} v{self.versions.get((number, instance), 0)}].",
                "evidence_segments": [] if (number + instance) % 3 == 0 else [{"text": "So it was."}],
            }
            for instance in range(1, self.sizes[number] + 1)
        ]
        return make_record(number, contexts)

    def put(self, number: int) -> None:
        """Import it."""
        run_quickly(self.with_store(lambda store: store.put([self.record(number)])))

    async def with_store(self, use: Callable[[Store], Awaitable[object]], *, create: bool = False) -> None:
        """Open the store, use it, close it."""
        store = await open_sqlite(self.place / "store", create=create, clock=SystemClock())
        try:
            await use(store)
        finally:
            await store.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Store, WatchedJournal]]:
        """Store and journal of this life."""
        store = await open_sqlite(self.place / "store", create=False, clock=SystemClock())
        try:
            holder = make_holder(f"run-{self.runs}", pid=os.getpid())
            async with await open_journal(
                self.place / "journal", store_id=await store.store_id(), holder=holder, clock=SystemClock()
            ) as journal:
                yield store, WatchedJournal(journal, self.oracle)
        finally:
            await store.close()

    async def screened(self, screening: str, script: list[str], *, dies_at: int | None = None, **asking: Any) -> Any:
        """One run; None where it died."""
        self.runs += 1
        self.last_run = f"run-{self.runs}"
        died = asyncio.Event()

        def die() -> None:
            journal.dead = True
            self.lives += 1
            after = self.root / str(self.lives)
            # Not the shared memory: after a crash it is worth nothing.
            shutil.copytree(self.place, after, ignore=shutil.ignore_patterns("*-shm", "*.claims"))
            self.place = after
            died.set()

        async with self.opened() as (store, journal):
            model = WatchedModel(self.oracle, screening, script, dies_at, die)
            running = asyncio.create_task(
                screen(store, journal, model, run=f"run-{self.runs}", name=screening, **asking)
            )
            death = asyncio.create_task(died.wait())
            await asyncio.wait([running, death], return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            if died.is_set():
                running.cancel()
                await asyncio.wait([running])
                return None
            ran: Ran = running.result()
            return ran

    async def retried(self, screening: str, *, changed: bool) -> None:
        """One retry."""
        async with self.opened() as (store, journal):
            row = JournalRow(journal_id=journal.journal_id, host="here", path=str(self.place / "journal"))
            wish = Wish(screening=screening, kinds=failure_kinds([]), changed=changed)
            await retry(store, journal, wish, own_row=row, now=SystemClock().wall)

    def sql(self, file: str, question: str) -> set[tuple[Any, ...]]:
        """Plain rows of a file that nobody has open; none where there is no file."""
        if not (self.place / file).exists():
            return set()
        connection = apsw.Connection(str(self.place / file))
        try:
            return set(connection.execute(question))
        finally:
            connection.close()

    def stored(self) -> set[tuple[Any, ...]]:
        """Everything that was delivered."""
        return self.sql("store", "SELECT * FROM outcome NATURAL JOIN delivered")


# A failure prints the steps and a blob that repeats them.
Screenings.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=16,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_screenings = pytest.mark.guarantee("G2", "G3", "G4")(pytest.mark.timeout(120)(Screenings.TestCase))
