"""Where replies go that were paid for and cannot be written to the journal any more: a file for people."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from citefidelity.facts import Ended, Fact, Settled


def keep(journal: Path, facts: Sequence[Fact]) -> Path | None:
    """Append the replies and outcomes among ``facts`` to a file in the system's temporary directory, if that works.

    Best effort: the disk that is full may be this one, too. Returns the file, None where nothing was kept.
    """
    worth = [fact for fact in facts if isinstance(fact, Ended | Settled)]
    if not worth:
        return None
    path = Path(tempfile.gettempdir()) / f"{journal.name}.{os.getpid()}.unwritten.jsonl"
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            for fact in worth:
                line = {"fact": type(fact).__name__, **msgspec.to_builtins(fact)}
                file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return path
    return None
