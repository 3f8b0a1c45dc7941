"""Copies the outcomes that count out of a journal into tables of our own that can be filtered and sorted.

The tables lie in a temporary file that SQLite unlinks as soon as it has made it, so that nothing is left however the
process ends. They are filled inside SQLite, in slices of a few tenths of a second: a read of the journal lasts no
longer than that and holds up no writer, and other threads of this process go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import apsw

from citefidelity.journal import JournalReader
from citefidelity.journal.connection import READER_BUSY_MS, scalar
from citefidelity.journal.queries import SINCE_REOPENED

SLICE = 3_000
"""Citations taken over at once."""

CACHE_KIB = 32_000

_TABLES = """
CREATE TABLE article (id INTEGER PRIMARY KEY, article_id TEXT NOT NULL UNIQUE);
CREATE TABLE citation (id INTEGER PRIMARY KEY, source INTEGER, target INTEGER, reference_id TEXT);
CREATE TABLE result (
    seq INTEGER PRIMARY KEY,
    citation INTEGER NOT NULL,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    result TEXT NOT NULL,
    confidence REAL,
    citation_type TEXT,
    flagged INTEGER NOT NULL,
    delivered INTEGER NOT NULL
);
CREATE TEMP TABLE changed (citation INTEGER PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0);
CREATE TEMP TABLE standing (
    citation INTEGER, seq INTEGER, usable INTEGER, instance_id TEXT, result TEXT, PRIMARY KEY (citation, seq)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, detail=none);
"""

# Made when the first pass is over: a million rows are sorted once in less time than each finds its place by itself.
INDEXES = (
    "CREATE INDEX result_by_citation ON result (citation)",
    "CREATE INDEX result_by_result ON result (result)",
    "CREATE INDEX result_by_result_and_confidence ON result (result, confidence)",
    "CREATE INDEX result_by_confidence ON result (confidence)",
    "CREATE INDEX result_by_source ON result (source, result, citation)",
    "CREATE INDEX result_by_target ON result (target, result, citation)",
    "CREATE INDEX result_by_flag ON result (flagged) WHERE flagged",
    "CREATE INDEX result_by_delivery ON result (delivered) WHERE NOT delivered",
)

_NEXT_CITATIONS = "INSERT INTO changed (citation) SELECT id FROM journal.citation WHERE id > ? ORDER BY id LIMIT ?"

# What a screening has settled is not ordered by time: this looks at each short row once, some 0.1 s for a million.
_CHANGED_SINCE = """
INSERT INTO changed (citation)
SELECT citation FROM journal.settled WHERE screening = ?1 AND seq > ?2
UNION SELECT citation FROM journal.reopened WHERE seq > ?2 AND screening = ?1
UNION SELECT citation FROM journal.delivered WHERE seq > ?2 AND screening = ?1
"""

# The rank puts the latest usable outcome before all transient failures; SQLite takes the other columns from the row
# that has the maximum.
_STANDING = f"""
INSERT INTO standing SELECT citation, seq, usable, instance_id, result FROM (
    SELECT max(usable * (1 << 60) + seq), citation, seq, usable, instance_id, result
    FROM changed CROSS JOIN journal.settled USING (citation)
    WHERE screening = ?1 AND {SINCE_REOPENED.replace("reopened r", "journal.reopened r")}
    GROUP BY citation, instance_id
)
"""  # noqa: S608 - of constants

# As the journal's own look for what is undelivered: a delivery counts when it is later than all that stands of the
# citation, and no context was reopened since, which took all of it out of the store.
_DELIVERED = """
UPDATE changed SET delivered =
    coalesce((SELECT max(d.seq) FROM journal.delivered d WHERE d.screening = ?1 AND d.citation = changed.citation), 0)
    > max(
        (SELECT coalesce(max(x.seq), 0) FROM standing x WHERE x.citation = changed.citation AND x.usable),
        coalesce(
            (SELECT max(r.seq) FROM journal.reopened r WHERE r.screening = ?1 AND r.citation = changed.citation), 0
        )
    )
"""

_GONE = "citation IN (SELECT citation FROM changed) AND seq NOT IN (SELECT seq FROM standing)"
_FORGET_WORDS = f"DELETE FROM words WHERE rowid IN (SELECT seq FROM result WHERE {_GONE})"  # noqa: S608 - as above
_FORGET = f"DELETE FROM result WHERE {_GONE}"  # noqa: S608 - as above

_DELIVERED_SINCE = """
UPDATE result SET delivered = y.delivered AND result NOT GLOB 'transient:*' FROM changed y
WHERE y.citation = result.citation
"""

_ARTICLES = """
INSERT OR IGNORE INTO article (article_id)
SELECT source_id FROM journal.citation JOIN changed ON citation = id
UNION ALL SELECT target_id FROM journal.citation JOIN changed ON citation = id
"""
_CITATIONS = """
INSERT OR IGNORE INTO citation
SELECT c.id, s.id, t.id, c.reference_id FROM changed CROSS JOIN journal.citation c ON c.id = changed.citation
JOIN article s ON s.article_id = c.source_id JOIN article t ON t.article_id = c.target_id
WHERE c.id IN (SELECT citation FROM standing)
"""
_RESULTS = """
INSERT OR IGNORE INTO result
SELECT x.seq, x.citation, c.source, c.target, x.instance_id, x.result,
       CAST(o.json AS TEXT) ->> '$.verdict.confidence', CAST(o.json AS TEXT) ->> '$.verdict.citation_type',
       o.flags IS NOT NULL, y.delivered AND x.usable
FROM standing x CROSS JOIN citation c ON c.id = x.citation CROSS JOIN changed y ON y.citation = x.citation
CROSS JOIN journal.outcome o ON o.seq = x.seq
"""

_LATEST = """
SELECT max(coalesce((SELECT max(seq) FROM journal.outcome), 0), coalesce((SELECT max(seq) FROM journal.reopened), 0),
           coalesce((SELECT max(seq) FROM journal.delivered), 0))
"""

Stage = Literal["first pass", "indexes", "complete"]


class Gathering:
    """One screening's outcomes that count, copied from its journal. Blocks, and belongs to one thread at a time.

    Raises:
        StoreHeld: a run on a network file system has the journal for itself.
        JournalError: there is no journal, or none that this program reads.

    Attributes:
        connection: to our own tables, with the journal beside them as ``journal``, read only.
        stage: how far the first pass is. Until it is complete, some results are missing.
        citations: how many of them have been looked at in the first pass.
        of_citations: how many there were when it began.
        taken: the place of the last fact that could change a result and is taken over.
    """

    def __init__(self, journal: Path, screening: str) -> None:
        # It sees that the file is a journal that this program reads; the tables of another would be anything.
        JournalReader(journal).close()
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        self.connection = apsw.Connection("", flags=flags)
        try:
            self._set_up(journal)
            self._screening_name = screening
            self._at = 0
            self._indexes = list(INDEXES)
            self.stage: Stage = "first pass"
            self.citations = 0
            self.taken = self.latest()
            # Their numbers have no gaps, and to count them would take its time before the first page.
            self.of_citations = int(scalar(self.connection, "SELECT max(id) FROM journal.citation") or 0)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the journal; the copy is gone."""
        self.connection.close(True)

    def latest(self) -> int:
        """The place of the last fact that could change a result. Quick."""
        return int(scalar(self.connection, _LATEST))

    @property
    def complete(self) -> bool:
        """Whether the first pass is over."""
        return self.stage == "complete"

    @property
    def behind(self) -> bool:
        """Whether there is anything to take over."""
        return not self.complete or self.latest() > self.taken

    def advance(self) -> None:
        """Take over the next slice, or, once the first pass is complete, all that has come since."""
        if self.stage == "first pass":
            self._next_slice()
        elif self.stage == "indexes":
            self.connection.execute(self._indexes.pop(0))
            self.stage = "indexes" if self._indexes else "complete"
        else:
            self._catch_up()

    def _next_slice(self) -> None:
        with self._transaction():
            self.connection.execute(_NEXT_CITATIONS, (self._at, SLICE))
            last = scalar(self.connection, "SELECT max(citation) FROM changed")
            if last is None:
                self.stage = "indexes"
                return
            self._take_over(first=True)
            self.citations += int(scalar(self.connection, "SELECT count(*) FROM changed"))
        self._at = last

    def _catch_up(self) -> None:
        latest = self.latest()
        screening = self.screening()
        with self._transaction():
            self.connection.execute(_CHANGED_SINCE, (screening, self.taken))
            self._take_over(first=False)
        self.taken = latest

    def _take_over(self, *, first: bool) -> None:
        run, screening = self.connection.execute, self.screening()
        run(_STANDING, (screening,))
        run(_DELIVERED, (screening,))
        if not first:
            run(_FORGET_WORDS)
            run(_FORGET)
            run(_DELIVERED_SINCE)
        run(_ARTICLES)
        run(_CITATIONS)
        run(_RESULTS)

    def screening(self) -> int | None:
        """Its number in the journal, which may know it only from its first run on."""
        number: int | None = scalar(
            self.connection, "SELECT id FROM journal.screening WHERE name = ?", self._screening_name
        )
        return number

    def _set_up(self, journal: Path) -> None:
        connection = self.connection
        connection.set_busy_timeout(READER_BUSY_MS)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.pragma("journal_mode", "memory")
        connection.pragma("synchronous", 0)
        connection.pragma("cache_size", -CACHE_KIB)
        connection.execute("ATTACH ? AS journal", (f"{journal.absolute().as_uri()}?mode=ro",))
        connection.execute(_TABLES)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One state of the journal, and one of our tables."""
        self.connection.execute("BEGIN")
        try:
            self.connection.execute("DELETE FROM changed; DELETE FROM standing")
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
