"""What a provider says when it does not answer: the error objects of OpenAI-compatible servers, in their dialects."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

LONGEST = 200
"""Characters kept of what a provider says: enough to know it by, too few to hold a prompt that it repeats."""

WAITING = re.compile(rb"(?:\s+|:[^\n]*\n)*")
"""What stands before a reply that one had to wait for: blank lines, or comments."""

ECHO = re.compile(r"(?:\binput_value=|['\"]input['\"] ?:).*")
"""Where a validation error (pydantic's) begins to repeat the request."""


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """The parts of an error object; what is absent is "". ``message`` is short and fit to be shown."""

    code: str = ""
    type: str = ""
    param: str = ""
    message: str = ""

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether any part matches."""
        return any(pattern.search(part) for part in (self.code, self.type, self.param, self.message))


def read_complaint(body: bytes) -> Complaint:
    """The complaint in the body of an answer, whatever its dialect; never raises."""
    document = parse(body)
    if isinstance(document, dict):
        return complaint_in(document)
    return Complaint(message=_describe(body) if document is None else "")


def complaint_in(document: dict[Any, Any]) -> Complaint:
    """The complaint in a parsed body.

    OpenAI and most others nest it as ``error``; older vLLM has it flat; ``error`` may be a bare string; FastAPI has
    ``detail``, a string or a list of places.
    """
    error = document.get("error")
    if isinstance(error, str):
        return Complaint(message=presentable(error))
    if not isinstance(error, dict):
        error = document
    if "message" not in error and "detail" in error:
        return _detail(error["detail"])
    return Complaint(*(presentable(error.get(part)) for part in ("code", "type", "param", "message")))


def parse(body: bytes) -> object:
    """The JSON value in a body, None where there is none."""
    start = WAITING.match(body)
    text = body[start.end() :] if start else body
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # Slower, but reads a lone surrogate in the content, and so the usage that was billed beside it.
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def presentable(value: object) -> str:
    """A code or a sentence as one short line without control characters; "" for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.12g}"
    if not isinstance(value, str):
        return ""
    if len(value) <= LONGEST and value.isprintable() and " " not in value:
        # One word, as most codes and names are: it can hold no echo of a prompt.
        return value
    line = ECHO.sub("", " ".join(value[: 10 * LONGEST].split())).rstrip(" ,([{")
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _detail(detail: object) -> Complaint:
    first = detail[0] if isinstance(detail, list) and detail else detail
    if not isinstance(first, dict):
        return Complaint(message=presentable(first))
    place = first.get("loc")
    param = place[-1] if isinstance(place, list) and place else ""
    return Complaint(
        type=presentable(first.get("type")), param=presentable(param), message=presentable(first.get("msg"))
    )


def _describe(body: bytes) -> str:
    """A body that is no JSON: one short plain line is repeated, anything longer only named."""
    text = body.strip()
    if not text:
        return "an empty body" if not body else "nothing but white space"
    if text.startswith(b"<"):
        return f"an HTML page of {len(body)} bytes"
    line = presentable(text[: LONGEST + 1].decode(errors="replace"))
    return line if len(text) <= LONGEST and b"\n" not in text else f"{len(body)} bytes that are not JSON"
