"""What the model is asked to answer, and the reading of what it does answer. Pure.

Nothing is guessed, mended or made up: a reply is the verdict that was asked for, or it is unreadable for a reason.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Any, NoReturn
from urllib.parse import urlsplit

from citefidelity.config.base_url import LOOPBACK
from citefidelity.records import Verdict
from citefidelity.specs.spec import Spec

JUSTIFICATION_CHARS = 600
LOCAL_JUSTIFICATION_CHARS = 80
"""The model of the provider ``local`` fills whatever room it is given with repetitions, at 30 tokens a second."""
MAX_CHARS = 20_000
"""No reply with a justification of 600 characters is longer, in whatever way it is escaped and indented."""

KEYS = ("justification", "citation_type", "category", "confidence")
"""Justification first: a server with a schema makes the keys in this order, and a model that has put into words what
decides judges better than one that has to find words for what it has judged."""

STEPS = tuple(round(step * 0.05, 2) for step in range(21))


class Unreadable(StrEnum):
    """Why a reply is no verdict."""

    BLANK = "blank"
    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TRAILING_TEXT = "trailing_text"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_FIELD = "missing_field"
    EXTRA_FIELD = "extra_field"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_CATEGORY = "unknown_category"
    UNKNOWN_CITATION_TYPE = "unknown_citation_type"
    CONFIDENCE_OUT_OF_RANGE = "confidence_out_of_range"
    JUSTIFICATION_TOO_LONG = "justification_too_long"
    INVALID_TEXT = "invalid_text"


class UnreadableReply(Exception):
    """The reply is not the one JSON object that was asked for. ``reason`` is one of :class:`Unreadable`."""

    def __init__(self, reason: Unreadable, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


def reply_schema(spec: Spec) -> dict[str, object]:
    """The JSON schema of a reply, bounded in every direction, in the dialect of the server that is asked.

    Servers differ in how they take a schema, and none tells:

    - llama.cpp (``local``, ``ollama``, most of what listens on loopback) ignores the bounds of a number: it would
      write 16 digits, or 85. It keeps to an enumeration.
    - vLLM writes the numbers of an enumeration with 17 digits, so that 0.95 becomes 0.94999999999999996 and a model
      on its way to 0.95 is turned aside; Gemini refuses numbers in an enumeration. Both keep to bounds.
    - OpenAI documents bounds for numbers, but no ``maxLength``, and has refused it. A refusal costs the whole schema;
      without ``maxLength`` the prompt and ``max_output_tokens`` bound the text.
    """
    confidence: dict[str, object] = {"type": "number", "minimum": 0, "maximum": 1}
    if spec.provider in {"local", "ollama"} or (spec.provider == "openai" and spec.base_url == LOOPBACK):
        confidence = {"type": "number", "enum": list(STEPS)}
    justification: dict[str, object] = {"type": "string"}
    if not _is_openai(spec.base_url):
        local = spec.provider == "local"
        justification["maxLength"] = LOCAL_JUSTIFICATION_CHARS if local else JUSTIFICATION_CHARS
    return {
        "type": "object",
        "properties": {
            "justification": justification,
            "citation_type": {"type": "string", "enum": list(spec.types)},
            "category": {"type": "string", "enum": list(spec.categories)},
            "confidence": confidence,
        },
        "required": list(KEYS),
        "additionalProperties": False,
    }


def read_reply(content: str, spec: Spec) -> Verdict:
    """The verdict in a reply: one JSON object with exactly the four keys.

    White space around it and one code fence are tolerated, nothing else.

    Raises:
        UnreadableReply: with its reason; no other exception, whatever the text.
    """
    fields = _one_object(_unfenced(content))
    for key in KEYS:
        if key not in fields:
            raise UnreadableReply(Unreadable.MISSING_FIELD, key)
    if len(fields) > len(KEYS):
        extra = next(key for key in fields if key not in KEYS)
        raise UnreadableReply(Unreadable.EXTRA_FIELD, _short(extra))
    category = _text(fields, "category")
    if category not in spec.categories:
        raise UnreadableReply(Unreadable.UNKNOWN_CATEGORY, _short(category))
    citation_type = _text(fields, "citation_type")
    if citation_type not in spec.types:
        raise UnreadableReply(Unreadable.UNKNOWN_CITATION_TYPE, _short(citation_type))
    justification = _text(fields, "justification")
    if len(justification) > JUSTIFICATION_CHARS:
        raise UnreadableReply(Unreadable.JUSTIFICATION_TOO_LONG, f"{len(justification)} characters")
    return Verdict(category, citation_type, _confidence(fields["confidence"]), justification)


def _unfenced(content: str) -> str:
    if len(content) > MAX_CHARS:
        raise UnreadableReply(Unreadable.TOO_LONG, f"{len(content)} characters")
    text = content.strip()
    if not text:
        raise UnreadableReply(Unreadable.BLANK)
    if text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json").strip()
    return text


def _one_object(text: str) -> dict[str, Any]:
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError) as err:
        # RecursionError: nested deeper than the stack; ValueError: also a whole number of thousands of digits.
        raise UnreadableReply(Unreadable.NOT_JSON, _short(str(err))) from err
    if end != len(text):
        raise UnreadableReply(Unreadable.TRAILING_TEXT, _short(text[end:].strip()))
    if not isinstance(value, dict):
        raise UnreadableReply(Unreadable.NOT_AN_OBJECT)
    return value


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str):
        raise UnreadableReply(Unreadable.WRONG_TYPE, key)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnreadableReply(Unreadable.INVALID_TEXT, key) from None
    return value


def _confidence(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableReply(Unreadable.WRONG_TYPE, "confidence")
    if not (0 <= value <= 1):
        raise UnreadableReply(Unreadable.CONFIDENCE_OUT_OF_RANGE, _short(str(value)))
    return math.fabs(value)  # -0 is 0


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnreadableReply(Unreadable.DUPLICATE_KEY)
    return fields


def _no_constant(name: str) -> NoReturn:
    raise UnreadableReply(Unreadable.NOT_JSON, f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_double, parse_constant=_no_constant)


def _short(text: str) -> str:
    """At most 60 characters, and nothing that a terminal or a file could stumble over."""
    return ascii(text[:60])[1:-1]


def _is_openai(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(".openai.azure.com")
