"""A run's numbers as Prometheus reads them: the text format, and OpenMetrics for who asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from citefidelity.telemetry.families import BUILD_INFO, FAMILIES
from citefidelity.telemetry.readings import Family, Moment


def exposition(version: str, moment: Moment | None, accept: str = "") -> tuple[bytes, str]:
    """What a scrape gets, and its content type. Before the run has begun (``moment`` is None), only the version."""
    encode, content_type = choose_encoder(accept)
    return encode(_Collected(version, moment)), content_type


class _Collected(Collector):
    """One scrape, as the encoders take it."""

    def __init__(self, version: str, moment: Moment | None) -> None:
        self._version = version
        self._moment = moment

    def collect(self) -> Iterator[Metric]:
        """All families that have something to tell."""
        yield InfoMetricFamily(BUILD_INFO.removesuffix("_info"), "Which program this is.", {"version": self._version})
        if self._moment is not None:
            for family in FAMILIES:
                metric = _metric(family, self._moment)
                if metric.samples:
                    yield metric


def _metric(family: Family, moment: Moment) -> Metric:
    """One family with its samples of this moment."""
    values = family.read(moment)
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=(), unit=family.unit)
        buckets = [(bound, count) for (bound,), count in values.items()]
        histogram.add_metric((), buckets, family.total(moment) if family.total else None)
        return histogram
    if family.kind == "info":
        info = InfoMetricFamily(family.name.removesuffix("_info"), family.meaning, labels=())
        for labels in values:
            info.add_metric((), dict(zip(family.labels, labels, strict=True)))
        return info
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = make(family.name.removesuffix("_total"), family.meaning, labels=family.labels, unit=family.unit)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric
