"""Case d: the run is killed (SIGKILL) in the middle and started again; what was paid for twice, and what was told?"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from citefidelity.journal import JournalReader

CONTEXTS = 1_000
CONCURRENCY = 100
LATENCY = "0.25:0.75"
ANSWERED_WHEN_KILLED = 500
LOOK_EVERY_S = 0.01

Row = dict[str, float]


def measure(command: Sequence[str], stats_url: str, journal: Path) -> Row:
    """Start ``command``, kill it once so many answers were sent, run it to its end, and compare the books.

    ``unacknowledged`` was asked when the process died and has no end in the journal: whoever keeps answers on disk has
    to ask that again. ``avoidable`` are repeats beyond these.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while _stats(stats_url)["answered"] < ANSWERED_WHEN_KILLED:
        time.sleep(LOOK_EVERY_S)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit("case d: the run ended before it could be killed")
    with JournalReader(journal) as reader:
        unacknowledged = reader.open_attempts("main")
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    after = _stats(stats_url)
    repeats = after["received"] - CONTEXTS
    return {
        "calls": after["received"],
        "repeats": repeats,
        "unacknowledged": unacknowledged,
        "avoidable": max(0, repeats - unacknowledged),
        "maybe_paid": report["maybe_paid"],
        "told_too_few": max(0, repeats - report["maybe_paid"]),
        "remaining": report["remaining"],
    }


def table(rows: Sequence[Row]) -> str:
    """One line a round."""
    names = list(rows[0])
    lines = ["| case d | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {number} | " + " | ".join(f"{row[name]:.0f}" for name in names) + " |" for number, row in enumerate(rows, 1)
    ]
    return "\n".join(lines) + "\n"


def _stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url) as reply:  # noqa: S310 - the address that the mock itself has told
        return dict(json.load(reply))
