"""Reading a journal: from outside over a connection of its own, a live run's too, and from within the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import apsw
import msgspec
import zstandard

from citefidelity.errors import JournalError
from citefidelity.facts import Asked, Began, ContextPast, Delivered, Ended, Settled
from citefidelity.journal import queries, schema
from citefidelity.journal.connection import open_for_reading, scalar, translate
from citefidelity.journal.numbering import find_citation, find_screening
from citefidelity.journal.queries import which_count
from citefidelity.journal.recall import recall
from citefidelity.journal.totals import Totals, totals
from citefidelity.records import CitationKey, Outcome, Usage

# A journal may come from elsewhere: what a few bytes of it unpack to must not fill the memory.
LARGEST_UNPACKED = 64_000_000


STRAGGLERS = 2_500
"""Deliveries: as many citations as are open in a run or wait for the store."""


class ScreeningSpec(msgspec.Struct, frozen=True):
    """A screening that this journal has worked on, with the whole spec it began with as JSON."""

    name: str
    spec: str
    fingerprint: str


class Run(msgspec.Struct, frozen=True):
    """A run, and why and when it stopped; None while it lives, or if it was killed."""

    began: Began
    stopped: str | None
    stopped_at: float | None


class Attempt(msgspec.Struct, frozen=True):
    """An attempt: what was asked, and how it ended; None where that is not known.

    ``asked.prompt`` is empty: it lies under its hash, see :meth:`JournalView.prompt`.
    """

    asked: Asked
    ended: Ended | None


class History(msgspec.Struct, frozen=True):
    """How a context once ended, with the fact's place in the sequence of all facts."""

    seq: int
    settled: Settled


class LastReopened(NamedTuple):
    """A context that was reopened, with the place of the last time in the sequence of all facts."""

    key: CitationKey
    instance_id: str
    seq: int


class JournalView:
    """Questions to a journal over one connection; most are about one screening.

    Iterators read as they go: use them up, or drop them, before the connection is closed.

    Attributes:
        header: whose journal it is.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._unpack = zstandard.ZstdDecompressor()
        self._outcome = msgspec.json.Decoder(Outcome).decode
        self._flags = msgspec.json.Decoder(tuple[str, ...]).decode
        self.header = schema.read_header(connection)

    def screenings(self) -> list[ScreeningSpec]:
        """The screenings that runs of this journal have worked on, in the order in which they began."""
        return [ScreeningSpec(*row) for row in self._rows(queries.SCREENINGS)]

    def runs(self, screening: str) -> list[Run]:
        """The runs of a screening, in order."""
        names = ("run", "screening", "spec", "fingerprint", "program", "host", "pid", "at")
        rows = self._rows(queries.RUNS, screening)
        return [Run(Began(**dict(zip(names, row[:8], strict=True))), row[8], row[9]) for row in rows]

    def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """As :meth:`citefidelity.ports.Journal.recall`."""
        return recall(self._connection, screening, keys)

    def attempts(
        self, screening: str, key: CitationKey | None = None, instance_id: str | None = None
    ) -> Iterator[Attempt]:
        """Attempts by number: of a whole screening, of one citation, or of one of its contexts."""
        for row in self._of(queries.ATTEMPTS, screening, key, "AND a.citation = ?"):
            if instance_id in (None, row[5]):
                yield self._attempt(screening, row)

    def settled(self, screening: str, key: CitationKey | None = None) -> Iterator[History]:
        """Outcomes, set aside or not: of one citation in order, or of all, those of a citation together."""
        sql = queries.SETTLED.replace("{settled}", "settled")
        for row in self._of(sql, screening, key, "AND s.citation = ?"):
            yield History(row[0], self._settled(screening, row))

    def standing(self, screening: str, *, failures_only: bool = False, kind: str | None = None) -> Iterator[Settled]:
        """The outcomes that count, one a context: the latest usable ones since they were last reopened.

        With ``failures_only``, failures and unassessable ones, those of one ``kind`` or of all: what retry reopens.
        """
        sql = queries.SETTLED.replace("{settled}", which_count(self._connection, queries.STANDING))
        narrowed = "AND (NOT ?2 OR s.result NOT LIKE 'verdict:%') AND (?3 IS NULL OR s.result LIKE '%:' || ?3)"
        rows = self._rows(sql.format(and_citation=narrowed), self._number(screening), failures_only, kind)
        return (self._settled(screening, row) for row in rows)

    def flagged(self, screening: str) -> Iterator[Settled]:
        """Those of the outcomes that count whose texts look odd, one a context; ``flags`` say how."""
        sql = queries.SETTLED.replace("{settled}", which_count(self._connection, queries.STANDING))
        rows = self._rows(sql.format(and_citation="AND o.flags IS NOT NULL"), self._number(screening))
        return (self._settled(screening, row) for row in rows)

    def answer_times(self, screening: str) -> dict[int, int]:
        """How many good answers took how long, in hundredths of a second."""
        return dict(self._rows(queries.ANSWER_TIMES, self._number(screening)))

    def reopened(self, screening: str) -> Iterator[LastReopened]:
        """Each context that was ever reopened, with the last time."""
        for *key, instance_id, seq in self._rows(queries.REOPENED, self._number(screening)):
            yield LastReopened(CitationKey(*key), instance_id, seq)

    def delivered(self, screening: str) -> Iterator[Delivered]:
        """All deliveries, in order."""
        for *key, run, at, result in self._rows(queries.DELIVERED, self._number(screening)):
            yield Delivered(run=run, screening=screening, key=CitationKey(*key), at=at, result=result)

    def behind(self, screening: str) -> CitationKey | None:
        """A citation where a store that is read in one order may probably take up again; None before any delivery.

        Not the last that was delivered: what was open or waited when a run died lies a little before that.
        """
        rows = self._rows(queries.BEHIND, self._number(screening), STRAGGLERS)
        return next((CitationKey(*row) for row in rows), None)

    def prompt(self, input_hash: bytes) -> str | None:
        """The exact variable part that was sent under this hash, None where nothing was."""
        packed = scalar(self._connection, "SELECT zstd FROM prompt WHERE input_hash = ?", input_hash)
        return None if packed is None else self._unpacked(packed).decode(errors="surrogatepass")

    def undelivered(self, screening: str) -> bool:
        """Whether an outcome that counts is not in the store, as far as this journal knows."""
        return next(self.undelivered_citations(screening), None) is not None

    def undelivered_citations(self, screening: str) -> Iterator[CitationKey]:
        """The citations that :meth:`undelivered` is about."""
        number = self._number(screening)
        return (CitationKey(*row) for row in self._rows(which_count(self._connection, queries.UNDELIVERED), number))

    def totals(self, screening: str) -> Totals:
        """What the screening has used and come to, over all its runs."""
        return totals(self._connection, screening)

    def open_attempts(self, screening: str) -> int:
        """How many attempts were asked and have no end; of a run that lives, those in flight."""
        return int(scalar(self._connection, queries.OPEN_ATTEMPTS, self._number(screening)))

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing where it is whole. Reads all of it."""
        try:
            return [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        except apsw.CorruptError as err:
            return [str(err)]

    def _of(self, sql: str, screening: str, key: CitationKey | None, and_citation: str) -> Iterator[tuple[Any, ...]]:
        number = self._number(screening)
        if key is None:
            return self._rows(sql.format(and_citation=""), number)
        return self._rows(sql.format(and_citation=and_citation), number, find_citation(self._connection, key))

    def _number(self, screening: str) -> int | None:
        # None equals nothing in SQL, so that an unknown screening simply has no rows.
        return find_screening(self._connection, screening)

    def _rows(self, sql: str, *values: apsw.SQLiteValue) -> Iterator[tuple[Any, ...]]:
        return iter(self._connection.execute(sql, values))

    def _unpacked(self, packed: bytes) -> bytes:
        return self._unpack.stream_reader(packed).read(LARGEST_UNPACKED)

    def _attempt(self, screening: str, row: tuple[Any, ...]) -> Attempt:
        asked = Asked(
            attempt=row[0],
            run=row[1],
            screening=screening,
            key=CitationKey(*row[2:5]),
            instance_id=row[5],
            input_hash=row[6],
            prompt="",
            at=row[7],
            manner=row[8],
        )
        return Attempt(asked, None if row[9] is None else self._ended(row[0], row[9:]))

    def _ended(self, attempt: int, row: tuple[Any, ...]) -> Ended:
        return Ended(
            attempt=attempt,
            at=row[0],
            seconds=row[1],
            sent=bool(row[2]),
            fault=row[3],
            billed=row[4],
            usage=Usage(*row[5:9]),
            cost_usd=row[9],
            status=row[10],
            message=row[11],
            answering_model=row[12],
            system_fingerprint=row[13],
            finish_reason=row[14],
            request_id=row[15],
            body=None if row[16] is None else self._unpacked(row[16]),
        )

    def _settled(self, screening: str, row: tuple[Any, ...]) -> Settled:
        return Settled(
            run=row[1],
            screening=screening,
            key=CitationKey(*row[2:5]),
            outcome=self._outcome(row[5]),
            at=row[6],
            attempt=row[7],
            flags=self._flags(row[8]) if row[8] else (),
        )


class JournalReader(JournalView):
    """A view from outside: ``with JournalReader(path) as journal: journal.totals("main")``.

    It cannot write and holds up no run that does. Keep it only while reading: as long as it is inside an iterator, the
    run's log cannot be folded into the file.

    Raises:
        StoreHeld: a run on a network file system has the journal for itself.
        JournalError: there is no journal, or none that this program reads.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise JournalError(
                f"There is no journal at {path}.", "Run first, or name it with --journal FILE.", kind="journal_missing"
            )
        self.path = path
        connection = None
        try:
            connection = open_for_reading(path)
            schema.check_identity(connection, path)
            schema.check_tables(connection, path)
            super().__init__(connection)
        except (apsw.Error, JournalError) as err:
            if connection is not None:
                connection.close()
            if isinstance(err, apsw.Error):
                raise translate(err, path) from err
            raise

    def close(self) -> None:
        """Let go of the file, even in the middle of an iterator; safe to call twice."""
        self._connection.close(True)

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; what SQLite raised while it was read comes out in our words."""
        self.close()
        if isinstance(error, apsw.Error):
            raise translate(error, self.path) from error
