"""One source of numbers: what a real run shows, writes down and reports is the same."""

from __future__ import annotations

from pathlib import Path

import msgspec

from citefidelity.meter import BUCKETS
from citefidelity.views.status import read_last, read_live
from support.cli import provider, run_cli
from support.makers import make_line

CITATIONS = 60


def test_the_report_the_status_file_and_the_lines_agree(tmp_path: Path) -> None:
    """After a run its status file has the numbers of its report, the gauges of a real process, and its history."""
    (tmp_path / "in.jsonl").write_bytes(b"".join(make_line(number, 1) for number in range(1, CITATIONS + 1)))
    assert run_cli(["import", "in.jsonl"], cwd=tmp_path).code == 0
    with provider("--latency", "0.3", "--fault", "server_error@3") as url:
        ran = run_cli(["run", "--base-url", url, "--model", "m", "--concurrency", "10", "--json"], cwd=tmp_path)
    assert ran.code == 0, ran
    report, journal = ran.json(), tmp_path / "citefidelity.db.journal"
    assert read_live(journal) is None
    last = read_last(journal)
    assert last is not None
    numbers = msgspec.to_builtins(last.numbers)
    for key in sorted(numbers.keys() & report.keys()):
        same = round(numbers[key], 3) if key == "elapsed_s" else numbers[key]
        assert same == report[key], key
    assert len(numbers.keys() & report.keys()) >= 20
    assert (last.advice, report["advice"]) == ([], [])

    assert last.numbers.latency_buckets[BUCKETS[-1]] == last.numbers.calls == CITATIONS + 1
    assert last.numbers.retries == 1
    assert 20_000_000 < (last.numbers.memory_bytes or 0) < 500_000_000
    assert (last.numbers.disk_free_bytes or 0) > 0
    assert (last.numbers.pool_in_use, last.numbers.pool_size) == (None, None)
    for spread in (last.numbers.journal_commit, last.numbers.store_write, last.numbers.store_read):
        assert spread is not None
        assert 0 < spread.p50 <= spread.p95
    assert last.history.elapsed_s[0] < 1
    assert len(last.history.elapsed_s) == len(last.history.calls_per_s)
    assert (last.history.contexts_done[-1], last.history.delivered[-1]) == (CITATIONS, CITATIONS)
    final = ran.stderr.splitlines()[-1]
    assert f"{CITATIONS:,} of {CITATIONS:,} citations delivered (100%)" in final
    assert "1 asked again" in final
