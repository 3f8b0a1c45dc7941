"""The answers of scripted models: a verdict that follows from the prompt alone, so that swapped answers show. Pure."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from citefidelity.records import Usage

HASH_BYTES = 16
"""As long as a context's input hash, and over the same bytes: the two are equal."""

CHARACTERS_A_TOKEN = 4
CACHE_BLOCK = 64
STEPS = 20

CATEGORIES = (
    "SUPPORT",
    "CONTRADICT",
    "NOT_SUBSTANTIATE",
    "OVERSIMPLIFY",
    "IRRELEVANT",
    "MISQUOTE",
    "INDIRECT",
    "ETIQUETTE",
    "UNCERTAIN",
)
TYPES = ("CONCEPTUAL", "METHODOLOGICAL", "BACKGROUND", "ATTRIBUTION")


class Choices(msgspec.Struct, frozen=True):
    """The names that a verdict may use."""

    categories: tuple[str, ...] = CATEGORIES
    types: tuple[str, ...] = TYPES


class ScriptedVerdict(msgspec.Struct, frozen=True):
    """What a scripted model answers, in the order of keys that the prompt asks for."""

    justification: str
    citation_type: str
    category: str
    confidence: float


def prompt_hash(variable: str) -> str:
    """What a prompt is known by: its hash in hexadecimal, which is the input hash of its context."""
    return blake2b(variable.encode(), digest_size=HASH_BYTES).hexdigest()


def verdict_for(prompt: str, choices: Choices | None = None) -> ScriptedVerdict:
    """The one verdict on the prompt with this hash."""
    choices = choices or Choices()
    number = int(prompt, 16)
    return ScriptedVerdict(
        justification=f"Scripted answer to prompt {prompt}.",
        citation_type=choices.types[number // 1_000 % len(choices.types)],
        category=choices.categories[number % len(choices.categories)],
        confidence=round(number // 100 % (STEPS + 1) / STEPS, 2),
    )


def choices_in(schema: object) -> Choices:
    """The names that a request's JSON schema allows; the usual ones where it has none."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return Choices()

    def names(key: str, usual: tuple[str, ...]) -> tuple[str, ...]:
        allowed = properties.get(key)
        found = allowed.get("enum") if isinstance(allowed, dict) else None
        return tuple(str(name) for name in found) if isinstance(found, list) and found else usual

    return Choices(names("category", CATEGORIES), names("citation_type", TYPES))


def usage_for(fixed: str, variable: str, content: str, *, warm: bool) -> Usage:
    """Tokens as a provider would count them: four characters each. ``warm``: the fixed part comes from its cache."""
    cached = len(fixed) // CHARACTERS_A_TOKEN // CACHE_BLOCK * CACHE_BLOCK
    return Usage(
        input_tokens=(len(fixed) + len(variable)) // CHARACTERS_A_TOKEN + 1,
        output_tokens=len(content) // CHARACTERS_A_TOKEN + 1,
        cached_tokens=cached if warm else 0,
        reasoning_tokens=0,
    )
