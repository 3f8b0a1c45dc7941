"""Citations from files into a store; safe to repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from citefidelity.formats.reading import check_inputs
from citefidelity.intake import Inputs, Rejection, batches
from citefidelity.one_thread import OneThread
from citefidelity.ports import Put, Shelf
from citefidelity.records import CitationKey

NAMED = 1_000
"""So many rejections and changed deliveries are named in a report; all are counted, and told as they come."""


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import did, in records; ``left_out`` in fields that are ours to write.

    ``contexts_changed`` counts the contexts, of citations that had been there, that are to be judged anew.
    ``changed_after_delivery`` counts citations whose verdicts stand although a context of theirs has changed.
    """

    new: int = 0
    unchanged: int = 0
    changed: int = 0
    changed_after_delivery: int = 0
    rejected: int = 0
    left_out: int = 0
    contexts_changed: int = 0
    left_out_fields: dict[str, int] = msgspec.field(default_factory=dict)
    rejections: list[Rejection] = msgspec.field(default_factory=list)
    delivered_before: list[tuple[CitationKey, tuple[str, ...]]] = msgspec.field(default_factory=list)

    @property
    def records(self) -> int:
        """Records looked at."""
        return self.new + self.unchanged + self.changed + self.rejected

    @property
    def exit_code(self) -> int:
        """2 where a line was rejected, although all good ones are in; else 0."""
        return 2 if self.rejected else 0


async def import_files(
    store: Shelf,
    inputs: Inputs,
    *,
    on_rejection: Callable[[Rejection], None] = lambda _: None,
    on_batch: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Take the records of these files into the store, a batch a transaction. What is cut short is mended by repeating.

    Memory stays flat, whatever the size of the files. The caller holds the claim on the whole store.

    Args:
        store: where to.
        inputs: what.
        on_rejection: told of each line that is not taken in.
        on_batch: told after each transaction how things stand.

    Raises:
        UsageError: a file is not there or may not be read; nothing was imported.
        StoreError: the store cannot be written; what was committed stands.
    """
    thread = OneThread("import")
    report = ImportReport()
    left_out: Counter[str] = Counter()
    try:
        await thread.run(check_inputs, inputs.names, inputs.format)
        async for batch in thread.each(batches(inputs)):
            _reject(report, batch.rejections, on_rejection)
            for put in await store.put(batch.records):
                _count(report, put)
            left_out.update(batch.left_out)
            report.left_out = left_out.total()
            report.left_out_fields = dict(left_out)
            on_batch(report)
    finally:
        thread.stop()
    return report


def _reject(report: ImportReport, rejections: Sequence[Rejection], tell: Callable[[Rejection], None]) -> None:
    for rejection in rejections:
        report.rejected += 1
        if len(report.rejections) < NAMED:
            report.rejections.append(rejection)
        tell(rejection)


def _count(report: ImportReport, put: Put) -> None:
    match put.result:
        case "new":
            report.new += 1
        case "unchanged":
            report.unchanged += 1
        case "changed":
            report.changed += 1
            report.contexts_changed += put.changed
        case "duplicate":
            report.rejected += 1
    if put.changed and put.delivered:
        report.changed_after_delivery += 1
        if len(report.delivered_before) < NAMED:
            report.delivered_before.append((put.key, put.delivered))
