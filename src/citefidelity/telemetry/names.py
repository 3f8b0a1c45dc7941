"""Every name that OpenTelemetry hears from us, in one place: its conventions for generative AI still move.

Checked against the semantic conventions of version 1.44; those of generative AI have the status "development" there.
"""

from __future__ import annotations

from typing import Final

CHAT: Final = "chat"
"""The one operation there is."""

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
OUTPUT_TYPE: Final = "gen_ai.output.type"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name, no secret
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - a name, no secret
DURATION_BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE: Final = "service.instance.id"

ATTEMPT: Final = "citefidelity.attempt"
RUN: Final = "citefidelity.run"
SCREENING: Final = "citefidelity.screening"
SOURCE_ID: Final = "citefidelity.source_id"
TARGET_ID: Final = "citefidelity.target_id"
REFERENCE_ID: Final = "citefidelity.reference_id"
INSTANCE_ID: Final = "citefidelity.instance_id"
MANNER: Final = "citefidelity.manner"
REQUEST_ID: Final = "citefidelity.request_id"
COST: Final = "citefidelity.cost_usd"
OUTCOME: Final = "citefidelity.outcome"
CATEGORY: Final = "citefidelity.category"

SPAN_ATTRIBUTES: Final = (
    OPERATION, PROVIDER, REQUEST_MODEL, OUTPUT_TYPE, SERVER_ADDRESS, SERVER_PORT, RESPONSE_MODEL, FINISH_REASONS,
    INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS, REASONING_TOKENS, STATUS_CODE, ERROR_TYPE, ATTEMPT, RUN, SCREENING,
    SOURCE_ID, TARGET_ID, REFERENCE_ID, INSTANCE_ID, MANNER, REQUEST_ID, COST, OUTCOME, CATEGORY,
)  # fmt: skip
"""All that a span may carry: numbers, kinds, names and ids, and no word of a paper, a prompt or a reply."""
