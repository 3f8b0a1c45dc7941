"""Everything that a journal holds of one citation, as it lies in the tables, for an audit.

It asks with its own SQL and reads the rows itself: an audit that went the ways of the engine would share its mistakes.
What is damaged comes out as None, so that the audit can name it, and does not stop at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec
import zstandard

from citefidelity.journal.connection import translate
from citefidelity.journal.numbering import find_screening
from citefidelity.journal.reader import JournalReader
from citefidelity.records import CitationKey, Outcome, Usage

_SETTLED = """
SELECT s.seq, s.run, s.instance_id, s.input_hash, s.usable, s.result, s.attempt, o.json
FROM settled s LEFT JOIN outcome o ON o.seq = s.seq WHERE s.screening = ? AND s.citation = ? ORDER BY s.seq
"""
_ATTEMPTS = """
SELECT a.attempt, a.run, a.instance_id, a.input_hash, e.seq, e.fault, e.billed, e.input_tokens, e.output_tokens,
       e.cached_tokens, e.reasoning_tokens, e.cost_usd, y.seq, y.status, y.answering_model, y.system_fingerprint,
       y.finish_reason, y.request_id, y.zstd
FROM asked a LEFT JOIN ended e ON e.attempt = a.attempt LEFT JOIN reply y ON y.seq = e.seq
WHERE a.screening = ? AND a.citation = ? ORDER BY a.attempt
"""
_RUN = """
SELECT b.run, b.seq, b.program FROM began b JOIN run r ON r.id = b.run WHERE b.screening = ? AND {which}
"""
_STRAY = {
    "ended": "attempt NOT IN (SELECT attempt FROM asked)",
    "settled": "citation NOT IN (SELECT id FROM citation) OR run NOT IN (SELECT run FROM began)",
    "asked": "citation NOT IN (SELECT id FROM citation) OR run NOT IN (SELECT run FROM began)",
}


class RunRow(NamedTuple):
    """A run: its number, its place in the sequence of all facts, and the program that it was a run of."""

    number: int
    seq: int
    program: str


class SettledRow(NamedTuple):
    """A *settled*; ``usable`` and ``result`` stand there for sums. ``outcome`` is None where it cannot be read."""

    seq: int
    run: int
    instance_id: str
    input_hash: bytes
    usable: bool
    result: str
    attempt: int | None
    outcome: Outcome | None


class EndedRow(NamedTuple):
    """How an attempt ended. ``whole`` is false where its reply is missing or cannot be unpacked."""

    seq: int
    fault: str | None
    billed: str
    usage: Usage
    cost_usd: float | None
    whole: bool
    status: int | None
    answering_model: str | None
    system_fingerprint: str | None
    finish_reason: str | None
    request_id: str | None
    body: bytes | None


class AskedRow(NamedTuple):
    """An attempt; ``ended`` is None where its end is unknown."""

    attempt: int
    run: int
    instance_id: str
    input_hash: bytes
    ended: EndedRow | None


class Facts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What one journal holds of one citation under one screening.

    ``reopened`` has the places of all *reopened* of a context, ``delivered`` that of the last *delivered*. ``prompts``
    has what was sent under each input hash, None where that is missing or cannot be unpacked.
    """

    number: int
    settled: list[SettledRow]
    attempts: list[AskedRow]
    reopened: dict[str, list[int]]
    delivered: int | None
    prompts: dict[bytes, bytes | None]

    def settled_of(self, instance_id: str) -> list[SettledRow]:
        """The *settled* of one context."""
        return self._settled_by_context.get(instance_id, [])

    @cached_property
    def _settled_by_context(self) -> dict[str, list[SettledRow]]:
        # A citation may have fifty thousand contexts: to look through all of them for each takes hours.
        by_context: dict[str, list[SettledRow]] = {}
        for one in self.settled:
            by_context.setdefault(one.instance_id, []).append(one)
        return by_context


class Evidence(JournalReader):
    """One screening in one journal. Blocks, and belongs to one thread at a time.

    Args:
        path: of the journal.
        screening: its name.

    Raises:
        StoreHeld: a run on a network file system has the journal for itself.
        JournalError: there is no journal, or none that this program reads.

    Attributes:
        spec: of the screening, as JSON; None where this journal knows nothing of it.
    """

    def __init__(self, path: Path, screening: str) -> None:
        super().__init__(path)
        self._runs: dict[int | str, RunRow] = {}
        # A bit for each citation: a set of keys would grow with the journal.
        self._seen = bytearray()
        try:
            self._screening = find_screening(self._connection, screening)
            self.spec = next((one.spec for one in self.screenings() if one.name == screening), None)
        except apsw.Error as err:
            self.close()
            raise translate(err, path) from err

    def facts(self, key: CitationKey) -> Facts | None:
        """All about a citation, None where there is nothing; it is seen from then on."""
        row = self._connection.execute("SELECT id FROM citation WHERE digest = ?", (key.digest(),)).fetchone()
        if row is None:
            return None
        number = int(row[0])
        self._mark(number)
        return self._facts(number)

    def unseen(self) -> Iterator[tuple[CitationKey, Facts]]:
        """All about the citations that nobody has asked about."""
        for number, *key in self._connection.execute("SELECT id, source_id, target_id, reference_id FROM citation"):
            if not self._is_marked(number) and (facts := self._facts(number)) is not None:
                yield CitationKey(*key), facts

    def run(self, which: int | str) -> RunRow | None:
        """A run of this screening by its number here or by its name; None where it is none of this journal."""
        if which not in self._runs:
            sql = _RUN.format(which="r.id = ?" if isinstance(which, int) else "r.name = ?")
            row = self._connection.execute(sql, (self._screening, which)).fetchone()
            if row is None:
                return None
            self._runs[which] = RunRow(*row)
        return self._runs[which]

    def stray(self) -> dict[str, int]:
        """For each table that has them: how many rows belong to nothing."""
        counts = {}
        for table, condition in _STRAY.items():
            sql = f"SELECT count(*) FROM {table} WHERE screening = ? AND ({condition})"  # noqa: S608 - literals
            counts[table] = int(self._connection.execute(sql, (self._screening,)).get)
        return {table: rows for table, rows in counts.items() if rows}

    def _facts(self, number: int) -> Facts | None:
        ours = (self._screening, number)
        settled = [self._settled_row(row) for row in self._connection.execute(_SETTLED, ours)]
        attempts = [self._asked_row(row) for row in self._connection.execute(_ATTEMPTS, ours)]
        if not settled and not attempts:
            return None
        reopened: dict[str, list[int]] = {}
        sql = "SELECT instance_id, seq FROM reopened WHERE screening = ? AND citation = ? ORDER BY seq"
        for instance_id, seq in self._connection.execute(sql, ours):
            reopened.setdefault(instance_id, []).append(seq)
        sql = "SELECT max(seq) FROM delivered WHERE screening = ? AND citation = ?"
        return Facts(
            number=number,
            settled=settled,
            attempts=attempts,
            reopened=reopened,
            delivered=self._connection.execute(sql, ours).get,
            prompts={attempt.input_hash: self._prompt(attempt.input_hash) for attempt in attempts},
        )

    def _settled_row(self, row: tuple[Any, ...]) -> SettledRow:
        seq, run, instance_id, input_hash, usable, result, attempt, json = row
        try:
            outcome = None if json is None else self._outcome(json)
        except msgspec.MsgspecError:
            outcome = None
        return SettledRow(seq, run, instance_id, input_hash, bool(usable), result, attempt, outcome)

    def _asked_row(self, row: tuple[Any, ...]) -> AskedRow:
        attempt, run, instance_id, input_hash, ended = row[:5]
        return AskedRow(attempt, run, instance_id, input_hash, None if ended is None else self._ended_row(row[4:]))

    def _ended_row(self, row: tuple[Any, ...]) -> EndedRow:
        seq, fault, billed, *tokens, cost_usd, reply = row[:9]
        status, model, fingerprint, finish_reason, request_id, packed = row[9:]
        body = None if packed is None else self._unpacked_or_none(packed)
        return EndedRow(
            seq=seq,
            fault=fault,
            billed=billed,
            usage=Usage(*tokens),
            cost_usd=cost_usd,
            whole=reply is not None and (packed is None) == (body is None),
            status=status,
            answering_model=model,
            system_fingerprint=fingerprint,
            finish_reason=finish_reason,
            request_id=request_id,
            body=body,
        )

    def _prompt(self, input_hash: bytes) -> bytes | None:
        row = self._connection.execute("SELECT zstd FROM prompt WHERE input_hash = ?", (input_hash,)).fetchone()
        return None if row is None else self._unpacked_or_none(row[0])

    def _unpacked_or_none(self, packed: bytes) -> bytes | None:
        try:
            return self._unpacked(packed)
        except zstandard.ZstdError:
            return None

    def _mark(self, number: int) -> None:
        place, bit = divmod(number, 8)
        if place >= len(self._seen):
            self._seen.extend(bytes(place + 1 - len(self._seen)))
        self._seen[place] |= 1 << bit

    def _is_marked(self, number: int) -> bool:
        place, bit = divmod(number, 8)
        return place < len(self._seen) and bool(self._seen[place] >> bit & 1)
