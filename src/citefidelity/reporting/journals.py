"""What only the journals know: runs, attempts in vain, the time to an answer, texts that look odd. Blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from citefidelity.clock import iso
from citefidelity.errors import JournalError, StoreError
from citefidelity.journal import JournalReader, Totals
from citefidelity.journal.reader import Run
from citefidelity.reporting.figures import Journals, RunRow, Spent
from citefidelity.reporting.statistics import quantile
from citefidelity.reporting.tally import Groups

QUANTILES = (0.5, 0.95, 0.99)


def read_journals(paths: Sequence[Path], screening: str, store_id: str) -> Journals:
    """The journals of a screening as one.

    Raises:
        StoreError: one cannot be read, or belongs to another store.
    """
    gathered = _Gathered()
    for path in paths:
        with JournalReader(path) as reader:
            if reader.header.store_id != store_id:
                raise JournalError(
                    f"The journal {path} belongs to another store.",
                    "Name the store it belongs to with --store, or leave this journal out.",
                    kind="journal_of_another_store",
                )
            gathered.add(reader, screening)
    return gathered.result()


def usual_journal(path: Path, screening: str, store_id: str) -> tuple[Journals | None, list[str]]:
    """The journal in the usual place, or why nothing can be told of it."""
    try:
        return read_journals([path], screening, store_id), []
    except StoreError as err:
        return None, [
            # Not its message: that names directories of this machine, and a report goes to others.
            f"No journal was read ({err.kind}): runs, attempts in vain, answer times and flags are missing here."
        ]


class _Gathered:
    def __init__(self) -> None:
        self._ids: list[str] = []
        self._runs: list[Run] = []
        self._totals: list[Totals] = []
        self._times: Counter[int] = Counter()
        self._flags = Groups()
        self._flagged = self._unpriced = 0
        self._waiting = False

    def add(self, reader: JournalReader, screening: str) -> None:
        """One more journal; a second name of one that was added is passed over."""
        if reader.header.journal_id in self._ids:
            return
        self._ids.append(reader.header.journal_id)
        self._runs += reader.runs(screening)
        self._totals.append(reader.totals(screening))
        self._times.update(reader.answer_times(screening))
        self._waiting = self._waiting or reader.undelivered(screening)
        for settled in reader.flagged(screening):
            self._flagged += 1
            for flag in settled.flags:
                self._flags.add(flag, settled.key, settled.outcome.instance_id)

    def result(self) -> Journals:
        """All of them together."""
        costs = [one.cost_usd for one in self._totals if one.cost_usd is not None]
        faults: Counter[str] = Counter()
        for one in self._totals:
            faults.update(one.faults)
        times = [quantile(self._times, share) for share in QUANTILES]
        median, most, nearly_all = (0.0 if time is None else time / 100 for time in times)
        return Journals(
            ids=self._ids,
            runs=[_run_row(run) for run in sorted(self._runs, key=lambda run: run.began.at)],
            spent=Spent(
                calls=sum(one.calls for one in self._totals),
                input_tokens=sum(one.input_tokens for one in self._totals),
                output_tokens=sum(one.output_tokens for one in self._totals),
                cached_tokens=sum(one.cached_tokens for one in self._totals),
                cost_usd=sum(costs) if costs else None,
            ),
            maybe_paid=sum(one.maybe_paid for one in self._totals),
            attempts_failed=dict(faults.most_common()),
            answer_seconds=(median, most, nearly_all) if self._times else None,
            flags=self._flags.groups(),
            flagged=self._flagged,
            waiting=self._waiting,
        )


def _run_row(run: Run) -> RunRow:
    ended = run.stopped_at
    return RunRow(
        run=run.began.run,
        program=run.began.program,
        began_at=iso(run.began.at),
        ended_at=None if ended is None else iso(ended),
        seconds=None if ended is None else max(0.0, ended - run.began.at),
        stopped=run.stopped,
    )
