"""How the pages carry a large screening: the time until all results are there, the time of a page, memory.

    python benchmarks/web_scale.py [--contexts 1000000] [--journal FILE]

Builds a journal with so many results, or takes the one that is named, and asks what the pages ask.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from citefidelity.clock import SystemClock
from citefidelity.facts import Asked, Delivered, Fact, Settled
from citefidelity.journal import open_journal
from citefidelity.records import CitationKey
from citefidelity.results_index.filters import Filter
from citefidelity.results_index.index import ResultsIndex
from citefidelity.results_index.rows import Progress
from citefidelity.views.problem_papers import UNSUPPORTED
from journal_rate import CONTEXTS_PER_CITATION, HOLDER, WORDS, Maker, dice, hash_of, key_of

BATCH = 1_000
ARTICLES = 50_000
CATEGORIES = ("SUPPORT", "SUPPORT", "SUPPORT", "SUPPORT", "CONTRADICT", "MISQUOTE", "NOT_SUBSTANTIATE", "UNCERTAIN")
LOOK_EVERY_S = 0.05

FILTERS = {
    "no filter": Filter(),
    "no filter, the page in the middle": Filter(page=10_000),
    "a category": Filter(category="CONTRADICT"),
    "a category, lowest confidence, page 1,000": Filter(category="CONTRADICT", sort="lowest", page=1_000),
    "confidence from 0.4 to 0.6": Filter(min=0.4, max=0.6),
    "confidence from 0.4 to 0.6, highest": Filter(min=0.4, max=0.6, sort="highest"),
    "citing article": Filter(citing="10.1000/citing.77"),
    "part of an article's id": Filter(article="citing.777"),
    "citation type, lowest confidence": Filter(type="BACKGROUND", sort="lowest"),
    "not in the store yet": Filter(waiting=True),
}
SEARCHES = {
    "a rare word": Filter(words="uncommon77"),
    "three common words": Filter(words="tumour gene receptor"),
    "a common word in a category, lowest": Filter(words="tumour", category="MISQUOTE", sort="lowest"),
}


class Results(Maker):
    """Makes facts whose prompts quote texts as real ones do, and whose verdicts differ."""

    def __init__(self) -> None:
        super().__init__()
        words = WORDS.split()
        self._passages = [" ".join(dice(seed).choices(words, k=60)) for seed in range(512)]

    def asked(self, number: int, attempt: int) -> Asked:
        """With a passage of sixty words and the evidence."""
        asked = super().asked(number, attempt)
        passage = f"{self._passages[number * 31 % 512]} uncommon{number // 10}"
        prompt = (
            f"<<0a1b2c citing article>>\nTitle: On {passage[:60]}\n<<0a1b2c passage>>\n{passage}\n<<0a1b2c end>>\n\n"
            f"<<0a1b2c cited article>>\nTitle: {passage[60:120]}\n<<0a1b2c evidence 1>>\n{asked.prompt}\n<<0a1b2c end>>"
        )
        return msgspec.structs.replace(asked, key=article(number), prompt=prompt)

    def settled(self, number: int, attempt: int) -> Settled:
        """With a category and a confidence that look drawn."""
        settled = super().settled(number, attempt)
        drawn = hash_of(number)
        verdict = settled.outcome.verdict
        assert verdict is not None  # noqa: S101 - the maker makes verdicts
        verdict = msgspec.structs.replace(
            verdict,
            category=CATEGORIES[drawn[0] % len(CATEGORIES)],
            citation_type="BACKGROUND" if drawn[1] % 2 else "CONCEPTUAL",
            confidence=drawn[2] / 255,
        )
        outcome = msgspec.structs.replace(settled.outcome, verdict=verdict)
        return msgspec.structs.replace(settled, key=article(number), outcome=outcome)


def article(number: int) -> CitationKey:
    """The citation of context ``number``, among fewer articles than the maker's."""
    key = key_of(number)
    citation = number // CONTEXTS_PER_CITATION
    return key._replace(
        source_id=f"10.1000/citing.{citation * 7919 % ARTICLES}", target_id=f"10.1000/cited.{citation % ARTICLES}"
    )


async def build(path: Path, contexts: int) -> None:
    """A journal with so many results, all but the last thousandth delivered."""
    maker = Results()
    async with await open_journal(path, store_id="s", holder=HOLDER, clock=SystemClock()) as journal:
        for start in range(0, contexts, BATCH):
            facts: list[Fact] = []
            for number in range(start, min(start + BATCH, contexts)):
                attempt = journal.number()
                facts += [maker.asked(number, attempt), *maker.ended(number, attempt)]
                if number % CONTEXTS_PER_CITATION and number < contexts * 0.999:
                    facts.append(
                        Delivered(run="run-1", screening="main", key=article(number), at=3.0, result="written")
                    )
            await journal.append(facts)


async def timed(name: str, question: Callable[[], Awaitable[object]], tell: Callable[[object], str]) -> None:
    """Print how long a question takes: the first time, and the middle of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        answer = await question()
        times.append(time.perf_counter() - began)
    print(f"{name:<45}{times[0] * 1e3:>9.1f} ms{sorted(times)[2] * 1e3:>9.1f} ms   {tell(answer)}", flush=True)


async def until(what: str, results: ResultsIndex, first: Filter, there: Callable[[Progress], bool]) -> None:
    """Print how long it takes until all is there, and how long a page of what is there by then takes at most."""
    began = time.perf_counter()
    await results.page(first)
    times = [time.perf_counter() - began]
    while not there(await results.progress()):
        await asyncio.sleep(LOOK_EVERY_S)
        asked = time.perf_counter()
        await results.page(Filter(category="CONTRADICT"))
        times.append(time.perf_counter() - asked)
    print(f"all {what}: {time.perf_counter() - began:.1f} s; the first page took {times[0]:.2f} s, ", end="")
    print(f"the slowest meanwhile {max(times):.2f} s; {_memory()}", flush=True)


async def measure(path: Path) -> None:
    """Gather all results, then ask."""
    results = ResultsIndex(path, "main", SystemClock())
    await until("results", results, Filter(), lambda now: now.complete)
    for name, wanted in FILTERS.items():
        await timed(name, lambda wanted=wanted: results.page(wanted), lambda page: f"{page.total:,}")  # type: ignore[misc, attr-defined]
    await timed("counts by outcome", results.groups, lambda groups: f"{len(groups)}")  # type: ignore[arg-type]
    await timed("problem papers", lambda: results.papers(UNSUPPORTED), lambda found: f"{found.cited_articles:,}")  # type: ignore[attr-defined]
    await until("words", results, Filter(words="tumour"), lambda now: now.words_complete)
    for name, wanted in SEARCHES.items():
        await timed(name, lambda wanted=wanted: results.page(wanted), lambda page: f"{page.total:,}")  # type: ignore[misc, attr-defined]
    await results.close()
    print(_memory())


def _memory() -> str:
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", type=int, default=1_000_000)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--build-only", action="store_true", help="only build what --journal names")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = chosen.journal or Path(directory) / "journal"
        if not path.exists():
            asyncio.run(build(path, chosen.contexts))
        if not chosen.build_only:
            asyncio.run(measure(path))


if __name__ == "__main__":
    main()
