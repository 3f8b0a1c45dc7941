"""Every metric that a run offers: its name, its meaning, and where in the run's numbers it is read. Pure.

The exposition, ``docs/telemetry.md`` and the tests of the dashboard are held to this table. Names follow the rules of
Prometheus: base units, ``_total`` on what only grows, and labels whose values are known beforehand: a label with a
context or a text in it would make a new time series of each.
"""

from __future__ import annotations

from citefidelity.meter import ERROR_WINDOW, RECENT_CALLS
from citefidelity.telemetry.readings import (
    FAILURES,
    FAULTS,
    Family,
    counts,
    latencies,
    latency_buckets,
    one,
    run_info,
    spread_of,
    standing_advice,
)

RUN: tuple[Family, ...] = (
    Family(
        "citefidelity_run_info",
        "info",
        "Which run these numbers are of.",
        run_info,
        ("run", "screening", "provider", "model"),
    ),
    Family(
        "citefidelity_run_elapsed_seconds",
        "gauge",
        "Time since the run began.",
        one(lambda n: n.elapsed_s),
        unit="seconds",
    ),
    Family(
        "citefidelity_run_time_left_seconds",
        "gauge",
        "Time that what is left will take; absent while unknown.",
        one(lambda n: n.time_left_s),
        unit="seconds",
    ),
    Family(
        "citefidelity_run_stopping",
        "gauge",
        "1 while the run is on its way out and asks nothing more, else 0.",
        lambda moment: {(): float(moment.stopping)},
    ),
    Family(
        "citefidelity_advice",
        "gauge",
        "1 for each thing to look to, by the rules that the terminal shows; absent where there is none.",
        standing_advice,
        ("code", "level"),
    ),
    Family(
        "citefidelity_citations_to_do_at_start",
        "gauge",
        "Citations that the store had to do when the run began.",
        one(lambda n: n.to_do_at_start),
    ),
)

OUTCOMES: tuple[Family, ...] = (
    Family("citefidelity_citations_total", "counter", "Citations taken up by this run.", one(lambda n: n.citations)),
    Family(
        "citefidelity_citations_delivered_total",
        "counter",
        "Citations whose outcomes reached the store.",
        one(lambda n: n.delivered),
    ),
    Family(
        "citefidelity_citations_undeliverable_total",
        "counter",
        "Citations whose outcomes cannot be written to the store.",
        one(lambda n: n.undeliverable),
    ),
    Family("citefidelity_contexts_total", "counter", "Contexts of the citations taken up.", one(lambda n: n.contexts)),
    Family(
        "citefidelity_contexts_settled_total",
        "counter",
        "Contexts that have an outcome on disk: verdict, unassessable or failed for good.",
        counts(lambda n: {"verdict": n.answered, "unassessable": n.unassessable, "failed": n.failed}),
        ("state",),
    ),
    Family(
        "citefidelity_contexts_left_total",
        "counter",
        "Contexts that this run gave up for now; the next run asks them again.",
        one(lambda n: n.left),
    ),
    Family(
        "citefidelity_contexts_flagged_total",
        "counter",
        "Contexts whose text looks like an attack on the model.",
        one(lambda n: n.flagged),
    ),
    Family(
        "citefidelity_verdicts_total",
        "counter",
        "Verdicts by category; a category is there from its first verdict on.",
        counts(lambda n: n.categories),
        ("category",),
    ),
    Family(
        "citefidelity_failures_total",
        "counter",
        "Contexts that failed for good, by kind.",
        counts(lambda n: n.failures_by_kind, FAILURES),
        ("kind",),
    ),
)

CALLS: tuple[Family, ...] = (
    Family("citefidelity_calls_total", "counter", "Requests to the model that began to leave.", one(lambda n: n.calls)),
    Family(
        "citefidelity_call_duration_seconds",
        "histogram",
        "Time from a request to the end of its reply.",
        latency_buckets,
        unit="seconds",
        total=lambda moment: moment.numbers.latency_sum_s,
    ),
    Family(
        "citefidelity_call_duration_recent_seconds",
        "gauge",
        f"The same for the last {RECENT_CALLS:,} calls, by percentile: what the terminal shows.",
        latencies,
        ("percentile",),
        "seconds",
    ),
    Family(
        "citefidelity_call_faults_total",
        "counter",
        "Attempts that went wrong, by kind of fault.",
        counts(lambda n: n.faults_by_kind, FAULTS),
        ("kind",),
    ),
    Family(
        "citefidelity_recent_error_ratio",
        "gauge",
        f"Share of the last {ERROR_WINDOW} attempts that went wrong; a call to slow down is no error.",
        one(lambda n: n.error_rate),
        unit="ratio",
    ),
    Family("citefidelity_retries_total", "counter", "Attempts that follow a failed one.", one(lambda n: n.retries)),
    Family(
        "citefidelity_pushbacks_total",
        "counter",
        "Answers that ask to slow down (429, or 503 with Retry-After).",
        one(lambda n: n.pushbacks),
    ),
    Family("citefidelity_calls_in_flight", "gauge", "Requests whose end is awaited.", one(lambda n: n.in_flight)),
    Family(
        "citefidelity_calls_allowed",
        "gauge",
        "Requests that may be in flight now; lower than the limit after a pushback.",
        one(lambda n: n.allowed),
    ),
    Family(
        "citefidelity_calls_limit", "gauge", "Requests in flight at most (--concurrency).", one(lambda n: n.concurrency)
    ),
    Family(
        "citefidelity_calls_allowed_per_second",
        "gauge",
        "Calls that may leave a second, as learnt from pushbacks; absent while there is no such limit.",
        one(lambda n: n.pace_per_s),
    ),
    Family(
        "citefidelity_pause_seconds",
        "gauge",
        "How long no call will leave at all; 0 while they do.",
        one(lambda n: n.pause_s),
        unit="seconds",
    ),
    Family(
        "citefidelity_answering_models",
        "gauge",
        "How many models have answered, by the names they give themselves; more than 1: the provider changed it.",
        one(lambda n: len(n.answering_models)),
    ),
)

MONEY: tuple[Family, ...] = (
    Family(
        "citefidelity_tokens_total",
        "counter",
        "Tokens used, as the provider counts them.",
        counts(lambda n: {"input": n.input_tokens, "output": n.output_tokens}),
        ("type",),
    ),
    Family(
        "citefidelity_cached_tokens_total",
        "counter",
        "Input tokens that the provider had in its cache.",
        one(lambda n: n.cached_tokens),
    ),
    Family(
        "citefidelity_cost_usd_total",
        "counter",
        "Cost of this run in US dollars; absent where the price is not known.",
        one(lambda n: n.cost_usd),
        unit="usd",
    ),
    Family(
        "citefidelity_budget_limit_usd",
        "gauge",
        "The cap on the cost of the screening (--max-cost); absent without one.",
        one(lambda n: n.max_cost_usd),
        unit="usd",
    ),
    Family(
        "citefidelity_budget_spent_usd",
        "gauge",
        "What counts towards that cap: all runs, with what may have been paid.",
        one(lambda n: n.spent_cost_usd),
        unit="usd",
    ),
    Family(
        "citefidelity_budget_limit_tokens",
        "gauge",
        "The cap on the tokens of the screening (--max-tokens); absent without one.",
        one(lambda n: n.max_tokens),
        unit="tokens",
    ),
    Family(
        "citefidelity_budget_spent_tokens",
        "gauge",
        "What counts towards that cap: all runs, with what may have been used.",
        one(lambda n: n.spent_tokens),
        unit="tokens",
    ),
)

STORES: tuple[Family, ...] = (
    Family(
        "citefidelity_journal_backlog",
        "gauge",
        "Facts that wait for the journal's next commit.",
        one(lambda n: n.journal_backlog),
    ),
    Family(
        "citefidelity_journal_commit_recent_seconds",
        "gauge",
        "How long the last commits of the journal took, by percentile.",
        spread_of(lambda n: n.journal_commit),
        ("percentile",),
        "seconds",
    ),
    Family(
        "citefidelity_journal_disk_free_bytes",
        "gauge",
        "Free space on the journal's disk.",
        one(lambda n: n.disk_free_bytes),
        unit="bytes",
    ),
    Family(
        "citefidelity_delivery_backlog",
        "gauge",
        "Finished citations that wait for the store.",
        one(lambda n: n.deliver_backlog),
    ),
    Family(
        "citefidelity_delivery_backlog_limit",
        "gauge",
        "As many may wait; then asking pauses.",
        one(lambda n: n.deliver_bound),
    ),
    Family(
        "citefidelity_store_wait_seconds",
        "gauge",
        "How long the delivery that is under way takes already, tries that failed included; 0 while there is none.",
        one(lambda n: n.store_wait_s),
        unit="seconds",
    ),
    Family(
        "citefidelity_store_write_recent_seconds",
        "gauge",
        "How long the last deliveries to the store took, by percentile.",
        spread_of(lambda n: n.store_write),
        ("percentile",),
        "seconds",
    ),
    Family(
        "citefidelity_store_read_recent_seconds",
        "gauge",
        "How long the last pages of citations were waited for, by percentile.",
        spread_of(lambda n: n.store_read),
        ("percentile",),
        "seconds",
    ),
    Family(
        "citefidelity_store_pool_in_use",
        "gauge",
        "Connections to the store that are in use or waited for; absent for the embedded store.",
        one(lambda n: n.pool_in_use),
    ),
    Family(
        "citefidelity_store_pool_limit",
        "gauge",
        "Connections that the pool may hold; absent for the embedded store.",
        one(lambda n: n.pool_size),
    ),
    Family(
        "citefidelity_memory_bytes",
        "gauge",
        "Resident memory of this process.",
        one(lambda n: n.memory_bytes),
        unit="bytes",
    ),
)

FAMILIES: tuple[Family, ...] = (*RUN, *OUTCOMES, *CALLS, *MONEY, *STORES)
"""All of a run. Beside them there is ``citefidelity_build_info``, from before the run begins."""

BUILD_INFO = "citefidelity_build_info"
