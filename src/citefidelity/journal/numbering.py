"""Small numbers that stand for names: screenings, runs and citations."""

from __future__ import annotations

import apsw

from citefidelity.journal.connection import scalar
from citefidelity.records import CitationKey

# A bound on memory, not on the journal: a name that was dropped is looked up again.
_KEPT = 20_000


class Numbers:
    """Gives each name a number, once; call it only inside the writer's transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._screenings: dict[str, int] = {}
        self._runs: dict[str, int] = {}
        self._citations: dict[CitationKey, int] = {}

    def screening(self, name: str) -> int:
        """The number of a screening."""
        number = self._screenings.get(name)
        if number is None:
            number = self._screenings[name] = self._number("screening", name)
        return number

    def run(self, name: str) -> int:
        """The number of a run."""
        number = self._runs.get(name)
        if number is None:
            number = self._runs[name] = self._number("run", name)
        return number

    def citation(self, key: CitationKey) -> int:
        """The number of a citation."""
        number = self._citations.get(key)
        if number is None:
            if len(self._citations) >= _KEPT:
                self._citations.clear()
            number = self._citations[key] = self._number_citation(key)
        return number

    def forget(self) -> None:
        """Drop everything kept in memory: the transaction that gave the last numbers was rolled back."""
        self._screenings.clear()
        self._runs.clear()
        self._citations.clear()

    def _number(self, table: str, name: str) -> int:
        # The table's name is one of two literals above.
        insert = f"INSERT INTO {table} (name) VALUES (?) ON CONFLICT DO NOTHING RETURNING id"  # noqa: S608 - as said
        number = scalar(self._connection, insert, name)
        if number is None:
            number = scalar(self._connection, f"SELECT id FROM {table} WHERE name = ?", name)  # noqa: S608 - as said
        return int(number)

    def _number_citation(self, key: CitationKey) -> int:
        digest = key.digest()
        insert = (
            "INSERT INTO citation (digest, source_id, target_id, reference_id) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING RETURNING id"
        )
        number = scalar(self._connection, insert, digest, *key)
        if number is None:
            number = scalar(self._connection, "SELECT id FROM citation WHERE digest = ?", digest)
        return int(number)


def find_screening(connection: apsw.Connection, name: str) -> int | None:
    """The number of a screening, None where the journal knows none of this name."""
    number: int | None = scalar(connection, "SELECT id FROM screening WHERE name = ?", name)
    return number


def find_citation(connection: apsw.Connection, key: CitationKey) -> int | None:
    """The number of a citation, None where the journal knows nothing of it."""
    number: int | None = scalar(connection, "SELECT id FROM citation WHERE digest = ?", key.digest())
    return number
