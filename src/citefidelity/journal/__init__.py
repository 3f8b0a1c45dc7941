"""The journal: facts of attempts and outcomes, on disk before they count, in one SQLite file."""

from citefidelity.journal.lock import current_holder
from citefidelity.journal.opening import open_journal
from citefidelity.journal.reader import JournalReader, JournalView
from citefidelity.journal.sqlite import SqliteJournal
from citefidelity.journal.totals import Totals

__all__ = ["JournalReader", "JournalView", "SqliteJournal", "Totals", "current_holder", "open_journal"]
