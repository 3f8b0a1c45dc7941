"""``run --metrics``: who gets an answer, what becomes of a server that fails, and that the numbers are the run's."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

import citefidelity
from citefidelity import app
from citefidelity.config.listening import ListenAddress
from citefidelity.config.loading import load_settings
from citefidelity.demo_data import demo_records
from citefidelity.errors import UsageError
from citefidelity.meter import Snapshot
from citefidelity.telemetry.attaching import metrics_served
from citefidelity.telemetry.metrics_server import MetricsServer
from citefidelity.telemetry.prometheus import exposition
from citefidelity.testing.acts import Act
from citefidelity.testing.faults import GOOD
from citefidelity.testing.hits import Hit
from citefidelity.testing.provider import ScriptedProvider
from support.cli import call_cli
from support.telemetry import busy_moment, by_label, samples_of, scraped, value_of

ANY_PORT = ListenAddress("127.0.0.1", 0)

no_blocking = pytest.mark.usefixtures("no_blocking")


async def get(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and text of one request."""
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as response:
        return response.status, await response.text()


@asynccontextmanager
async def watching(server: MetricsServer) -> AsyncIterator[asyncio.Task[None]]:
    """The server as an observer of a busy run."""
    moment = busy_moment()
    task = asyncio.create_task(server.watch(moment.started, lambda: moment.numbers, lambda: moment.stopping))
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@no_blocking
async def test_a_scrape_gets_the_numbers_of_the_run() -> None:
    """Before the run the version, within it and after it, until the end of the command, its numbers."""
    async with MetricsServer(ANY_PORT, "1.2.3", exposition) as server:
        _, before = await get(server.url)
        await asyncio.sleep(0.25)
        async with watching(server):
            status, within = await get(server.url)
        _, after = await get(server.url)
    assert 'citefidelity_build_info{version="1.2.3"} 1.0' in before
    assert "citefidelity_calls_total" not in before
    assert (status, within, after) == (200, scraped(), scraped())
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(server.url)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9464", "", "127.0.0.1.evil.example"])
async def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    """A page elsewhere that points its own name here gets 403 for every path, and no number."""
    async with MetricsServer(ANY_PORT, "1.2.3", exposition) as server, watching(server):
        for url in (server.url, server.url.replace("/metrics", "/other")):
            status, text = await get(url, Host=host)
            assert status == 403
            assert "citefidelity_" not in text
        assert (await get(server.url, Host="localhost"))[0] == 200


async def test_only_metrics_and_only_reading() -> None:
    """Another path is 404, another method is 405, and no answer may be read by a page of another origin."""
    async with MetricsServer(ANY_PORT, "1.2.3", exposition) as server:
        assert (await get(server.url.replace("/metrics", "/")))[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert (await get(server.url, method))[0] == 405
        async with aiohttp.ClientSession() as session, session.get(server.url, headers={"Origin": "http://x"}) as found:
            assert "Access-Control-Allow-Origin" not in found.headers


@no_blocking
async def test_many_scrapes_at_once_cost_one() -> None:
    """However many ask within a moment, the numbers are taken once: nobody can slow a run by asking."""
    taken = 0
    moment = busy_moment()

    def numbers() -> Snapshot:
        nonlocal taken
        taken += 1
        return moment.numbers

    async with MetricsServer(ANY_PORT, "1.2.3", exposition) as server, aiohttp.ClientSession() as session:
        task = asyncio.create_task(server.watch(moment.started, numbers, lambda: False))
        await asyncio.sleep(0)
        for _ in range(20):
            async with session.get(server.url) as response:
                await response.read()
        assert taken <= 3
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_address_in_use_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    """The run does not begin: a wrong setting, with the address and what to do."""
    file = tmp_path / "citations.jsonl"
    file.write_bytes(demo_records())
    store = f"sqlite:///{tmp_path / 'my.db'}"
    await citefidelity.import_files(file, store=store)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        why = f"cannot be served at {address}: Address already in use. Nothing was asked"
        async with ScriptedProvider() as provider:
            with pytest.raises(UsageError, match=why) as error:
                await citefidelity.run(store=store, base_url=provider.base_url, model="m", metrics=address)
            assert provider.stats().received == 0
    assert error.value.kind == "metrics_address"


async def test_a_failing_server_is_told_once_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scrape gets 500, the log one report, later ones no answer; every verdict is there."""
    file = tmp_path / "citations.jsonl"
    file.write_bytes(demo_records())
    store = f"sqlite:///{tmp_path / 'my.db'}"
    await citefidelity.import_files(file, store=store)
    servers: list[MetricsServer] = []

    def broken(*_: object) -> tuple[bytes, str]:
        raise ZeroDivisionError

    class Broken(MetricsServer):
        def __init__(self, address: ListenAddress, version: str, expose: object) -> None:
            del expose
            super().__init__(address, version, broken)
            servers.append(self)

    monkeypatch.setattr("citefidelity.telemetry.metrics_server.MetricsServer", Broken)
    asked = asyncio.Event()

    def good(_: Hit) -> Act:
        asked.set()
        return GOOD

    async with ScriptedProvider(good, latency=(0.05, 0.05)) as provider:
        running = asyncio.create_task(
            citefidelity.run(store=store, base_url=provider.base_url, model="m", concurrency=2, metrics="127.0.0.1:0")
        )
        await asked.wait()
        url = servers[0].url
        assert (await get(url))[0] == 500
        with suppress(aiohttp.ClientError):
            await get(url)
        report = await running
    assert (report.stopped, report.remaining, report.failed) == ("complete", 0, 0)
    told = [record for record in caplog.records if "was dropped" in record.getMessage()]
    assert len(told) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR and record not in told]


async def test_the_last_scrape_is_the_report(tmp_path: Path) -> None:
    """A whole run with faults, scraped all the while: no counter ever falls, and the end is what `run` says."""
    file = tmp_path / "citations.jsonl"
    file.write_bytes(demo_records())
    store = f"sqlite:///{tmp_path / 'my.db'}"
    await citefidelity.import_files(file, store=store)
    scrapes: list[str] = []
    async with ScriptedProvider(["server_error@every:5", "refusal@3"], latency=(0.01, 0.03)) as provider:
        flags = {"store": store, "base_url": provider.base_url, "model": "m", "concurrency": 4, "price": "1,2"}
        async with metrics_served(ANY_PORT, "1.2.3") as servers:
            running = asyncio.create_task(app.run(load_settings(flags, environ={}), observers=[*servers]))
            while not running.done():
                scrapes.append((await get(servers[0].url))[1])
                await asyncio.sleep(0.05)
            report = await running
            samples = samples_of((await get(servers[0].url))[1])
    assert report.calls == provider.stats().received > 10
    for name, number in {
        "citefidelity_citations_total": report.citations,
        "citefidelity_contexts_total": report.contexts,
        "citefidelity_citations_delivered_total": report.delivered,
        "citefidelity_calls_total": report.calls,
        "citefidelity_cached_tokens_total": report.cached_tokens,
        "citefidelity_contexts_left_total": report.left,
        "citefidelity_cost_usd_total": report.cost_usd,
    }.items():
        assert value_of(samples, name) == number, name
    states = {"verdict": report.answered, "unassessable": report.unassessable, "failed": report.failed}
    assert by_label(samples, "citefidelity_contexts_settled_total") == {k: n for k, n in states.items() if n}
    assert by_label(samples, "citefidelity_verdicts_total") == report.categories
    assert by_label(samples, "citefidelity_failures_total") == report.failures_by_kind == {"refused": 1}
    tokens = {"input": report.input_tokens, "output": report.output_tokens}
    assert by_label(samples, "citefidelity_tokens_total") == tokens
    run = {"run": report.run_id, "screening": "main", "provider": "openai", "model": "m"}
    assert value_of(samples, "citefidelity_run_info", run) == 1
    assert_rising([samples_of(scrape) for scrape in scrapes])


def assert_rising(scrapes: list[dict[tuple[str, frozenset[tuple[str, str]]], float]]) -> None:
    """What only grows never fell between two scrapes."""
    assert len(scrapes) > 3
    for one, other in pairwise(scrapes):
        for (name, labels), value in one.items():
            if name.endswith(("_total", "_bucket", "_count", "_sum")):
                assert other[name, labels] >= value, (name, labels)


def test_without_the_client_the_flag_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra gets a usage error, and nothing is asked."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = call_cli(["run", "--metrics", "0", "--json"], cwd=tmp_path)
    error = result.error()
    assert (result.code, error["kind"]) == (2, "no_prometheus_client")
    assert "citefidelity[metrics]" in error["hint"]


@pytest.mark.parametrize("given", ["somewhere", "127.0.0.1:99999", "http://127.0.0.1:9464"])
def test_what_is_no_address_is_refused(given: str, tmp_path: Path) -> None:
    """The message names the flag and what it takes."""
    result = call_cli(["run", "--metrics", given, "--json"], cwd=tmp_path)
    assert result.code == 2
    assert "--metrics must" in result.error()["message"]
