"""The numbers of a run: plain counters that the engine moves and everybody else reads.

The live view, the status file, the final report and whatever else shows a run take one :class:`Snapshot`; so they
cannot disagree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from itertools import accumulate

import msgspec

from citefidelity.durations import Durations, Spread, quantile
from citefidelity.facts import Ended
from citefidelity.kinds import FailureKind
from citefidelity.records import Outcome

RECENT_CALLS = 2_048
"""Latencies kept for the percentiles, and times kept for the present rate."""

RATE_WINDOW_S = 60.0
"""The present rate is that of this time, or of as many calls as are kept."""

ERROR_WINDOW = 500
"""The last so many attempts say how many go wrong at present."""

NO_ERRORS = frozenset({FailureKind.RATE_LIMITED.value, FailureKind.ABANDONED.value})
"""Faults that say nothing is wrong: the throttle answers the one, and the other is our own doing."""

LATENCY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)
"""Seconds; upper bounds of the buckets that the latencies of a whole run are counted in."""

BUCKETS = (*map(str, LATENCY_BOUNDS), "+Inf")


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """What can only be asked for, not counted. Times are seconds; None is what is not there or not known."""

    in_flight: int = 0
    allowed: int = 0
    """Calls that may be in flight at present: ``concurrency``, or what the provider has been found to take."""
    concurrency: int = 0
    pace_per_s: float | None = None
    """Calls a second that leave at most, after the provider asked to slow down; None while it took all there were."""
    pause_s: float = 0.0
    """How long no call leaves at all, because the provider is unwell or asked for it."""
    journal_backlog: int = 0
    """Facts that wait for the next commit."""
    journal_commit: Spread | None = None
    """How long a commit of the journal takes, the flush of the disk included."""
    disk_free_bytes: int | None = None
    """On the journal's disk."""
    deliver_backlog: int = 0
    """Citations that are finished and not yet in the store."""
    deliver_bound: int = 0
    """As many may wait; then asking pauses."""
    store_wait_s: float = 0.0
    """How long the delivery that is under way takes already, tries that failed included."""
    pool_in_use: int | None = None
    """Units of work that have a connection to the store or wait for one; None for a store without connections."""
    pool_size: int | None = None
    memory_bytes: int | None = None
    """Of this process."""
    max_cost_usd: float | None = None
    """The cap over all runs of the screening, None without one."""
    max_tokens: int | None = None
    spent_cost_usd: float | None = None
    """What counts towards the cap: all runs, with what may have been paid. None without a cap."""
    spent_tokens: int | None = None


class Snapshot(Gauges, frozen=True, kw_only=True):
    """The numbers of one run at one moment. Times are seconds."""

    elapsed_s: float
    citations: int
    contexts: int
    contexts_done: int
    answered: int
    unassessable: int
    failed: int
    left: int
    delivered: int
    undeliverable: int
    calls: int
    retries: int
    pushbacks: int
    calls_per_s: float
    recent_calls: int
    """The last attempts, at most ``ERROR_WINDOW``, of which ``recent_errors`` went wrong."""
    recent_errors: int
    error_rate: float
    latency_p50: float | None
    latency_p95: float | None
    latency_p99: float | None
    latency_buckets: dict[str, int]
    """Calls of the whole run that took at most so many seconds, up to ``+Inf``, which is all of them."""
    latency_sum_s: float
    store_write: Spread | None
    """How long a delivery to the store takes; one transaction of up to 200 citations."""
    store_read: Spread | None
    """How long a page of citations is waited for."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    flagged: int
    categories: dict[str, int]
    failures_by_kind: dict[str, int]
    faults_by_kind: dict[str, int]
    answering_models: dict[str, int] = {}
    """How often each model answered, by the name it gives itself."""
    to_do_at_start: int | None
    time_left_s: float | None

    @property
    def cached_share(self) -> float:
        """Which share of the input tokens the provider had in its cache."""
        return self.cached_tokens / self.input_tokens if self.input_tokens else 0.0


class Meter:
    """Counts what happens in one run. Nothing here can fail or wait."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._ended: deque[float] = deque(maxlen=RECENT_CALLS)
        self._latencies: deque[float] = deque(maxlen=RECENT_CALLS)
        self._errors: deque[bool] = deque(maxlen=ERROR_WINDOW)
        self._buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        self._latency_sum = 0.0
        self._cost: float | None = None
        self.citations = self.contexts = self.delivered = self.undeliverable = self.left = 0
        self.calls = self.retries = self.pushbacks = self.flagged = 0
        self.input_tokens = self.output_tokens = self.cached_tokens = 0
        self.states: Counter[str] = Counter()
        self.categories: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.answering_models: Counter[str] = Counter()
        self.to_do_at_start: int | None = None
        self.store_writes, self.store_reads = Durations(), Durations()
        self.gauges: Callable[[], Gauges] = Gauges
        """Asked for when a snapshot is taken."""

    def call_ended(self, ended: Ended) -> None:
        """An attempt came to its end."""
        if ended.sent:
            self.calls += 1
            self._ended.append(self._now())
            self._latencies.append(ended.seconds)
            self._latency_sum += ended.seconds
            self._buckets[bisect_left(LATENCY_BOUNDS, ended.seconds)] += 1
        self._errors.append(ended.fault is not None and ended.fault not in NO_ERRORS)
        if ended.fault is not None:
            self.faults[ended.fault] += 1
        if ended.answering_model is not None:
            self.answering_models[ended.answering_model] += 1
        usage = ended.usage
        self.input_tokens += usage.input_tokens or 0
        self.output_tokens += usage.output_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        if ended.cost_usd is not None:
            self._cost = (self._cost or 0.0) + ended.cost_usd

    def settled(self, outcome: Outcome, flags: tuple[str, ...]) -> None:
        """A context has an outcome, and it is on disk."""
        if not outcome.usable:
            self.left += 1
            return
        self.states[outcome.state] += 1
        self.flagged += bool(flags)
        if outcome.verdict is not None:
            self.categories[outcome.verdict.category] += 1
        elif outcome.failure is not None and outcome.state == "failed":
            self.failures[outcome.failure.kind] += 1

    def snapshot(self) -> Snapshot:
        """All numbers, now."""
        elapsed = self._now() - self._began
        done = sum(self.states.values())
        p50, p95, p99 = self._percentiles()
        return Snapshot(
            **msgspec.structs.asdict(self.gauges()),
            elapsed_s=elapsed,
            citations=self.citations,
            contexts=self.contexts,
            contexts_done=done,
            answered=self.states["verdict"],
            unassessable=self.states["unassessable"],
            failed=self.states["failed"],
            left=self.left,
            delivered=self.delivered,
            undeliverable=self.undeliverable,
            calls=self.calls,
            retries=self.retries,
            pushbacks=self.pushbacks,
            calls_per_s=self._rate(elapsed),
            recent_calls=len(self._errors),
            recent_errors=sum(self._errors),
            error_rate=sum(self._errors) / max(1, len(self._errors)),
            latency_p50=p50,
            latency_p95=p95,
            latency_p99=p99,
            latency_buckets=dict(zip(BUCKETS, accumulate(self._buckets), strict=True)),
            latency_sum_s=self._latency_sum,
            store_write=self.store_writes.spread(),
            store_read=self.store_reads.spread(),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens,
            cost_usd=self._cost,
            flagged=self.flagged,
            categories=dict(self.categories),
            failures_by_kind=dict(self.failures),
            faults_by_kind=dict(self.faults),
            answering_models=dict(self.answering_models),
            to_do_at_start=self.to_do_at_start,
            time_left_s=self._time_left(elapsed),
        )

    def _rate(self, elapsed: float) -> float:
        """Calls a second, lately."""
        span = min(elapsed, RATE_WINDOW_S)
        if len(self._ended) == RECENT_CALLS:
            span = min(span, self._now() - self._ended[0])
        since = self._now() - span
        return sum(at >= since for at in self._ended) / span if span > 0 else 0.0

    def _percentiles(self) -> tuple[float | None, float | None, float | None]:
        if not self._latencies:
            return None, None, None
        ordered = sorted(self._latencies)
        return quantile(ordered, 0.5), quantile(ordered, 0.95), quantile(ordered, 0.99)

    def _time_left(self, elapsed: float) -> float | None:
        """From the citations delivered so far; None until there is something to go by."""
        if self.to_do_at_start is None or not self.delivered:
            return None
        return elapsed / self.delivered * max(0, self.to_do_at_start - self.delivered)
