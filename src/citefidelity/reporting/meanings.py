"""What kinds and flags mean, in words for readers of a report; ``docs/failures.md`` says it at more length."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from citefidelity.kinds import FailureKind, UndeliverableKind
from citefidelity.prompt import UNSENDABLE

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        FailureKind.NO_EVIDENCE: "no passage of the cited article was given, so no call was made",
        FailureKind.UNREADABLE_REPLY: "the model answered twice, and neither answer was the JSON object asked for",
        FailureKind.REFUSED: "the model or the provider's filter declined to answer",
        FailureKind.TOO_LONG: "the prompt was longer than the model takes",
        FailureKind.TRUNCATED: "the answer hit the token limit, and hit twice that limit too",
        FailureKind.REJECTED: "the provider rejected this very request",
        FailureKind.TIMEOUT: "no complete reply came within the time allowed, in three runs",
        FailureKind.CONNECTION: "the connection could not be made, or broke, in three runs",
        FailureKind.SERVER_ERROR: "the provider reported a fault of its own, in three runs",
        FailureKind.RATE_LIMITED: "the provider asked to slow down",
        FailureKind.BAD_REPLY: "what came back was no answer of a model, in three runs",
        FailureKind.ABANDONED: "the run stopped while the call was in flight",
        UndeliverableKind.EDGE_GONE: "the citation is no longer in the store",
        UndeliverableKind.EDGE_DOUBLED: "more than one citation has this key",
        UndeliverableKind.TOO_LARGE: "the store refuses so large a write",
        UndeliverableKind.UNREADABLE_RECORD: "the contexts in the store cannot be read",
        "instruction_override": "a text tells its reader to disregard instructions",
        "role_marker": "a text holds marks by which models tell speakers apart",
        "fence": "a text imitates the lines that enclose quoted texts in the prompt",
        "verdict_order": "a text names a verdict, or the fields of an answer",
        "addresses_model": "a text addresses a language model",
        "zero_width": "a text holds characters without width",
        "bidi_control": "a text holds characters that turn the direction of writing",
        "tag_characters": "a text holds invisible tag characters",
        UNSENDABLE: "a text holds half a surrogate pair, which was sent as a replacement character",
    }
)
"""Every kind and every flag."""
