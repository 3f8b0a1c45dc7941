"""Ours against the limit and against what people write otherwise, in one go: ``make bench``.

A mock provider counts what it answers; each contender runs as a whole process against a fresh one. Rounds are
interleaved, so that a machine that slows down slows all of them. There are two limits: ``bare`` sends ready-made
bodies, ``plain`` does the same work as ours; neither journals anything. Times are from the first request to the last
reply, as the mock sees them; CPU and memory are the operating system's account of the finished process, start-up
included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, Self

import killed
from plot import draw
from workload import write_bodies, write_records

HERE = Path(__file__).parent


class Case(NamedTuple):
    """What every contender is asked to do. ``latency`` is of the mock, in seconds."""

    latency: str
    concurrency: int
    contexts: int


CASES = {
    "a": Case("0", 100, 5_000),
    "b": Case("1", 100, 1_000),
    "c": Case("1", 1_000, 5_000),
    "d": Case(killed.LATENCY, killed.CONCURRENCY, killed.CONTEXTS),
}
CONTENDERS = ("bare", "plain", "ours", "sdk", "threads")
Result = dict[str, float]


def main() -> None:
    """Measure, print a table, write it with a plot to ``benchmarks/results``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default="abcd")
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--out", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    contenders = arguments.contenders.split(",")
    results: dict[str, dict[str, list[Result]]] = {}
    with tempfile.TemporaryDirectory(prefix="citefidelity-bench-") as name:
        deaths: list[killed.Row] = []
        for case in arguments.cases:
            work = Work(Path(name) / case, CASES[case])
            if case == "d":
                deaths = [work.kill() for _ in range(arguments.rounds)]
                continue
            results[case] = {contender: [] for contender in contenders}
            for number in range(arguments.rounds):
                for contender in contenders:
                    result = work.measure(contender)
                    results[case][contender].append(result)
                    sys.stderr.write(f"{case} {number + 1}/{arguments.rounds} {contender}: {_short(result)}\n")
    report = {
        "machine": _machine(Path(tempfile.gettempdir())),
        "cases": {name: case._asdict() for name, case in CASES.items()},
        "results": results,
    }
    table = (make_table(results) if results else "") + ("\n" + killed.table(deaths) if deaths else "")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "bench.md").write_text(table, encoding="utf-8")
    draw(results, arguments.out / "bench.svg")
    sys.stdout.write(f"{table}\nwritten to {arguments.out}\n")


class Work:
    """One case: its records and the same prompts as ready-made bodies."""

    def __init__(self, directory: Path, case: Case) -> None:
        directory.mkdir()
        self.directory = directory
        self.case, self.concurrency, self.contexts = case, case.concurrency, case.contexts
        self.records, self.bodies = directory / "records.jsonl", directory / "bodies.jsonl"
        write_records(self.records, self.contexts)
        write_bodies(self.records, self.bodies)
        self.number = 0

    def measure(self, contender: str) -> Result:
        """One round of one contender against a fresh mock."""
        self.number += 1
        with Mock(self.case) as mock:
            command = self.command(contender, mock.url)
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"NO_PROXY": "*"})
            output = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            stats = mock.stats()
        if process.returncode or stats["answered"] != self.contexts:
            raise SystemExit(
                f"{contender} failed ({process.returncode}): {stats['answered']} answered; {output[-500:]!r}"
            )
        span = stats["last_answer"] - stats["first_arrival"]
        return {
            "seconds": span,
            "per_second": self.contexts / span,
            "cpu_ms": 1_000 * (usage.ru_utime + usage.ru_stime) / self.contexts,
            "peak_mb": usage.ru_maxrss / 1_024,
            "most_in_flight": stats["max_in_flight"],
            "wall": wall,
        }

    def kill(self) -> killed.Row:
        """Case d, once."""
        self.number += 1
        with Mock(self.case) as mock:
            journal = self.directory / f"{self.number}.db.journal"
            return killed.measure(self.command("ours", mock.url), mock.stats_url, journal)

    def command(self, contender: str, url: str) -> list[str]:
        """What to start for this contender, against the mock at ``url``, on a fresh store."""
        if contender != "ours":
            script = HERE / "rivals" / f"{contender}.py"
            material = self.records if contender == "plain" else self.bodies
            return [sys.executable, str(script), url, str(material), str(self.concurrency)]
        program = shutil.which("citefidelity", path=str(Path(sys.executable).parent)) or "citefidelity"
        store = f"sqlite:///{self.directory / f'{self.number}.db'}"
        subprocess.run(
            [program, "import", str(self.records), "--store", store, "-q"], check=True, stdout=subprocess.DEVNULL
        )
        flags = ["--store", store, "--base-url", url, "--model", "mock", "--concurrency", str(self.concurrency)]
        return [program, "run", *flags, "--json", "-q"]


class Mock:
    """The counting provider, as a process of its own."""

    def __init__(self, case: Case) -> None:
        command = [sys.executable, "-m", "citefidelity.testing.provider", "--latency", case.latency, "--with-parent"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline() if self.process.stdout else b""
        self.url = json.loads(line)["base_url"]
        self.stats_url = self.url.removesuffix("/v1") + "/stats"

    def __enter__(self) -> Self:
        """Listening already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate()

    def stats(self) -> dict[str, Any]:
        """What it has counted."""
        with urllib.request.urlopen(self.stats_url) as reply:  # noqa: S310 - the address that the mock itself has told
            return dict(json.load(reply))


def make_table(results: dict[str, dict[str, list[Result]]]) -> str:
    """Medians, the spread, and the ratios to the limits of the same round."""
    lines = [
        "| case | contender | seconds: median (min - max) | rate/s | / bare | / plain | CPU ms each | MB | in flight |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case, contenders in results.items():
        for contender, rounds in contenders.items():
            seconds = [one["seconds"] for one in rounds]
            ratios = " | ".join(_ratio(rounds, contenders.get(limit)) for limit in ("bare", "plain"))
            lines.append(
                f"| {case} | {contender} | {statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
                f"| {_median(rounds, 'per_second'):.0f} | {ratios} | {_median(rounds, 'cpu_ms'):.2f} "
                f"| {max(one['peak_mb'] for one in rounds):.0f} | {_median(rounds, 'most_in_flight'):.0f} |"
            )
    return "\n".join(lines) + "\n"


def _ratio(rounds: list[Result], limit: list[Result] | None) -> str:
    if limit is None:
        return "-"
    pairs = zip(rounds, limit, strict=True)
    return f"{statistics.median(one['per_second'] / other['per_second'] for one, other in pairs):.2f}"


def _median(rounds: list[Result], name: str) -> float:
    return statistics.median(one[name] for one in rounds)


def _short(result: Result) -> str:
    return f"{result['seconds']:.2f} s, {result['cpu_ms']:.2f} ms CPU a context, {result['peak_mb']:.0f} MB"


def _machine(directory: Path) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "flush_ms": round(1_000 * _flush_seconds(directory), 2),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _flush_seconds(directory: Path) -> float:
    """The median of one flush of the disk, which bounds every durable program."""
    times: list[float] = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(50):
            file.write(b"x" * 4_096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
