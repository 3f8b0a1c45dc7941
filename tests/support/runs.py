"""Numbers of runs that never were."""

from __future__ import annotations

import msgspec

from citefidelity.durations import Spread
from citefidelity.meter import Meter, Snapshot


def numbers() -> Snapshot:
    """Numbers of a run that has just begun."""
    meter = Meter(lambda: 0.0)
    meter.to_do_at_start = 1_688
    meter.categories["SUPPORT"] = 3
    meter.failures["too_long"] = 1
    return meter.snapshot()


def busy() -> Snapshot:
    """Numbers of a run in its middle, with something in every place, and three things to look to."""
    return msgspec.structs.replace(
        numbers(),
        elapsed_s=724.0,
        delivered=640,
        time_left_s=1_152.0,
        contexts_done=2_711,
        failed=3,
        unassessable=12,
        flagged=4,
        categories={"SUPPORT": 1_900, "NOT_SUBSTANTIATE": 401, "OVERSIMPLIFY": 210, "CONTRADICT": 90, "UNCERTAIN": 12},
        failures_by_kind={"too_long": 2, "refused": 1},
        faults_by_kind={"timeout": 20, "server_error": 4, "rate_limited": 3},
        calls=2_950,
        calls_per_s=8.4,
        in_flight=97,
        allowed=97,
        concurrency=100,
        retries=12,
        pushbacks=3,
        recent_calls=500,
        recent_errors=31,
        error_rate=0.062,
        latency_p50=11.2,
        latency_p95=19.0,
        latency_p99=31.5,
        input_tokens=4_100_000,
        output_tokens=512_000,
        cached_tokens=3_600_000,
        cost_usd=1.2,
        max_cost_usd=50.0,
        spent_cost_usd=4.61,
        deliver_backlog=12,
        deliver_bound=2_000,
        store_write=Spread(p50=0.2, p95=0.4),
        store_read=Spread(p50=0.05, p95=0.1),
        pool_in_use=1,
        pool_size=8,
        journal_backlog=3,
        journal_commit=Spread(p50=0.004, p95=0.02),
        disk_free_bytes=38_000_000_000,
        memory_bytes=612_000_000,
    )
