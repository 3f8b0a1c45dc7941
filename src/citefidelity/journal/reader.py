"""Reading a journal from outside, a run's included: short reads that cannot hold up its writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
import msgspec
import zstandard

from citefidelity.errors import JournalError
from citefidelity.facts import Asked, Began, ContextPast, Ended, Settled
from citefidelity.journal import schema
from citefidelity.journal.recall import recall
from citefidelity.records import CitationKey, Outcome, Usage

LARGEST_UNPACKED = 64_000_000
_ATTEMPT = """SELECT a.seq, r.name, c.source_id, c.target_id, c.reference_id, a.instance_id, a.input_hash, a.at,
    a.manner, e.at, e.seconds, e.sent, e.status, e.fault, e.billed, e.input_tokens, e.output_tokens, e.cached_tokens,
    e.reasoning_tokens, e.cost_usd, y.body, y.message, y.answering_model, y.system_fingerprint, y.finish_reason,
    y.request_id
FROM asked AS a JOIN run AS r ON r.id = a.run JOIN citation AS c ON c.id = a.citation
LEFT JOIN ended AS e ON e.seq = a.seq LEFT JOIN reply AS y ON y.seq = a.seq"""
_SETTLED = """SELECT s.seq, r.name, c.source_id, c.target_id, c.reference_id, s.at, s.attempt, s.flags, o.body
FROM settled AS s JOIN run AS r ON r.id = s.run JOIN citation AS c ON c.id = s.citation
JOIN outcome AS o ON o.seq = s.seq"""
# The last outcome that counts, of each context that has one.
_STANDING = """SELECT max(s.seq) AS seq, s.citation FROM settled AS s
WHERE s.screening = ? AND s.usable AND s.seq > coalesce((SELECT max(o.seq) FROM reopened AS o
    WHERE o.citation = s.citation AND o.screening = s.screening AND o.instance_id = s.instance_id), 0)
GROUP BY s.citation, s.instance_id"""
_WAITING = """SELECT 1 FROM settled AS s WHERE s.screening = ?1 AND s.usable
AND s.seq > coalesce((SELECT max(o.seq) FROM reopened AS o
    WHERE o.citation = s.citation AND o.screening = ?1 AND o.instance_id = s.instance_id), 0)
AND NOT EXISTS (SELECT 1 FROM delivered AS d WHERE d.citation = s.citation AND d.screening = ?1 AND d.seq > s.seq
    AND d.seq > coalesce((SELECT max(o.seq) FROM reopened AS o
        WHERE o.citation = s.citation AND o.screening = ?1), 0))
LIMIT 1"""


class Header(msgspec.Struct, frozen=True):
    """What a journal says of itself."""

    journal_id: str
    store_id: str
    version: int


class ScreeningSpec(msgspec.Struct, frozen=True):
    """A screening that this journal has worked on, with its whole spec as JSON."""

    name: str
    spec: str
    fingerprint: str


class Run(msgspec.Struct, frozen=True):
    """A run, and why it stopped; None while it runs, or if it was killed."""

    began: Began
    stopped: str | None
    stopped_at: float | None


class Attempt(msgspec.Struct, frozen=True):
    """An attempt: what was asked, and how it ended; None where that is not known."""

    asked: Asked
    ended: Ended | None


class History(msgspec.Struct, frozen=True):
    """An outcome of one context, with its place in the sequence of all facts."""

    seq: int
    settled: Settled


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """One screening in this journal, over all its runs. Outcomes are those that stand."""

    attempts: int
    calls: int
    open_attempts: int
    maybe_paid: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    states: dict[str, int]
    categories: dict[str, int]
    failures: dict[str, int]
    faults: dict[str, int]


class JournalReader:
    """A read-only view: ``with JournalReader(path) as journal: journal.totals("main")``.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise JournalError(f"There is no journal {path}.", "Run first, or name it with --journal FILE.")
        self._unpack = zstandard.ZstdDecompressor()
        try:
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            self._connection.set_busy_timeout(schema.BUSY_TIMEOUT_MS)
            self._connection.pragma("trusted_schema", 0)
            schema.check(self._connection, path)
            self.header = Header(*schema.header(self._connection), schema.SCHEMA_VERSION)
        except apsw.Error as err:
            raise schema.translated(err, path) from err

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self._connection.close()

    def screenings(self) -> list[ScreeningSpec]:
        """The screenings that runs of this journal have worked on, in the order in which they began."""
        sql = """SELECT s.name, p.body, r.fingerprint FROM run AS r JOIN screening AS s ON s.id = r.screening
            JOIN spec AS p ON p.fingerprint = r.fingerprint GROUP BY s.id ORDER BY min(r.id)"""
        return [ScreeningSpec(*row) for row in self._rows(sql)]

    def runs(self, screening: str) -> list[Run]:
        """The runs of a screening, in order."""
        sql = """SELECT r.name, s.name, p.body, r.fingerprint, r.program, r.host, r.pid, r.at, e.why, e.at
            FROM run AS r JOIN screening AS s ON s.id = r.screening JOIN spec AS p ON p.fingerprint = r.fingerprint
            LEFT JOIN stopped AS e ON e.run = r.id WHERE s.name = ? ORDER BY r.id"""
        names = ("run", "screening", "spec", "fingerprint", "program", "host", "pid", "at")
        return [
            Run(Began(**dict(zip(names, row[:8], strict=True))), row[8], row[9]) for row in self._rows(sql, screening)
        ]

    def recall(self, screening: str, keys: list[CitationKey]) -> dict[CitationKey, ContextPast]:
        """As the journal's own recall."""
        try:
            return recall(self._connection, screening, keys)
        except apsw.Error as err:
            raise schema.translated(err, self.path) from err

    def attempts(
        self, screening: str, key: CitationKey | None = None, instance_id: str | None = None
    ) -> Iterator[Attempt]:
        """Attempts in order: of a whole screening, of one citation, or of one context. Prompts are left empty."""
        sql, values = f"{_ATTEMPT} WHERE a.screening = ?", _values(self._screening(screening))
        if key is not None:
            sql, values = sql + " AND a.citation = (SELECT id FROM citation WHERE digest = ?)", [*values, key.digest()]
        if instance_id is not None:
            sql, values = f"{sql} AND a.instance_id = ?", [*values, instance_id]
        for row in self._rows(f"{sql} ORDER BY a.seq", *values):
            yield self._attempt(screening, row)

    def settled(self, screening: str, key: CitationKey | None = None) -> Iterator[History]:
        """Outcomes, set aside or not: of one citation in order, or of all, those of a citation together."""
        sql, values = f"{_SETTLED} WHERE s.screening = ?", _values(self._screening(screening))
        if key is not None:
            sql, values = sql + " AND s.citation = (SELECT id FROM citation WHERE digest = ?)", [*values, key.digest()]
        for row in self._rows(f"{sql} ORDER BY s.citation, s.seq", *values):
            yield History(row[0], _settled(screening, row))

    def reopened(self, screening: str) -> Iterator[tuple[CitationKey, str, int]]:
        """For each context that was ever reopened: its citation, instance id, and the place of the last time."""
        sql = """SELECT c.source_id, c.target_id, c.reference_id, o.instance_id, max(o.seq) FROM reopened AS o
            JOIN citation AS c ON c.id = o.citation WHERE o.screening = ? GROUP BY o.citation, o.instance_id"""
        for row in self._rows(sql, self._screening(screening)):
            yield CitationKey(*row[:3]), row[3], row[4]

    def standing(self, screening: str, *, failures_only: bool = False) -> Iterator[Settled]:
        """The outcomes that count, one a context; with ``failures_only``, failures and unassessable ones."""
        sql = f"{_SETTLED} JOIN ({_STANDING}) AS t ON t.seq = s.seq"
        if failures_only:
            sql += " WHERE s.state <> 'verdict'"
        for row in self._rows(f"{sql} ORDER BY s.citation, s.seq", self._screening(screening)):
            yield _settled(screening, row)

    def prompt(self, input_hash: bytes) -> str | None:
        """The exact variable part that was sent under this hash, None where nothing was."""
        for (body,) in self._rows("SELECT prompt FROM input WHERE hash = ?", input_hash):
            return self._unpack.decompress(body, LARGEST_UNPACKED).decode(errors="surrogatepass")
        return None

    def undelivered(self, screening: str) -> bool:
        """Whether an outcome that counts is later than its citation's last delivery: the store may lack it."""
        return any(True for _ in self._rows(_WAITING, self._screening(screening)))

    def totals(self, screening: str) -> Totals:
        """Calls, tokens, money and outcomes over all runs of a screening."""
        number = self._screening(screening)
        sums = next(
            self._rows(
                """SELECT count(*), coalesce(sum(e.sent), 0), count(*) - count(e.seq),
                coalesce(sum(e.seq IS NULL OR e.billed = 'unknown'), 0), coalesce(sum(e.input_tokens), 0),
                coalesce(sum(e.output_tokens), 0), coalesce(sum(e.cached_tokens), 0), sum(e.cost_usd)
                FROM asked AS a LEFT JOIN ended AS e ON e.seq = a.seq WHERE a.screening = ?""",
                number,
            )
        )
        states: dict[str, int] = {}
        categories: dict[str, int] = {}
        failures: dict[str, int] = {}
        sql = f"""SELECT s.state, s.category, s.kind, count(*) FROM settled AS s JOIN ({_STANDING}) AS t
            ON t.seq = s.seq GROUP BY s.state, s.category, s.kind"""  # noqa: S608 - a query from above
        for state, category, kind, count in self._rows(sql, number):
            states[state] = states.get(state, 0) + count
            if state == "verdict":
                categories[category] = count
            elif state == "failed":
                failures[kind] = count
        faults = """SELECT e.fault, count(*) FROM asked AS a JOIN ended AS e ON e.seq = a.seq
            WHERE a.screening = ? AND e.fault IS NOT NULL GROUP BY e.fault"""
        return Totals(
            attempts=sums[0],
            calls=sums[1] + sums[2],
            open_attempts=sums[2],
            maybe_paid=sums[3],
            input_tokens=sums[4],
            output_tokens=sums[5],
            cached_tokens=sums[6],
            cost_usd=sums[7],
            states=states,
            categories=categories,
            failures=failures,
            faults=dict(self._rows(faults, number)),
        )

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file; nothing where it is whole."""
        return [row[0] for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]

    def _screening(self, name: str) -> int:
        """Its number here; -1, which no row has, where this journal does not know it."""
        return next((row[0] for row in self._rows("SELECT id FROM screening WHERE name = ?", name)), -1)

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
        if row[9] is None:
            return Attempt(asked, None)
        ended = Ended(
            attempt=row[0],
            at=row[9],
            seconds=row[10],
            sent=bool(row[11]),
            status=row[12],
            fault=row[13],
            billed=row[14],
            usage=Usage(*row[15:19]),
            cost_usd=row[19],
            body=None if row[20] is None else self._unpack.decompress(row[20], LARGEST_UNPACKED),
            message=row[21],
            answering_model=row[22],
            system_fingerprint=row[23],
            finish_reason=row[24],
            request_id=row[25],
        )
        return Attempt(asked, ended)

    def _rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except apsw.Error as err:
            raise schema.translated(err, self.path) from err


def _settled(screening: str, row: tuple[Any, ...]) -> Settled:
    return Settled(
        run=row[1],
        screening=screening,
        key=CitationKey(*row[2:5]),
        outcome=msgspec.json.decode(row[8], type=Outcome),
        at=row[5],
        attempt=row[6],
        flags=tuple((row[7] or "").split()),
    )


def _values(*values: Any) -> list[Any]:
    return list(values)
