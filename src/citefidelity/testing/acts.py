"""What a scripted model can do with one request, good and bad. Pure: what is said, and how its bytes go out.

:data:`citefidelity.testing.faults.ACTS` has one act for each fault that a provider is known to commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from citefidelity.ports import CallFault, RawReply
from citefidelity.records import Usage
from citefidelity.testing.hits import Hit

Manner = Literal[
    "whole",  # at once
    "blank_lines",  # after blank lines, as a provider sends them while one waits
    "comments",  # after comments, as some send them instead
    "trickle",  # in small pieces
    "unfinished",  # whole, but for the mark that says so; then an ordinary end
    "cut_close",  # the first half, then an ordinary end
    "cut_reset",  # the first half, then a reset
    "cut_silence",  # the first half, then nothing: the connection is half open
    "blank_reset",  # blank lines, then a reset
    "close",  # nothing, then an ordinary end
    "reset",  # nothing, then a reset
    "silence",  # nothing, for as long as one waits
    "refused",  # no connection at all; only a model in this process can do that
    "not_http",  # the body alone, without anything that HTTP wants
]
Ending = Literal["keep", "close", "reset", "silence"]

PIECES = 8
BLANK_LINES = 3

REASONS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 401: "Unauthorized", 429: "Too Many Requests"}


class Said(NamedTuple):
    """A body, and what making it is charged as; None where it costs nothing."""

    body: bytes
    billed: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done with one request. ``pause`` lies between two pieces, in seconds."""

    name: str
    say: Callable[[Hit], Said]
    status: int = 200
    headers: Callable[[Hit], dict[str, str]] = lambda _: {"content-type": "application/json"}
    manner: Manner = "whole"
    pause: float = 0.02
    good: bool = False

    @property
    def whole(self) -> bool:
        """Whether a complete HTTP reply goes out."""
        return self.manner in {"whole", "blank_lines", "comments", "trickle", "unfinished"}

    def outcome(self, hit: Hit) -> RawReply | CallFault | None:
        """What a client sees, without a socket in between; None where it waits in vain."""
        body = self.say(hit).body
        if self.whole:
            before = {"blank_lines": b"\n" * BLANK_LINES, "comments": b": keep-alive\n\n"}.get(self.manner, b"")
            return RawReply(self.status, before + body, self.headers(hit))
        if self.manner in {"silence", "cut_silence"}:
            return None
        arrived = {"cut_close": body[: len(body) // 2], "cut_reset": body[: len(body) // 2], "blank_reset": b"\n"}
        return CallFault("connection", self.name, sent=self.manner != "refused", body=arrived.get(self.manner))


def pieces(act: Act, hit: Hit, body: bytes) -> tuple[list[bytes], Ending]:
    """The bytes that go out, in pieces with a pause between, and how it ends."""
    if act.manner in {"whole", "trickle", "cut_close", "cut_reset", "cut_silence"}:
        return _with_length(act, hit, body)
    if act.manner in {"blank_lines", "comments", "blank_reset", "unfinished"}:
        return _in_chunks(act, hit, body)
    if act.manner == "not_http":
        return [body + b"\r\n\r\n"], "close"
    return [], "close" if act.manner == "close" else "silence" if act.manner == "silence" else "reset"


def _with_length(act: Act, hit: Hit, body: bytes) -> tuple[list[bytes], Ending]:
    whole = _head(act, hit, f"content-length: {len(body)}") + body
    if act.manner == "whole":
        return [whole], "keep"
    if act.manner == "trickle":
        size = len(whole) // PIECES + 1
        return [whole[start : start + size] for start in range(0, len(whole), size)], "keep"
    ending: dict[str, Ending] = {"cut_close": "close", "cut_reset": "reset", "cut_silence": "silence"}
    return [whole[: -(len(body) // 2) - 1]], ending[act.manner]


def _in_chunks(act: Act, hit: Hit, body: bytes) -> tuple[list[bytes], Ending]:
    head = _head(act, hit, "transfer-encoding: chunked")
    if act.manner == "unfinished":
        return [head + _chunk(body)], "close"
    waiting = [head] + [_chunk(b": keep-alive\n\n" if act.manner == "comments" else b"\n")] * BLANK_LINES
    if act.manner == "blank_reset":
        return waiting, "reset"
    return [*waiting, _chunk(body) + b"0\r\n\r\n"], "keep"


def completion(hit: Hit, *, refusal: str | None = None, finish_reason: str = "stop", **changes: Any) -> Said:
    """A chat completion; ``changes`` replace the ``content`` or parts of the whole."""
    content = changes.pop("content", None) if "content" in changes else msgspec.json.encode(hit.verdict).decode()
    billed = hit.usage(content if isinstance(content, str) else "")
    message = {"role": "assistant", "content": content, "refusal": refusal}
    document = {
        "id": f"chatcmpl-{hit.prompt[:12]}-{hit.number}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": hit.model,
        "system_fingerprint": "fp_scripted",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
        "usage": _usage(billed),
    }
    return Said(msgspec.json.encode(document | changes), billed)


def _usage(usage: Usage) -> dict[str, Any]:
    spent = (usage.input_tokens or 0, usage.output_tokens or 0)
    return {
        "prompt_tokens": spent[0],
        "completion_tokens": spent[1],
        "total_tokens": sum(spent),
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _head(act: Act, hit: Hit, framing: str) -> bytes:
    lines = [f"HTTP/1.1 {act.status} {REASONS.get(act.status, 'Scripted')}", framing]
    lines += [f"{name}: {value}" for name, value in act.headers(hit).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunk(data: bytes) -> bytes:
    # A chunk of no bytes would be the last one.
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
