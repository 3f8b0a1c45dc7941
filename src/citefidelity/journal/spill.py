"""The last resort: facts that the journal's disk did not take, kept somewhere else for a person."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from citefidelity.facts import Fact
from citefidelity.journal.repair import holdable


class Spill:
    """A file of JSON Lines in another place, made when it is first needed. Bytes are in base 64.

    Args:
        directory: where; the system's directory for temporary files unless told.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self.path: Path | None = None
        self.count = 0

    def keep(self, facts: Sequence[Fact]) -> bool:
        """Whether these facts could be written, and flushed, to the file."""
        lines = b"".join(_line(fact) for fact in facts)
        try:
            if self.path is None:
                made, name = tempfile.mkstemp(".jsonl", "citefidelity-not-journalled-", self._directory)
                os.close(made)
                self.path = Path(name)
            with self.path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        self.count += len(facts)
        return True


def _line(fact: Fact) -> bytes:
    plain = holdable(msgspec.to_builtins(fact, builtin_types=(bytes,)))
    return msgspec.json.encode({"fact": type(fact).__name__, **plain}) + b"\n"
