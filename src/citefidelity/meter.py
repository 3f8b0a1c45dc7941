"""The numbers of a run: plain counters that the engine moves and everybody else reads.

The live view, the status file, the final report and whatever else shows a run take one :class:`Snapshot`; so they
cannot disagree.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import msgspec

from citefidelity.facts import Ended
from citefidelity.records import Outcome

RECENT_CALLS = 2_048
"""Latencies kept for the percentiles, and times kept for the present rate."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
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
    in_flight: int
    allowed: int
    retries: int
    pushbacks: int
    calls_per_s: float
    latency_p50: float | None
    latency_p95: float | None
    latency_p99: float | None
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
    journal_backlog: int
    deliver_backlog: int
    to_do_at_start: int | None
    time_left_s: float | None


class Meter:
    """Counts what happens in one run. Nothing here can fail or wait."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._ended: deque[float] = deque(maxlen=RECENT_CALLS)
        self._latencies: deque[float] = deque(maxlen=RECENT_CALLS)
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
        self.gauges: Callable[[], tuple[int, int, int, int]] = lambda: (0, 0, 0, 0)
        """In flight, allowed in flight, journal backlog, delivery backlog: asked for when a snapshot is taken."""

    def call_ended(self, ended: Ended) -> None:
        """An attempt came to its end."""
        if ended.sent:
            self.calls += 1
            self._ended.append(self._now())
            self._latencies.append(ended.seconds)
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
        in_flight, allowed, journal_backlog, deliver_backlog = self.gauges()
        p50, p95, p99 = self._percentiles()
        return Snapshot(
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
            in_flight=in_flight,
            allowed=allowed,
            retries=self.retries,
            pushbacks=self.pushbacks,
            calls_per_s=self._rate(elapsed),
            latency_p50=p50,
            latency_p95=p95,
            latency_p99=p99,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens,
            cost_usd=self._cost,
            flagged=self.flagged,
            categories=dict(self.categories),
            failures_by_kind=dict(self.failures),
            faults_by_kind=dict(self.faults),
            answering_models=dict(self.answering_models),
            journal_backlog=journal_backlog,
            deliver_backlog=deliver_backlog,
            to_do_at_start=self.to_do_at_start,
            time_left_s=self._time_left(elapsed),
        )

    def _rate(self, elapsed: float) -> float:
        """Calls a second over the last calls kept."""
        if len(self._ended) < self._ended.maxlen:  # type: ignore[operator]  # maxlen is set above
            return self.calls / elapsed if elapsed > 0 else 0.0
        span = self._now() - self._ended[0]
        return len(self._ended) / span if span > 0 else 0.0

    def _percentiles(self) -> tuple[float | None, float | None, float | None]:
        if not self._latencies:
            return None, None, None
        ordered = sorted(self._latencies)
        p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        return p50, p95, p99

    def _time_left(self, elapsed: float) -> float | None:
        """From the citations delivered so far; None until there is something to go by."""
        if self.to_do_at_start is None or not self.delivered:
            return None
        return elapsed / self.delivered * max(0, self.to_do_at_start - self.delivered)
