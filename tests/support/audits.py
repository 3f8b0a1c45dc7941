"""A screening that a real run has made, to be damaged, audited and tried again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import zstandard

from citefidelity import app
from citefidelity.audits.audited import Audit
from citefidelity.audits.retrying import RetryReport
from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.record_format import parse_record
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.hits import Stats
from citefidelity.testing.provider import ScriptedProvider
from citefidelity.upkeep import retry_failed, verify
from citefidelity.views.report import RunReport
from support.makers import make_line

BARE = {"instance_id": 2, "context_text": "As shown before [9]."}
SHOWN = {"instance_id": 1, "context_text": "Aspirin [3].", "evidence_segments": [{"text": "Aspirin lowered it."}]}
"""Contexts without evidence and with some."""


class Ran(NamedTuple):
    """What a run did, and what the provider saw of it."""

    report: RunReport
    stats: Stats


class Scene:
    """One store and its journal in a directory. What runs here runs in an event loop of its own."""

    def __init__(self, directory: Path, store: str = "store.db") -> None:
        self.directory = directory
        self.store = directory / store
        self.journal = directory / f"{store}.journal"

    def beside(self, store: str) -> Scene:
        """Another store in the same directory."""
        return Scene(self.directory, store)

    def copy(self, directory: Path) -> Scene:
        """The same files in another directory."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return Scene(directory)

    def settings(self, **flags: object) -> Settings:
        """With the store of this scene."""
        return load_settings({"store": f"sqlite:///{self.store}", **flags}, environ={}, directory=self.directory)

    def put(self, *lines: bytes) -> None:
        """Import these records."""

        async def put() -> None:
            store = await open_sqlite(self.store, create=True, clock=SystemClock())
            await store.put([parse_record(line)[0] for line in lines])
            await store.close()

        asyncio.run(put())

    def run(self, *script: str, **flags: object) -> Ran:
        """Run once, one call at a time, against a provider under this script."""

        async def run() -> Ran:
            async with ScriptedProvider(script) as provider:
                known = {"base_url": provider.base_url, "model": "scripted", "concurrency": 1}
                report = await app.run(self.settings(**(known | flags)))
                return Ran(report, provider.stats())

        return asyncio.run(run())

    def verify(self, journals: Sequence[Path] = (), **flags: object) -> Audit:
        """Audit it."""
        return asyncio.run(verify(self.settings(**flags), journals))

    def retry(self, *kinds: str, changed: bool = False, **flags: object) -> RetryReport:
        """Try again what failed."""
        return asyncio.run(retry_failed(self.settings(**flags), kinds, changed=changed))

    def in_store(self, sql: str) -> list[tuple[Any, ...]]:
        """Do this to the store, behind everybody's back."""
        return execute(self.store, sql)

    def in_journal(self, sql: str) -> list[tuple[Any, ...]]:
        """Do this to the journal."""
        return execute(self.journal, sql)


def make_failed(directory: Path) -> Scene:
    """Four citations of two contexts: the third prompt was refused, the fifth too long; one context has no evidence."""
    scene = Scene(directory)
    scene.put(make_line(1, 2), make_line(2, 2), make_line(3, 2), make_line(4, [SHOWN, BARE]))
    report = scene.run("filtered@3*always", "plain_refusal@4", "too_long_openai@5*always").report
    assert (report.answered, report.failures_by_kind) == (5, {"refused": 1, "too_long": 1})
    return scene


def assert_states(scene: Scene, *, verdict: int, failed: int = 0, unassessable: int = 1, to_do: int = 0) -> None:
    """An audit finds nothing, and the contexts in these states."""
    audit = scene.verify()
    assert audit.clean, audit.violations
    states = audit.states
    assert (states.verdict, states.failed, states.unassessable, states.to_do) == (verdict, failed, unassessable, to_do)


def execute(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of these statements, which may call ``zstd`` and ``unzstd``."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.create_scalar_function("zstd", _zstd, 1)
        connection.create_scalar_function("unzstd", _unzstd, 1)
        return connection.execute(sql).fetchall()


def _zstd(*texts: Any) -> bytes:
    return zstandard.compress(texts[0].encode())


def _unzstd(*packed: Any) -> str:
    return zstandard.decompress(packed[0]).decode()


def spoil_index(path: Path, index: str) -> None:
    """Overwrite the end of a page of an index, as a disk that fails may do; the file can be opened all the same."""
    with closing(apsw.Connection(str(path))) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).get
        size = int(str(connection.pragma("page_size")))
    with path.open("r+b") as file:
        file.seek(page * size - 8)
        file.write(b"\xff" * 8)
