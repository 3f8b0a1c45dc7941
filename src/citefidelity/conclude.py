"""What follows from one answer: a fact for the journal, and what becomes of the context. Pure.

The raw reply is kept whatever happens here: where reading it raises, it stands beside a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

from citefidelity.clock import iso
from citefidelity.facts import Asked, Billed, Ended, Settled
from citefidelity.kinds import PERMANENT, FailureKind, ProviderFault
from citefidelity.opening import Job
from citefidelity.pacing.calls import CallEnd, CallOutcome, Halt, Load
from citefidelity.pacing.gate import LONGEST_WAIT_S
from citefidelity.pacing.retry import backoff
from citefidelity.pacing.tokens import tokens_of
from citefidelity.ports import CallFault, Price, Question, RawReply
from citefidelity.prompt import NoEvidence, Prompter, Rendered
from citefidelity.records import Answer, CitationKey, Failure, Outcome, Usage, Verdict
from citefidelity.replies.completion import Completion, added, cut_short, read_completion
from citefidelity.replies.faults import Fault, classify
from citefidelity.replies.reply import UnreadableReply, read_reply
from citefidelity.rulings import Again, Leave, Next, PushBack, Ruling, Settle
from citefidelity.specs.spec import Spec

RUNS_UNTIL_PERMANENT = 3
"""A transient failure becomes permanent when the attempts of so many runs were used up on it."""

LARGER = 2
"""A truncated answer is asked for once more with so many times the token limit."""

Style = Literal["json_schema", "json_object", "none"]
NEXT_STYLE: dict[Style, Style] = {"json_schema": "json_object", "json_object": "none"}


ANSWERED = frozenset({FailureKind.UNREADABLE_REPLY, FailureKind.TRUNCATED, FailureKind.REFUSED, FailureKind.TOO_LONG})
"""Faults of one context that show the provider at work."""


class Concluder:
    """Rules on answers under one spec. Holds one piece of state: the style that the server has been found to know."""

    def __init__(  # noqa: PLR0913 - a composition, called in one place
        self,
        *,
        spec: Spec,
        prompter: Prompter,
        run: str,
        screening: str,
        program: str,
        max_attempts: int,
        style: Style,
        random: Random,
        price: Price | None,
    ) -> None:
        self._spec = spec
        self._prompter = prompter
        self._run = run
        self._screening = screening
        self._program = program
        self._max_attempts = max_attempts
        self._random = random
        self._price = price
        self._fingerprint = spec.fingerprint()
        self._fixed_tokens = tokens_of(prompter.fixed)
        self.style: Style = style

    def load(self, rendered: Rendered, truncated: int) -> Load:
        """What one call is expected to use, as ``estimate`` counts it; more after an answer that was truncated."""
        larger = LARGER if truncated else 1
        return Load(self._fixed_tokens + tokens_of(rendered.variable), self._spec.max_output_tokens * larger)

    def question(self, job: Job, held_back: Callable[[], str | None]) -> Question:
        """What to ask for this context now; ``held_back``: why it must not leave."""
        larger = LARGER if job.truncated else 1
        return Question(
            fixed=self._prompter.fixed,
            variable=job.rendered.variable,
            schema=self._prompter.schema,
            max_output_tokens=self._spec.max_output_tokens * larger,
            style=self.style,
            held_back=held_back,
        )

    def asked(self, job: Job, attempt: int, question: Question, at: float) -> Asked:
        """The fact that goes to disk before the request leaves."""
        manner: list[str] = []
        if question.style != "json_schema":
            manner.append(question.style)
        if job.truncated:
            manner.append(f"max_output_tokens={question.max_output_tokens}")
        return Asked(
            attempt=attempt,
            run=self._run,
            screening=self._screening,
            key=job.opened.key,
            instance_id=job.instance_id,
            input_hash=job.rendered.input_hash,
            prompt=job.rendered.variable,
            at=at,
            manner=" ".join(manner) or None,
        )

    def unassessable(self, key: CitationKey, instance_id: str, nothing: NoEvidence, at: float) -> Settled:
        """There is nothing to ask: settled without a call."""
        outcome = Outcome(
            instance_id=instance_id,
            input_hash=nothing.input_hash.hex(),
            state="unassessable",
            failure=Failure(FailureKind.NO_EVIDENCE, "no passage of the cited article is given"),
        )
        return Settled(run=self._run, screening=self._screening, key=key, outcome=outcome, at=at, flags=nothing.flags)

    def conclude(  # noqa: PLR0913 - one attempt has so many sides
        self,
        job: Job,
        question: Question,
        attempt: int,
        answer: RawReply | CallFault,
        *,
        at: float,
        seconds: float,
        provider_well: bool,
    ) -> Ruling:
        """Rule on one answer. ``provider_well``: another call succeeded since this context was first asked."""
        job.calls += 1
        completion, verdict, fault = self._read(question, answer, at)
        ended = self._ended(attempt, answer, completion, fault, at=at, seconds=seconds)
        job.usage = added(job.usage, ended.usage)
        if ended.cost_usd is not None:
            job.cost_usd = (job.cost_usd or 0.0) + ended.cost_usd
        if verdict is not None and fault is None:
            return Ruling(ended, _end(ended, None), self._settle(job, ended, at, verdict=verdict))
        assert fault is not None, "an answer without a verdict has a fault"  # noqa: S101 - an invariant of _read
        following = self._after(job, question, ended, fault, at, provider_well=provider_well)
        return Ruling(ended, _end(ended, fault), following)

    def _read(
        self, question: Question, answer: RawReply | CallFault, at: float
    ) -> tuple[Completion | None, Verdict | None, Fault | None]:
        completion = None
        fault = classify(answer, now=at)
        if fault is not None or isinstance(answer, CallFault):
            return None, None, fault
        try:
            completion = read_completion(answer)
            fault = completion.fault or cut_short(completion, question.fixed + question.variable)
            if fault is not None:
                return completion, None, fault
            return completion, read_reply(completion.content, self._spec), None
        except UnreadableReply as unreadable:
            message = str(unreadable)
        except Exception as error:  # noqa: BLE001 - a fault of ours in reading must not cost the paid reply
            message = f"reading it raised {type(error).__name__}: {error}"
        return completion, None, Fault(FailureKind.UNREADABLE_REPLY, "retry", billed="yes", message=message)

    def _ended(  # noqa: PLR0913 - one attempt has so many sides
        self,
        attempt: int,
        answer: RawReply | CallFault,
        completion: Completion | None,
        fault: Fault | None,
        *,
        at: float,
        seconds: float,
    ) -> Ended:
        reply = answer if isinstance(answer, RawReply) else None
        usage = completion.usage if completion else Usage()
        return Ended(
            attempt=attempt,
            at=at,
            seconds=seconds,
            sent=not isinstance(answer, CallFault) or answer.sent,
            status=reply.status if reply else None,
            body=answer.body,
            fault=fault.kind.value if fault else None,
            message=fault.message if fault else None,
            billed=_billed(fault, usage),
            usage=usage,
            cost_usd=self._price.cost(usage, at) if self._price and reply else None,
            answering_model=completion.answering_model if completion else None,
            system_fingerprint=completion.system_fingerprint if completion else None,
            finish_reason=completion.finish_reason if completion else None,
            request_id=completion.request_id if completion else None,
        )

    def _after(  # noqa: PLR0911, PLR0913 - one line for each thing that may follow
        self, job: Job, question: Question, ended: Ended, fault: Fault, at: float, *, provider_well: bool
    ) -> Next:
        if isinstance(fault.kind, ProviderFault):
            return Halt(fault.kind.value, fault.message)
        if fault.action == "push_back":
            return PushBack(fault.retry_after)
        if fault.action == "degrade_format":
            return self._degrade(job, question, ended, fault, at)
        if fault.kind is FailureKind.ABANDONED:
            return Leave() if ended.sent else Again(0.0)
        job.attempts += 1
        if fault.kind in (FailureKind.UNREADABLE_REPLY, FailureKind.TRUNCATED):
            return self._once_more(job, ended, fault, at)
        if fault.action == "fail_context":
            return self._fail(job, ended, fault, at, retryable=False)
        if job.attempts < self._max_attempts:
            return Again(min(fault.retry_after or backoff(job.attempts, self._random), LONGEST_WAIT_S))
        # Where nothing but contexts that failed before is left to ask, nobody else can show that the provider is well;
        # they would stay to do for ever.
        if not provider_well and not (ended.sent and job.past.transient_runs):
            return Leave()
        permanent = job.past.transient_runs + 1 >= RUNS_UNTIL_PERMANENT
        return self._fail(job, ended, fault, at, retryable=not permanent)

    def _once_more(self, job: Job, ended: Ended, fault: Fault, at: float) -> Next:
        """An answer that cannot be used is asked for once more, counted over all runs of the screening."""
        before = job.unreadable if fault.kind is FailureKind.UNREADABLE_REPLY else job.truncated
        if fault.kind is FailureKind.UNREADABLE_REPLY:
            job.unreadable += 1
        else:
            job.truncated += 1
            job.load = self.load(job.rendered, job.truncated)
        if before:
            return self._fail(job, ended, fault, at, retryable=False)
        if job.attempts < self._max_attempts:
            return Again(0.0)
        return self._fail(job, ended, fault, at, retryable=True)

    def _degrade(self, job: Job, question: Question, ended: Ended, fault: Fault, at: float) -> Next:
        """The server does not know this way of asking for JSON: nobody uses it any more in this run."""
        following = NEXT_STYLE.get(question.style)
        if following is None:
            return self._fail(job, ended, fault, at, retryable=False)
        if self.style == question.style:
            self.style = following
        return Again(0.0)

    def _fail(self, job: Job, ended: Ended, fault: Fault, at: float, *, retryable: bool) -> Settle:
        kind = FailureKind(fault.kind.value)
        message = fault.message or kind.value
        if not retryable and kind not in PERMANENT:
            message = f"in {RUNS_UNTIL_PERMANENT} runs all attempts were used up; the last: {message}"
        return self._settle(job, ended, at, failure=Failure(kind.value, message, retryable))

    def _settle(
        self, job: Job, ended: Ended, at: float, *, verdict: Verdict | None = None, failure: Failure | None = None
    ) -> Settle:
        answer = Answer(
            screening=self._screening,
            spec=self._fingerprint,
            provider=self._spec.provider,
            model=self._spec.model,
            answering_model=ended.answering_model,
            system_fingerprint=ended.system_fingerprint,
            finish_reason=ended.finish_reason,
            request_id=ended.request_id,
            attempts=job.calls,
            input_tokens=job.usage.input_tokens,
            output_tokens=job.usage.output_tokens,
            cached_tokens=job.usage.cached_tokens,
            cost_usd=job.cost_usd,
            answered_at=iso(at),
            input_hash=job.input_hash_hex,
            program=self._program,
        )
        outcome = Outcome(
            instance_id=job.instance_id,
            input_hash=job.input_hash_hex,
            state="verdict" if verdict is not None else "failed",
            verdict=verdict,
            failure=failure,
            answer=answer,
        )
        return Settle(
            Settled(
                run=self._run,
                screening=self._screening,
                key=job.opened.key,
                outcome=outcome,
                at=at,
                attempt=ended.attempt,
                flags=job.rendered.flags,
            )
        )


def _billed(fault: Fault | None, usage: Usage) -> Billed:
    """Whether it was paid for. Where nobody says how much, it is not in the sums, so it counts as maybe paid."""
    billed = fault.billed if fault else "yes"
    told = usage.input_tokens is not None and usage.output_tokens is not None
    return "unknown" if billed == "yes" and not told else billed


def _end(ended: Ended, fault: Fault | None) -> CallEnd:
    """What the attempt tells about the provider."""
    outcome: CallOutcome
    if fault is None or fault.kind in ANSWERED:
        outcome = "success"
    elif fault.action == "push_back":
        outcome = "push_back"
    elif fault.kind is FailureKind.ABANDONED or fault.action in ("degrade_format", "stop_run"):
        outcome = "neutral"
    else:
        outcome = "fault"
    return CallEnd(
        outcome,
        kind=ended.fault or "",
        retry_after=fault.retry_after if fault else None,
        usage=ended.usage,
        cost_usd=ended.cost_usd,
        billed=ended.billed,
    )
