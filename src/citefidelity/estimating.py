"""The estimate, put together: settings in, numbers out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from citefidelity.app import journal_path, settled_spec
from citefidelity.asking import price_for
from citefidelity.clock import SystemClock
from citefidelity.config.base_url import LOOPBACK
from citefidelity.config.settings import Settings
from citefidelity.estimate import Estimate, Recall, estimate
from citefidelity.facts import ContextPast
from citefidelity.journal import JournalReader
from citefidelity.one_thread import OneThread
from citefidelity.ports import ToDo
from citefidelity.prompt import Prompter
from citefidelity.reading import opened
from citefidelity.records import CitationKey


class Estimated(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would take, of which model, and where what it asks would go; ``host`` is None for this machine."""

    screening: str
    provider: str
    model: str
    host: str | None
    estimate: Estimate


async def estimate_of(settings: Settings) -> Estimated:
    """What a run with these settings would take. Asks nothing, and changes nothing.

    Raises:
        UsageError: a run with these settings would be refused.
        StoreError: the store or the journal cannot be used.
    """
    async with opened(settings) as store:
        path = await journal_path(settings, store)
        spec, _ = await settled_spec(settings, store, path)
        price = await price_for(settings, spec)
        async with _past(path) as recall:
            counted = await estimate(
                store,
                recall,
                ToDo(
                    screening=settings.screening,
                    partition=settings.partition,
                    include_classified=settings.include_classified,
                ),
                prompter=Prompter(spec),
                max_output_tokens=spec.max_output_tokens,
                price=price,
                at=SystemClock().wall(),
                limit=settings.limit,
            )
    return Estimated(
        screening=settings.screening,
        provider=spec.provider,
        model=spec.model,
        host=None if spec.base_url == LOOPBACK else urlsplit(spec.base_url).hostname,
        estimate=counted,
    )


@asynccontextmanager
async def _past(path: Path) -> AsyncIterator[Recall | None]:
    """What the journal knows, read beside the loop; None where there is no journal."""
    thread = OneThread("estimate-journal")
    try:
        if not await thread.run(path.exists):
            yield None
            return
        reader = await thread.run(JournalReader, path)

        async def recall(screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
            return await thread.run(reader.recall, screening, keys)

        async with thread.entered(reader):
            yield recall
    finally:
        thread.stop()
