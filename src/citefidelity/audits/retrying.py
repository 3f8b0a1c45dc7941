"""``retry``: sets outcomes aside, in the journal and then in the store, so that the next run asks for them again.

First the journal notes *reopened*, then the store lets go of the citation. A retry that was killed in between is
finished by the next one: what is reopened and still delivered is taken out of the store then. Outcomes of the same
citations that are not set aside stay in the journal, and are delivered again with the new ones, without a call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from citefidelity.audits.reopening import Plan, Wish, look_at, plan_for
from citefidelity.errors import UsageError
from citefidelity.facts import ContextPast, Fact, Reopened
from citefidelity.journal import JournalView
from citefidelity.kinds import FailureKind
from citefidelity.ports import JournalRow, ScreeningRow
from citefidelity.prompt import Prompter
from citefidelity.records import CitationKey, Partition, StoredCitation
from citefidelity.specs.spec import Spec

T = TypeVar("T")

BATCH = 200
"""Citations in one append to the journal and one transaction of the store."""

NAMED = 100
"""So many citations that were refused are named; all are counted."""


class RetryReport(msgspec.Struct, kw_only=True):
    """What was set aside, and what the next run asks.

    Attributes:
        contexts: have been set aside, of ``citations``; ``by_kind`` of failure, or ``changed``, or ``added``.
        withdrawn: citations that were in the store and are to do again.
        finished: those of them that an earlier retry, which was interrupted, had left there.
        asked_too: contexts of the same citations that the next run asks as well, because their texts have changed.
        refused: citations left as they are, because their other outcomes are not in this journal.
    """

    screening: str
    contexts: int = 0
    citations: int = 0
    by_kind: dict[str, int] = msgspec.field(default_factory=dict)
    withdrawn: int = 0
    finished: int = 0
    asked_too: int = 0
    refused: int = 0
    refusals: list[CitationKey] = msgspec.field(default_factory=list)
    other_journals: list[JournalRow] = msgspec.field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """5 where a citation was refused, as its journal is another one; else 0."""
        return 5 if self.refused else 0

    def count(self, plan: Plan) -> None:
        """Take one citation into the sums."""
        if plan.refused:
            self.refused += 1
            if len(self.refusals) < NAMED:
                self.refusals.append(plan.key)
            return
        self.citations += bool(plan.reasons)
        self.contexts += len(plan.reasons)
        self.finished += plan.withdraw and not plan.reasons
        self.asked_too += plan.too
        for reason in plan.reasons:
            self.by_kind[reason] = self.by_kind.get(reason, 0) + 1


class RetryStore(Protocol):
    """What is asked of the store."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings."""

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on one."""

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Insert or update the row of a journal."""

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations, in pages."""

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citation with this key."""

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening and its outcomes off these citations."""


class RetryJournal(Protocol):
    """What is asked of the journal."""

    journal_id: str

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append all of them or none."""

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations."""

    async def look(self, question: Callable[[JournalView], T]) -> T:
        """Ask the journal's tables."""


class _Seen(NamedTuple):
    """What the journal as a whole knows of the screening."""

    spec: str | None
    runs: frozenset[str]
    failing: frozenset[CitationKey]
    reopened: dict[CitationKey, set[str]]


def failure_kinds(names: Collection[str]) -> frozenset[str]:
    """The kinds that are to be tried again; of no names all but ``no_evidence``, where there is nothing to ask.

    Raises:
        UsageError: a name is none of the table.
    """
    known = [kind.value for kind in FailureKind]
    for name in names:
        if name not in known:
            raise UsageError(f"There is no kind of failure {name!r}.", f"The kinds are {', '.join(known)}.")
    return frozenset(names or set(known) - {FailureKind.NO_EVIDENCE.value})


async def retry(
    store: RetryStore, journal: RetryJournal, wish: Wish, *, own_row: JournalRow, now: Callable[[], float]
) -> RetryReport:
    """Set aside what is wished for. The caller holds the journal and the claim on the screening.

    Args:
        store: where the outcomes are.
        journal: where they come from.
        wish: which ones.
        own_row: the journal as the store is to know it from now on, if it does not yet.
        now: wall time, for what is noted.

    Raises:
        UsageError: there is no such screening.
        StoreError: the store or the journal cannot be used; what was done stands, and repeating goes on.
    """
    return await _Retry(store, journal, wish, own_row, now).run()


class _Retry:
    def __init__(
        self, store: RetryStore, journal: RetryJournal, wish: Wish, own_row: JournalRow, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._journal = journal
        self._wish = wish
        self._own_row = own_row
        self._now = now
        self._enrolled = False
        self._report = RetryReport(screening=wish.screening)

    async def run(self) -> RetryReport:
        screening = self._wish.screening
        seen = await self._journal.look(lambda view: _see(view, screening, self._wish.partition))
        prompter = Prompter(await self._spec(seen))
        rows = await self._store.journals(screening)
        others = [row for row in rows if row.journal_id != self._journal.journal_id]
        self._own_row = next((row for row in rows if row.journal_id == self._journal.journal_id), self._own_row)
        # Without other journals all failures are in ours, which knows them by an index; else only the store knows all.
        everywhere = self._wish.changed or any(row.partition.overlaps(self._wish.partition) for row in others)
        pages = self._all(seen) if everywhere else self._of(sorted(seen.failing | set(seen.reopened)))
        async for page in pages:
            await self._work_on(page, prompter, seen)
        if self._report.refused:
            self._report.other_journals = others
        return self._report

    async def _spec(self, seen: _Seen) -> Spec:
        rows = {row.name: row.spec for row in await self._store.screenings(counted=False)}
        spec = rows.get(self._wish.screening, seen.spec)
        if spec is None:
            raise UsageError(
                f"There is no screening '{self._wish.screening}' here, so there is nothing to try again.",
                "`citefidelity screenings` lists those that have begun.",
                kind="unknown_screening",
            )
        return Spec.from_json(spec)

    async def _of(self, keys: Sequence[CitationKey]) -> AsyncIterator[Sequence[StoredCitation]]:
        for start in range(0, len(keys), BATCH):
            found = [await self._store.find(self._wish.screening, *key) for key in keys[start : start + BATCH]]
            yield [stored for citations in found for stored in citations]

    async def _all(self, seen: _Seen) -> AsyncIterator[Sequence[StoredCitation]]:
        async for page in self._store.stored(self._wish.screening):
            yield [
                stored
                for stored in page
                if self._wish.partition.holds(stored.record.key)
                and (stored.classified_at is not None or stored.record.key in seen.failing)
            ]

    async def _work_on(self, page: Sequence[StoredCitation], prompter: Prompter, seen: _Seen) -> None:
        looks = [look_at(stored, self._wish, prompter, seen.reopened) for stored in page]
        concerned = [look for look in looks if look is not None]
        past = await self._journal.recall(self._wish.screening, [look.key for look in concerned])
        plans = [plan_for(look, past.get(look.key, {}), self._wish, seen.runs) for look in concerned]
        await self._carry_out([plan for plan in plans if plan is not None])

    async def _carry_out(self, plans: Sequence[Plan]) -> None:
        report = self._report
        for plan in plans:
            report.count(plan)
        plans = [plan for plan in plans if not plan.refused]
        if not plans:
            return
        if not self._enrolled:
            # Before anything else: what is taken out of the store is in this journal alone, and another one that was
            # told "finished" would ask it all again.
            await self._store.enrol_journal(
                self._wish.screening, msgspec.structs.replace(self._own_row, finished=False)
            )
            self._enrolled = True
        at = self._now()
        reopened = [
            Reopened(
                screening=self._wish.screening, key=plan.key, instance_id=instance_id, at=at, why=f"retry: {reason}"
            )
            for plan in plans
            for instance_id, reason in plan.reopen.items()
        ]
        await self._journal.append(reopened)
        withdrawn = [plan.key for plan in plans if plan.withdraw]
        report.withdrawn += await self._store.withdraw(self._wish.screening, withdrawn)


def _see(view: JournalView, screening: str, partition: Partition) -> _Seen:
    reopened: dict[CitationKey, set[str]] = {}
    for one in view.reopened(screening):
        if partition.holds(one.key):
            reopened.setdefault(one.key, set()).add(one.instance_id)
    return _Seen(
        spec=next((one.spec for one in view.screenings() if one.name == screening), None),
        runs=frozenset(run.began.run for run in view.runs(screening)),
        failing=frozenset(one.key for one in view.standing(screening, failures_only=True) if partition.holds(one.key)),
        reopened=reopened,
    )
