"""The journal: the local, durable record of attempts and outcomes, in one SQLite file."""

from citefidelity.journal.lock import current_holder
from citefidelity.journal.reader import JournalReader
from citefidelity.journal.writer import SqliteJournal, open_journal

__all__ = ["JournalReader", "SqliteJournal", "current_holder", "open_journal"]
