"""How a run went over its time: a bounded number of points that always reach back to its beginning."""

from __future__ import annotations

import msgspec

from citefidelity.meter import Snapshot

MOST_POINTS = 240
"""Then every second one is dropped, and from there on half as many are taken."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of the same length; the names are those of the numbers."""

    elapsed_s: list[float] = []
    calls_per_s: list[float] = []
    latency_p50: list[float | None] = []
    latency_p95: list[float | None] = []
    in_flight: list[int] = []
    contexts_done: list[int] = []
    delivered: list[int] = []
    failed: list[int] = []
    error_rate: list[float] = []
    deliver_backlog: list[int] = []
    memory_bytes: list[int | None] = []


class Trail:
    """Takes the numbers as they come, and keeps some of them."""

    def __init__(self) -> None:
        self._columns: dict[str, list[float | None]] = {name: [] for name in History.__struct_fields__}
        self._every = 1
        self._seen = 0

    def add(self, numbers: Snapshot) -> None:
        """The numbers of the next moment; moments should come at even distances."""
        if self._seen % self._every == 0:
            self._append(numbers)
            if len(self._columns["elapsed_s"]) == MOST_POINTS:
                for column in self._columns.values():
                    del column[1::2]
                self._every *= 2
        self._seen += 1

    def end(self, numbers: Snapshot) -> None:
        """The numbers of the last moment, which is kept whenever it comes."""
        if self._columns["elapsed_s"][-1:] != [round(numbers.elapsed_s, 3)]:
            self._append(numbers)

    def _append(self, numbers: Snapshot) -> None:
        for name, column in self._columns.items():
            value = getattr(numbers, name)
            column.append(round(value, 3) if isinstance(value, float) else value)

    def history(self) -> History:
        """What was kept so far: a copy, for another thread."""
        return msgspec.convert({name: list(column) for name, column in self._columns.items()}, History)
