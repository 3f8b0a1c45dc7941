"""``run --otel``: what a collector on this machine gets of a run, and that none can hold the run up."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

import citefidelity
from citefidelity.errors import UsageError
from citefidelity.facts import Fact, Stopped
from citefidelity.telemetry import names, otel
from citefidelity.telemetry.heard import HeardJournal
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.provider import ScriptedProvider
from citefidelity.views.report import RunReport
from support.cli import call_cli
from support.collector import Collector
from support.makers import make_line

SECRET_WORDS = ("Aspirin", "lowers", "The passage", "Citing article", "sk-never-shown")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store of eight citations with two contexts each."""
    (tmp_path / "in.jsonl").write_bytes(b"".join(make_line(number, 2) for number in range(8)))
    return f"sqlite:///{tmp_path / 'my.db'}"


async def ran(store: str, tmp: Path, script: tuple[str, ...] = (), **flags: Any) -> RunReport:
    """One run of it with OpenTelemetry, against a scripted provider."""
    await citefidelity.import_files(tmp / "in.jsonl", store=store)
    async with ScriptedProvider(script, latency=(0.001, 0.01)) as provider:
        return await citefidelity.run(
            store=store, base_url=provider.base_url, model="m-1", concurrency=4, price="1,2", otel=True, **flags
        )


async def test_each_call_is_a_span_with_the_agreed_names(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many spans as calls, with model, tokens, cost and place; a fault is an error of its kind; times are real."""
    began = time.time()
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        report = await ran(store, tmp_path, ("server_error@2",))
        spans = collector.spans()
    assert len(spans) == report.calls == 17
    good = [span for span in spans if names.ERROR_TYPE not in span["attributes"]]
    (bad,) = [span for span in spans if names.ERROR_TYPE in span["attributes"]]
    assert {(span["name"], span["kind"]) for span in spans} == {("chat m-1", "SPAN_KIND_CLIENT")}
    assert {attribute for span in spans for attribute in span["attributes"]} <= set(names.SPAN_ATTRIBUTES)
    for span in good:
        found = span["attributes"]
        assert (found["gen_ai.operation.name"], found["gen_ai.provider.name"]) == ("chat", "openai")
        assert (found["gen_ai.request.model"], found["gen_ai.response.model"]) == ("m-1", "m-1")
        assert (found["gen_ai.response.finish_reasons"], found["http.response.status_code"]) == (["stop"], 200)
        assert found["citefidelity.outcome"] == "verdict"
        assert found["citefidelity.category"] in report.categories
        assert began <= int(span["startTimeUnixNano"]) / 1e9 < int(span["endTimeUnixNano"]) / 1e9 <= time.time()
        assert "status" not in span or span["status"] == {}
    assert bad["attributes"]["error.type"] == "server_error"
    assert bad["status"] == {"code": "STATUS_CODE_ERROR", "message": "server_error"}
    assert "citefidelity.outcome" not in bad["attributes"]
    assert sum(span["attributes"]["gen_ai.usage.input_tokens"] for span in good) == report.input_tokens
    assert sum(span["attributes"]["gen_ai.usage.output_tokens"] for span in good) == report.output_tokens
    assert sum(span["attributes"]["citefidelity.cost_usd"] for span in good) == pytest.approx(report.cost_usd)
    places = {
        (span["attributes"]["citefidelity.source_id"], span["attributes"]["citefidelity.instance_id"]) for span in good
    }
    assert len(places) == report.answered == 16
    resource = spans[0]["resource"]
    assert (resource["service.name"], resource["service.instance.id"]) == ("citefidelity", report.run_id)


async def test_durations_and_tokens_are_metrics(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a run the collector has the count of calls, of faults by kind, and the sums of tokens."""
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        report = await ran(store, tmp_path, ("server_error@2",))
        histograms = collector.histograms()
    assert set(histograms) == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    durations = histograms["gen_ai.client.operation.duration"]
    assert sum(int(point["count"]) for _, point in durations) == report.calls
    assert {found.get("error.type"): int(point["count"]) for found, point in durations} == {None: 16, "server_error": 1}
    assert all(point["unit"] == "s" for _, point in durations)
    assert durations[0][1]["explicitBounds"] == list(names.DURATION_BOUNDS)
    tokens = {found["gen_ai.token.type"]: point for found, point in histograms["gen_ai.client.token.usage"]}
    assert {kind: point["sum"] for kind, point in tokens.items()} == {
        "input": report.input_tokens,
        "output": report.output_tokens,
    }
    assert tokens["input"]["unit"] == "{token}"


async def test_no_word_of_a_paper_a_prompt_or_a_key_leaves(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bytes that the collector got are searched, after good answers, an unreadable one and a refusal."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-shown-to-anyone")
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        report = await ran(store, tmp_path, ("unknown_category@1*always", "refusal@2", "bad_request@3"))
        sent = b"".join(collector.bodies)
    assert report.failed == 3
    assert b"m-1" in sent
    assert [word for word in SECRET_WORDS if word.encode() in sent] == []


async def test_the_standard_variables_count(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers, the service's name and a signal that is turned off are set as everywhere else."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=papers")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "fidelity-of-7")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        await ran(store, tmp_path)
        assert {span["resource"]["service.name"] for span in collector.spans()} == {"fidelity-of-7"}
        assert {headers["x-tenant"] for headers in collector.headers} == {"papers"}
        with pytest.raises(IndexError):
            collector.histograms()


async def test_within_a_span_of_the_caller_calls_are_its_children(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook that traces itself the calls are in its trace; else each is a trace of its own."""
    caller = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with use_span(NonRecordingSpan(caller)):
            await ran(store, tmp_path, limit=2)
        within = collector.spans()
        await ran(store, tmp_path)
        outside = collector.spans()[len(within) :]
    assert {base64.b64decode(span["parentSpanId"]) for span in within} == {(0xDEF).to_bytes(8)}
    assert len({span["traceId"] for span in within}) == 1
    assert len({span["traceId"] for span in outside}) == len(outside) == 12
    assert not [span for span in outside if "parentSpanId" in span]


@pytest.mark.parametrize("way", ["away", "refusing", "silent"])
async def test_a_collector_that_fails_is_told_once_and_holds_nobody_up(
    way: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not there, refusing, or taking and never answering: the run is whole, one line says so, and it ends in time."""
    monkeypatch.setattr(otel, "GOODBYE_S", 0.5)
    caplog.set_level(logging.WARNING)
    async with Collector(status=401, silent=way == "silent") as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9" if way == "away" else collector.url)
        began = time.monotonic()
        report = await ran(store, tmp_path)
        took = time.monotonic() - began
    assert (report.stopped, report.answered, report.remaining) == ("complete", 16, 0)
    assert took < 5
    lines = [record.getMessage() for record in caplog.records]
    wanted = {"away": "in time", "refusing": "401", "silent": "in time"}[way]
    assert sum(wanted in line for line in lines) == 1, lines
    assert len(lines) <= 2, lines


async def test_headers_that_cannot_be_read_are_not_shown(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be a key: the line names the variable, and not what it holds."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "not-a-pair-but-a-key")
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        await ran(store, tmp_path)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in caplog.text
    assert "but-a-key" not in caplog.text


async def test_a_listener_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever appends gets no error from it, and all that is appended is there."""
    journal = MemoryJournal()
    heard: list[int] = []

    def listener(facts: Sequence[Fact]) -> None:
        heard.append(len(facts))
        raise ZeroDivisionError

    wrapped = HeardJournal(journal, listener)
    for number in range(3):
        await wrapped.append([Stopped(run=f"r{number}", why="complete", at=0.0)])
    assert (len(journal.facts), heard) == (3, [1])
    assert len([record for record in caplog.records if "hears no more" in record.getMessage()]) == 1


async def test_without_the_flag_nothing_is_loaded_or_sent(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector in the environment alone is not used: what leaves this machine is said on the command line."""
    await citefidelity.import_files(tmp_path / "in.jsonl", store=store)
    async with Collector() as collector, ScriptedProvider() as provider:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        await citefidelity.run(store=store, base_url=provider.base_url, model="m-1")
        assert collector.bodies == []


def test_the_names_are_those_of_the_conventions() -> None:
    """Each name that is not our own stands in the published conventions."""
    modules = (gen_ai_attributes, gen_ai_metrics, error_attributes, http_attributes, server_attributes)
    published = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    ours = [value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)]
    foreign = {name for name in ours if "." in name and not name.startswith(("citefidelity.", "service."))}
    assert foreign <= published
    assert len(foreign) > 15


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "bad_otel"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "bad_otel"),
    ],
)
async def test_what_cannot_be_is_said_before_anything_is_asked(
    environ: dict[str, str], kind: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A usage error that names the variables; the SDK's lines are heard again afterwards."""
    filters = filters_of_the_sdk()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"OTEL_.*Nothing was asked") as error:
        await ran(store, tmp_path)
    assert error.value.kind == kind
    assert filters_of_the_sdk() <= filters


def filters_of_the_sdk() -> set[int]:
    """What stands before the SDK's own lines; the goodbye of an earlier run may take its own away meanwhile."""
    return {id(one) for name in otel.SDK_LOGGERS for one in logging.getLogger(name).filters}


def test_without_the_sdk_the_flag_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra gets a usage error, and nothing is asked."""
    (tmp_path / "in.jsonl").write_bytes(make_line(1))
    assert call_cli(["import", "in.jsonl"], cwd=tmp_path).code == 0
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "opentelemetry" in name else object())
    result = call_cli(["run", "--otel", "--model", "m", "--base-url", "http://127.0.0.1:9", "--json"], cwd=tmp_path)
    error = result.error()
    assert (result.code, error["kind"]) == (2, "no_opentelemetry")
    assert "citefidelity[otel]" in error["hint"]
