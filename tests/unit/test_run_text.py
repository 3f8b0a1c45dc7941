"""The summary of a run, and the exact command that comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from citefidelity.cli.run_text import next_steps, same_command, summary
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import StoreCounts
from citefidelity.records import CitationKey, Unusable
from citefidelity.views.advice import advice
from citefidelity.views.report import RunReport, passed_over
from support.cli import as_is
from support.runs import busy


def report(**changes: Any) -> RunReport:
    """A run that did all there was to do; any part of it may be given."""
    fields: dict[str, Any] = {
        "citations": 20,
        "contexts": 40,
        "answered": 40,
        "unassessable": 0,
        "failed": 0,
        "delivered": 20,
        "calls": 40,
        "input_tokens": 40_000,
        "output_tokens": 4_000,
        "cached_tokens": 30_000,
        "cost_usd": None,
        "elapsed_s": 12.0,
        "stopped": "complete",
        "run_id": "r1",
        "screening": "main",
        "remaining": 0,
        "undeliverable": 0,
        "maybe_paid": 0,
        "total_cost_usd": None,
        "done_elsewhere": 0,
        "left": 0,
        "categories": {"SUPPORT": 39, "CONTRADICT": 1},
        "failures_by_kind": {},
        "reason": None,
        "hint": None,
    }
    return RunReport(**(fields | changes))


def test_a_model_that_changes_under_the_run_is_told() -> None:
    """One answering model goes without saying; of two, each is named with its answers."""
    assert "answered by" not in "\n".join(summary(report(answering_models={"m-1": 40}), as_is))
    told = "\n".join(summary(report(answering_models={"m-1": 38, "m-2": 2}), as_is))
    assert "2 models: m-1 38, m-2 2" in told


def test_what_cannot_be_worked_on_is_named() -> None:
    """The first few with their reasons, all counted; nothing where there is none."""
    keys = [CitationKey(f"a{number}", "b", "") for number in range(7)]
    found = {key: Unusable(key, UndeliverableKind.UNREADABLE_RECORD, "contexts: not JSON") for key in keys}
    told = summary(report(undeliverable=7, passed_over=passed_over(found)), as_is)
    assert told[-7:-5] == ["Not worked on, or not written:", "  a0 -> b: contexts: not JSON"]
    assert told[-1] == "  and 2 more; --json names the first 100"
    assert "Not worked on" not in "\n".join(summary(report(), as_is))


def test_the_summary_says_how_the_calls_went_and_what_still_stands() -> None:
    """Latency, repeats, memory, and what crossed a threshold with what to do about it."""
    told = "\n".join(
        summary(
            report(
                retries=3,
                pushbacks=2,
                latency_p50=1.25,
                latency_p95=2.0,
                latency_p99=31.0,
                memory_bytes=612_000_000,
                advice=advice(busy()),
            ),
            as_is,
        )
    )
    assert "40, asked again 3 times, told 2 times to slow down" in told
    assert "half within 1.2 s, 95% within 2.0 s, 99% within 31 s" in told
    assert "612 MB" in told
    assert "\n  Warning: this process holds 612 MB of memory. Under 500 MB is usual." in told
    quiet = "\n".join(summary(report(), as_is))
    assert not any(word in quiet for word in ("latency", "asked again", "memory", "Warning"))


def counts(**changes: int) -> StoreCounts:
    """The counts of a store whose screening is complete."""
    fields = {
        "citations": 20,
        "qualified": 20,
        "contexts": 40,
        "delivered": 20,
        "to_do": 0,
        "done_elsewhere": 0,
        "verdict": 40,
        "unassessable": 0,
        "failed": 0,
    }
    return StoreCounts(**(fields | changes))


def settings(tmp_path: Path, **flags: str | bool) -> Settings:
    """Settings as from these flags."""
    return load_settings(flags, environ={"CITEFIDELITY_RPM": "5"}, directory=tmp_path)


def test_the_summary_says_what_was_done() -> None:
    """Numbers of the run and of the screening, and a price that is not known is not zero."""
    text = "\n".join(summary(report(left=2, failed=1, failures_by_kind={"too_long": 1}, reason="why"), as_is))
    for words in (
        "20 taken up, 20 delivered",
        "40 answered, 0 without evidence, 1 failed for good, 2 left for the next run",
        "SUPPORT 39, CONTRADICT 1",
        "too_long 1",
        "40k in (30k cached), 4k out",
        "unknown",
        "12 s",
        "why",
    ):
        assert words in text
    assert "store could not be asked" in "\n".join(summary(report(remaining=None, done_elsewhere=None), as_is))


@pytest.mark.parametrize(
    ("changes", "store", "said"),
    [
        ({}, None, "citefidelity export -o verdicts.csv"),
        ({"stopped": "interrupted"}, None, "To go on: citefidelity run"),
        ({"stopped": "time", "remaining": 5}, None, "To go on: citefidelity run"),
        ({"stopped": "provider", "remaining": 5}, None, "To go on: citefidelity run"),
        ({"stopped": "budget", "remaining": 5}, None, "with a larger budget"),
        ({"stopped": "store"}, None, "When it can be used again"),
        ({"stopped": "limit", "remaining": 5}, None, "The rest: citefidelity run"),
        ({"failed": 2}, None, "citefidelity retry"),
        ({"undeliverable": 2}, None, "citefidelity verify"),
        ({"citations": 0, "delivered": 0}, counts(citations=0, delivered=0), "citefidelity import FILE.jsonl"),
        (
            {"citations": 0, "delivered": 0},
            counts(done_elsewhere=7),
            "7 citations.*citefidelity run --include-classified",
        ),
        ({"citations": 0, "delivered": 0}, counts(), "citefidelity run --screening second --spec FILE"),
        ({"citations": 0, "delivered": 0}, counts(failed=3), "3 failed contexts again: citefidelity retry"),
        ({"citations": 0, "delivered": 0}, counts(delivered=0, qualified=0), "No citation in the store is qualified"),
    ],
)
def test_the_next_command(tmp_path: Path, changes: dict[str, Any], store: StoreCounts | None, said: str) -> None:
    """Whatever the end, what can be done now is said as a command to copy."""
    steps = next_steps(report(**changes), settings(tmp_path), store)
    head, _, tail = said.partition(".*")
    assert any(head in step and tail in step for step in steps), steps


def test_the_next_command_names_the_same_place(tmp_path: Path) -> None:
    """Flags are repeated where the command takes them, quoted; the environment's are not, and no consent ever is."""
    given = settings(
        tmp_path,
        store="sqlite:///my citations.db",
        screening="strict",
        partition="2/4",
        max_cost="5",
        limit="10",
        new_journal=True,
        include_classified=True,
    )
    place = "--store 'sqlite:///my citations.db' --screening strict"
    assert same_command("export -o x.csv", given) == f"citefidelity export -o x.csv {place}"
    assert same_command("retry", given) == f"citefidelity retry {place} --partition 2/4"
    assert same_command("run", given, without=("limit",)) == (
        f"citefidelity run {place} --max-cost 5 --include-classified --partition 2/4"
    )


def test_the_word_neo4j_stays_a_word(tmp_path: Path) -> None:
    """The address of NEO4J_URI is not written into a command."""
    given = load_settings({"store": "neo4j"}, environ={"NEO4J_URI": "bolt://h:1"}, directory=tmp_path)
    assert same_command("status", given) == "citefidelity status --store neo4j"


def test_a_graph_that_seems_empty_may_have_other_names(tmp_path: Path) -> None:
    """Whoever calls articles Paper hears what was looked for, and how to name it."""
    given = load_settings({"store": "neo4j://h", "graph": {"article": "Paper"}}, environ={}, directory=tmp_path)
    empty = counts(citations=0, delivered=0)
    text = "\n".join(next_steps(report(citations=0, delivered=0), given, empty))
    assert "(:Paper)-[:CITES]->(:Paper)" in text
    assert "[graph]" in text


def test_what_comes_next_names_each_flag_once_and_as_it_was(tmp_path: Path) -> None:
    """A spec to be named is not named before; a part is told as one; an amount loses none of its digits."""
    done = report(citations=0, delivered=0)
    flags: dict[str, str | bool] = {"spec": "mine.toml", "limit": "5", "partition": "1/2", "max_cost": "12345.67"}
    told = next_steps(done, settings(tmp_path, **flags), counts())[0]
    assert told.startswith("All 20 citations of part 1/2 of screening main are delivered.")
    assert told.endswith("citefidelity run --screening second --spec FILE --max-cost 12345.67 --partition 1/2")
