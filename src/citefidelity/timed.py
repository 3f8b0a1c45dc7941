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
    """The same receipts; ``took`` gets the seconds that each transaction took, failed ones left out."""

    def __init__(self, sink: Sink, now: Now, took: Durations) -> None:
        self._sink = sink
        self._now = now
        self._took = took

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Deliver to the sink."""
        began = self._now()
        receipts = await self._sink.deliver(screening, run, at, batch)
        self._took.add(self._now() - began)
        return receipts
