"""Everything about one citation: the text that was judged, the prompt, the replies, the verdict, the cost (G10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from citefidelity.clock import iso
from citefidelity.errors import StoreError, UsageError
from citefidelity.facts import Asked, Ended
from citefidelity.journal import JournalReader
from citefidelity.ports import ScreeningRow
from citefidelity.prompt import Prompter
from citefidelity.record_format import context_state, exported, found
from citefidelity.records import Citation, CitationKey, Context, Outcome, StoredCitation
from citefidelity.specs.spec import Spec
from citefidelity.views.shown import Shown, ShownAttempt, ShownCitation, ShownContext

NAMED = 10
"""So many other references between two articles are named."""


class ShowStore(Protocol):
    """What is asked of the store."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings."""

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles, or the one with this reference."""


class Wanted(msgspec.Struct, frozen=True):
    """Which citations, and which of their contexts; None is all."""

    source_id: str
    target_id: str
    reference_id: str | None = None
    instance_id: str | None = None

    def __str__(self) -> str:
        """For messages."""
        return str(CitationKey(self.source_id, self.target_id, self.reference_id or ""))


async def show(store: ShowStore, journal: Path, wanted: Wanted, *, address: str, screening: str) -> Shown:
    """Put together what store and journal know. Without the journal, what only it knows is missing, and said.

    Raises:
        UsageError: there is no such citation or context.
    """
    stored = await store.find(screening, wanted.source_id, wanted.target_id, wanted.reference_id)
    if not stored:
        between = await store.find(screening, wanted.source_id, wanted.target_id)
        named = ", ".join(one.record.key.reference_id or "''" for one in between[:NAMED])
        raise UsageError(
            f"There is no citation {wanted} in {address}.",
            f"Between these two there are citations with the reference {named}; without REFERENCE you get them all."
            if between
            else "The ids are those of the records, as `citefidelity export` shows them.",
            kind="not_found",
        )
    row = next((row for row in await store.screenings(counted=False) if row.name == screening), None)
    spec = Spec.from_json(row.spec) if row is not None else None
    citations, notes = await asyncio.to_thread(_assemble, stored, journal, screening, spec, wanted.instance_id)
    if wanted.instance_id is not None and not any(citation.contexts for citation in citations):
        raise UsageError(f"Citation {wanted} has no context {wanted.instance_id}.", "Leave it out.", kind="not_found")
    return Shown(
        store=address,
        screening=screening,
        spec=spec.fingerprint() if spec is not None else None,
        fixed_prompt=Prompter(spec).fixed if spec is not None else None,
        journal_path=str(journal),
        notes=[*([] if spec is not None else [f"Screening {screening} has not begun."]), *notes],
        citations=citations,
    )


class _Past(msgspec.Struct, frozen=True):
    """What the journal knows of one citation."""

    outcomes: dict[tuple[str, str], Outcome]
    """Outcomes that count, by instance id and input hash."""
    flags: dict[tuple[str, str], tuple[str, ...]]
    attempts: dict[str, list[ShownAttempt]]
    prompts: dict[str, str]


NO_PAST = _Past({}, {}, {}, {})


def _assemble(
    stored: Sequence[StoredCitation], journal: Path, screening: str, spec: Spec | None, instance_id: str | None
) -> tuple[list[ShownCitation], list[str]]:
    pasts, notes = _read_pasts(journal, screening, [one.record.key for one in stored])
    return [_citation(one, pasts.get(one.record.key, NO_PAST), spec, instance_id) for one in stored], notes


def _read_pasts(
    journal: Path, screening: str, keys: Sequence[CitationKey]
) -> tuple[dict[CitationKey, _Past], list[str]]:
    """What the journal knows, or why it cannot be told. Blocks; never raises."""
    try:
        with JournalReader(journal) as reader:
            programs = {run.began.run: run.began.program for run in reader.runs(screening)}
            return {key: _past(reader, screening, key, programs) for key in keys}, []
    except StoreError as err:
        return {}, [f"{err.message} Prompts, replies and attempts are in the journal only, and are not shown."]


def _past(reader: JournalReader, screening: str, key: CitationKey, programs: dict[str, str]) -> _Past:
    recalled = reader.recall(screening, [key]).get(key, {})
    past = _Past(
        outcomes={(name, digest.hex()): one.outcome for (name, digest), one in recalled.items() if one.outcome},
        flags={
            (one.settled.outcome.instance_id, one.settled.outcome.input_hash): one.settled.flags
            for one in reader.settled(screening, key)
        },
        attempts={},
        prompts={},
    )
    for attempt in reader.attempts(screening, key):
        asked = attempt.asked
        past.attempts.setdefault(asked.instance_id, []).append(_attempt(asked, attempt.ended, programs.get(asked.run)))
        digest = asked.input_hash.hex()
        if digest not in past.prompts and (prompt := reader.prompt(asked.input_hash)) is not None:
            past.prompts[digest] = prompt
    return past


def _attempt(asked: Asked, ended: Ended | None, program: str | None) -> ShownAttempt:
    shown = ShownAttempt(
        attempt=asked.attempt,
        run=asked.run,
        program=program,
        asked_at=iso(asked.at),
        input_hash=asked.input_hash.hex(),
        manner=asked.manner,
        ended=ended is not None,
    )
    if ended is None:
        return shown
    return msgspec.structs.replace(
        shown,
        seconds=ended.seconds,
        status=ended.status,
        fault=ended.fault,
        message=ended.message,
        billed=ended.billed,
        input_tokens=ended.usage.input_tokens,
        output_tokens=ended.usage.output_tokens,
        cached_tokens=ended.usage.cached_tokens,
        cost_usd=ended.cost_usd,
        answering_model=ended.answering_model,
        finish_reason=ended.finish_reason,
        request_id=ended.request_id,
        reply=None if ended.body is None else ended.body.decode(errors="backslashreplace"),
    )


def _citation(stored: StoredCitation, past: _Past, spec: Spec | None, instance_id: str | None) -> ShownCitation:
    citation = found(stored.record)
    problem = stored.unusable.message if stored.unusable is not None else None
    contexts: tuple[Context, ...] = ()
    if isinstance(citation, Citation):
        contexts = citation.contexts
    else:
        problem = citation.message
    hashes = _hashes(citation, spec)
    delivered = {outcome.instance_id: outcome for outcome in stored.outcomes}
    return ShownCitation(
        source_id=stored.record.key.source_id,
        target_id=stored.record.key.target_id,
        reference_id=stored.record.key.reference_id,
        source_title=citation.source_title if isinstance(citation, Citation) else None,
        target_title=citation.target_title if isinstance(citation, Citation) else None,
        classified_at=stored.classified_at,
        run=stored.run,
        problem=problem,
        contexts=[
            _context(stored, context, delivered.get(context.instance_id), past, hashes.get(context.instance_id))
            for context in contexts
            if instance_id is None or context.instance_id == instance_id
        ],
        record=msgspec.Raw(exported(stored).rstrip()),
    )


def _hashes(citation: object, spec: Spec | None) -> dict[str, str]:
    """The input hash that each context has today, by its instance id."""
    if spec is None or not isinstance(citation, Citation):
        return {}
    prompter = Prompter(spec)
    return {context.instance_id: prompter.render(citation, context).input_hash.hex() for context in citation.contexts}


def _context(
    stored: StoredCitation, context: Context, delivered: Outcome | None, past: _Past, today: str | None
) -> ShownContext:
    outcome = delivered or (past.outcomes.get((context.instance_id, today)) if today is not None else None)
    attempts = past.attempts.get(context.instance_id, [])
    judged = outcome.input_hash if outcome is not None else attempts[-1].input_hash if attempts else None
    return ShownContext(
        instance_id=context.instance_id,
        section=context.section,
        citation_sentence=context.citation_sentence,
        context_text=context.context_text,
        state=outcome.state if outcome is not None else context_state(stored, None),
        waiting=outcome is not None and delivered is None,
        changed=delivered is not None and today is not None and delivered.input_hash != today,
        verdict=outcome.verdict if outcome is not None else None,
        failure=outcome.failure if outcome is not None else None,
        answer=outcome.answer if outcome is not None else None,
        input_hash=judged,
        flags=past.flags.get((context.instance_id, judged), ()) if judged is not None else (),
        prompt=past.prompts.get(judged) if judged is not None else None,
        attempts=attempts,
    )
