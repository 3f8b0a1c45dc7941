"""The parts of the page about what the screening took, and how it was made."""

from __future__ import annotations

from citefidelity.reporting.figures import Audited, Journals, Report, RunRow, Spent
from citefidelity.reporting.markup import (
    Child,
    Markup,
    definitions,
    element,
    folded,
    foreign,
    paragraph,
    table,
    together,
)
from citefidelity.reporting.methods import what_it_cannot_tell, what_was_done
from citefidelity.reporting.statistics import ratio
from citefidelity.reporting.words import NONE, of, percent
from citefidelity.views.amounts import cost, duration

RUNS_SHOWN = 50


def cost_section(report: Report) -> Markup:
    """Calls, tokens, money and time: of the answers that count, and of all attempts."""
    states, journals = report.states, report.journals
    asked = states.verdict + states.failed
    columns = [_spent(report.spent, asked)]
    head = ["", "answers in the store"]
    if journals is not None:
        columns.append(_spent(journals.spent, asked))
        head.append("all attempts (journal)")
    rows: list[list[Child]] = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return together(
        [
            table("Calls, tokens and cost", head, rows),
            _unpriced(report.spent),
            *([] if journals is None else [_times(journals)]),
        ]
    )


def _spent(spent: Spent, contexts: int) -> dict[str, str]:
    per_context = ratio(spent.cost_usd, contexts) if spent.cost_usd is not None else None
    tokens = ratio(spent.input_tokens + spent.output_tokens, contexts)
    return {
        "calls": f"{spent.calls:,}",
        "input tokens": f"{spent.input_tokens:,}",
        "of these from the provider's cache": f"{spent.cached_tokens:,} "
        f"({percent(ratio(spent.cached_tokens, spent.input_tokens))})",
        "output tokens": f"{spent.output_tokens:,}",
        "tokens per context asked": NONE if tokens is None else f"{tokens:,.0f}",
        "cost": cost(spent.cost_usd),
        "cost per context asked": NONE if per_context is None else f"${per_context:.6f}",
    }


def _unpriced(spent: Spent) -> Markup:
    if not spent.unpriced:
        return Markup("")
    return paragraph(f"For {of(spent.unpriced, 'context')} no price was known; the cost is without them.")


def _times(journals: Journals) -> Markup:
    faults = ", ".join(f"{kind} {number:,}" for kind, number in journals.attempts_failed.items())
    times = None
    if journals.answer_seconds is not None:
        median, most, nearly_all = journals.answer_seconds
        times = f"median {median:.2f} s, 95 % within {most:.2f} s, 99 % within {nearly_all:.2f} s"
    known = [run.seconds for run in journals.runs if run.seconds is not None]
    open_ended = len(journals.runs) - len(known)
    runs = f"{of(len(journals.runs), 'run')}, {duration(sum(known))} in all"
    return definitions(
        [
            ("time to an answer", times),
            ("time of runs", f"{runs}{f' without {open_ended:,} whose end is not known' if open_ended else ''}"),
            ("maybe paid", f"{of(journals.maybe_paid, 'attempt')} whose bill is not known"),
            ("attempts that failed", faults or "none"),
        ]
    )


def making_section(report: Report) -> Markup:
    """Methods, limits, and all that is needed to do it again."""
    spec = report.spec
    return together(
        [
            element("h3", "Text for a methods section"),
            paragraph(foreign(what_was_done(report))),
            paragraph(foreign(what_it_cannot_tell(report))),
            element("h3", "Facts"),
            definitions(
                [
                    ("screening", report.screening),
                    ("begun", report.begun_at),
                    ("answers", _answered(report)),
                    ("provider", spec.provider),
                    ("base URL", foreign(spec.base_url)),
                    ("model asked", foreign(spec.model)),
                    ("models that answered", foreign(_counted(report.models))),
                    ("programs that asked", foreign(_counted(report.programs))),
                    ("spec fingerprint", report.fingerprint),
                    ("store id", report.store_id),
                    ("journal ids", ", ".join(report.journals.ids) if report.journals else "not read"),
                    ("report", f"{report.made_at}, {report.program}"),
                ]
            ),
            _audit(report.audit),
            *([_runs(report.journals.runs)] if report.journals is not None else []),
            folded("The whole spec", element("pre", spec.to_toml())),
            folded("The fixed part of every prompt", element("pre", report.fixed_prompt)),
        ]
    )


def _answered(report: Report) -> str | None:
    return f"{report.first_answer_at} to {report.last_answer_at}" if report.first_answer_at else None


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number:,} contexts)" for name, number in numbers.items())


def _audit(audit: Audited | None) -> Markup:
    heading = element("h3", "Audit")
    if audit is None:
        return together([heading, paragraph("The audit of store and journal (citefidelity verify) was not run.")])
    result = "no violations" if audit.clean else f"violations: {_kinds(audit.violations)}"
    said = (
        f"citefidelity verify found {result}. {audit.audited:,} outcomes were found in the journal they come from"
        f"{f', {audit.not_audited:,} come from journals that were not at hand' if audit.not_audited else ''}."
    )
    notes = f" Good to know: {_kinds(audit.notes)}." if audit.notes else ""
    return together([heading, paragraph(said + notes)])


def _kinds(numbers: dict[str, int]) -> str:
    return ", ".join(f"{kind} {number:,}" for kind, number in numbers.items())


def _runs(runs: list[RunRow]) -> Markup:
    head = ("run", "program", "began", "ended", "stopped", "time")
    rows: list[list[Child]] = [
        [
            run.run,
            foreign(run.program),
            run.began_at,
            run.ended_at or "not known",
            run.stopped or "killed, or still going on",
            NONE if run.seconds is None else duration(run.seconds),
        ]
        for run in runs[-RUNS_SHOWN:]
    ]
    more = f" (the last {RUNS_SHOWN} of {len(runs):,})" if len(runs) > RUNS_SHOWN else ""
    return table(f"Runs{more}", head, rows, words=range(5))
