"""How the run was made, in two paragraphs for a methods section: what was done, and what it cannot tell."""

from __future__ import annotations

from citefidelity.reporting.figures import Report
from citefidelity.reporting.words import percent, span
from citefidelity.specs.spec import Spec, builtin_spec

SAROL = "Sarol, Schneider and Kilicoglu 2024, doi 10.1093/bioinformatics/btae420"


def what_was_done(report: Report) -> str:
    """Model, input, question, and what came of it."""
    spec, states = report.spec, report.states
    asked = (
        f"For each context the model was given the citing passage, with the citation sentence and the titles where the "
        f"record has them, and {_passages(spec)}. It was asked for one of {len(spec.categories)} "
        f"categories ({', '.join(spec.categories)}{_scheme(spec)}), one of {len(spec.types)} citation types "
        f"({', '.join(spec.types)}), its confidence from 0 to 1 and a short justification, at temperature "
        f"{spec.temperature:g} and with at most {spec.max_output_tokens:,} output tokens."
    )
    came = (
        f"Of {states.qualified:,} contexts in {report.qualified_citations:,} citations, {states.verdict:,} got a "
        f"verdict, {states.unassessable:,} could not be assessed because no passage of the cited article was given, "
        f"{states.failed:,} failed for good, and {_left(report):,} were not judged. A reply that could not be read was "
        "asked for once more; a failure is never counted as a verdict."
    )
    return (
        f"Citation contexts were screened with {_programs(report)} and the language model {_model(report)}"
        f"{_when(report)}. {asked} {came} The prompt, the definitions of the categories and all parameters are in "
        f"the specification with the fingerprint {report.fingerprint[:16]}."
    )


def what_it_cannot_tell(report: Report) -> str:
    """The limits."""
    return (
        "A verdict is the answer of a language model to the passages that it was shown, not a finding about either "
        "article: it can point people to citations worth reading, and no more. The passages were chosen before the "
        "screening; where the right one was not among them, a sound citation can look unsupported. "
        f"{_checked(report)} "
        "Shares are of contexts with a verdict. Their 95 % intervals (Wilson score) tell how sure the share of the "
        "model's answers is, not how often the model is right; and they take contexts as independent of each other, "
        "which contexts of one article are not quite, so that they are rather too narrow. Models that providers change "
        "without a new name may answer otherwise on another day."
    )


def _checked(report: Report) -> str:
    agreement = report.agreement
    if agreement is None or agreement.accuracy is None:
        return (
            "No verdict in this report was compared with a judgement by people, so its error rate is not known; "
            "the confidence is the model's own number and was not calibrated."
        )
    return (
        f"Of {agreement.compared:,} verdicts compared with labels given by people, {percent(agreement.accuracy)} "
        f"agreed (95 % interval {span(agreement.interval)}); this holds for other contexts only as far as the labelled "
        "ones are like them. The confidence is the model's own number; how it relates to agreement is shown above."
    )


def _programs(report: Report) -> str:
    return " and ".join(sorted(report.programs)) or report.program


def _model(report: Report) -> str:
    spec = report.spec
    others = sorted(set(report.models) - {spec.model})
    answering = f", which answered as {' and '.join(others)}" if others else ""
    return f"{spec.model} ({spec.provider}{answering})"


def _when(report: Report) -> str:
    if report.first_answer_at is None or report.last_answer_at is None:
        return ""
    first, last = report.first_answer_at[:10], report.last_answer_at[:10]
    return f" on {first}" if first == last else f" between {first} and {last}"


def _passages(spec: Spec) -> str:
    if spec.segments == 1:
        which = "the passage of the cited article with the highest similarity score"
    else:
        which = f"up to {spec.segments} passages of the cited article, those with the highest similarity scores"
    return f"{which} (each cut at {spec.max_chars:,} characters)"


def _scheme(spec: Spec) -> str:
    return f"; after {SAROL}" if spec.categories == builtin_spec().categories else ""


def _left(report: Report) -> int:
    states = report.states
    return states.to_do + states.undeliverable + states.done_elsewhere
