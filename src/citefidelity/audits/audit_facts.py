"""The audit of what one journal says of one citation: does each outcome follow from a reply, paid for once? Pure.

Each reply is read again from its raw bytes; each sum is made again from the attempts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple, Protocol

from citefidelity.audits.audited import Violation
from citefidelity.journal.evidence import AskedRow, EndedRow, Facts, RunRow, SettledRow
from citefidelity.kinds import FailureKind
from citefidelity.ports import RawReply
from citefidelity.prompt import INPUT_HASH_BYTES
from citefidelity.records import Answer, Outcome, Verdict
from citefidelity.replies.completion import Completion, read_completion
from citefidelity.replies.reply import JUSTIFICATION_CHARS, UnreadableReply, read_reply
from citefidelity.specs.spec import Spec

SUCCESS = range(200, 300)


class Terms(NamedTuple):
    """What a screening's outcomes are held against. ``fingerprint`` is the spec's."""

    screening: str
    spec: Spec
    fingerprint: str


class Find(Protocol):
    """Takes down a violation."""

    def __call__(self, kind: Violation, message: str, instance_id: str | None = None) -> None:
        """Of the citation that is being audited."""


class Reading(NamedTuple):
    """What a reply says when it is read again: a verdict, or why it is none."""

    verdict: Verdict | None
    reason: str


def shape_fault(outcome: Outcome) -> str | None:
    """Why it is not exactly one of verdict, unassessable and failure; None where it is."""
    verdict, failure, answer = outcome.verdict, outcome.failure, outcome.answer
    if outcome.state == "verdict":
        whole = verdict is not None and failure is None and answer is not None
    elif outcome.state == "unassessable":
        kind = failure.kind if failure is not None and not failure.retryable else None
        whole = kind == FailureKind.NO_EVIDENCE and verdict is None and answer is None
    elif outcome.state == "failed":
        kinds = set(FailureKind) - {FailureKind.NO_EVIDENCE}
        whole = failure is not None and failure.kind in kinds and verdict is None and answer is not None
    else:
        return f"there is no state {outcome.state!r}"
    if whole:
        return None
    parts = [name for name in ("verdict", "failure", "answer") if getattr(outcome, name) is not None]
    return f"its state is {outcome.state}, and it has {', '.join(parts) or 'nothing'}"


def value_fault(verdict: Verdict, spec: Spec) -> str | None:
    """Which value the spec does not know; None where it knows all."""
    if verdict.category not in spec.categories:
        return f"there is no category {verdict.category!r}"
    if verdict.citation_type not in spec.types:
        return f"there is no citation type {verdict.citation_type!r}"
    if not 0 <= verdict.confidence <= 1:
        return f"the confidence is {verdict.confidence}"
    if len(verdict.justification) > JUSTIFICATION_CHARS:
        return f"the justification has {len(verdict.justification)} characters"
    return None


def audit_facts(facts: Facts, terms: Terms, run_of: Callable[[int], RunRow | None], find: Find) -> None:
    """Name every violation in what a journal holds of one citation.

    Args:
        facts: what it holds.
        terms: of the screening.
        run_of: a run by its number in the journal.
        find: takes down violations.
    """
    _FactsAudit(facts, terms, run_of, find).audit()


_Asked = tuple[str, bytes]
"""A context, and the input hash of what was asked about it."""


class _FactsAudit:
    def __init__(self, facts: Facts, terms: Terms, run_of: Callable[[int], RunRow | None], find: Find) -> None:
        self._facts = facts
        self._terms = terms
        self._run_of = run_of
        self._find = find
        self._attempts = {attempt.attempt: attempt for attempt in facts.attempts}
        # By what was asked: to look through all attempts for each outcome takes hours where there are many contexts.
        self._asked: dict[_Asked, list[AskedRow]] = {}
        for attempt in facts.attempts:
            self._asked.setdefault(_question(attempt), []).append(attempt)
        self._readings: dict[int, Reading] = {}
        """Replies with a success status, by attempt."""

    def audit(self) -> None:
        for attempt in self._facts.attempts:
            if attempt.ended is not None:
                self._read_again(attempt, attempt.ended)
        for input_hash, prompt in self._facts.prompts.items():
            self._prompt(input_hash, prompt)
        for settled in self._facts.settled:
            if settled.outcome is None:
                self._find(Violation.UNREADABLE, "its outcome in the journal cannot be read", settled.instance_id)
            else:
                self._outcome(settled, settled.outcome)
        self._payment()

    def _read_again(self, attempt: AskedRow, ended: EndedRow) -> None:
        number, instance_id = attempt.attempt, attempt.instance_id
        if not ended.whole:
            self._find(Violation.UNREADABLE, f"the reply to attempt {number} cannot be read", instance_id)
        if ended.body is None or ended.status is None or ended.status not in SUCCESS:
            return
        completion = read_completion(RawReply(ended.status, ended.body, {}))
        if ended.usage != completion.usage:
            message = f"attempt {number}: the reply tells other tokens than were noted"
            self._find(Violation.SUMS_DIFFER, message, instance_id)
        for name in ("answering_model", "system_fingerprint", "finish_reason"):
            if getattr(ended, name) != getattr(completion, name):
                message = f"attempt {number}: the reply tells another {name} than was noted"
                self._find(Violation.REPLY_DIFFERS, message, instance_id)
        self._readings[number] = _reading(completion, self._terms.spec)

    def _prompt(self, input_hash: bytes, prompt: bytes | None) -> None:
        if prompt is not None and blake2b(prompt, digest_size=INPUT_HASH_BYTES).digest() == input_hash:
            return
        what = "is not in the journal" if prompt is None else "is not what this hash stands for"
        asked = (one.instance_id for one in self._facts.attempts if one.input_hash == input_hash)
        for instance_id in dict.fromkeys(asked):
            message = f"what was sent under the input hash {input_hash.hex()} {what}"
            self._find(Violation.PROMPT_DIFFERS, message, instance_id)

    def _outcome(self, settled: SettledRow, outcome: Outcome) -> None:
        detail = outcome.verdict.category if outcome.verdict else outcome.failure.kind if outcome.failure else ""
        result = f"{outcome.state if outcome.usable else 'transient'}:{detail}"
        row = (settled.instance_id, settled.input_hash.hex(), settled.usable, settled.result)
        if row != (outcome.instance_id, outcome.input_hash, outcome.usable, result):
            message = f"its row in the journal says {settled.result}, its outcome {result}"
            self._find(Violation.ROWS_DISAGREE, message, settled.instance_id)
        fault = shape_fault(outcome)
        if fault is not None:
            self._find(Violation.MALFORMED, f"in the journal {fault}", settled.instance_id)
        elif outcome.state == "unassessable":
            self._unassessable(settled)
        else:
            self._origin(settled, outcome)

    def _unassessable(self, settled: SettledRow) -> None:
        asked = self._asked.get(_question(settled))
        attempt = settled.attempt or (asked[0].attempt if asked else None)
        if attempt is not None:
            message = f"it was settled as unassessable, and has attempt {attempt}"
            self._find(Violation.ASKED_WITHOUT_EVIDENCE, message, settled.instance_id)

    def _origin(self, settled: SettledRow, outcome: Outcome) -> None:
        """Whether the attempt that the outcome names was asked for it, had ended, and gives it."""
        asked = None if settled.attempt is None else self._attempts.get(settled.attempt)
        ended = asked.ended if asked is not None else None
        if asked is None or ended is None or ended.seq >= settled.seq:
            message = f"it was settled by attempt {settled.attempt}, which had not ended"
            self._find(Violation.NO_REPLY, message, settled.instance_id)
        elif asked.run != settled.run or _question(asked) != _question(settled):
            message = f"it was settled by attempt {settled.attempt}, which was asked for something else"
            self._find(Violation.NO_REPLY, message, settled.instance_id)
        elif ended.whole:
            fault = _reply_fault(outcome, ended, self._readings.get(asked.attempt))
            fault = fault or _answer_fault(outcome, ended, self._terms, self._run_of(settled.run))
            if fault is not None:
                self._find(Violation.REPLY_DIFFERS, f"attempt {asked.attempt}: {fault}", settled.instance_id)
            self._sums(settled, outcome.answer)

    def _sums(self, settled: SettledRow, answer: Answer | None) -> None:
        assert answer is not None, "an outcome of a call has an answer"  # noqa: S101 - shape_fault has looked
        asked = [
            one
            for one in self._asked.get(_question(settled), ())
            if one.run == settled.run and one.attempt <= (settled.attempt or 0)
        ]
        ended = [one.ended for one in asked if one.ended is not None]
        sums = {
            "attempts": len(asked),
            "input_tokens": _sum(one.usage.input_tokens for one in ended),
            "output_tokens": _sum(one.usage.output_tokens for one in ended),
            "cached_tokens": _sum(one.usage.cached_tokens for one in ended),
            "cost_usd": _sum(one.cost_usd for one in ended),
        }
        for name, total in sums.items():
            told = getattr(answer, name)
            if told != total and (told is None or total is None or not math.isclose(told, total, rel_tol=1e-9)):
                message = f"its answer has {name} {told}, its attempts {total}"
                self._find(Violation.SUMS_DIFFER, message, settled.instance_id)

    def _payment(self) -> None:
        """Whether a context was asked or settled while it had a usable outcome: nothing is paid twice."""
        usable = [one for one in self._facts.settled if one.outcome is not None and one.outcome.usable]
        alike: dict[_Asked, list[int]] = {}
        for settled in usable:
            alike.setdefault(_question(settled), []).append(settled.seq)
        for settled in usable:
            reopened = self._facts.reopened.get(settled.instance_id, ())
            aside = next((seq for seq in reopened if seq > settled.seq), math.inf)
            for asked in self._later_attempts(settled):
                # An attempt has no place in the sequence of facts, but its run has; and no run goes on beside a retry.
                run = self._run_of(asked.run)
                if run is None or run.seq < aside:
                    message = f"attempt {asked.attempt} was asked after attempt {settled.attempt} had settled it"
                    self._find(Violation.ASKED_AGAIN, message, settled.instance_id)
            if any(settled.seq < seq < aside for seq in alike[_question(settled)]):
                message = "it was settled again without having been reopened"
                self._find(Violation.SETTLED_TWICE, message, settled.instance_id)

    def _later_attempts(self, settled: SettledRow) -> list[AskedRow]:
        """Attempts for the same question after the one that settled it; none where that is another's, and named."""
        origin = None if settled.attempt is None else self._attempts.get(settled.attempt)
        if origin is None or _question(origin) != _question(settled):
            return []
        return [one for one in self._asked[_question(origin)] if one.attempt > origin.attempt]


def _reading(completion: Completion, spec: Spec) -> Reading:
    if completion.fault is not None:
        return Reading(None, completion.fault.message)
    try:
        return Reading(read_reply(completion.content, spec), "")
    except UnreadableReply as unreadable:
        return Reading(None, str(unreadable))


def _reply_fault(outcome: Outcome, ended: EndedRow, reading: Reading | None) -> str | None:
    verdict = reading.verdict if reading is not None else None
    if outcome.failure is not None:
        if ended.fault != outcome.failure.kind:
            return f"it ended with {ended.fault or 'a good reply'}, and was settled as {outcome.failure.kind}"
        # A server that cut the prompt short gave a verdict on the rest, which does not count.
        if verdict is None or outcome.failure.kind == FailureKind.TOO_LONG:
            return None
        return f"the reply is a verdict, and was settled as {outcome.failure.kind}"
    if ended.fault is not None:
        return f"it ended with {ended.fault}, and was settled with a verdict"
    if verdict is None:
        return f"the reply is no verdict: {reading.reason if reading is not None else 'there is none'}"
    differing = [name for name in Verdict.__struct_fields__ if getattr(verdict, name) != getattr(outcome.verdict, name)]
    return f"the reply says another {', '.join(differing)} than was settled" if differing else None


def _answer_fault(outcome: Outcome, ended: EndedRow, terms: Terms, run: RunRow | None) -> str | None:
    expected = {
        "screening": terms.screening,
        "spec": terms.fingerprint,
        "provider": terms.spec.provider,
        "model": terms.spec.model,
        "answering_model": ended.answering_model,
        "system_fingerprint": ended.system_fingerprint,
        "finish_reason": ended.finish_reason,
        "request_id": ended.request_id,
        "input_hash": outcome.input_hash,
    }
    if run is not None:
        expected["program"] = run.program
    differing = [name for name, value in expected.items() if getattr(outcome.answer, name) != value]
    return f"the answer has another {', '.join(differing)}" if differing else None


def _sum(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None


def _question(row: AskedRow | SettledRow) -> _Asked:
    return row.instance_id, row.input_hash
