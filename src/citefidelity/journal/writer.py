"""Writes batches of facts, each in one transaction. Lives in the journal's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import apsw
import msgspec
import zstandard

from citefidelity.facts import Asked, Began, Delivered, Ended, Fact, Reopened, Settled, Stopped
from citefidelity.journal.connection import scalar
from citefidelity.journal.numbering import Numbers
from citefidelity.journal.repair import repaired
from citefidelity.journal.schema import NUMBERED
from citefidelity.records import Outcome


def _row(width: int) -> str:
    return f"({', '.join('?' * width)})"


class Insert(NamedTuple):
    """How one table takes rows: a statement up to its rows, and one row of it."""

    head: str
    row: str

    @property
    def width(self) -> int:
        """Values in a row."""
        return self.row.count("?")


# In this order: the row of an end takes its screening from the attempt, which may be in the same batch.
_INSERTS = {
    "spec": Insert("INSERT OR IGNORE INTO spec VALUES", _row(2)),
    "began": Insert("INSERT INTO began VALUES", _row(8)),
    "prompt": Insert("INSERT OR IGNORE INTO prompt (input_hash, zstd) VALUES", _row(2)),
    "asked": Insert("INSERT INTO asked VALUES", _row(8)),
    "ended": Insert(
        "INSERT INTO ended VALUES",
        "(?, ?, (SELECT screening FROM asked WHERE attempt = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    "reply": Insert("INSERT INTO reply VALUES", _row(8)),
    "settled": Insert("INSERT INTO settled VALUES", _row(10)),
    "outcome": Insert("INSERT INTO outcome VALUES", _row(3)),
    "reopened": Insert("INSERT INTO reopened VALUES", _row(6)),
    "delivered": Insert("INSERT INTO delivered VALUES", _row(6)),
    "stopped": Insert("INSERT INTO stopped VALUES", _row(4)),
}

# One statement takes so many rows at most. This thread lets go of the interpreter at each statement, and has to wait
# until the event loop lets it have it back: a statement for each row took four times as long as the commit itself.
_MOST_ROWS = 64

# Short texts in great number: level 1 keeps nearly as little as level 3 for three quarters of the time.
_ZSTD_LEVEL = 1


class Writer:
    """Turns facts into rows and commits them.

    Args:
        connection: the one writing connection of the process that holds the journal's lock.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._numbers = Numbers(connection)
        self._compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
        self._encode = msgspec.json.Encoder().encode
        self._seq = last_seq(connection)
        # The values of each table one after the other, row by row, as a statement takes them.
        self._rows: dict[str, list[Any]] = {table: [] for table in _INSERTS}
        self._add: dict[type[Fact], Callable[[Any, int], None]] = {
            Began: self._began,
            Stopped: self._stopped,
            Asked: self._asked,
            Ended: self._ended,
            Settled: self._settled,
            Reopened: self._reopened,
            Delivered: self._delivered,
        }

    def commit(self, facts: Sequence[Fact]) -> None:
        """Append all of ``facts`` or none; they are on disk when it returns.

        Raises:
            apsw.Error: they are not; the transaction is rolled back.
        """
        try:
            self._commit(facts)
        except (UnicodeEncodeError, OverflowError):
            # A model may answer with half a surrogate pair or a number of forty digits. No table and no JSON takes
            # it, and one such reply must not cost the others in its batch.
            self._commit([repaired(fact) for fact in facts])

    def _commit(self, facts: Sequence[Fact]) -> None:
        connection, add, seq = self._connection, self._add, self._seq
        connection.execute("BEGIN IMMEDIATE")
        try:
            for fact in facts:
                seq += 1
                add[type(fact)](fact, seq)
            self._pack("prompt")
            self._pack("reply")
            for table, values in self._rows.items():
                self._insert(_INSERTS[table], values)
            connection.execute("COMMIT")
        except BaseException:
            # A full disk rolls back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._numbers.forget()
            raise
        finally:
            for rows in self._rows.values():
                rows.clear()
        self._seq = seq

    def _pack(self, table: str) -> None:
        """Compress the last column, all rows at once: each call lets go of the interpreter, as above."""
        values = self._rows[table]
        width = _INSERTS[table].width
        column = values[width - 1 :: width]
        packed = iter(self._packed([text for text in column if text is not None]))
        values[width - 1 :: width] = [None if text is None else next(packed) for text in column]

    def _packed(self, texts: list[Any]) -> list[bytes]:
        if not any(texts):
            # zstandard takes nothing but empty texts for an error.
            return [self._compressor.compress(text) for text in texts]
        return [frame.tobytes() for frame in iter(self._compressor.multi_compress_to_buffer(texts))]

    def _insert(self, insert: Insert, values: list[Any]) -> None:
        """Insert all rows, in as few statements as there are ones in their number: those are few, and all cached."""
        start, rows = 0, _MOST_ROWS
        while start < len(values):
            end = start + rows * insert.width
            if end > len(values):
                rows //= 2
                continue
            self._connection.execute(f"{insert.head} {', '.join([insert.row] * rows)}", values[start:end])
            start = end

    def _asked(self, fact: Asked, seq: int) -> None:
        del seq  # the number of the attempt is its place
        rows, numbers = self._rows, self._numbers
        rows["prompt"] += (fact.input_hash, fact.prompt.encode(errors="surrogatepass"))
        rows["asked"] += (
            fact.attempt,
            numbers.screening(fact.screening),
            numbers.run(fact.run),
            numbers.citation(fact.key),
            fact.instance_id,
            fact.input_hash,
            fact.at,
            fact.manner,
        )

    def _ended(self, fact: Ended, seq: int) -> None:
        usage = fact.usage
        self._rows["ended"] += (
            fact.attempt,
            seq,
            fact.attempt,
            fact.at,
            fact.seconds,
            fact.sent,
            fact.fault,
            fact.billed,
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
            fact.cost_usd,
        )
        self._rows["reply"] += (
            seq,
            fact.status,
            fact.message,
            fact.answering_model,
            fact.system_fingerprint,
            fact.finish_reason,
            fact.request_id,
            fact.body,
        )

    def _settled(self, fact: Settled, seq: int) -> None:
        outcome, numbers = fact.outcome, self._numbers
        self._rows["settled"] += (
            numbers.screening(fact.screening),
            numbers.citation(fact.key),
            outcome.instance_id,
            seq,
            numbers.run(fact.run),
            bytes.fromhex(outcome.input_hash),
            outcome.usable,
            _result(outcome),
            fact.attempt,
            fact.at,
        )
        self._rows["outcome"] += (seq, self._encode(outcome), self._encode(fact.flags) if fact.flags else None)

    def _delivered(self, fact: Delivered, seq: int) -> None:
        numbers = self._numbers
        screening, citation, run = numbers.screening(fact.screening), numbers.citation(fact.key), numbers.run(fact.run)
        self._rows["delivered"] += (seq, screening, citation, run, fact.at, fact.result)

    def _reopened(self, fact: Reopened, seq: int) -> None:
        screening, citation = self._numbers.screening(fact.screening), self._numbers.citation(fact.key)
        self._rows["reopened"] += (seq, screening, citation, fact.instance_id, fact.at, fact.why)

    def _began(self, fact: Began, seq: int) -> None:
        self._rows["spec"] += (fact.fingerprint, fact.spec)
        run, screening = self._numbers.run(fact.run), self._numbers.screening(fact.screening)
        self._rows["began"] += (seq, run, screening, fact.fingerprint, fact.program, fact.host, fact.pid, fact.at)

    def _stopped(self, fact: Stopped, seq: int) -> None:
        self._rows["stopped"] += (seq, self._numbers.run(fact.run), fact.why, fact.at)


def last_seq(connection: apsw.Connection) -> int:
    """The latest number of the sequence; a look at the end of each table."""
    # The names of the tables are literals of the schema.
    latest = (scalar(connection, f"SELECT max(seq) FROM {table}") for table in NUMBERED)  # noqa: S608 - as said
    return max((seq for seq in latest if seq is not None), default=0)


def last_attempt(connection: apsw.Connection) -> int:
    """The largest number of an attempt."""
    return int(scalar(connection, "SELECT coalesce(max(attempt), 0) FROM asked"))


def _result(outcome: Outcome) -> str:
    """One word for how a context ended, so that totals group by one column: four took twice as long."""
    if outcome.verdict is not None:
        return f"verdict:{outcome.verdict.category}"
    kind = outcome.failure.kind if outcome.failure is not None else ""
    return f"{outcome.state if outcome.usable else 'transient'}:{kind}"
