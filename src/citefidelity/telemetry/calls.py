"""Tells OpenTelemetry each call as a span, with its duration and tokens as metrics: from facts that are on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from citefidelity.config.base_url import LOOPBACK
from citefidelity.facts import Asked, Ended, Fact, Settled
from citefidelity.specs.spec import Spec
from citefidelity.telemetry import names

NANOSECONDS = 1_000_000_000
DEFAULT_PORTS = {"http": 80, "https": 443}

Attributes = dict[str, AttributeValue]


class CallTeller:
    """Hears a run's facts, and makes a span of each call that has ended."""

    def __init__(self, spec: Spec, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._name = f"{names.CHAT} {spec.model}"
        self._common = _common(spec)
        self._duration = meter.create_histogram(
            names.DURATION,
            unit="s",
            description="Time from a request to the end of its reply.",
            explicit_bucket_boundaries_advisory=names.DURATION_BOUNDS,
        )
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE,
            unit="{token}",
            description="Tokens of one call, as the provider counts them.",
            explicit_bucket_boundaries_advisory=names.TOKEN_BOUNDS,
        )
        self._in_flight: dict[int, Attributes] = {}

    def hear(self, facts: Sequence[Fact]) -> None:
        """These facts are on disk."""
        settled = {fact.attempt: fact for fact in facts if isinstance(fact, Settled)}
        for fact in facts:
            if isinstance(fact, Asked):
                self._in_flight[fact.attempt] = _asked(fact)
            elif isinstance(fact, Ended):
                asked = self._in_flight.pop(fact.attempt, {})
                self._span(fact, asked | _answered(fact) | _settled(settled.get(fact.attempt)))
                if fact.sent:
                    self._measure(fact)

    def _span(self, ended: Ended, attributes: Mapping[str, AttributeValue]) -> None:
        end = int(ended.at * NANOSECONDS)
        span = self._tracer.start_span(
            self._name,
            kind=SpanKind.CLIENT,
            attributes={**self._common, **attributes},
            start_time=end - int(ended.seconds * NANOSECONDS),
        )
        if ended.fault is not None:
            # Without the message: it may quote the reply.
            span.set_status(Status(StatusCode.ERROR, ended.fault))
        span.end(end_time=end)

    def _measure(self, ended: Ended) -> None:
        common: Attributes = dict(self._common)
        if ended.answering_model is not None:
            common[names.RESPONSE_MODEL] = ended.answering_model
        failed: Attributes = {} if ended.fault is None else {names.ERROR_TYPE: ended.fault}
        self._duration.record(ended.seconds, {**common, **failed})
        for kind, tokens in (("input", ended.usage.input_tokens), ("output", ended.usage.output_tokens)):
            if tokens is not None:
                self._tokens.record(tokens, {**common, names.TOKEN_TYPE: kind})


def _common(spec: Spec) -> Attributes:
    """What all calls of a screening have in common."""
    common: Attributes = {
        names.OPERATION: names.CHAT,
        names.PROVIDER: spec.provider,
        names.REQUEST_MODEL: spec.model,
    }
    # Of a server on this machine the spec keeps no address.
    if spec.base_url != LOOPBACK:
        address = urlsplit(spec.base_url)
        common[names.SERVER_ADDRESS] = address.hostname or ""
        common[names.SERVER_PORT] = address.port or DEFAULT_PORTS.get(address.scheme, 0)
    return common


def _asked(asked: Asked) -> Attributes:
    """Where the call belongs; enough to look it up with ``show``."""
    key = asked.key
    found: Attributes = {
        names.OUTPUT_TYPE: "json",
        names.ATTEMPT: asked.attempt,
        names.RUN: asked.run,
        names.SCREENING: asked.screening,
        names.SOURCE_ID: key.source_id,
        names.TARGET_ID: key.target_id,
        names.REFERENCE_ID: key.reference_id,
        names.INSTANCE_ID: asked.instance_id,
    }
    return found if asked.manner is None else {**found, names.MANNER: asked.manner}


def _answered(ended: Ended) -> Attributes:
    """What came back, as far as it was told."""
    found: dict[str, AttributeValue | None] = {
        names.RESPONSE_MODEL: ended.answering_model,
        names.FINISH_REASONS: None if ended.finish_reason is None else (ended.finish_reason,),
        names.INPUT_TOKENS: ended.usage.input_tokens,
        names.OUTPUT_TOKENS: ended.usage.output_tokens,
        names.CACHED_TOKENS: ended.usage.cached_tokens,
        names.REASONING_TOKENS: ended.usage.reasoning_tokens,
        names.STATUS_CODE: ended.status,
        names.ERROR_TYPE: ended.fault,
        names.REQUEST_ID: ended.request_id,
        names.COST: ended.cost_usd,
    }
    return {name: value for name, value in found.items() if value is not None}


def _settled(settled: Settled | None) -> Attributes:
    """What became of the context by this call; nothing where it goes on."""
    if settled is None:
        return {}
    found: Attributes = {names.OUTCOME: settled.outcome.state}
    if settled.outcome.verdict is not None:
        found[names.CATEGORY] = settled.outcome.verdict.category
    return found
