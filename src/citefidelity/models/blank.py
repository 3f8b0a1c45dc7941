"""Keeps keys out of what comes back: a server that echoes its request must not get the key into the journal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from citefidelity.config.secret import BLANK, SHORTEST_BLANKED, Secret

BLANK_BYTES = BLANK.encode()


class Blanker:
    """Blanks known secrets, as they are and as JSON or a URL would escape them."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        values = [secret.reveal().encode() for secret in secrets]
        # Shorter ones would blank ordinary words.
        self._values = [value for value in values if len(value) >= SHORTEST_BLANKED]
        self._pattern = re.compile(b"|".join(_spellings(value) for value in self._values)) if self._values else None
        # What a body holds at least that holds a secret: the pattern is slow, and nearly every body is innocent.
        slashed = any(character in value for value in self._values for character in b'/"\\')
        self._hints = [*self._values, b"%", b"\\" if slashed else b"\\u00"]

    def body(self, body: bytes) -> bytes:
        """A whole body without the secrets."""
        if self._pattern is None or not any(hint in body for hint in self._hints):
            return body
        return self._pattern.sub(BLANK_BYTES, body)

    def cut_body(self, body: bytes) -> bytes:
        """A body that broke off: a secret may have been cut in two, and its first part stand at the end."""
        body = self.body(body)
        for value in self._values:
            for length in range(min(len(value) - 1, len(body)), SHORTEST_BLANKED - 1, -1):
                if body.endswith(value[:length]):
                    return body[:-length] + BLANK_BYTES
        return body

    def text(self, text: str) -> str:
        """A message or a header without the secrets."""
        return text if self._pattern is None else self.body(text.encode(errors="replace")).decode(errors="replace")


def _spellings(value: bytes) -> bytes:
    """A pattern for ``value`` in which any character may be escaped, for JSON, for JSON inside JSON, or for a URL."""
    return rb"\\{0,8}".join(_spelling(character) for character in value)


def _spelling(character: int) -> bytes:
    digits = b"".join(
        b"[%c%c]" % (digit, digit ^ 32) if digit >= ord("a") else b"%c" % digit for digit in b"%02x" % character
    )
    literal = re.escape(bytes([character]))
    # Up to eight backslashes, as JSON inside JSON doubles them; without a bound, a megabyte of them would take hours.
    return rb"(?:%b|\\{1,8}u00%b|%%%b)" % (literal, digits, digits)
