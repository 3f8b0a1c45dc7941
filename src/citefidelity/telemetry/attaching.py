"""Attaches to a run what tells other programs of it; what is not asked for is not loaded, and costs nothing."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from citefidelity.config.listening import ListenAddress
from citefidelity.errors import UsageError

if TYPE_CHECKING:
    from citefidelity.telemetry.metrics_server import MetricsServer

log = logging.getLogger(__name__)


@asynccontextmanager
async def metrics_served(address: ListenAddress | None, version: str) -> AsyncIterator[list[MetricsServer]]:
    """Serves metrics within the block; the observer that brings the numbers, none where no address is given.

    Raises:
        UsageError: what it needs is not installed, or nobody can listen there.
    """
    if address is None:
        yield []
        return
    if importlib.util.find_spec("prometheus_client") is None:
        raise UsageError(
            "--metrics needs the Prometheus client, which is not installed. Nothing was asked.",
            "pip install 'citefidelity[metrics]'",
            kind="no_prometheus_client",
        )
    from citefidelity.telemetry.metrics_server import MetricsServer  # noqa: PLC0415 - loaded when it is wanted
    from citefidelity.telemetry.prometheus import exposition  # noqa: PLC0415 - an extra

    async with MetricsServer(address, version, exposition) as server:
        log.info("metrics are at %s", server.url)
        yield [server]
