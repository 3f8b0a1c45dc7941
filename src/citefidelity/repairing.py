"""Finds what another program damaged in a graph and, if told to, mends it: named first, backed up first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from citefidelity.damage import Damage, Edge, Finding, Kind, Mendable, examine
from citefidelity.errors import UsageError
from citefidelity.one_thread import OneThread

BATCH = 200
"""Edges mended in one transaction."""


class Repaired(msgspec.Struct, kw_only=True):
    """One damaged citation; ``mended`` tells whether its repairs were made just now."""

    damage: Damage
    mended: bool = False


class RepairReport(msgspec.Struct, kw_only=True):
    """What is damaged, and what was mended. Counts are of citations, but for ``blanked`` and ``recoverable``.

    ``possible`` is false for a store that no other program writes to. ``by_kind`` counts a citation under each kind of
    its damage. ``blanked`` counts contexts without their text, ``recoverable`` those of them whose text stands
    elsewhere in the graph. ``changed_meanwhile`` were left as they are, because somebody changed them after the look.
    """

    store: str
    possible: bool = True
    applied: bool = False
    looked_at: int = 0
    by_kind: dict[Kind, int] = msgspec.field(default_factory=dict)
    blanked: int = 0
    recoverable: int = 0
    mendable: int = 0
    mended: int = 0
    changed_meanwhile: int = 0
    backup: str | None = None
    damaged: list[Repaired] = msgspec.field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """4 where somebody changed edges while they were to be mended, else 0."""
        return 4 if self.changed_meanwhile else 0


class Backup:
    """Edges as they were, one a line of JSON, in a file that is made when the first is written.

    Args:
        path: a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def write(self, findings: Sequence[Finding]) -> None:
        """Write these edges with all their properties; they are on disk when it returns.

        Raises:
            UsageError: they cannot be written, or the file is there already.
        """
        try:
            if self._file is None:
                self._file = self.path.open("xb")
                _sync(self.path.parent)
            self._file.writelines(_line(finding.edge, finding.damage) for finding in findings)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as err:
            raise UsageError(
                f"The backup {self.path} cannot be written ({err.strerror}). What is not in it was not changed.",
                "Give another file with --backup, or make room, and repeat.",
                kind="backup",
            ) from err

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()


async def repair(store: Mendable, address: str, backup: Backup | None) -> RepairReport:
    """List what is damaged; with a backup, mend what can be. Safe to repeat: what is mended is damaged no more.

    The caller holds the claim on the whole store where it gives a backup.

    Args:
        store: the graph.
        address: what it is called towards people.
        backup: where edges go before they are changed; None changes nothing.

    Raises:
        UsageError: the backup cannot be written; what is not in it was not changed.
        StoreError: the graph cannot be read or written; what was committed stands, and is in the backup.
    """
    report = RepairReport(store=address, applied=backup is not None)
    kinds: Counter[Kind] = Counter()
    waiting: list[tuple[Finding, Repaired]] = []
    thread = OneThread("backup")
    try:
        async for pair in store.pairs():
            report.looked_at += sum(edge.classified for edge in pair)
            for finding in examine(pair):
                repaired = _add(report, kinds, finding)
                if finding.mend is not None:
                    waiting.append((finding, repaired))
            if backup is not None and len(waiting) >= BATCH:
                await _mend(store, thread, backup, waiting, report)
                waiting.clear()
        if backup is not None and waiting:
            await _mend(store, thread, backup, waiting, report)
    finally:
        if backup is not None:
            await thread.run(backup.close)
        thread.stop()
    report.by_kind = dict(kinds)
    return report


def _add(report: RepairReport, kinds: Counter[Kind], finding: Finding) -> Repaired:
    damage = finding.damage
    kinds.update(damage.kinds)
    report.blanked += len(damage.blanked)
    report.recoverable += len(damage.recoverable)
    report.mendable += finding.mend is not None
    repaired = Repaired(damage=damage)
    report.damaged.append(repaired)
    return repaired


async def _mend(
    store: Mendable,
    thread: OneThread,
    backup: Backup,
    waiting: Sequence[tuple[Finding, Repaired]],
    report: RepairReport,
) -> None:
    await thread.run(backup.write, [finding for finding, _ in waiting])
    report.backup = str(backup.path)
    written = await store.mend([finding.mend for finding, _ in waiting if finding.mend is not None])
    for finding, repaired in waiting:
        repaired.mended = finding.edge.place in written
        report.mended += repaired.mended
        report.changed_meanwhile += not repaired.mended


def _line(edge: Edge, damage: Damage) -> bytes:
    named = {**edge.key._asdict(), "element_id": edge.place, "kinds": damage.kinds, "properties": edge.properties}
    # Times and places of the graph have no form in JSON: they are written as text.
    return msgspec.json.encode(named, enc_hook=str) + b"\n"


def _sync(directory: Path) -> None:
    """The name of a new file is on disk, too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
