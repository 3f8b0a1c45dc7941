"""What Neo4j costs: delivery beside a bare driver loop, verdict nodes beside plain properties, reading a large graph.

Run it as ``PYTHONPATH=tests python benchmarks/neo4j_rates.py [deliver | read | all]``; it starts a server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import neo4j

from citefidelity.config.addresses import Neo4jAddress
from citefidelity.config.secret import Secret
from citefidelity.ports import ScreeningRow, ToDo
from citefidelity.record_format import parse_record
from citefidelity.records import Answer, CitationKey, Delivery, Outcome, Record, Verdict
from citefidelity.stores.neo4j import Neo4jStore, open_neo4j
from citefidelity.stores.neo4j_cypher import OUTCOME_PROPERTIES
from citefidelity.stores.neo4j_records import outcome_properties
from support.neo4j_jars import LONG_TERM, neo4j_runtime
from support.neo4j_server import USER, Neo4jServer

AT = "2026-01-02T03:04:05.678Z"
CITATIONS, CONTEXTS, BATCH, ROUNDS = 10_000, 3, 200, 3
ARTICLES, REFERENCES = 50_000, 20
JUSTIFICATION = "The passage reports the very effect that the citing sentence claims, in the same population. " * 4

BARE_NODES = f"""
UNWIND $rows AS row
MATCH (a:Article {{article_id: row.source}})-[c:CITES {{reference_id: row.reference}}]->
      (b:Article {{article_id: row.target}})
SET c.classified = true, c.classified_at = $at, c.fidelity_screenings = coalesce(c.fidelity_screenings, []) + $screening
FOREACH (outcome IN row.outcomes |
  CREATE (a)-[:JUDGED_IN]->(:FidelityVerdict {{
    screening: $screening, run: $run, classified_at: $at, source_id: row.source, target_id: row.target,
    reference_id: row.reference, outcome_count: size(row.outcomes),
    {", ".join(f"{name}: outcome.{name}" for name in OUTCOME_PROPERTIES)}
  }})-[:JUDGES]->(b))
"""
BARE_PROPERTIES = """
UNWIND $rows AS row
MATCH (:Article {article_id: row.source})-[c:CITES {reference_id: row.reference}]->(:Article {article_id: row.target})
SET c.classified = true, c.classified_at = $at, c.verdicts_json = row.json
"""
MAKE_ARTICLES = """
UNWIND range($first, $last) AS number
CREATE (:Article {article_id: 'article-' + right('0000000' + number, 7), title: 'Article ' + number})
"""
MAKE_CITATIONS = """
UNWIND range($first, $last) AS number
MATCH (a:Article {article_id: 'article-' + right('0000000' + number, 7)})
UNWIND range(1, $references) AS at
MATCH (b:Article {article_id: 'article-' + right('0000000' + (number * 31 + at * 7919) % $articles, 7)})
CREATE (a)-[:CITES {
  reference_id: 'r' + at, qualified: true, context_count: 1, citation_contexts_json: $contexts,
  classified: true, fidelity_screenings: CASE WHEN at = 1 AND number % 5 = 0 THEN ['late'] ELSE ['spread', 'late'] END
}]->(b)
"""
MAKE_LAST_TO_DO = """
MATCH (a:Article)-[c:CITES]->() WHERE a.article_id >= $from SET c.fidelity_screenings = ['spread']
"""


def records() -> Iterator[Record]:
    """Citations of three contexts, about 4 kB each."""
    for number in range(CITATIONS):
        evidence = [{"text": "A passage of the cited article. " * 8, "section": "Results", "similarity_score": 0.5}] * 4
        contexts = [
            {
                "instance_id": at,
                "section": "Introduction",
                "context_text": "A claim [1]. " * 20,
                "evidence_segments": evidence,
            }
            for at in range(CONTEXTS)
        ]
        record = {"source_id": f"citing-{number // 20}", "target_id": f"cited-{number}", "reference_id": f"r{number}"}
        yield parse_record(json.dumps(record | {"contexts": contexts}).encode())[0]


def deliveries(screening: str) -> list[Delivery]:
    """A verdict for each context, about 1.5 kB a citation."""
    verdict = Verdict("SUPPORT", "CONCEPTUAL", 0.9, JUSTIFICATION)
    answer = Answer(
        screening=screening,
        spec="0123abcd",
        provider="openai",
        model="model-1",
        answering_model="model-1-2026",
        finish_reason="stop",
        request_id="chatcmpl-0123456789abcdef",
        attempts=1,
        input_tokens=1000,
        output_tokens=50,
        cost_usd=0.001,
        answered_at=AT,
        input_hash="ab" * 16,
        program="citefidelity 0",
    )
    outcomes = tuple(
        Outcome(instance_id=str(at), input_hash="ab" * 16, state="verdict", verdict=verdict, answer=answer)
        for at in range(CONTEXTS)
    )
    return [
        Delivery(CitationKey(f"citing-{number // 20}", f"cited-{number}", f"r{number}"), outcomes)
        for number in range(CITATIONS)
    ]


Write = Callable[[str, Sequence[Any]], Awaitable[None]]


def through_the_store(store: Neo4jStore) -> Write:
    """Lock, look, write, count, receipts."""

    async def write(screening: str, batch: Sequence[Delivery]) -> None:
        receipts = await store.deliver(screening, "run-1", AT, batch)
        if any(receipt.result != "written" for receipt in receipts):
            raise RuntimeError("the measurement delivered something twice")

    return write


def through_the_driver(session: neo4j.AsyncSession, query: str) -> Write:
    """The rows are ready, nothing is looked at."""

    async def write(screening: str, batch: Sequence[dict[str, Any]]) -> None:
        result = await session.run(query, rows=batch, at=AT, run="run-1", screening=screening)
        await result.consume()

    return write


def row_of(way: str, delivery: Delivery) -> Any:
    """The same properties as the store writes, made before the clock runs; nothing that this way does not need."""
    if way == "ours":
        return delivery
    outcomes = [outcome_properties(outcome, at) for at, outcome in enumerate(delivery.outcomes)]
    content = {"outcomes": outcomes} if way == "bare" else {"json": json.dumps(outcomes)}
    return dict(zip(("source", "target", "reference"), delivery.key, strict=True)) | content


async def one_round(number: int, store: Neo4jStore, session: neo4j.AsyncSession) -> dict[str, float]:
    """Citations a second of each way, batch by batch in turn, so that a busy machine hinders all of them alike."""
    ways = {
        "bare": through_the_driver(session, BARE_NODES),
        "ours": through_the_store(store),
        "properties": through_the_driver(session, BARE_PROPERTIES),
    }
    ready = {way: [row_of(way, one) for one in deliveries(f"{way}-{number}")] for way in ways}
    await store.begin_screening(ScreeningRow(name=f"ours-{number}", spec="{}", fingerprint="f", created_at=AT))
    spent = dict.fromkeys(ways, 0.0)
    for start in range(0, CITATIONS, BATCH):
        for way, write in ways.items():
            begun = time.perf_counter()
            await write(f"{way}-{number}", ready[way][start : start + BATCH])
            spent[way] += time.perf_counter() - begun
    return {way: CITATIONS / seconds for way, seconds in spent.items()}


async def deliver(store: Neo4jStore, driver: neo4j.AsyncDriver) -> None:
    """Every round delivers all citations under screenings of its own; the first one is to warm up."""
    every = list(records())
    begun = time.perf_counter()
    for start in range(0, CITATIONS, BATCH):
        await store.put(every[start : start + BATCH])
    print(f"import: {CITATIONS / (time.perf_counter() - begun):,.0f} citations/s")
    ratios = []
    async with driver.session(database="neo4j") as session:
        for number in range(ROUNDS + 1):
            rates = await one_round(number, store, session)
            ratio = rates["ours"] / rates["bare"]
            ratios.append(ratio)
            shown = ", ".join(f"{way} {rate:,.0f}" for way, rate in rates.items())
            print(f"  {number or 'warm-up'}: {shown} citations/s; ours/bare {ratio:.2f}")
    print(f"ours/bare: median {statistics.median(ratios[1:]):.2f}")


async def make_large_graph(driver: neo4j.AsyncDriver) -> None:
    """A million edges; in "spread" every hundredth is to do, in "late" the last hundredth."""
    contexts = json.dumps(
        [{"instance_id": 1, "context_text": "A claim [1].", "evidence_segments": [{"text": "x" * 150}]}]
    )
    for query, step in ((MAKE_ARTICLES, 10_000), (MAKE_CITATIONS, 500)):
        for first in range(0, ARTICLES, step):
            await driver.execute_query(
                query,
                first=first,
                last=first + step - 1,
                articles=ARTICLES,
                references=REFERENCES,
                contexts=contexts,
                database_="neo4j",
            )
    await driver.execute_query(MAKE_LAST_TO_DO, {"from": f"article-{ARTICLES * 99 // 100:07}"}, database_="neo4j")


async def read(store: Neo4jStore, driver: neo4j.AsyncDriver) -> None:
    """Time to the first citation and to the end, and what memory grows by."""
    begun = time.perf_counter()
    await make_large_graph(driver)
    print(f"graph of {ARTICLES * REFERENCES:,} edges made in {time.perf_counter() - begun:,.0f} s")
    last_done = CitationKey(f"article-{ARTICLES * 99 // 100 - 1:07}", "", "")
    for screening, behind in (("spread", None), ("late", None), ("late", last_done), ("spread", None)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, first, number = time.perf_counter(), 0.0, 0
        async for page in store.pages(ToDo(screening=screening, behind=behind)):
            first = first or time.perf_counter() - begun
            number += len(page)
        total = time.perf_counter() - begun
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        where = "with the hint" if behind else "from the beginning"
        print(
            f"{screening:>10}, {where}: first page {first:.2f} s, all {number:,} in {total:.1f} s, "
            f"memory +{grown:.0f} MB"
        )
    begun = time.perf_counter()
    counts = await store.counts("spread")
    print(f"    counts: {time.perf_counter() - begun:.1f} s, {counts.to_do:,} to do of {counts.citations:,}")


async def main() -> None:
    """Start a server, measure, throw it away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["deliver", "read", "all"], default="all")
    what = parser.parse_args().what
    version = os.environ.get("NEO4J_VERSION", LONG_TERM)
    steps = {"deliver": deliver, "read": read}
    for name in steps if what == "all" else [what]:
        with tempfile.TemporaryDirectory(prefix="neo4j-") as home:
            server = Neo4jServer(neo4j_runtime(version), Path(home), heap="1g", quick=False)
            server.start()
            print(f"{name}, Neo4j {version}")
            try:
                address, password = Neo4jAddress(server.uri, "neo4j"), Secret(server.password)
                store = await open_neo4j(address, username=USER, password=password)
                async with neo4j.AsyncGraphDatabase.driver(server.uri, auth=(USER, server.password)) as driver:
                    await steps[name](store, driver)
                await store.close()
            finally:
                server.kill()


if __name__ == "__main__":
    asyncio.run(main())
