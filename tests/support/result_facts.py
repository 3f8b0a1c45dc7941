"""Facts for results, with prompts as they are really sent, and a plain reading of them to hold the index against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from citefidelity.facts import Asked, Delivered, Fact, Reopened, Settled
from citefidelity.prompt import Prompter, Rendered
from citefidelity.records import Citation, CitationKey, Context, Failure, Outcome, Segment, Verdict
from citefidelity.results_index.filters import Filter
from citefidelity.specs.spec import builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart

PROMPTER = Prompter(resolve(builtin_spec(), flags=SpecPart(model="m")))


def asked_about(key: CitationKey, instance_id: str, text: str, attempt: int, *, titles: bool = True) -> Asked:
    """An attempt for a context with this citing text; the titles name the articles."""
    source, target = (f"On {key.source_id}", f"On {key.target_id}") if titles else (None, None)
    context = Context(instance_id, text, None, None, (Segment("The passage."),))
    rendered = PROMPTER.render(Citation(key, (context,), source, target), context)
    assert isinstance(rendered, Rendered)
    return Asked(
        attempt=attempt,
        run="run-1",
        screening="main",
        key=key,
        instance_id=instance_id,
        input_hash=rendered.input_hash,
        prompt=rendered.variable,
        at=float(attempt),
    )


def settled_by(  # noqa: PLR0913 - each is a column
    asked: Asked,
    *,
    verdict: Verdict | None = None,
    failure: Failure | None = None,
    flags: tuple[str, ...] = (),
    run: str = "run-1",
    screening: str = "main",
) -> Settled:
    """How it ended."""
    state = "verdict" if verdict else "unassessable" if failure and failure.kind == "no_evidence" else "failed"
    outcome = Outcome(
        instance_id=asked.instance_id,
        input_hash=asked.input_hash.hex(),
        state=state,  # type: ignore[arg-type]  # one of three
        verdict=verdict,
        failure=failure,
    )
    return Settled(run=run, screening=screening, key=asked.key, outcome=outcome, at=asked.at, flags=flags)


class Plain(NamedTuple):
    """A result as the oracle has it."""

    place: int
    key: CitationKey
    instance_id: str
    state: str
    detail: str
    confidence: float | None
    type: str | None
    flagged: bool
    delivered: bool
    text: str


def standing(facts: Sequence[Fact], texts: dict[tuple[CitationKey, str], str]) -> list[Plain]:
    """What counts, by going through all facts."""
    latest: dict[tuple[CitationKey, str], tuple[int, Settled]] = {}
    reopened: dict[CitationKey, int] = {}
    delivered: dict[CitationKey, int] = {}
    for place, fact in enumerate(facts):
        if isinstance(fact, Settled) and fact.screening == "main":
            before = latest.get((fact.key, fact.outcome.instance_id))
            if before is None or fact.outcome.usable or not before[1].outcome.usable:
                latest[fact.key, fact.outcome.instance_id] = place, fact
        elif isinstance(fact, Reopened):
            latest.pop((fact.key, fact.instance_id), None)
            reopened[fact.key] = place
        elif isinstance(fact, Delivered):
            delivered[fact.key] = place
    rows = []
    for (key, instance_id), (place, fact) in latest.items():
        usable = [where for (other, _), (where, one) in latest.items() if other == key and one.outcome.usable]
        is_delivered = fact.outcome.usable and delivered.get(key, -1) > max([*usable, reopened.get(key, -1)])
        rows.append(_plain(place, fact, instance_id, texts[key, instance_id], delivered=is_delivered))
    return rows


def _plain(place: int, fact: Settled, instance_id: str, text: str, *, delivered: bool) -> Plain:
    outcome, verdict, failure = fact.outcome, fact.outcome.verdict, fact.outcome.failure
    said = verdict.justification if verdict else failure.message if failure else ""
    return Plain(
        place=place,
        key=fact.key,
        instance_id=instance_id,
        state=outcome.state if outcome.usable else "to_do",
        detail=verdict.category if verdict else failure.kind if failure else "",
        confidence=verdict.confidence if verdict else None,
        type=verdict.citation_type if verdict else None,
        flagged=bool(fact.flags),
        delivered=delivered,
        text=f"on {fact.key.source_id} on {fact.key.target_id} {text} {said}".lower(),
    )


def passes(row: Plain, wanted: Filter) -> bool:
    """Whether a filter lets it through, said in another way than SQL."""
    verdict = row.state == "verdict"
    tests: Iterable[bool] = (
        wanted.state in (None, row.state),
        wanted.category is None or (verdict and row.detail == wanted.category),
        wanted.failure is None or (not verdict and row.detail == wanted.failure),
        wanted.type in (None, row.type),
        wanted.min is None or (row.confidence is not None and row.confidence >= wanted.min),
        wanted.max is None or (row.confidence is not None and row.confidence <= wanted.max),
        wanted.citing in (None, row.key.source_id),
        wanted.cited in (None, row.key.target_id),
        wanted.article is None or any(_folded(wanted.article) in _folded(one) for one in row.key[:2]),
        wanted.words is None or all(word in row.text.split() for word in wanted.words.lower().split()),
        row.flagged or not wanted.flagged,
        not wanted.waiting or (not row.delivered and row.state != "to_do"),
    )
    return all(tests)


def _folded(text: str) -> str:
    """Letters of ASCII in one case, the others as they are."""
    return text.encode().lower().decode()


def ordered(rows: Iterable[Plain], wanted: Filter) -> list[Plain]:
    """In the order that is asked for."""
    match wanted.sort:
        case "latest":
            return sorted(rows, key=lambda row: -row.place)
        case "lowest":
            return sorted(rows, key=lambda row: (row.confidence is None, row.confidence or 0, row.place))
        case "highest":
            return sorted(rows, key=lambda row: (row.confidence is None, -(row.confidence or 0), -row.place))
