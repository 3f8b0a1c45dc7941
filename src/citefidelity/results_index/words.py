"""The texts that were judged, taken from the prompts that the journal keeps: to search them, and to show them."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
import zstandard

from citefidelity.journal.reader import LARGEST_UNPACKED
from citefidelity.quotations import Quotations, quotations
from citefidelity.records import Outcome

SLICE = 500
"""Results whose words are taken in at once."""

TOKENIZER = "unicode61"

_NEXT = """
SELECT r.seq, o.json, p.zstd
FROM result r CROSS JOIN journal.settled s ON s.screening = ?1 AND s.citation = r.citation
    AND s.instance_id = r.instance_id AND s.seq = r.seq
CROSS JOIN journal.outcome o ON o.seq = r.seq LEFT JOIN journal.prompt p ON p.input_hash = s.input_hash
WHERE r.seq > ?2 ORDER BY r.seq LIMIT ?3
"""


class Texts:
    """Reads what the journal keeps packed. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._unpack = zstandard.ZstdDecompressor()
        self.outcome = msgspec.json.Decoder(Outcome).decode

    def quoted(self, packed: bytes | None) -> Quotations:
        """What a prompt quotes; nothing where there is none, or none that can be unpacked."""
        if packed is None:
            return Quotations()
        try:
            variable = self._unpack.stream_reader(packed).read(LARGEST_UNPACKED)
        except zstandard.ZstdError:
            return Quotations()
        return quotations(variable.decode(errors="replace"))

    def said(self, outcome: Outcome) -> str:
        """The justification of a verdict, or the message of a failure."""
        if outcome.verdict is not None:
            return outcome.verdict.justification
        return outcome.failure.message if outcome.failure is not None else ""


class Words:
    """Which results hold which words. The rows of each are numbered as the result's.

    Attributes:
        at: the place of the last result whose words are in.
    """

    def __init__(self, connection: apsw.Connection, texts: Texts) -> None:
        self._connection = connection
        self._texts = texts
        self._tokenize = connection.fts5_tokenizer(TOKENIZER)
        self.at = 0

    def advance(self, screening: int | None) -> bool:
        """Take in the next slice; whether there was anything. A result that comes later has a later place."""
        rows: list[tuple[Any, ...]] = self._connection.execute(_NEXT, (screening, self.at, SLICE)).fetchall()
        texts = self._texts
        made: list[tuple[int, str]] = []
        for seq, json, packed in rows:
            quoted = texts.quoted(packed)
            parts = (quoted.source_title, quoted.target_title, quoted.passage, quoted.sentence)
            said = texts.said(texts.outcome(json))
            made.append((seq, "\n".join([*[part for part in parts if part], said])))
        if not made:
            return False
        with self._connection:
            self._connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", made)
        self.at = made[-1][0]
        return True

    def expression(self, words: str) -> str | None:
        """The words in the language of SQLite's full-text search; None where there are none. Nothing is special."""
        found = self._tokenize(
            words.encode(errors="replace"),
            apsw.FTS5_TOKENIZE_QUERY,
            None,
            include_offsets=False,
            include_colocated=False,
        )
        return " ".join(f'"{word}"' for word in found) + "*" if found else None
