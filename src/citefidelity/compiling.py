"""The report, put together: settings in, one file and its numbers out. Reads only, but for that file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from citefidelity.app import journal_path, program
from citefidelity.clock import SystemClock, iso
from citefidelity.config.settings import Settings
from citefidelity.errors import UsageError
from citefidelity.formats.target import whole_file
from citefidelity.ports import Clock
from citefidelity.reading import opened
from citefidelity.reporting.figures import Report
from citefidelity.reporting.labels import FieldLabels, FileLabels, Labels
from citefidelity.reporting.page import is_report, page
from citefidelity.reporting.report import Progress, Wanted, draw_up

BEGINNING = 1_000
"""Bytes in which a report says that it is one."""


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that people gave: a field of the contexts, or of a file with a line for each; and how they are read."""

    field: str
    file: Path | None = None
    mapping: Mapping[str, str] = {}


async def compile_report(  # noqa: PLR0913 - what a user may say, each with its default
    settings: Settings,
    output: Path | None = None,
    *,
    journals: Sequence[Path] = (),
    gold: Gold | None = None,
    audit: bool = True,
    force: bool = False,
    on_page: Progress = lambda _what, _done: None,
    clock: Clock | None = None,
) -> Report:
    """Draw up the report of the screening of these settings, and write it as a page where ``output`` says so.

    Args:
        settings: which store and screening.
        output: the file; it appears whole or not at all. An earlier report there is replaced.
        journals: of none, the one that a run with these settings would use, if it is there.
        gold: labels to compare with.
        audit: whether to run the audit of store and journals too.
        force: whether to replace a file that is no report.
        on_page: told how far it is, now and then.
        clock: time; the real one unless told.

    Raises:
        UsageError: the screening has not begun, the labels cannot be read, or ``output`` is another file.
        StoreError: the store or a journal is not there, or cannot be read.
    """
    if output is not None and not force:
        await asyncio.to_thread(_refuse_others, output)
    labels = None if gold is None else await asyncio.to_thread(_labels, gold)
    async with opened(settings) as store:
        wanted = Wanted(
            screening=settings.screening,
            address=str(settings.store),
            journals=journals,
            usual=None if journals else await journal_path(settings, store),
            labels=labels,
            mapping=gold.mapping if gold is not None else {},
            audit=audit,
        )
        made_at = iso((clock or SystemClock()).wall())
        report = await draw_up(store, wanted, made_at=made_at, program=program(), on_page=on_page)
    if output is not None:
        await asyncio.to_thread(_write, output, page(report))
    return report


def _labels(gold: Gold) -> Labels:
    return FieldLabels(gold.field) if gold.file is None else FileLabels(gold.file, gold.field)


def _refuse_others(path: Path) -> None:
    """Leave alone whatever is there, unless it is a report."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        if is_report(file.read(BEGINNING)):
            return
    raise UsageError(
        f"{path} is there already, and is no report of this program. It was not touched.",
        "Give another file with -o, or --force to replace it.",
        kind="file_exists",
    )


def _write(path: Path, text: str) -> None:
    with whole_file(path) as stream:
        stream.write(text.encode())
