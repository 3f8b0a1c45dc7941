"""What a run did, for people, and the exact command that comes next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from citefidelity.cli.catalogue import find
from citefidelity.cli.parsing import setting_names
from citefidelity.cli.rows import pairs
from citefidelity.config.addresses import Neo4jAddress
from citefidelity.config.settings import FILE, SETTINGS, Settings
from citefidelity.ports import StoreCounts
from citefidelity.records import WHOLE, CitationKey
from citefidelity.views.advice import line_of
from citefidelity.views.amounts import cost, cost_of_runs, duration, short, size, times
from citefidelity.views.painters import latency_of
from citefidelity.views.report import NAMED, RunReport

ENDS = {
    "complete": "Complete.",
    "limit": "Stopped by --limit, as asked.",
    "time": "Stopped by --max-time.",
    "interrupted": "Interrupted.",
    "provider": "Stopped: the provider refuses or is away. No context was marked for it.",
    "budget": "Stopped by the budget.",
    "store": "Stopped: the store or the journal cannot be used.",
}
SOMETHING_LEFT = 4
SHOWN = 5
"""So many citations that cannot be delivered stand under the numbers."""


def summary(report: RunReport, bold: Callable[[str], str]) -> list[str]:
    """The numbers of a run, and those of its screening."""
    lines = [bold(ENDS[report.stopped])]
    lines += [f"  {said}" for said in (report.reason, report.hint) if said]
    contexts = (
        f"{report.answered:,} answered, {report.unassessable:,} without evidence, {report.failed:,} failed for good"
    )
    rows = [
        ("citations", f"{report.citations:,} taken up, {report.delivered:,} delivered"),
        ("contexts", f"{contexts}{f', {report.left:,} left for the next run' if report.left else ''}"),
        ("verdicts", _counted(report.categories)),
        ("failures", _counted(report.failures_by_kind)),
        ("calls", _calls(report)),
        ("latency", latency_of(report)),
        ("answered by", _models(report.answering_models)),
        ("tokens", _tokens(report)),
        ("cost", cost(report.cost_usd)),
        ("memory", "" if report.memory_bytes is None else size(report.memory_bytes)),
        ("time", duration(report.elapsed_s)),
    ]
    lines += ["", bold("This run"), *pairs((name, value) for name, value in rows if value)]
    lines += [f"  {line_of(said)}" for said in report.advice]
    rows = [
        ("to do", _citations(report.remaining)),
        ("undeliverable", f"{report.undeliverable:,} citations" if report.undeliverable else ""),
        ("done elsewhere", _citations(report.done_elsewhere) if report.done_elsewhere else ""),
        ("maybe paid", f"{report.maybe_paid:,} attempts whose end or cost is unknown" if report.maybe_paid else ""),
        ("cost of all runs", cost_of_runs(report.total_cost_usd, report.unpriced)),
    ]
    heading = bold(f"Screening {report.screening}")
    return [*lines, "", heading, *pairs((name, value) for name, value in rows if value), *_passed_over(report)]


def _passed_over(report: RunReport) -> list[str]:
    if not report.passed_over:
        return []
    shown = report.passed_over[:SHOWN]
    lines = ["", "Not worked on, or not written:"]
    lines += [f"  {CitationKey(one.source_id, one.target_id, one.reference_id)}: {one.message}" for one in shown]
    more = report.undeliverable - len(shown)
    return [*lines, f"  and {more:,} more; --json names the first {NAMED}"] if more else lines


def next_steps(report: RunReport, settings: Settings, counts: StoreCounts | None) -> list[str]:
    """What to do now, as commands to copy. ``counts`` are the store's, None where it could not be asked."""
    go_on = same_command("run", settings)
    if report.stopped == "store":
        return [f"When it can be used again, go on: {go_on}"]
    if report.stopped == "budget":
        return [f"To go on, with a larger budget: {go_on}"]
    if report.stopped == "interrupted" or report.exit_code == SOMETHING_LEFT:
        return [f"To go on: {go_on}"]
    steps = []
    if not report.citations and counts is not None:
        steps += _nothing_to_do(settings, counts)
    if report.stopped == "limit" and report.remaining:
        steps.append(f"The rest: {same_command('run', settings, without=('limit',))}")
    if report.failed:
        steps.append(f"To ask the failed ones again: {same_command('retry', settings)}")
    if report.undeliverable:
        steps.append(f"To see what cannot be delivered: {same_command('verify', settings)}")
    if report.delivered:
        steps.append(f"To read the verdicts: {same_command('export -o verdicts.csv', settings)}")
    return steps


def same_command(line: str, settings: Settings, without: Sequence[str] = ()) -> str:
    """A command on the same store, journal and screening.

    It repeats the flags that were given and that it takes, too. The environment and the file repeat themselves, and
    a consent that was given once is not given again.
    """
    command = find(line.partition(" ")[0])
    taken = {flag for option in command.options for flag in option.flags}
    words = [f"citefidelity {line}"]
    for setting in SETTINGS:
        if setting.name not in setting_names(command) and setting.flag not in taken:
            continue
        if setting.name in without or setting.consent or not settings.origins[setting.name].startswith("--"):
            continue
        words += (
            [setting.flag] if not setting.metavar else [setting.flag, shlex.quote(_written(setting.name, settings))]
        )
    return " ".join(words)


def _written(name: str, settings: Settings) -> str:
    if name == "store" and settings.origins["store"].endswith("NEO4J_URI"):
        return "neo4j"
    value = getattr(settings, name)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _other_names(settings: Settings) -> list[str]:
    """A graph that seems empty may only call its parts otherwise."""
    if not isinstance(settings.store, Neo4jAddress):
        return []
    article, cites = settings.graph.article, settings.graph.cites
    found = f"The graph has no (:{article})-[:{cites}]->(:{article})."
    return [f"{found} Where it calls them otherwise, name them in {FILE}: [graph] article = ..., cites = ..."]


def _nothing_to_do(settings: Settings, counts: StoreCounts) -> list[str]:
    """Nothing was to do, though something could be: what, and how."""
    if not counts.citations:
        return [
            *_other_names(settings),
            f"The store is empty. To fill it: {same_command('import FILE.jsonl', settings)}",
        ]
    if counts.to_do:
        return []
    steps = []
    if counts.done_elsewhere:
        steps.append(
            f"{counts.done_elsewhere:,} citations are marked as classified by another program. "
            f"To judge them here, too: {same_command('run --include-classified', settings)}"
        )
    if counts.delivered:
        beside = f"run --screening {_another(settings.screening)} --spec FILE"
        another = same_command(beside, settings, ("screening", "spec", "limit"))
        part = "" if settings.partition == WHOLE else f" of part {settings.partition}"
        steps.append(
            f"All {counts.delivered:,} citations{part} of screening {settings.screening} are delivered. "
            f"To judge them under another spec: {another}"
        )
        if counts.failed:
            steps.append(f"To ask {counts.failed:,} failed contexts again: {same_command('retry', settings)}")
        steps.append(f"To read the verdicts: {same_command('export -o verdicts.csv', settings)}")
    elif not counts.qualified:
        steps.append('No citation in the store is qualified (each says "qualified": false).')
    return steps


def _another(screening: str) -> str:
    return "second" if screening != "second" else "third"


def _counted(numbers: dict[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number:,}" for name, number in most)


def _models(answers: dict[str, int]) -> str:
    """Nothing where it was one: its name is with every answer."""
    return (
        f"{len(answers)} models: {_counted(answers)}. The provider changed it under the run" if len(answers) > 1 else ""
    )


def _calls(report: RunReport) -> str:
    again = f", asked again {times(report.retries)}" if report.retries else ""
    slower = f", told {times(report.pushbacks)} to slow down" if report.pushbacks else ""
    return f"{report.calls:,}{again}{slower}"


def _tokens(report: RunReport) -> str:
    if not report.calls:
        return ""
    return f"{short(report.input_tokens)} in ({short(report.cached_tokens)} cached), {short(report.output_tokens)} out"


def _citations(number: int | None) -> str:
    return "unknown: the store could not be asked" if number is None else f"{number:,} citations"
