"""One scripted act for each fault that a provider is known to commit, by name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from citefidelity.testing.acts import Act, Manner, Said, completion
from citefidelity.testing.hits import Hit

RETRY_AFTER_S = 1


def _complain(message: str, code: object = None, kind: str = "invalid_request_error", param: object = None) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _refuse(name: str, status: int, body: bytes, headers: dict[str, str] | None = None) -> Act:
    """A status that refuses, and costs nothing."""
    sent = {"content-type": "application/json"} | (headers or {})
    return Act(name=name, status=status, say=lambda _: Said(body), headers=lambda _: sent)


def _say(name: str, say: Callable[[Hit], Said], **more: Any) -> Act:
    return Act(name=name, say=say, **more)


def _send(name: str, manner: Manner, *, good: bool = False) -> Act:
    """The good answer, sent badly: the work is done and charged, whether it arrives or not."""
    return Act(name=name, say=completion, manner=manner, good=good)


def _content(name: str, content: Callable[[dict[str, Any]], object]) -> Act:
    """A chat completion with another content, made from the right verdict."""
    return _say(name, lambda hit: completion(hit, content=content(msgspec.to_builtins(hit.verdict))))


def _with(name: str, *, good: bool = False, **changes: Any) -> Act:
    return _say(name, lambda hit: completion(hit, **changes), good=good)


def _body(name: str, body: bytes, kind: str = "application/json", **headers: str) -> Act:
    """A success status with a body that is no completion; the model has worked all the same."""
    sent = {"content-type": kind} | {key.replace("_", "-"): value for key, value in headers.items()}
    return _say(name, lambda hit: Said(body, hit.usage("")), headers=lambda _: sent)


def _http_date(hit: Hit) -> dict[str, str]:
    del hit
    then = datetime.now(UTC) + timedelta(seconds=RETRY_AFTER_S)
    return {"retry-after": then.strftime("%a, %d %b %Y %H:%M:%S GMT")}


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


GOOD = _send("good", "whole", good=True)
RATE_LIMITED = _complain("Rate limit reached for requests", "rate_limit_exceeded", "requests")
HTML = b"<html><head><title>Sign in</title></head><body>Welcome to the network.</body></html>"

STATUSES = (
    _refuse("bad_request", 400, _complain("Invalid 'messages'.", param="messages")),
    _refuse("too_long_openai", 400, _complain("This model's maximum context length is 8192 tokens. However, your "
            "messages resulted in 9000 tokens.", "context_length_exceeded", param="messages")),
    _refuse("too_long_vllm", 400, _complain("You passed 1015 input tokens and requested 10 output tokens. However, the "
            "model's context length is only 1024 tokens.", 400, "BadRequestError", "input_tokens")),
    _refuse("too_long_llamacpp", 400, msgspec.json.encode({"error": {"code": 400, "message": "the request exceeds the "
            "available context size, try increasing it", "type": "exceed_context_size_error", "n_ctx": 2048}})),
    _refuse("format_refused", 400, _complain("This response_format type is unavailable now", "invalid_request_error")),
    _refuse("parameter_refused", 400, _complain("Unsupported value: 'temperature' does not support 0 with this model.",
            "unsupported_value", param="temperature")),
    _refuse("filtered", 400, _complain("Content Exists Risk", "invalid_request_error")),
    _refuse("model_not_exist", 400, _complain("Model Not Exist", "invalid_request_error")),
    _refuse("key_rejected", 401, _complain("Incorrect API key provided.", "invalid_api_key")),
    _refuse("no_balance", 402, _complain("Insufficient Balance", "invalid_request_error", "unknown_error")),
    _refuse("forbidden", 403, _complain("Country, region, or territory not supported",
            "unsupported_country_region_territory", "request_forbidden")),
    _refuse("unknown_model", 404, _complain("The model `x` does not exist or you do not have access to it.",
            "model_not_found")),
    _refuse("wrong_path", 404, b"404 page not found", {"content-type": "text/plain"}),
    _refuse("request_timeout", 408, _complain("Request timeout")),
    _refuse("conflict", 409, _complain("Conflict")),
    _refuse("too_large", 413, _complain("Request body too large")),
    _refuse("unprocessable", 422, msgspec.json.encode({"detail": [{"type": "missing", "loc": ["body", "messages"],
            "msg": "Field required", "input": {"secret": "prompt text"}}]})),
    _refuse("too_early", 425, _complain("Too early")),
    _refuse("rate_limited", 429, RATE_LIMITED),
    _refuse("rate_limited_seconds", 429, RATE_LIMITED, {"retry-after": str(RETRY_AFTER_S)}),
    _refuse("rate_limited_ms", 429, RATE_LIMITED, {"retry-after-ms": str(RETRY_AFTER_S * 1_000)}),
    _say("rate_limited_date", lambda _: Said(RATE_LIMITED), status=429, headers=_http_date),
    _refuse("request_too_large_for_rate", 429, _complain("Request too large for gpt-x on tokens per min (TPM): Limit "
            "30000, Requested 36278.", "rate_limit_exceeded", "tokens")),
    _refuse("no_quota", 429, _complain("You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota", "insufficient_quota")),
    _refuse("spend_limit", 429, _complain("Project spend limit reached.", "project_spend_limit_exceeded",
            "insufficient_quota")),
    _refuse("server_error", 500, _complain("The server had an error", None, "server_error")),
    _refuse("bad_gateway", 502, HTML, {"content-type": "text/html"}),
    _refuse("overloaded", 503, _complain("The engine is currently overloaded", None, "server_error")),
    _refuse("overloaded_seconds", 503, _complain("Slow down"), {"retry-after": str(RETRY_AFTER_S)}),
    _refuse("gateway_timeout", 504, HTML, {"content-type": "text/html"}),
    _refuse("overloaded_529", 529, _complain("Overloaded", None, "overloaded_error")),
    _refuse("redirect", 307, b"", {"location": "/elsewhere/v1/chat/completions"}),
    _refuse("redirect_away", 302, b"", {"location": "https://login.example.org/?next=models"}),
)  # fmt: skip  # a table: one fault a line reads better than one argument a line

TRANSPORT = (
    _send("blank_then_good", "blank_lines", good=True),
    _send("comments_then_good", "comments", good=True),
    _send("trickle", "trickle", good=True),
    _send("unfinished", "unfinished", good=True),
    _say("blank_then_nothing", lambda hit: Said(b"", hit.usage("")), manner="blank_lines"),
    _send("blank_then_reset", "blank_reset"),
    _send("truncated", "cut_close"),
    _send("reset_middle", "cut_reset"),
    _send("silence_middle", "cut_silence"),
    _send("closed", "close"),
    _send("reset", "reset"),
    _send("silence", "silence"),
    _send("not_http", "not_http"),
    _say("huge_headers", completion, headers=lambda _: {"x-debug": "x" * 100_000}),
    _say("refused_connection", lambda _: Said(b""), manner="refused"),
)

BODIES = (
    _body("html", HTML, "text/html"),
    _body("empty", b""),
    _body("only_spaces", b"  \n \n"),
    _body("error_object", _complain("upstream failed", 502, "upstream_error")),
    _body("not_json", b"upstream connect error or disconnect before headers"),
    _body("json_list", b"[1, 2, 3]"),
    _body("json_text", b'"ok"'),
    _body("half_json", b'{"id": "chatcmpl-1", "choices": [{"index": 0, "mess'),
    _body("bad_utf8", b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    _body("deep_json", b"[" * 100_000),
    _body("huge_number", b'{"choices": 1' + b"0" * 100_000 + b"}"),
    _body("oversize", b'{"choices": "' + b"x" * 3_000_000 + b'"}'),
    _body("gzip_bomb", gzip.compress(bytes(50_000_000)), content_encoding="gzip"),
    _with("choices_null", choices=None),
    _with("choices_empty", choices=[]),
    _with("choices_text", choices="none"),
    _with("choice_null", choices=[None]),
    _with("message_null", choices=[{"index": 0, "message": None, "finish_reason": "stop"}]),
    _with("content_null", content=None),
    _with("content_list", content=[{"type": "text", "text": "{}"}]),
    _with("content_number", content=7),
    _with("no_usage", good=True, usage=None),
    _with("odd_usage", good=True, usage={"prompt_tokens": "12", "completion_tokens": 3.0, "prompt_tokens_details": []}),
    _with("length", content='{"justification": "It goes on and', finish_reason="length"),
    _with("length_blank", content="", finish_reason="length"),
    _with("content_filter", content="", finish_reason="content_filter"),
    _with("refusal", content=None, refusal="I cannot help with that."),
    _with("no_resource", content="", finish_reason="insufficient_system_resource"),
    _with("other_model", model="another-model-2"),
)

CONTENTS = (
    _content("blank", lambda _: " \n\t "),
    _content("code_fence", lambda verdict: f"```json\n{json.dumps(verdict)}\n```"),
    _content("trailing_text", lambda verdict: f"{json.dumps(verdict)}\nI hope this helps!"),
    _content("leading_text", lambda verdict: f"Here is the verdict:\n{json.dumps(verdict)}"),
    _content("half_verdict", lambda verdict: json.dumps(verdict)[:-10]),
    _content("plain_refusal", lambda _: "I'm sorry, but I cannot judge this citation."),
    _content("unknown_category", lambda verdict: json.dumps(verdict | {"category": "PARTLY_SUPPORT"})),
    _content("wrong_case", lambda verdict: json.dumps(verdict | {"category": verdict["category"].lower()})),
    _content("unknown_type", lambda verdict: json.dumps(verdict | {"citation_type": "OTHER"})),
    _content("list_for_text", lambda verdict: json.dumps(verdict | {"category": [verdict["category"]]})),
    _content("missing_field", lambda verdict: json.dumps({k: v for k, v in verdict.items() if k != "confidence"})),
    _content("extra_field", lambda verdict: json.dumps(verdict | {"note": "x"})),
    _content("nan_confidence", lambda verdict: json.dumps(verdict | {"confidence": float("nan")})),
    _content("high_confidence", lambda verdict: json.dumps(verdict | {"confidence": 95})),
    _content("text_confidence", lambda verdict: json.dumps(verdict | {"confidence": "0.9"})),
    _content("duplicate_keys", lambda verdict: json.dumps(verdict)[:-1] + ', "category": "SUPPORT"}'),
    _content("long_justification", lambda verdict: json.dumps(verdict | {"justification": "x" * 700})),
    _content("verdict_list", lambda verdict: json.dumps([verdict])),
)

ECHOES = (
    _say("echo_key", lambda hit: completion(hit, content=f"You sent {hit.authorization}")),
    _say("echo_key_refused", lambda hit: Said(_complain(f"Bad key: {hit.authorization}")), status=401),
    _say("echo_key_escaped", lambda hit: Said(b'{"error": "%b"}' % _escaped(hit.authorization).encode()), status=400),
    _say("echo_key_header", lambda _: Said(_complain("x")), status=500,
         headers=lambda hit: {"x-debug": hit.authorization}),
    _say("echo_key_redirect", lambda _: Said(b""), status=307,
         headers=lambda hit: {"location": f"/login?key={hit.authorization}"}),
    _say("echo_key_not_http", lambda hit: Said(f"HTTP/1.1 {hit.authorization} 200".encode()), manner="not_http"),
    _say("echo_key_cut", lambda hit: Said(f"You sent {hit.authorization * 20}".encode()), manner="cut_close"),
)  # fmt: skip  # a table, as above

ACTS: Mapping[str, Act] = MappingProxyType(
    {act.name: act for act in (GOOD, *STATUSES, *TRANSPORT, *BODIES, *CONTENTS, *ECHOES)}
)
"""All acts by name."""


def rate_limited(wait: float | None) -> Act:
    """What a provider says to one request too many; ``wait`` is told in milliseconds, unless it is None."""
    if wait is None:
        return ACTS["rate_limited"]
    return _refuse("rate_limited", 429, RATE_LIMITED, {"retry-after-ms": str(int(wait * 1_000) + 1)})
