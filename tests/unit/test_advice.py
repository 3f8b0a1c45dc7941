"""Each threshold: what is said above it, that nothing is said below, and how often it is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from citefidelity.durations import Spread
from citefidelity.meter import Meter, Snapshot
from citefidelity.views.advice import RULES, Watch, advice
from citefidelity.views.history import MOST_POINTS, Trail


def numbers(**changes: Any) -> Snapshot:
    """Numbers of a run in which all is well, but for these."""
    well = msgspec.structs.replace(
        Meter(lambda: 0.0).snapshot(),
        in_flight=100,
        allowed=100,
        concurrency=100,
        deliver_bound=2_000,
        pool_in_use=1,
        pool_size=8,
        memory_bytes=180_000_000,
        disk_free_bytes=50_000_000_000,
        journal_commit=Spread(p50=0.004, p95=0.02, earlier_p50=0.004),
        store_write=Spread(p50=0.2, p95=0.4, earlier_p50=0.1),
        store_read=Spread(p50=0.2, p95=0.4, earlier_p50=0.1),
        recent_calls=500,
        recent_errors=20,
        error_rate=0.04,
    )
    return msgspec.structs.replace(well, **changes)


SLOW = Spread(p50=4.0, p95=9.0, earlier_p50=1.0)
CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"memory_bytes": 500_000_001}, "memory", "warning", "500 MB"),
    ({"memory_bytes": 2_100_000_000}, "memory", "serious", "2.1 GB"),
    ({"error_rate": 0.051, "faults_by_kind": {"timeout": 3, "bad_reply": 9}}, "errors", "warning", "bad_reply 9"),
    ({"error_rate": 0.3}, "errors", "serious", "30% of the last 500"),
    ({"disk_free_bytes": 900_000_000}, "disk", "warning", "900 MB"),
    ({"disk_free_bytes": 100_000_000}, "disk", "serious", "100 MB"),
    ({"deliver_backlog": 1_000}, "queue", "warning", "1,000 of at most 2,000"),
    ({"deliver_backlog": 2_000}, "queue", "serious", "asking pauses"),
    ({"store_wait_s": 30.0}, "store", "serious", "for 30 s"),
    ({"pool_in_use": 8}, "pool", "warning", "all 8"),
    ({"journal_backlog": 101}, "journal", "warning", "101 facts"),
    ({"journal_commit": Spread(p50=1.0, p95=2.0)}, "journal", "warning", "1.0 s"),
    ({"store_write": SLOW}, "store_write", "warning", "delivery to the store takes 4.0 s"),
    ({"store_read": SLOW}, "store_read", "warning", "waited for 4.0 s"),
    ({"max_cost_usd": 5.0, "spent_cost_usd": 4.6}, "cost", "warning", "$4.60 of $5.00"),
    ({"max_tokens": 1_000, "spent_tokens": 950}, "tokens", "warning", "950 of 1k"),
    ({"allowed": 40, "pushbacks": 3}, "throttle", "note", "40 calls at once"),
    ({"pace_per_s": 2.5, "pushbacks": 3}, "throttle", "note", "no more than 2.5 calls/s (told"),
    (
        {"allowed": 40, "pace_per_s": 9.0, "pushbacks": 3},
        "throttle",
        "note",
        "at once, not 100 and no more than 9.0 calls/s",
    ),
]
QUIET: list[dict[str, Any]] = [
    {},
    {"memory_bytes": 500_000_000},
    {"memory_bytes": None},
    {"error_rate": 0.05},
    {"error_rate": 1.0, "recent_calls": 39},
    {"disk_free_bytes": None},
    {"deliver_backlog": 999},
    {"store_wait_s": 29.0},
    {"pool_in_use": 7},
    {"pool_in_use": None, "pool_size": None},
    {"journal_backlog": 100},
    {"journal_commit": None},
    {"store_write": Spread(p50=0.9, p95=1.0, earlier_p50=0.1)},
    {"store_write": Spread(p50=9.0, p95=9.0, earlier_p50=4.0)},
    {"store_write": Spread(p50=9.0, p95=9.0)},
    {"max_cost_usd": 5.0, "spent_cost_usd": 4.4},
    {"allowed": 40},
    {"pushbacks": 3},
]


@pytest.mark.parametrize(("changes", "code", "level", "words"), CASES, ids=[case[3] for case in CASES])
def test_each_threshold_is_told_with_a_remedy(changes: dict[str, Any], code: str, level: str, words: str) -> None:
    """Beyond it exactly one thing is said, with the number that crossed it and what to do."""
    (said,) = advice(numbers(**changes))
    assert (said.code, said.level) == (code, level)
    assert words in said.what
    assert said.hint.endswith(".")


@pytest.mark.parametrize("changes", QUIET, ids=str)
def test_below_a_threshold_nothing_is_said(changes: dict[str, Any]) -> None:
    """What is usual, unknown or not there is no reason for advice."""
    assert advice(numbers(**changes)) == []


def test_every_rule_has_a_case() -> None:
    """No rule is without a test."""
    assert len({code for _, code, _, _ in CASES}) == len(RULES)


def test_the_serious_comes_first() -> None:
    """Whoever reads one line reads the worst."""
    codes = [said.code for said in advice(numbers(allowed=1, pushbacks=1, pool_in_use=8, disk_free_bytes=0))]
    assert codes == ["disk", "pool", "throttle"]


def test_a_line_when_crossed_and_a_line_when_over() -> None:
    """What stands is said once, however long it stands, and once when it has been away for a while."""
    watch = Watch()
    lines = [
        watch.see(numbers(elapsed_s=float(at), memory_bytes=600_000_000 if 10 <= at < 100 else 1)) for at in range(200)
    ]
    said = {at: line for at, line in enumerate(lines) if line}
    assert list(said) == [15, 129]
    assert said[15][0].startswith("Warning: this process holds 600 MB of memory. ")
    assert said[129] == ["Over: this process holds 600 MB of memory."]


def test_what_gets_worse_is_said_again() -> None:
    """A warning that becomes serious is a new line; one that becomes less is none."""
    watch = Watch()
    lines = []
    for at in range(90):
        lines += watch.see(numbers(elapsed_s=float(at), disk_free_bytes=1 if 30 <= at < 60 else 900_000_000))
    assert [line.split(":")[0] for line in lines] == ["Warning", "Serious"]


def test_what_flickers_is_not_said() -> None:
    """A moment above the threshold is no line, and a moment below it does not end what was said."""
    watch = Watch()
    for at in range(0, 100, 3):
        assert watch.see(numbers(elapsed_s=float(at), pool_in_use=8 if at % 2 else 1)) == []


def test_the_history_reaches_back_to_the_beginning_and_stays_small() -> None:
    """However long a run takes, its history begins with it, ends near the present, and has even distances."""
    trail = Trail()
    for at in range(10_000):
        trail.add(numbers(elapsed_s=2.0 * at, failed=at))
    history = trail.history()
    assert MOST_POINTS / 2 <= len(history.elapsed_s) < MOST_POINTS
    assert history.elapsed_s[0] == 0
    distances = {after - before for before, after in zip(history.elapsed_s, history.elapsed_s[1:], strict=False)}
    assert len(distances) == 1
    assert history.elapsed_s[-1] > 20_000 - max(distances) - 2
    assert [2.0 * failed for failed in history.failed] == history.elapsed_s
    assert len(msgspec.json.format(msgspec.json.encode(history))) < 60_000
    for _ in range(2):
        trail.end(numbers(elapsed_s=19_998.5, failed=9_999))
    assert trail.history().elapsed_s == [*history.elapsed_s, 19_998.5]
