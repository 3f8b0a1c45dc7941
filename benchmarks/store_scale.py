"""How the embedded store carries a million citations: rates, time to the first page, memory.

Run it as ``python benchmarks/store_scale.py [CITATIONS]``; each step is a process of its own, so that its peak memory
is its own.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from citefidelity.clock import SystemClock
from citefidelity.exports import Output, export
from citefidelity.imports import import_files
from citefidelity.intake import Inputs
from citefidelity.ports import ScreeningRow, ToDo
from citefidelity.records import CitationKey, Delivery, Outcome, Verdict
from citefidelity.stores.sqlite import SqliteStore, open_sqlite

LEFT = 10
BATCH = 500
AT = "2026-01-02T03:04:05.678Z"
TO_DO = ToDo(screening="main")


def write_citations(path: Path, count: int) -> None:
    """Small records, one context each."""
    with path.open("w") as file:
        for number in range(count):
            evidence = [{"text": f"Passage {number} of the cited article says something.", "similarity_score": 0.5}]
            context = {"instance_id": 1, "context_text": f"Claim {number} [1].", "evidence_segments": evidence}
            record = {
                "source_id": f"10.1000/citing.{number // 3}",
                "target_id": f"10.1000/cited.{number}",
                "contexts": [context],
            }
            file.write(json.dumps(record) + "\n")


async def import_all(store: SqliteStore, source: Path) -> str:
    """Take them all in, or find them unchanged."""
    report = await import_files(store, Inputs(names=[str(source)]))
    return f"{report.new} new, {report.unchanged} unchanged"


async def first_page(store: SqliteStore, source: Path) -> str:
    """What a run waits for before its first call."""
    del source
    async for page in store.pages(TO_DO):
        return f"{len(page)} citations"
    return "nothing to do"


async def all_pages(store: SqliteStore, source: Path) -> str:
    """Everything to do, one page after the other."""
    del source
    return f"{sum([len(page) async for page in store.pages(TO_DO)])} citations"


async def deliver_nearly_all(store: SqliteStore, source: Path) -> str:
    """One verdict for each citation but the last few."""
    await store.begin_screening(ScreeningRow(name="main", spec="{}", fingerprint="0", created_at=AT))
    verdict = Verdict("SUPPORT", "CONCEPTUAL", 0.9, "The passage says the same in other words. " * 3)
    outcome = Outcome(instance_id="1", input_hash="ab" * 16, state="verdict", verdict=verdict)
    count = sum(1 for _ in source.open()) - LEFT
    for start in range(0, count, BATCH):
        keys = (
            CitationKey(f"10.1000/citing.{number // 3}", f"10.1000/cited.{number}", "")
            for number in range(start, min(start + BATCH, count))
        )
        await store.deliver("main", "run-1", AT, [Delivery(key, (outcome,)) for key in keys])
    return f"{count} citations"


async def count(store: SqliteStore, source: Path) -> str:
    """What status shows."""
    del source
    counts = await store.counts("main")
    return f"{counts.to_do} to do, {counts.verdict} verdicts"


async def export_all(store: SqliteStore, source: Path) -> str:
    """All records with their outcomes as JSON Lines."""
    report = await export(store, "main", Output(path=source.with_name("out.jsonl")))
    return f"{report.citations} citations"


STEPS: dict[str, Callable[[SqliteStore, Path], Awaitable[str]]] = {
    "import": import_all,
    "first page, none delivered": first_page,
    "all pages": all_pages,
    "import again": import_all,
    "deliver all but ten": deliver_nearly_all,
    "first page, ten left": first_page,
    "count": count,
    "export": export_all,
}


async def run_step(step: str, source: Path) -> None:
    """Open the store, do one step, and print what it took."""
    began = time.perf_counter()
    store = await open_sqlite(source.with_suffix(".db"), create=True, clock=SystemClock())
    done = await STEPS[step](store, source)
    seconds = time.perf_counter() - began
    await store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{step:<28}{seconds:>10.3f} s{peak:>8} MB   {done}")


def main() -> None:
    """All steps, or the one that a child is started for."""
    if len(sys.argv) == 3:  # noqa: PLR2004 - a step and a file
        asyncio.run(run_step(sys.argv[1], Path(sys.argv[2])))
        return
    citations = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "citations.jsonl"
        write_citations(source, citations)
        for step in STEPS:
            subprocess.run([sys.executable, __file__, step, str(source)], check=True)


if __name__ == "__main__":
    main()
