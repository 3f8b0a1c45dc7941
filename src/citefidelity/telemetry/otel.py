"""Brings spans and metrics to a collector: in the SDK's own threads, with a bounded queue and a bounded end.

Where to, with which headers, how often and how many is set by the standard ``OTEL_*`` variables, which the SDK reads.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from citefidelity.config.addresses import is_this_machine
from citefidelity.telemetry import names

log = logging.getLogger(__name__)

GOODBYE_S = 5.0
"""How long the end of a run waits for a collector to take the rest."""

SCOPE = "citefidelity"
SDK_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.util.re",
)


class Export:
    """Providers of their own, and none of the process's global ones: a notebook may have its own."""

    def __init__(self, version: str, run: str, environ: Mapping[str, str]) -> None:
        self._told = _ToldOnce()
        self._told.begin()
        try:
            self._set_up(version, run, environ)
        except BaseException:
            self._told.end()
            raise

    def _set_up(self, version: str, run: str, environ: Mapping[str, str]) -> None:
        ours = {names.SERVICE_NAME: "citefidelity", names.SERVICE_VERSION: version, names.SERVICE_INSTANCE: run}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._spans = OTLPSpanExporter(session=_session(environ, "TRACES"))
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        if environ.get("OTEL_TRACES_EXPORTER") != "none":
            self._traces.add_span_processor(BatchSpanProcessor(self._spans))
        self._numbers = OTLPMetricExporter(session=_session(environ, "METRICS"))
        wanted = environ.get("OTEL_METRICS_EXPORTER") != "none"
        readers = [PeriodicExportingMetricReader(self._numbers)] if wanted else []
        self._metrics = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        self.tracer = self._traces.get_tracer(SCOPE, version)
        self.meter = self._metrics.get_meter(SCOPE, version)

    async def end(self) -> None:
        """Send what is left, for at most :data:`GOODBYE_S`; a collector that does not answer holds nobody up."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        # A daemon: an executor's thread would be waited for at the end of the process.
        threading.Thread(target=self._shut_down, args=(loop, done), name="otel-goodbye", daemon=True).start()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await done.wait()
        except TimeoutError:
            log.warning("the OpenTelemetry collector did not take the last spans and metrics of this run in time")
            # Wakes whoever waits to try again.
            self._spans.shutdown()  # type: ignore[no-untyped-call]  # it has no types
            self._numbers.shutdown()

    def _shut_down(self, loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        try:
            self._traces.shutdown()
            self._metrics.shutdown()
        except Exception:
            log.exception("OpenTelemetry could not be ended in order; the run is not touched by it")
        self._told.end()
        # The loop may be gone by now, and nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)


class _ToldOnce(logging.Filter):
    """Keeps what the SDK has to complain of to one line a run; it would say it every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._silent = False
        self._passing = ""

    def begin(self) -> None:
        """From here on the SDK's own lines are held back."""
        for name in SDK_LOGGERS:
            # Before that of an earlier run in this process, whose goodbye may still be going on.
            logging.getLogger(name).filters.insert(0, self)

    def end(self) -> None:
        """Let them through again."""
        for name in SDK_LOGGERS:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """False: nothing of it is logged as it is."""
        if record.name == "opentelemetry.util.re":
            # The message has the headers in it, and they may be a key.
            self._tell("OTEL_EXPORTER_OTLP_HEADERS is not of the form name=value,name=value")
        elif "Queue full" in record.msg:
            self._tell("the collector takes spans more slowly than they come, so some are left out")
        elif record.levelno >= logging.ERROR:
            self._tell(f"{record.getMessage()} {self._passing}".strip())
        else:
            self._passing = record.getMessage()
        return False

    def _tell(self, what: str) -> None:
        with self._lock:
            if self._silent:
                return
            self._silent = True
        log.warning("OpenTelemetry does not get all of this run, which goes on; said once: %s", what)


def _session(environ: Mapping[str, str], signal: str) -> requests.Session:
    """How to reach the collector: through the machine's proxy, unless it is on this machine."""
    endpoint = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    session = requests.Session()
    session.trust_env = endpoint is not None and not is_this_machine(urlsplit(endpoint).hostname or "")
    return session
