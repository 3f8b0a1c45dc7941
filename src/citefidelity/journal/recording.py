"""Facts as rows: what the writer thread does with one batch, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import msgspec
import zstandard

from citefidelity.facts import Asked, Began, Delivered, Ended, Fact, Reopened, Settled, Stopped
from citefidelity.records import CitationKey

Numbered = tuple[int, Fact]
"""A fact and its place in the sequence; an Asked and its Ended share the number of the attempt."""

KNOWN_CITATIONS = 50_000
"""Citations whose id is remembered: more than can be open at once, few enough to hold."""

_INSERT = {
    "stopped": "INSERT OR IGNORE INTO stopped VALUES (?, ?, ?)",
    "input": "INSERT OR IGNORE INTO input VALUES (?, ?)",
    "asked": "INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "ended": "INSERT INTO ended VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "reply": "INSERT INTO reply VALUES (?, ?, ?, ?, ?, ?, ?)",
    "settled": "INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "outcome": "INSERT INTO outcome VALUES (?, ?)",
    "reopened": "INSERT INTO reopened VALUES (?, ?, ?, ?, ?, ?)",
    "delivered": "INSERT INTO delivered VALUES (?, ?, ?, ?, ?, ?)",
}


class Recorder:
    """Writes batches on one connection. Lives in the writer thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._encode = msgspec.json.Encoder().encode
        self._runs: dict[str, int] = {}
        self._screenings: dict[str, int] = {}
        self._citations: dict[CitationKey, int] = {}

    def write(self, batch: Iterable[Numbered]) -> None:
        """Write a batch, all of it or nothing; it is on disk when this returns.

        Raises:
            apsw.Error: nothing of the batch was written.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._insert(self._rows(batch))
            self._connection.execute("COMMIT")
        except BaseException:
            # Ids that were given out in this transaction are gone with it.
            self._citations.clear()
            self._runs.clear()
            self._screenings.clear()
            # A full disk rolls back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _insert(self, rows: dict[str, list[Sequence[Any]]]) -> None:
        for table, values in rows.items():
            self._connection.executemany(_INSERT[table], values)

    def _rows(self, batch: Iterable[Numbered]) -> dict[str, list[Sequence[Any]]]:
        rows: dict[str, list[Sequence[Any]]] = defaultdict(list)
        for number, fact in batch:
            match fact:
                case Asked():
                    self._asked(rows, fact)
                case Ended():
                    self._ended(rows, fact)
                case Settled():
                    self._settled(rows, number, fact)
                case Delivered():
                    screening, citation = self._screening(fact.screening), self._citation(fact.key)
                    run = self._run(fact.run)
                    rows["delivered"].append((number, screening, run, citation, fact.at, fact.result))
                case Reopened():
                    screening, citation = self._screening(fact.screening), self._citation(fact.key)
                    rows["reopened"].append((number, screening, citation, fact.instance_id, fact.at, fact.why))
                case Began():
                    self._began(fact)
                case Stopped():
                    rows["stopped"].append((self._run(fact.run), fact.why, fact.at))
        return rows

    def _asked(self, rows: dict[str, list[Sequence[Any]]], fact: Asked) -> None:
        rows["input"].append((fact.input_hash, self._compress(fact.prompt.encode(errors="surrogatepass"))))
        rows["asked"].append(
            (
                fact.attempt,
                self._screening(fact.screening),
                self._run(fact.run),
                self._citation(fact.key),
                fact.instance_id,
                fact.input_hash,
                fact.at,
                fact.manner,
            )
        )

    def _ended(self, rows: dict[str, list[Sequence[Any]]], fact: Ended) -> None:
        usage = fact.usage
        rows["ended"].append(
            (
                fact.attempt,
                fact.at,
                fact.seconds,
                fact.sent,
                fact.status,
                fact.fault,
                fact.billed,
                usage.input_tokens,
                usage.output_tokens,
                usage.cached_tokens,
                usage.reasoning_tokens,
                fact.cost_usd,
            )
        )
        rows["reply"].append(
            (
                fact.attempt,
                None if fact.body is None else self._compress(fact.body),
                fact.message,
                fact.answering_model,
                fact.system_fingerprint,
                fact.finish_reason,
                fact.request_id,
            )
        )

    def _settled(self, rows: dict[str, list[Sequence[Any]]], number: int, fact: Settled) -> None:
        outcome = fact.outcome
        rows["settled"].append(
            (
                number,
                self._screening(fact.screening),
                self._run(fact.run),
                self._citation(fact.key),
                outcome.instance_id,
                bytes.fromhex(outcome.input_hash),
                fact.at,
                fact.attempt,
                outcome.state,
                outcome.usable,
                outcome.verdict.category if outcome.verdict else None,
                outcome.failure.kind if outcome.failure else None,
                " ".join(fact.flags) or None,
            )
        )
        rows["outcome"].append((number, self._encode(outcome)))

    def _began(self, fact: Began) -> None:
        self._connection.execute("INSERT OR IGNORE INTO spec VALUES (?, ?)", (fact.fingerprint, fact.spec))
        self._connection.execute(
            "INSERT INTO run (name, screening, fingerprint, program, host, pid, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                fact.run,
                self._screening(fact.screening),
                fact.fingerprint,
                fact.program,
                fact.host,
                fact.pid,
                fact.at,
            ),
        )

    def _run(self, name: str) -> int:
        known = self._runs.get(name)
        if known is None:
            row: Any = self._connection.execute("SELECT id FROM run WHERE name = ?", (name,)).fetchone()
            assert row is not None, "a run is noted before its facts"  # noqa: S101 - an invariant of the callers
            known = self._runs[name] = int(row[0])
        return known

    def _screening(self, name: str) -> int:
        known = self._screenings.get(name)
        if known is None:
            self._connection.execute("INSERT OR IGNORE INTO screening (name) VALUES (?)", (name,))
            row: Any = self._connection.execute("SELECT id FROM screening WHERE name = ?", (name,)).fetchone()
            known = self._screenings[name] = int(row[0])
        return known

    def _citation(self, key: CitationKey) -> int:
        known = self._citations.get(key)
        if known is None:
            if len(self._citations) >= KNOWN_CITATIONS:
                self._citations.clear()
            digest = key.digest()
            row: Any = self._connection.execute("SELECT id FROM citation WHERE digest = ?", (digest,)).fetchone()
            if row is None:
                self._connection.execute(
                    "INSERT INTO citation (digest, source_id, target_id, reference_id) VALUES (?, ?, ?, ?)",
                    (digest, *key),
                )
                known = self._connection.last_insert_rowid()
            else:
                known = int(row[0])
            self._citations[key] = known
        return known
