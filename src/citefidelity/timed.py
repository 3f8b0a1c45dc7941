"""A source and a sink that note how long they were waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from citefidelity.durations import Durations
from citefidelity.ports import Found, Sink, Source, ToDo
from citefidelity.records import Delivery, Receipt

Now = Callable[[], float]


class TimedSource:
    """The same pages; ``took`` gets the seconds that each was waited for."""

    def __init__(self, source: Source, now: Now, took: Durations) -> None:
        self._source = source
        self._now = now
        self._took = took

    async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """The pages of the source."""
        asked = self._now()
        async for page in self._source.pages(to_do):
            self._took.add(self._now() - asked)
            yield page
            asked = self._now()


class TimedSink:
    """The same receipts; ``took`` gets the seconds that each delivery took, failed ones left out."""

    def __init__(self, sink: Sink, now: Now, took: Durations) -> None:
        self._sink = sink
        self._now = now
        self._took = took
        self._waiting_since: float | None = None

    @property
    def wait_s(self) -> float:
        """How long the delivery that is under way takes already, tries that failed included; 0.0 when there is none."""
        return 0.0 if self._waiting_since is None else self._now() - self._waiting_since

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Deliver to the sink."""
        began = self._now()
        if self._waiting_since is None:
            self._waiting_since = began
        receipts = await self._sink.deliver(screening, run, at, batch)
        self._waiting_since = None
        self._took.add(self._now() - began)
        return receipts
