"""Attaches to a run what tells other programs of it; what is not asked for is not loaded, and costs nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from citefidelity.config.listening import ListenAddress
from citefidelity.errors import UsageError
from citefidelity.ports import Journal
from citefidelity.specs.spec import Spec

if TYPE_CHECKING:
    from citefidelity.telemetry.metrics_server import MetricsServer
    from citefidelity.telemetry.otel import Export

PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")
SPOKEN = "http/protobuf"


@asynccontextmanager
async def metrics_served(
    address: ListenAddress | None, version: str, on_metrics: Callable[[str], None] = lambda _: None
) -> AsyncIterator[list[MetricsServer]]:
    """Serves metrics within the block; the observer that brings the numbers, none where no address is given.

    Args:
        address: where; port 0 takes a free one.
        version: of the program.
        on_metrics: told the address that it came to.

    Raises:
        UsageError: what it needs is not installed, or nobody can listen there.
    """
    if address is None:
        yield []
        return
    if not _installed("prometheus_client"):
        raise UsageError(
            "--metrics needs the Prometheus client, which is not installed. Nothing was asked.",
            "pip install 'citefidelity[metrics]'",
            kind="no_prometheus_client",
        )
    from citefidelity.telemetry.metrics_server import MetricsServer  # noqa: PLC0415 - loaded when it is wanted
    from citefidelity.telemetry.prometheus import exposition  # noqa: PLC0415 - an extra

    async with MetricsServer(address, version, exposition) as server:
        on_metrics(server.url)
        yield [server]


@asynccontextmanager
async def calls_told(
    wanted: bool, spec: Spec, run: str, version: str, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Callable[[Journal], Journal]]:
    """Tells OpenTelemetry the calls of a run within the block: what to put around its journal; nothing if not wanted.

    Raises:
        UsageError: what it needs is not installed, or the ``OTEL_*`` variables ask for what cannot be.
    """
    if not wanted:
        yield lambda journal: journal
        return
    if not _installed("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        raise UsageError(
            "--otel needs the OpenTelemetry SDK, which is not installed. Nothing was asked.",
            "pip install 'citefidelity[otel]'",
            kind="no_opentelemetry",
        )
    _check_protocol(environ)
    # Loading it takes its time; the store's connections live in this loop meanwhile.
    export, hear = await asyncio.to_thread(_prepared, spec, run, version, environ)
    try:
        yield hear
    finally:
        await export.end()


def _prepared(
    spec: Spec, run: str, version: str, environ: Mapping[str, str]
) -> tuple[Export, Callable[[Journal], Journal]]:
    from citefidelity.telemetry.calls import CallTeller  # noqa: PLC0415 - an extra
    from citefidelity.telemetry.heard import HeardJournal  # noqa: PLC0415 - used with it only
    from citefidelity.telemetry.otel import Export  # noqa: PLC0415 - an extra

    try:
        export = Export(version, run, environ)
    except ValueError as err:
        raise UsageError(
            f"OpenTelemetry cannot be set up as the OTEL_* variables say: {err}. Nothing was asked.",
            "Mend or unset the variable; with none set, a collector on this machine is told, at http://localhost:4318.",
            kind="bad_otel",
        ) from err
    teller = CallTeller(spec, export.tracer, export.meter)
    return export, lambda journal: HeardJournal(journal, teller.hear)


def _check_protocol(environ: Mapping[str, str]) -> None:
    for variable in PROTOCOLS:
        if environ.get(variable, SPOKEN) not in {"", SPOKEN}:
            raise UsageError(
                f"{variable} asks for {environ[variable]}, and only {SPOKEN} is spoken here. Nothing was asked.",
                f"Unset it, and name the collector's HTTP port, which is 4318 as a rule: {variable}={SPOKEN}",
                kind="bad_otel",
            )


def _installed(*modules: str) -> bool:
    try:
        return all(importlib.util.find_spec(module) for module in modules)
    except ModuleNotFoundError:
        return False
