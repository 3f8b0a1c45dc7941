"""A whole run on Neo4j beside the same run on the embedded store: 100 calls in flight, each of one second.

Run it as ``PYTHONPATH=tests python benchmarks/neo4j_run.py [CONTEXTS]``; it starts a server of its own. Every run is a
process of its own with a screening of its own; the two stores take turns. The first round is to warm up.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from support.cli import provider, run_cli
from support.neo4j_jars import LONG_TERM, neo4j_runtime
from support.neo4j_server import USER, Neo4jServer
from workload import write_records

CONTEXTS, ROUNDS = 5_000, 3
LATENCY, CONCURRENCY = "1", "100"
RUN = ("run", "--json", "--model", "mock", "--concurrency", CONCURRENCY)
LONGEST_S = 600.0


def run(store: str, directory: Path, env: dict[str, str], url: str, number: int) -> tuple[float, float]:
    """Wall time of the process, and what the run says it took, in seconds."""
    begun = time.perf_counter()
    result = run_cli(
        [*RUN, "--store", store, "--screening", f"round-{number}", "--base-url", url],
        cwd=directory,
        env=env,
        timeout=LONGEST_S,
    )
    wall = time.perf_counter() - begun
    report = result.json()
    if (result.code, report["remaining"]) != (0, 0):
        raise SystemExit(f"the run on {store} did not end well: {result.stdout}{result.stderr}")
    return wall, report["elapsed_s"]


def measure(directory: Path, env: dict[str, str], contexts: int) -> None:
    """Import once into both, then let them run in turn."""
    records = directory / "records.jsonl"
    write_records(records, contexts)
    stores = ("sqlite:///embedded.db", "neo4j")
    for store in stores:
        imported = run_cli(["import", records, "--json", "--store", store], cwd=directory, env=env, timeout=LONGEST_S)
        if imported.code:
            raise SystemExit(imported.stdout + imported.stderr)
    ratios: dict[str, list[float]] = {"process": [], "run": []}
    with provider("--latency", LATENCY) as url:
        for number in range(ROUNDS + 1):
            (wall, elapsed), (graph_wall, graph_elapsed) = (run(store, directory, env, url, number) for store in stores)
            print(
                f"  {number or 'warm-up'}: embedded {wall:.2f} s ({elapsed:.2f} of it running), "
                f"Neo4j {graph_wall:.2f} s ({graph_elapsed:.2f}): "
                f"{graph_wall / wall:.3f} ({graph_elapsed / elapsed:.3f})"
            )
            if number:
                ratios["process"].append(graph_wall / wall)
                ratios["run"].append(graph_elapsed / elapsed)
    for what, found in ratios.items():
        print(f"Neo4j/embedded, whole {what}: median {statistics.median(found):.3f}")


def main() -> None:
    """Start a server, measure, throw it away."""
    contexts = int(sys.argv[1]) if len(sys.argv) > 1 else CONTEXTS
    version = os.environ.get("NEO4J_VERSION", LONG_TERM)
    with tempfile.TemporaryDirectory(prefix="neo4j-") as home, tempfile.TemporaryDirectory() as directory:
        server = Neo4jServer(neo4j_runtime(version), Path(home), heap="1g", quick=False)
        server.start()
        print(f"{contexts:,} contexts, {LATENCY} s a call, {CONCURRENCY} in flight, Neo4j {version}")
        try:
            env = {"NEO4J_URI": server.uri, "NEO4J_USERNAME": USER, "NEO4J_PASSWORD": server.password}
            measure(Path(directory), env, contexts)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
