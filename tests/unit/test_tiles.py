"""The numbers of the page *Run*."""

from __future__ import annotations

import msgspec

from citefidelity.durations import Spread
from citefidelity.meter import Meter, Snapshot
from citefidelity.web.tiles import TILES


def written(**changes: object) -> dict[str, str]:
    """What the tiles say for a new run whose numbers were changed so: the value, and after a bar the note."""
    numbers = msgspec.structs.replace(Meter(lambda: 0.0).snapshot(), **changes)
    return {tile.key: f"{tile.value(numbers)}|{tile.note(numbers)}" for tile in TILES}


def test_every_tile_is_a_number_of_the_status() -> None:
    """The key of each tile is one of ``status --json``, and none stands there twice."""
    keys = [tile.key for tile in TILES]
    assert set(keys) <= set(Snapshot.__struct_fields__)
    assert len(keys) == len(set(keys))


def test_a_run_that_has_just_begun_can_be_shown() -> None:
    """Before the first call there is nothing to divide by, and nothing is made up."""
    said = written()
    assert said["latency_p50"] == "?|"
    assert said["recent_errors"] == "0%|0 of the last 0 calls"
    assert said["cost_usd"] == "unknown|no cap"
    assert said["pool_in_use"] == "none|"
    assert said["memory_bytes"] == "?|"


def test_numbers_are_written_for_people() -> None:
    """Thousands are parted, seconds and bytes have their units, and what there is in all stands beside it."""
    said = written(
        delivered=1_234,
        to_do_at_start=10_000,
        elapsed_s=61.0,
        time_left_s=3_600.0,
        contexts_done=4_000,
        answered=3_000,
        unassessable=900,
        failed=100,
        in_flight=40,
        allowed=50,
        concurrency=100,
        latency_p50=1.234,
        latency_p95=2.5,
        latency_p99=9.0,
        input_tokens=2_000_000,
        output_tokens=30_000,
        cached_tokens=1_000_000,
        cost_usd=1.5,
        max_cost_usd=5.0,
        spent_cost_usd=2.25,
        deliver_backlog=3,
        deliver_bound=2_000,
        store_write=Spread(p50=0.012, p95=1.5),
        pool_in_use=2,
        pool_size=5,
        memory_bytes=123_000_000,
        retries=7,
        pushbacks=2,
        calls=4_000,
        calls_per_s=2.0,
        pace_per_s=2.25,
    )
    assert said["calls"] == "4,000|2.0 calls/s, kept to 2.2 calls/s"
    assert said["delivered"] == "1,234 of 10,000|after 1 min 01 s, about 1 h 00 min left"
    assert said["contexts_done"] == "4,000|3,000 verdicts, 900 without evidence, 100 failed"
    assert said["in_flight"] == "40 of 50|of 100 asked for"
    assert said["latency_p50"] == "1.23 s|p95 2.50 s, p99 9.00 s"
    assert said["input_tokens"] == "2M|50% cached, 30k out"
    assert said["cost_usd"] == "$1.50|$2.25 of $5.00 over all runs"
    assert said["deliver_backlog"] == "3 of 2,000|a delivery takes 12 ms, p95 1.5 s"
    assert said["pool_in_use"].startswith("2 of 5|")
    assert said["memory_bytes"] == "123 MB|"
    assert said["retries"] == "7|told to slow down 2 times"
