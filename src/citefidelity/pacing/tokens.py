"""How many tokens a text has, as far as that can be told without the model's own tokenizer."""

from __future__ import annotations

import re

from citefidelity.records import Usage

BYTES_PER_TOKEN = 3
RULE = f"one token for every {BYTES_PER_TOKEN} bytes of text"


def tokens_of(text: str) -> int:
    """An estimate that is seldom too low, because budgets are kept by it.

    For 316 prompts about biomedical papers it was 31 % above the count of a small model's tokenizer on average, and
    below it for 3 % of them. Bytes rather than characters, as scripts with long encodings have more tokens.
    """
    return len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN + 1


CHARACTERS_OF_A_LONG_TOKEN = 6
"""More than any tokenizer puts into a token on average; for prose it is four to five."""

SMALLEST_CONTEXT = 1_000
"""A server that reports fewer tokens than that counts in a way of its own; no context is as small."""

RUN = re.compile(r"(\W)\1+")
"""Blanks, dots and dashes in a row, of which a single token may hold a hundred."""


def is_cut_short(usage: Usage, prompt: str) -> bool:
    """Whether the tokens that a server says it has read are too few for the whole prompt: it left out a part of it.

    What it lost must be a third or so before that is certain. Cached tokens are added, as some gateways leave them out.
    """
    if usage.input_tokens is None or usage.input_tokens < SMALLEST_CONTEXT:
        return False
    room = (usage.input_tokens + (usage.cached_tokens or 0)) * CHARACTERS_OF_A_LONG_TOKEN
    return room < len(prompt) and room < len(RUN.sub(r"\1", prompt))
