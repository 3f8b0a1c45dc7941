"""What Prometheus gets: the numbers of the run, under names and in units that its own tools accept."""

from __future__ import annotations

import re

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser

from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.meter import Meter, Snapshot
from citefidelity.telemetry.families import FAMILIES
from citefidelity.telemetry.prometheus import exposition
from citefidelity.telemetry.readings import Moment
from citefidelity.views.advice import advice
from support.cli import started
from support.telemetry import as_json, busy_moment, by_label, families_of, samples_of, scraped, value_of

PLAIN = {
    "citefidelity_run_elapsed_seconds": "elapsed_s",
    "citefidelity_run_time_left_seconds": "time_left_s",
    "citefidelity_citations_to_do_at_start": "to_do_at_start",
    "citefidelity_citations_total": "citations",
    "citefidelity_citations_delivered_total": "delivered",
    "citefidelity_citations_undeliverable_total": "undeliverable",
    "citefidelity_contexts_total": "contexts",
    "citefidelity_contexts_left_total": "left",
    "citefidelity_contexts_flagged_total": "flagged",
    "citefidelity_calls_total": "calls",
    "citefidelity_retries_total": "retries",
    "citefidelity_pushbacks_total": "pushbacks",
    "citefidelity_calls_in_flight": "in_flight",
    "citefidelity_calls_allowed": "allowed",
    "citefidelity_calls_limit": "concurrency",
    "citefidelity_calls_allowed_per_second": "pace_per_s",
    "citefidelity_pause_seconds": "pause_s",
    "citefidelity_cached_tokens_total": "cached_tokens",
    "citefidelity_cost_usd_total": "cost_usd",
    "citefidelity_budget_limit_usd": "max_cost_usd",
    "citefidelity_budget_spent_usd": "spent_cost_usd",
    "citefidelity_budget_limit_tokens": "max_tokens",
    "citefidelity_budget_spent_tokens": "spent_tokens",
    "citefidelity_journal_backlog": "journal_backlog",
    "citefidelity_journal_disk_free_bytes": "disk_free_bytes",
    "citefidelity_delivery_backlog": "deliver_backlog",
    "citefidelity_delivery_backlog_limit": "deliver_bound",
    "citefidelity_store_wait_seconds": "store_wait_s",
    "citefidelity_recent_error_ratio": "error_rate",
    "citefidelity_store_pool_in_use": "pool_in_use",
    "citefidelity_store_pool_limit": "pool_size",
    "citefidelity_memory_bytes": "memory_bytes",
}
"""Metrics of one number each, and what that number is called in the status file."""


def test_each_number_is_the_one_of_the_status_file() -> None:
    """What a scrape says is what `status --json` says under another name, for every plain number."""
    moment = busy_moment()
    numbers, samples = as_json(moment.numbers), samples_of(scraped(moment))
    assert {name: value_of(samples, name) for name in PLAIN} == {name: numbers[key] for name, key in PLAIN.items()}
    assert 0 not in [numbers[key] for key in PLAIN.values()], "a number that is zero proves nothing"


def test_what_is_counted_by_kind_is_the_same_by_label() -> None:
    """States, categories, kinds and token types are labels with the same counts; the sums of all agree."""
    moment = busy_moment()
    numbers, samples = moment.numbers, samples_of(scraped(moment))
    assert by_label(samples, "citefidelity_verdicts_total") == numbers.categories
    assert by_label(samples, "citefidelity_failures_total") == numbers.failures_by_kind
    assert by_label(samples, "citefidelity_call_faults_total") == numbers.faults_by_kind
    states = {"verdict": numbers.answered, "unassessable": numbers.unassessable, "failed": numbers.failed}
    assert by_label(samples, "citefidelity_contexts_settled_total") == states
    tokens = {"input": numbers.input_tokens, "output": numbers.output_tokens}
    assert by_label(samples, "citefidelity_tokens_total") == tokens
    assert value_of(samples, "citefidelity_answering_models") == len(numbers.answering_models)
    assert value_of(samples, "citefidelity_run_stopping") == 1


def test_durations_are_those_of_the_terminal_and_buckets_those_of_the_run() -> None:
    """Percentiles are given as they are shown elsewhere; the histogram is whole and sums up."""
    moment = busy_moment()
    numbers, samples = moment.numbers, samples_of(scraped(moment))
    for percentile in ("50", "95", "99"):
        shown = getattr(numbers, f"latency_p{percentile}")
        assert value_of(samples, "citefidelity_call_duration_recent_seconds", {"percentile": percentile}) == shown > 0
    for name, spread in (
        ("journal_commit", numbers.journal_commit),
        ("store_write", numbers.store_write),
        ("store_read", numbers.store_read),
    ):
        assert spread is not None
        metric = f"citefidelity_{name}_recent_seconds"
        assert value_of(samples, metric, {"percentile": "50"}) == spread.p50
        assert value_of(samples, metric, {"percentile": "95"}) == spread.p95
    for bound, count in numbers.latency_buckets.items():
        assert value_of(samples, "citefidelity_call_duration_seconds_bucket", {"le": bound}) == count
    assert value_of(samples, "citefidelity_call_duration_seconds_count") == numbers.calls
    assert value_of(samples, "citefidelity_call_duration_seconds_sum") == pytest.approx(numbers.latency_sum_s)


def test_every_metric_of_the_table_has_its_labels_in_a_busy_run() -> None:
    """A busy run shows each metric of the table, with the labels that the table names."""
    shown: dict[str, set[str]] = {}
    for name, labels in samples_of(scraped()):
        shown.setdefault(name, set()).update(label for label, _ in labels)
    for family in FAMILIES:
        name = f"{family.name}_bucket" if family.kind == "histogram" else family.name
        assert shown[name] == ({"le"} if family.kind == "histogram" else set(family.labels)), family.name


def test_what_there_is_to_look_to_is_what_the_terminal_says() -> None:
    """Each rule that stands is a sample with its code and level, so that an alert needs no thresholds of its own."""
    moment = busy_moment()
    said = {(one.code, one.level) for one in advice(moment.numbers)}
    shown = {
        (dict(labels)["code"], dict(labels)["level"])
        for name, labels in samples_of(scraped(moment))
        if name == "citefidelity_advice"
    }
    assert shown == said >= {("store", "serious")}


def test_no_number_of_a_run_is_forgotten() -> None:
    """Whoever adds a number to the snapshot has to say what it is called here, or why it is not."""
    elsewhere = {
        "answered", "unassessable", "failed", "categories", "failures_by_kind", "faults_by_kind", "answering_models",
        "input_tokens", "output_tokens", "latency_p50", "latency_p95", "latency_p99", "latency_buckets",
        "latency_sum_s", "journal_commit", "store_write", "store_read",
    }  # fmt: skip
    follows = {
        "contexts_done": "the sum of the states",
        "calls_per_s": "rate() of the calls",
        "recent_calls": "error_rate holds both",
        "recent_errors": "error_rate holds both",
    }
    assert set(Snapshot.__struct_fields__) == {*PLAIN.values(), *elsewhere, *follows}


def test_before_the_run_there_is_only_the_version() -> None:
    """A scrape while the run gets ready says which program it is, and nothing made up."""
    text = exposition("1.2.3", None)[0].decode()
    assert samples_of(text) == {("citefidelity_build_info", frozenset({("version", "1.2.3")})): 1.0}


def test_what_is_not_known_is_absent_and_what_has_not_happened_is_zero() -> None:
    """No price, no pool, no cap, no answer: no sample. No fault of a known kind yet: zero, so that the first shows."""
    samples = samples_of(scraped(Moment(started(), Meter(lambda: 0.0).snapshot(), stopping=False)))
    names = {name for name, _ in samples}
    unknown = {
        "citefidelity_cost_usd_total", "citefidelity_budget_limit_usd", "citefidelity_store_pool_in_use",
        "citefidelity_run_time_left_seconds", "citefidelity_call_duration_recent_seconds", "citefidelity_memory_bytes",
    }  # fmt: skip
    assert not unknown & names
    kinds = {dict(labels)["kind"] for name, labels in samples if name == "citefidelity_call_faults_total"}
    assert kinds == {kind.value for table in (FailureKind, ProviderFault) for kind in table} - {"no_evidence"}


def test_label_values_are_of_closed_sets() -> None:
    """Whatever a run meets, no text of a paper, no model's own name and no key becomes a label: series stay few."""
    known = {
        "run",
        "screening",
        "provider",
        "model",
        "code",
        "level",
        "state",
        "category",
        "kind",
        "percentile",
        "type",
    }
    assert {label for family in FAMILIES for label in family.labels} == known
    assert [family.name for family in FAMILIES if {"run", "model"} & set(family.labels)] == ["citefidelity_run_info"]


UNITS_NOT_TO_USE = (
    "s", "ms", "us", "ns", "sec", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "b", "kb",
    "mb", "gb", "kilobytes", "megabytes", "gigabytes", "bits", "percent", "percentage", "dollars", "cents",
)  # fmt: skip


def test_names_and_helps_keep_the_rules_of_prometheus() -> None:
    """What its linter looks at: a help for each, base units, _total on counters alone, no type in a name."""
    for metric in families_of(scraped()):
        name = metric.name
        assert re.fullmatch(r"citefidelity(_[a-z0-9]+)+", name), name
        assert len(metric.documentation) > 10, name
        assert metric.documentation.endswith("."), name
        assert not set(name.split("_")) & {"counter", "gauge", "histogram", "summary", "total", *UNITS_NOT_TO_USE}, name
        assert not name.endswith(("_count", "_sum", "_bucket")), name
        for sample in metric.samples:
            assert sample.name.endswith("_total") == (metric.type == "counter"), sample.name
            assert ("le" in sample.labels) == sample.name.endswith("_bucket"), sample.name
            assert "quantile" not in sample.labels, sample.name
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        assert not family.unit or family.name.removesuffix("_total").endswith(f"_{family.unit}"), family.name


def test_who_asks_for_openmetrics_gets_it() -> None:
    """The same samples in the stricter format, which its parser accepts."""
    moment = busy_moment()
    body, content_type = exposition("1.2.3", moment, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = list(openmetrics_parser.text_string_to_metric_families(body.decode()))  # type: ignore[no-untyped-call]  # it has no types
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value for one in families for sample in one.samples
    }
    assert found == samples_of(scraped(moment))
