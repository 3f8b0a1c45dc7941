"""What the documents say of a run's numbers is there, and all of it is said."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from citefidelity.durations import KEPT, RECENT, Spread
from citefidelity.meter import Meter, Snapshot
from citefidelity.telemetry.families import FAMILIES
from citefidelity.views.advice import RULES, advice
from citefidelity.views.history import MOST_POINTS
from citefidelity.web.tiles import TILES

TEXT = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
ITEMS = [row for row in ROWS if len(row) == 7 and row[0] not in ("question", "what")]
WITHOUT_TILE = {"", "Verdicts of this run", "Failures of this run"}


def named(text: str) -> list[str]:
    """What stands there as code."""
    return re.findall(r"`([a-z_0-9]+)`", text)


def worst() -> Snapshot:
    """Numbers beyond every threshold."""
    slow = Spread(p50=9.0, p95=9.0, earlier_p50=1.0)
    return msgspec.structs.replace(
        Meter(lambda: 0.0).snapshot(),
        memory_bytes=3_000_000_000,
        error_rate=1.0,
        recent_calls=500,
        disk_free_bytes=0,
        store_wait_s=99.0,
        deliver_backlog=1,
        deliver_bound=1,
        pool_in_use=1,
        pool_size=1,
        journal_commit=slow,
        store_write=slow,
        store_read=slow,
        max_cost_usd=1.0,
        spent_cost_usd=1.0,
        max_tokens=1,
        spent_tokens=1,
        pushbacks=1,
        concurrency=1,
    )


def test_every_number_has_its_row_and_every_key_a_number() -> None:
    """Whoever adds, renames or removes a number has to say where to look, what is usual and what to do."""
    keys = [key for row in ITEMS for key in named(row[3])]
    assert sorted(keys) == sorted(Snapshot.__struct_fields__)


def test_every_metric_that_is_named_is_offered() -> None:
    """No row sends people to a metric that is not there."""
    metrics = {metric for row in ITEMS for metric in named(row[4])}
    assert metrics <= {family.name for family in FAMILIES}


def test_every_place_in_the_browser_is_there() -> None:
    """No row sends people to a number that the page does not show."""
    assert {row[2] for row in ITEMS} - WITHOUT_TILE <= {tile.name for tile in TILES}


def test_every_rule_is_documented() -> None:
    """The table of what is told by itself has one row for each rule."""
    codes = {said.code for said in advice(worst())}
    assert len(codes) == len(RULES)
    assert {named(row[0])[0] for row in ROWS if len(row) == 3 and named(row[0])} == codes


def test_the_seeds_questions_are_answered_first() -> None:
    """Pool, memory, error rate and database: where to look, what is usual and what to do."""
    assert [row[0] for row in ITEMS[:4]] == [
        "Is the connection pool exhausted?",
        "Is memory normal?",
        "Is the error rate under 5%?",
        "Is the database coping?",
    ]
    assert all(cell for row in ITEMS[:4] for cell in row)


def test_sizes_that_are_told_are_those_of_the_code() -> None:
    """How far back the history and the medians go."""
    assert f"at most {MOST_POINTS} points" in TEXT
    assert f"of the last {RECENT}," in TEXT
    assert f"up\nto {KEPT - RECENT} before" in TEXT
