"""An open citation: what the journal already knows of it, and which of its contexts are still to ask."""

from __future__ import annotations

from collections.abc import Callable

from citefidelity.facts import ContextPast, Past
from citefidelity.pacing.calls import Load
from citefidelity.prompt import NoEvidence, Prompter, Rendered
from citefidelity.records import Citation, CitationKey, Delivery, Outcome, Usage

NO_PAST = Past()


class Opened:
    """One citation being worked on, by one worker of each context at a time (G5)."""

    __slots__ = ("_order", "_outcomes", "concluded", "key", "missing")

    def __init__(self, citation: Citation) -> None:
        self.key: CitationKey = citation.key
        self._order = tuple(context.instance_id for context in citation.contexts)
        self._outcomes: dict[str, Outcome] = {}
        self.missing = len(self._order)
        """Contexts without a usable outcome."""
        self.concluded = 0
        """Contexts that this run is through with, usable or not."""

    def put(self, outcome: Outcome) -> None:
        """A usable outcome that is on disk."""
        self._outcomes[outcome.instance_id] = outcome
        self.missing -= 1
        self.concluded += 1

    def leave(self) -> None:
        """One context stays to do after this run."""
        self.concluded += 1

    @property
    def over(self) -> bool:
        """Whether this run has nothing more to do on it."""
        return self.concluded == len(self._order)

    def delivery(self) -> Delivery:
        """All outcomes, in the order of the contexts in the record."""
        return Delivery(self.key, tuple(self._outcomes[instance_id] for instance_id in self._order))


class Job:
    """One context to ask, with what has happened to it in this run."""

    __slots__ = (
        "asked_in_vain",
        "attempts",
        "calls",
        "cost_usd",
        "input_hash_hex",
        "instance_id",
        "load",
        "opened",
        "past",
        "rendered",
        "successes_before",
        "truncated",
        "unreadable",
        "usage",
    )

    def __init__(self, opened: Opened, instance_id: str, rendered: Rendered, past: Past, load: Load) -> None:
        self.opened = opened
        self.instance_id = instance_id
        self.rendered = rendered
        self.past = past
        self.input_hash_hex = rendered.input_hash.hex()
        self.load = load
        """What a call for it is expected to use."""
        self.attempts = 0
        """Attempts that count against the limit."""
        self.calls = 0
        """All attempts of this run."""
        self.asked_in_vain = False
        """Whether the next attempt follows a failed one; one that never left has not failed."""
        self.unreadable = past.unreadable
        self.truncated = past.truncated
        self.usage = Usage()
        self.cost_usd: float | None = None
        self.successes_before: int | None = None
        """The engine's count of successes when this context was first asked in this run."""


def open_citation(
    citation: Citation, past: ContextPast, prompter: Prompter, load_of: Callable[[Rendered, int], Load]
) -> tuple[Opened, list[Job], list[tuple[str, NoEvidence]]]:
    """What is to ask, and what there is no evidence to ask about; outcomes that the journal has are put in place."""
    opened = Opened(citation)
    jobs: list[Job] = []
    without_evidence: list[tuple[str, NoEvidence]] = []
    for context in citation.contexts:
        rendered = prompter.render(citation, context)
        known = past.get((context.instance_id, rendered.input_hash), NO_PAST)
        if known.outcome is not None:
            opened.put(known.outcome)
        elif isinstance(rendered, NoEvidence):
            without_evidence.append((context.instance_id, rendered))
        else:
            jobs.append(Job(opened, context.instance_id, rendered, known, load_of(rendered, known.truncated)))
    return opened, jobs, without_evidence
