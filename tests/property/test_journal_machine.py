"""Any sequence of facts, crashes and closes: what the journal recalls and sums up is what a few dicts say."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from citefidelity.facts import Fact, Past
from citefidelity.journal import schema
from citefidelity.journal.connection import close_clean, log_ahead, open_for_writing
from citefidelity.journal.reader import JournalView
from citefidelity.journal.writer import Writer, last_attempt
from citefidelity.records import CitationKey, Outcome
from support.journals import make_asked, make_delivered, make_ended, make_reopened, make_settled
from support.makers import make_failed, make_key, make_outcome, make_unassessable

KEYS = [make_key(1), make_key(2), make_key(2, "r2")]
SCREENINGS = ["main", "other"]


class Place(NamedTuple):
    """A context in a screening."""

    screening: str
    key: CitationKey
    instance_id: str


class Known:
    """What should be known of one context under one hash."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.runs: set[str] = set()
        self.faults: Counter[str] = Counter()

    def past(self) -> Past:
        """As a journal tells it."""
        unreadable, truncated = self.faults["unreadable_reply"], self.faults["truncated"]
        return Past(outcome=self.outcome, transient_runs=len(self.runs), unreadable=unreadable, truncated=truncated)


places = st.builds(Place, st.sampled_from(SCREENINGS), st.sampled_from(KEYS), st.sampled_from("12"))
hashes = st.sampled_from([bytes(16), bytes.fromhex("ab" * 16)])
runs = st.sampled_from(["run-1", "run-2", "run-3"])
outcomes = st.sampled_from(
    [make_outcome(), make_unassessable(), make_failed(kind="refused"), make_failed(kind="timeout", retryable=True)]
)
faults = st.sampled_from([None, "unreadable_reply", "truncated", "timeout"])


class JournalMachine(RuleBasedStateMachine):
    """Appends facts to a journal on disk and to dicts."""

    open_attempts = Bundle("open_attempts")

    @initialize()
    def start(self) -> None:
        """An empty journal."""
        self.directory = Path(tempfile.mkdtemp(prefix="citefidelity-machine-"))
        self.path = self.directory / "j"
        schema.make(self.path, schema.Header(journal_id="j", store_id="s", created_at=0.0, version=schema.VERSION))
        self.known: dict[Place, dict[bytes, Known]] = {}
        self.undelivered: dict[str, set[CitationKey]] = {name: set() for name in SCREENINGS}
        self.asked: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.attempts = 0
        self.connect()

    def connect(self) -> None:
        """Open the file, as another process would."""
        self.connection = open_for_writing(self.path, exclusive=False)
        log_ahead(self.connection, self.path)
        # The power stays on here; without flushes a hundred times as much can be tried.
        self.connection.pragma("synchronous", 0)
        self.writer = Writer(self.connection)
        assert last_attempt(self.connection) == self.attempts

    def append(self, *facts: Fact) -> None:
        """One batch."""
        self.writer.commit(facts)

    @rule(target=open_attempts, place=places, input_hash=hashes, run=runs)
    def ask(self, place: Place, input_hash: bytes, run: str) -> tuple[int, Place, bytes]:
        """An attempt is about to leave."""
        self.attempts += 1
        self.asked[place.screening] += 1
        fields = {"screening": place.screening, "instance_id": place.instance_id}
        self.append(make_asked(self.attempts, place.key, input_hash=input_hash, run=run, **fields))
        return self.attempts, place, input_hash

    @rule(attempt=consumes(open_attempts), fault=faults)
    def end(self, attempt: tuple[int, Place, bytes], fault: str | None) -> None:
        """An attempt ends; what came before the last reopening was set aside, this was not."""
        number, place, input_hash = attempt
        self.ended[place.screening] += 1
        self.append(make_ended(number, fault=fault))
        if fault in ("unreadable_reply", "truncated"):
            self.of(place, input_hash).faults[fault] += 1

    @rule(place=places, input_hash=hashes, run=runs, outcome=outcomes)
    def settle(self, place: Place, input_hash: bytes, run: str, outcome: Outcome) -> None:
        """A context ends."""
        settled = msgspec.structs.replace(outcome, instance_id=place.instance_id, input_hash=input_hash.hex())
        self.append(make_settled(settled, place.key, run=run, screening=place.screening))
        known = self.of(place, input_hash)
        if settled.usable:
            known.outcome = settled
            self.undelivered[place.screening].add(place.key)
        else:
            known.runs.add(run)

    @rule(place=places)
    def reopen(self, place: Place) -> None:
        """A context is set aside; what its neighbours have has left the store with it."""
        self.append(make_reopened(place.key, place.instance_id, place.screening))
        self.known.pop(place, None)
        standing = any(
            known.outcome
            for other, by_hash in self.known.items()
            if other[:2] == place[:2]
            for known in by_hash.values()
        )
        self.undelivered[place.screening].discard(place.key)
        if standing:
            self.undelivered[place.screening].add(place.key)

    @rule(place=places)
    def deliver(self, place: Place) -> None:
        """A citation reaches the store."""
        self.append(make_delivered(place.key, place.screening))
        self.undelivered[place.screening].discard(place.key)

    @rule()
    def crash(self) -> None:
        """The process dies, and another opens the journal with its log as it is."""
        self.connection.close()
        self.connect()

    @rule()
    def close(self) -> None:
        """The process ends well."""
        close_clean(self.connection, self.path)
        assert not self.path.with_name("j-wal").exists()
        self.connect()

    def of(self, place: Place, input_hash: bytes) -> Known:
        """What is known of it, to be changed."""
        return self.known.setdefault(place, {}).setdefault(input_hash, Known())

    @invariant()
    def recall_is_what_is_known(self) -> None:
        """For every citation in every screening."""
        for screening in SCREENINGS:
            expected: dict[CitationKey, dict[tuple[str, bytes], Past]] = {}
            for place, by_hash in self.known.items():
                if place.screening == screening:
                    pasts = {(place.instance_id, one): known.past() for one, known in by_hash.items()}
                    expected.setdefault(place.key, {}).update(pasts)
            assert JournalView(self.connection).recall(screening, KEYS) == expected

    @invariant()
    def sums_are_what_is_known(self) -> None:
        """Attempts, contexts by state, and what is not in the store."""
        view = JournalView(self.connection)
        for screening in SCREENINGS:
            totals = view.totals(screening)
            assert (totals.attempts, totals.open_attempts) == (
                self.asked[screening],
                self.asked[screening] - self.ended[screening],
            )
            contexts = [by_hash.values() for place, by_hash in self.known.items() if place.screening == screening]
            usable = sum(any(known.outcome for known in context) for context in contexts)
            assert sum(totals.states.values()) == usable == len(list(view.standing(screening)))
            waiting = sum(
                any(known.runs for known in context) and not any(known.outcome for known in context)
                for context in contexts
            )
            assert totals.waiting == waiting
            assert set(view.undelivered_citations(screening)) == self.undelivered[screening]

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "connection"):
            self.connection.close()
            shutil.rmtree(self.directory)


JournalMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestJournalMachine = JournalMachine.TestCase
