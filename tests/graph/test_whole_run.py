"""The real program on a real graph: import, run, be killed, go on, verify, copy back."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from citefidelity.demo_data import demo_records
from support.cli import clean_environ, provider, run_cli
from support.neo4j_place import Neo4jPlace

JUDGED = "MATCH (v:FidelityVerdict {screening: 'main'}) RETURN count(v) AS n"


async def test_a_run_that_is_killed_goes_on_and_the_graph_holds_every_verdict_once(
    place: Neo4jPlace, tmp_path: Path
) -> None:
    """SIGKILL costs what was in flight; the second run delivers all, a third asks nothing, and all is clean."""
    env = {"NEO4J_URI": place.uri, "NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    (tmp_path / "demo.jsonl").write_bytes(demo_records())

    def whole() -> None:
        def cli(*words: str) -> dict[str, object]:
            result = run_cli([*words, "--json"], cwd=tmp_path, env=env, timeout=60)
            assert result.code == 0, result.stdout + result.stderr
            return dict(result.json())

        cli("import", "demo.jsonl", "--store", "neo4j")
        with provider("--latency", "0.2") as url:
            run = ["run", "--store", "neo4j", "--base-url", url, "--model", "m", "--concurrency", "4"]
            command = [sys.executable, "-m", "citefidelity", *run]
            with subprocess.Popen(
                command, cwd=tmp_path, env=clean_environ(tmp_path, env), stderr=subprocess.PIPE
            ) as first:
                assert first.stderr is not None
                first.stderr.readline()  # it has begun
                time.sleep(1.0)
                first.send_signal(signal.SIGKILL)
            assert first.returncode == -signal.SIGKILL
            second = cli(*run)
            third = cli(*run)
        assert (second["stopped"], second["remaining"], second["failed"]) == ("complete", 0, 0)
        assert (third["calls"], third["delivered"]) == (0, 0)
        assert cli("verify", "--store", "neo4j")["clean"] is True
        copied = cli("copy", "--from", "neo4j", "--to", "sqlite:///back.db")
        assert copied["new"] == 20
        assert cli("verify", "--store", "sqlite:///back.db")["clean"] is True

    await asyncio.to_thread(whole)
    assert (await place.query(JUDGED))[0]["n"] == 40
