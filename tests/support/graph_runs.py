"""Whole runs on a real graph, hurt in the middle, and the account of them afterwards.

The account trusts nothing but the provider's own book and plain Cypher, and then asks ``verify`` as well.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from citefidelity import app
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.testing.answers import verdict_for
from citefidelity.testing.provider import ScriptedProvider
from citefidelity.upkeep import verify
from citefidelity.views.report import RunReport
from support.neo4j_place import DATABASE, Neo4jPlace
from support.neo4j_proxy import DELIVERY, Neo4jProxy

JOURNAL = "run.journal"
AT_ONCE = 8
"""Calls in flight."""

_MAKE = """
UNWIND $edges AS edge
MERGE (a:Article {article_id: edge.source}) MERGE (b:Article {article_id: edge.target})
CREATE (a)-[c:CITES]->(b) SET c = edge.properties
"""
_VERDICTS = """
MATCH (a:Article)-[:JUDGED_IN]->(v:FidelityVerdict {screening: 'main'})-[:JUDGES]->(b:Article)
RETURN a.article_id + '|' + b.article_id + '|' + v.reference_id + '|' + v.instance_id AS place,
       v.input_hash AS prompt, v.justification AS said, v.state AS state
"""
_NODES = "MATCH (v:FidelityVerdict) RETURN count(v) AS number"
_MARKED = """
MATCH (a:Article)-[c:CITES]->(b:Article) WHERE c.fidelity_screenings IS NOT NULL
RETURN c.fidelity_screenings AS screenings, c.classified AS classified, c.context_count AS expected, COUNT {
  MATCH (v:FidelityVerdict {screening: 'main', source_id: a.article_id, target_id: b.article_id})
  WHERE v.reference_id = coalesce(c.reference_id, '') } AS found
"""

Strike = Callable[["GraphRuns"], AbstractAsyncContextManager[None]]
"""Does harm on the way in, in the middle of a delivery; on the way out, the run goes on beside it."""


def source(number: int) -> str:
    """The id of a citing article; they sort as they are numbered."""
    return f"citing-{number:04}"


def make_contexts(name: str, number: int) -> list[dict[str, Any]]:
    """So many contexts, each of another text."""
    evidence = [{"text": "Aspirin lowered the risk by 12 %.", "section": "Results", "similarity_score": 0.5}]
    return [
        {"instance_id": at, "context_text": f"Aspirin lowers the risk [{name}.{at}].", "evidence_segments": evidence}
        for at in range(1, number + 1)
    ]


def make_edge(name: str, contexts: int | list[dict[str, Any]] = 2, **properties: Any) -> dict[str, Any]:
    """A citation as a graph has it before any run; ``properties`` are added to the usual or replace them."""
    texts = make_contexts(name, contexts) if isinstance(contexts, int) else contexts
    usual = {
        "reference_id": "r1",
        "qualified": True,
        "citation_contexts_json": json.dumps(texts),
        "context_count": len(texts),
    }
    return {"source": name, "target": f"{name}-cites", "properties": usual | properties}


class GraphRuns:
    """Runs of one screening of a graph, against a provider that keeps book, through a proxy in front of the server."""

    def __init__(self, place: Neo4jPlace, proxy: Neo4jProxy, provider: ScriptedProvider, directory: Path) -> None:
        self.place = place
        self.proxy = proxy
        self.provider = provider
        self.directory = directory

    async def fill(self, citations: int, contexts: int = 2) -> None:
        """Put citations into the graph, which then sort as they are numbered."""
        await self.make([make_edge(source(number), contexts) for number in range(citations)])

    async def make(self, edges: Iterable[dict[str, Any]]) -> None:
        """Put these edges into the graph."""
        await self.place.query(
            "CREATE INDEX fidelity_Article_article_id IF NOT EXISTS FOR (a:Article) ON (a.article_id)"
        )
        await self.place.query(_MAKE, edges=list(edges))

    @property
    def environ(self) -> dict[str, str]:
        """How to get into the server."""
        return {"NEO4J_USERNAME": self.place.user, "NEO4J_PASSWORD": self.place.password}

    def flags(self) -> dict[str, object]:
        """What every run is told."""
        return {
            "store": f"{self.proxy.uri}/{DATABASE}",
            "journal": str(self.directory / JOURNAL),
            "base_url": self.provider.base_url,
            "model": "m",
            "concurrency": AT_ONCE,
        }

    def settings(self, **more: object) -> Settings:
        """The same, parsed."""
        return load_settings(self.flags() | more, environ=self.environ, directory=self.directory)

    async def run(self, **more: object) -> RunReport:
        """Run to the end."""
        return await app.run(self.settings(**more))

    async def run_hurt(self, strike: Strike, **more: object) -> RunReport:
        """Run, strike while the commit of the first delivery is on its way, then let it through; what the run says."""
        async with self.at_first_delivery() as let_through, asyncio.TaskGroup() as group:
            running = group.create_task(self.run(**more))
            await self.proxy.held.wait()
            async with strike(self):
                let_through.set()
        return running.result()

    @asynccontextmanager
    async def at_first_delivery(self) -> AsyncIterator[asyncio.Event]:
        """The next commit of a delivery waits in the proxy, until the event is set or the block ends."""
        self.proxy.held.clear()
        self.proxy.hold = let_through = asyncio.Event()
        try:
            yield let_through
        finally:
            let_through.set()

    async def assert_settled(
        self, contexts: int, *, undeliverable: int = 0, unassessable: int = 0, maybe_paid: int = 0
    ) -> None:
        """Nothing is left, each prompt was asked once, each answer stands once where it belongs, ``verify`` is clean.

        ``contexts``: in the graph with an outcome; ``unassessable`` of them were never asked. ``undeliverable``:
        citations. ``maybe_paid``: so many calls were in flight when a process was killed.
        """
        stats = self.provider.stats()
        assert stats.received - stats.prompts <= maybe_paid <= AT_ONCE, "paid twice"
        before = await self.place.query(_VERDICTS)
        again = await self.run()
        assert (again.calls, again.delivered, again.remaining) == (0, 0, 0)
        assert again.undeliverable == undeliverable
        assert await self.place.query(_VERDICTS) == before
        await self._assert_verdicts(contexts, unassessable)
        audit = await verify(self.settings(), [self.directory / JOURNAL])
        assert audit.clean, audit.violations

    async def _assert_verdicts(self, contexts: int, unassessable: int) -> None:
        """Each context has one node, between its articles, with the one answer to its own prompt."""
        verdicts = await self.place.query(_VERDICTS)
        assert set(Counter(row["place"] for row in verdicts).values()) <= {1}
        assert len(verdicts) == contexts
        assert await self.place.query(_NODES) == [{"number": contexts}], "a node hangs on no article"
        judged = [row for row in verdicts if row["state"] == "verdict"]
        assert len(judged) == contexts - unassessable
        assert all(row["said"] == verdict_for(row["prompt"]).justification for row in judged)
        assert {row["prompt"] for row in judged} <= set(self.provider.stats().hits)
        for edge in await self.place.query(_MARKED):
            assert (edge["screenings"], edge["classified"], edge["found"]) == (["main"], True, edge["expected"])


@asynccontextmanager
async def graph_runs(
    place: Neo4jPlace, directory: Path, *, latency: float = 0.02, script: Any = ()
) -> AsyncIterator[GraphRuns]:
    """A provider and a proxy, both in this process."""
    server = urlsplit(place.uri)
    assert server.hostname is not None
    assert server.port is not None
    async with (
        Neo4jProxy(server.port, server.hostname, only=DELIVERY) as proxy,
        ScriptedProvider(script, latency=(latency, latency)) as provider,
    ):
        yield GraphRuns(place, proxy, provider, directory)
