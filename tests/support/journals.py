"""Facts for journals, and how each kind of journal is set up for the contract suite."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

import msgspec

from citefidelity.clock import SystemClock
from citefidelity.facts import Asked, Began, Delivered, Ended, Reopened, Settled
from citefidelity.journal import SqliteJournal, open_journal
from citefidelity.ports import Journal
from citefidelity.records import CitationKey, Outcome
from citefidelity.testing.journal import MemoryJournal
from support.makers import make_failed, make_holder, make_key, make_outcome

HASH = bytes.fromhex("ab" * 16)
"""The input hash of every outcome that the makers make."""


def make_began(run: str = "run-1", screening: str = "main", at: float = 1.0) -> Began:
    """A run that begins."""
    return Began(
        run=run,
        screening=screening,
        spec='{"model": "model-1"}',
        fingerprint="0123abcd",
        program="citefidelity 0",
        host="somewhere",
        pid=4711,
        at=at,
    )


def make_asked(attempt: int, key: CitationKey | None = None, **fields: Any) -> Asked:
    """An attempt about to leave."""
    asked = Asked(
        attempt=attempt,
        run="run-1",
        screening="main",
        key=key or make_key(),
        instance_id="1",
        input_hash=HASH,
        prompt="Aspirin lowers the risk [1].",
        at=2.0,
    )
    return msgspec.structs.replace(asked, **fields)


def make_ended(attempt: int, **fields: Any) -> Ended:
    """A good reply."""
    ended = Ended(attempt=attempt, at=3.0, seconds=1.0, status=200, body=b'{"choices": []}', billed="yes")
    return msgspec.structs.replace(ended, **fields)


def make_settled(outcome: Outcome | None = None, key: CitationKey | None = None, **fields: Any) -> Settled:
    """A context that ended, with a verdict unless told otherwise."""
    settled = Settled(run="run-1", screening="main", key=key or make_key(), outcome=outcome or make_outcome(), at=3.0)
    return msgspec.structs.replace(settled, **fields)


def make_transient(run: str = "run-1", **fields: Any) -> Settled:
    """A context whose attempts of one run were used up."""
    return make_settled(**{"outcome": make_failed(kind="timeout", retryable=True), "run": run, **fields})


def make_reopened(key: CitationKey | None = None, instance_id: str = "1", screening: str = "main") -> Reopened:
    """A context set aside by retry."""
    return Reopened(screening=screening, key=key or make_key(), instance_id=instance_id, at=4.0, why="retry")


def make_delivered(key: CitationKey | None = None, screening: str = "main") -> Delivered:
    """A citation whose outcomes have reached the store."""
    return Delivered(run="run-1", screening=screening, key=key or make_key(), at=5.0, result="written")


async def open_sqlite_journal(path: Path, **options: Any) -> SqliteJournal:
    """A journal of the store "store-1" in that file."""
    options = {"store_id": "store-1", "holder": make_holder(), "clock": SystemClock(), **options}
    return await open_journal(path, **options)


class OpenJournal(Journal, Protocol):
    """A journal that can be closed."""

    async def close(self) -> None:
        """Let go of it."""


class JournalKind(Protocol):
    """One journal of one kind, empty at first."""

    def __init__(self, directory: Path) -> None:
        """Where it may keep its files."""

    async def open(self) -> OpenJournal:
        """Open the journal; again after a close it still holds what was appended."""

    async def open_after_crash(self) -> OpenJournal:
        """What another process finds of the journal that is open now, had this process died this instant."""


class InMemory:
    """The fake."""

    def __init__(self, directory: Path) -> None:
        del directory
        self._journal = MemoryJournal()

    async def open(self) -> OpenJournal:
        """A journal with the facts of the last."""
        self._journal = self._journal.reopen()
        return self._journal

    async def open_after_crash(self) -> OpenJournal:
        """The same: what was appended was kept at once."""
        return self._journal.reopen()


class InSqlite:
    """One file in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "journal"
        self._directory.mkdir()
        self._crashes = 0

    async def open(self) -> OpenJournal:
        """The journal in that file."""
        return await open_sqlite_journal(self._directory / "j")

    async def open_after_crash(self) -> OpenJournal:
        """The journal in a copy of all files as they are now, its log not folded in."""
        self._crashes += 1
        copy = self._directory.with_name(f"crash-{self._crashes}")
        shutil.copytree(self._directory, copy)
        return await open_sqlite_journal(copy / "j")


KINDS: dict[str, type[JournalKind]] = {"memory": InMemory, "sqlite": InSqlite}
