"""What the journal costs: facts and contexts a second, CPU per context, and how fast a large journal answers.

    python benchmarks/journal_rate.py [--contexts 5000] [--callers 100] [--large 1000000]

``--large N`` builds a journal with N outcomes instead and times opening it, the first recall and the totals.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path
from random import Random

from citefidelity.clock import SystemClock
from citefidelity.facts import Asked, Delivered, Ended, Fact, Settled
from citefidelity.journal import JournalReader, JournalView, SqliteJournal, open_journal
from citefidelity.ports import Holder
from citefidelity.records import Answer, CitationKey, Outcome, Usage, Verdict

CONTEXTS_PER_CITATION = 2
HOLDER = Holder(host="here", pid=1, command="journal_rate")
WORDS = (
    "cells patients expression protein response risk level treatment measured significant increased lower between "
    "observed reported trial cohort baseline association effect randomised control group analysis outcome dose "
    "receptor binding mice tumour gene variant exposure infection therapy clinical evidence previous study shows "
)


def dice(seed: int) -> Random:
    """The same numbers at every run."""
    return Random(seed)  # noqa: S311 - guards nothing


class Maker:
    """Makes the facts of contexts as a run would: prompts of some thousand characters, replies of one thousand."""

    def __init__(self, seed: int = 1) -> None:
        random, words = dice(seed), WORDS.split()
        self._texts = [" ".join(random.choices(words, k=600)) for _ in range(64)]
        self._replies = [" ".join(random.choices(words, k=120)).encode() for _ in range(64)]

    def asked(self, number: int, attempt: int) -> Asked:
        """Context ``number``, the attempt about to leave."""
        return Asked(
            attempt=attempt,
            run="run-1",
            screening="main",
            key=key_of(number),
            instance_id=str(number % CONTEXTS_PER_CITATION),
            input_hash=hash_of(number),
            prompt=f"{number} {self._texts[number % 64]}",
            at=1.0,
        )

    def ended(self, number: int, attempt: int) -> list[Fact]:
        """The reply to it, and the verdict."""
        ended = Ended(
            attempt=attempt,
            at=2.0,
            seconds=1.0,
            status=200,
            body=b"%d %b" % (number, self._replies[number % 64]),
            billed="yes",
            usage=Usage(1800, 90, 1200, 0),
            cost_usd=0.0004,
            answering_model="model-1-2026-01-01",
            system_fingerprint="fp_0123456789",
            finish_reason="stop",
            request_id=f"chatcmpl-{attempt:024}",
        )
        return [ended, self.settled(number, attempt)]

    def settled(self, number: int, attempt: int) -> Settled:
        """The verdict."""
        category = ("SUPPORT", "CONTRADICT", "UNCERTAIN")[number % 3]
        outcome = Outcome(
            instance_id=str(number % CONTEXTS_PER_CITATION),
            input_hash=hash_of(number).hex(),
            state="verdict",
            verdict=Verdict(category, "CONCEPTUAL", 0.9, "The passage reports the same effect in the same group. " * 4),
            answer=Answer(
                screening="main",
                spec="0123456789abcdef",
                provider="openai",
                model="model-1",
                attempts=1,
                input_tokens=1800,
                output_tokens=90,
                cost_usd=0.0004,
                answered_at="2026-01-02T03:04:05.678Z",
                input_hash=hash_of(number).hex(),
                program="citefidelity 0.1.0",
            ),
        )
        return Settled(run="run-1", screening="main", key=key_of(number), outcome=outcome, at=2.0, attempt=attempt)


def key_of(number: int) -> CitationKey:
    """The citation of context ``number``."""
    citation = number // CONTEXTS_PER_CITATION
    return CitationKey(f"10.1000/citing.{citation * 7919 % 1_000_003}", f"10.1000/cited.{citation}", f"r{citation}")


def hash_of(number: int) -> bytes:
    """An input hash that looks as scattered as a real one."""
    return dice(number).randbytes(16)


async def work(journal: SqliteJournal, maker: Maker, numbers: range, latency: float) -> None:
    """One caller: the end of each context goes to disk together with the asking of the next."""
    facts: list[Fact] = []
    for number in numbers:
        attempt = journal.number()
        await journal.append([*facts, maker.asked(number, attempt)])
        if latency:
            await asyncio.sleep(latency)
        facts = maker.ended(number, attempt)
        if number % CONTEXTS_PER_CITATION == 0:
            facts.append(Delivered(run="run-1", screening="main", key=key_of(number), at=3.0, result="written"))
    await journal.append(facts)


async def rate(directory: Path, contexts: int, callers: int, latency: float) -> None:
    """Print what so many contexts cost, with the making of their facts taken off."""
    maker = Maker()
    began = time.process_time()
    for number in range(contexts):
        maker.asked(number, number)
        maker.ended(number, number)
    making = time.process_time() - began
    path = directory / f"rate-{callers}"
    async with await open_journal(path, store_id="s", holder=HOLDER, clock=SystemClock()) as journal:
        wall, cpu = time.perf_counter(), time.process_time()
        each = contexts // callers
        async with asyncio.TaskGroup() as group:
            for caller in range(callers):
                group.create_task(work(journal, maker, range(caller * each, caller * each + each), latency))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu - making
    megabytes = path.stat().st_size / 1e6
    done = each * callers
    print(
        f"{callers:5} callers, latency {latency:g} s: {done / wall:7.0f} contexts/s, {4.5 * done / wall:7.0f} facts/s, "
        f"{cpu / done * 1e3:.3f} ms CPU a context, {megabytes * 1e6 / done:.0f} bytes a context"
    )


async def large(directory: Path, contexts: int) -> None:
    """Print how a journal of so many outcomes is opened and read."""
    maker, path = Maker(), directory / "large"
    async with await open_journal(path, store_id="s", holder=HOLDER, clock=SystemClock()) as journal:
        began = time.perf_counter()
        for start in range(0, contexts, 1000):
            facts: list[Fact] = []
            for number in range(start, start + 1000):
                attempt = journal.number()
                facts += [maker.asked(number, attempt), *maker.ended(number, attempt)]
            await journal.append(facts)
        print(f"{contexts:,} outcomes written in {time.perf_counter() - began:.0f} s")
    print(f"file: {path.stat().st_size / 1e9:.2f} GB")
    began = time.perf_counter()
    async with await open_journal(path, store_id="s", holder=HOLDER, clock=SystemClock()) as journal:
        opened = time.perf_counter()
        await journal.recall("main", [key_of(number) for number in range(0, contexts, contexts // 100)])
        recalled = time.perf_counter()
        print(f"open: {(opened - began) * 1e3:.1f} ms; first recall, of 100: {(recalled - opened) * 1e3:.1f} ms")
        scattered = [key_of(number) for number in dice(2).choices(range(contexts), k=2_000)]
        again = time.perf_counter()
        await journal.recall("main", scattered)
        print(f"recall of {len(scattered)}: {(time.perf_counter() - again) / len(scattered) * 1e6:.0f} us a citation")
        print(f"totals inside: {await journal.look(_seconds_of_totals):.2f} s")
    with JournalReader(path) as reader:
        began = time.perf_counter()
        waiting = reader.undelivered("main")
        print(f"undelivered: {waiting}, {time.perf_counter() - began:.2f} s")
        print(f"totals outside: {_seconds_of_totals(reader):.2f} s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _seconds_of_totals(reader: JournalView) -> float:
    began = time.perf_counter()
    reader.totals("main")
    return time.perf_counter() - began


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", type=int, default=5_000)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--latency", type=float, default=0.0, help="seconds between asked and ended")
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="where the files go; a temporary one unless told")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as directory:
        if chosen.large:
            asyncio.run(large(Path(directory), chosen.large))
            return
        for callers in chosen.callers:
            asyncio.run(rate(Path(directory), min(chosen.contexts, 20 * callers + 500), callers, chosen.latency))


if __name__ == "__main__":
    main()
