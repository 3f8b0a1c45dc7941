"""A collector for OpenTelemetry on this machine: takes what is sent over HTTP, and reads it as the protocol says."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from aiohttp import web
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Attributes = dict[str, Any]


class Collector:
    """Keeps all that it gets. ``status`` is what it answers; ``silent``: it takes a request and answers nothing."""

    def __init__(self, status: int = 200, *, silent: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._traces: list[ExportTraceServiceRequest] = []
        self._metrics: list[ExportMetricsServiceRequest] = []
        self._status = status
        self._silent = silent
        self._released = asyncio.Event()
        application = web.Application(client_max_size=64_000_000)
        application.router.add_post("/v1/traces", self._take)
        application.router.add_post("/v1/metrics", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """As OTEL_EXPORTER_OTLP_ENDPOINT takes it."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of whoever waits, and stop."""
        self._released.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if self._silent:
            await self._released.wait()
        if request.path == "/v1/traces":
            self._traces.append(ExportTraceServiceRequest.FromString(body))
        else:
            self._metrics.append(ExportMetricsServiceRequest.FromString(body))
        return web.Response(status=self._status, content_type="application/x-protobuf")

    def spans(self) -> list[dict[str, Any]]:
        """Every span, with plain ``attributes``, and those of its ``resource``."""
        found = []
        for request in self._traces:
            for of_resource in MessageToDict(request)["resourceSpans"]:
                resource = plain(of_resource["resource"]["attributes"])
                for of_scope in of_resource["scopeSpans"]:
                    found += [
                        span | {"attributes": plain(span["attributes"]), "resource": resource}
                        for span in of_scope["spans"]
                    ]
        return found

    def histograms(self) -> dict[str, list[tuple[Attributes, dict[str, Any]]]]:
        """The points of each histogram in the last request, by its name."""
        found: dict[str, list[tuple[Attributes, dict[str, Any]]]] = {}
        for of_resource in MessageToDict(self._metrics[-1])["resourceMetrics"]:
            for of_scope in of_resource["scopeMetrics"]:
                for metric in of_scope["metrics"]:
                    points = metric["histogram"]["dataPoints"]
                    found[metric["name"]] = [
                        (plain(point["attributes"]), point | {"unit": metric["unit"]}) for point in points
                    ]
        return found


def plain(attributes: list[dict[str, Any]]) -> Attributes:
    """Attributes as a dictionary of plain values."""
    return {one["key"]: _value(one["value"]) for one in attributes}


def _value(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "arrayValue":
        return [_value(one) for one in content.get("values", [])]
    return int(content) if kind == "intValue" else content
