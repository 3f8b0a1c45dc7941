"""What a run says at its beginning and at its end. The names are those of ``run --json``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import msgspec

from citefidelity.engine import Why
from citefidelity.records import CitationKey, Receipt, Unusable
from citefidelity.views.advice import Advice


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found before it asked anything.

    ``to_do`` and ``done_elsewhere``: citations; None where the store is so large that it is still being counted.
    ``maybe_paid``: attempts of earlier runs whose end is unknown. ``waiting``: whether answers of earlier runs wait in
    the journal to be delivered. ``repeated``: usable outcomes that will be asked again; it is always 0, and said so
    that it can be seen.
    """

    run_id: str
    screening: str
    new_screening: bool
    store: str
    journal: str
    provider: str
    model: str
    to_do: int | None
    done_elsewhere: int | None
    maybe_paid: int
    waiting: bool
    repeated: int = 0
    concurrency: int


NAMED = 100
"""So many citations that cannot be delivered are named in a report; all are counted."""


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A citation that cannot be worked on or delivered, and why."""

    source_id: str
    target_id: str
    reference_id: str
    kind: str
    message: str


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did, and where the screening stands after it."""

    citations: int
    contexts: int
    answered: int
    unassessable: int
    failed: int
    delivered: int
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    elapsed_s: float
    stopped: Why
    run_id: str
    screening: str
    remaining: int | None
    """Citations to do; None where the store could not be asked."""
    undeliverable: int
    passed_over: list[PassedOver] = []
    """The first of these; those whose key is not whole are named nowhere else."""
    maybe_paid: int
    total_cost_usd: float | None
    """Of all runs; None where no price was known. ``unpriced`` calls were asked by runs that knew none: not in it."""
    unpriced: int = 0
    done_elsewhere: int | None
    left: int
    """Contexts of citations taken up that this run could not settle."""
    categories: dict[str, int]
    failures_by_kind: dict[str, int]
    answering_models: dict[str, int] = {}
    """How often each model answered in this run; more than one means that the provider changed it meanwhile."""
    retries: int = 0
    pushbacks: int = 0
    """How often the provider asked to slow down."""
    latency_p50: float | None = None
    """Seconds that an answer took: half of the last calls less than this; None where there was none."""
    latency_p95: float | None = None
    latency_p99: float | None = None
    memory_bytes: int | None = None
    """That this process held at the end of the run."""
    advice: list[Advice] = []
    """What stood at the end of the run."""
    reason: str | None
    """Why the run stopped before its end, for people."""
    hint: str | None

    @property
    def exit_code(self) -> int:
        """As the command line documents: 130, then 5, 4, 3, 0."""
        if self.stopped == "interrupted":
            return 130
        if self.stopped == "store":
            return 5
        if self.left or (self.remaining and self.stopped != "limit"):
            return 4
        return 3 if self.failed or self.undeliverable else 0


def passed_over(undeliverable: Mapping[CitationKey, Unusable | Receipt]) -> list[PassedOver]:
    """The first of these, for a report."""
    return [
        PassedOver(**key._asdict(), kind=str(one.kind or ""), message=one.message or "")
        for key, one in islice(undeliverable.items(), NAMED)
    ]
