"""Names what in a paper's text looks like an attack on the model. Pure; nothing is ever removed.

A flag is a hint for people who read verdicts, not a judgement: a paper on language models may well quote an attack.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BEFORE, AFTER = 60, 120
"""Characters around a needle in which an expression is tried."""


class Pattern(NamedTuple):
    """``expression`` is tried around each ``needle``; all in lower case.

    Most texts hold no needle, and finding that out is far cheaper than running an expression over them. ``gate`` is
    one character that the needles share: that it is absent is found out almost for nothing.
    """

    flag: str
    gate: str
    needles: tuple[str, ...]
    expression: re.Pattern[str]


PATTERNS = (
    Pattern(
        "instruction_override",
        "",
        ("ignore", "disregard", "forget"),
        re.compile(
            r"(?:ignore|disregard|forget)\b.{0,20}\b(?:previous|prior|above|earlier|preceding|all|any|your)\b.{0,20}"
            r"\b(?:instruct|prompt|guideline|rules?\b|messages?\b)"
            r"|(?:ignore|disregard|forget) (?:everything|all)\b.{0,15}\b(?:above|before|previous)",
            re.DOTALL,
        ),
    ),
    Pattern(
        "role_marker",
        "<",
        ("<|", "<<sys", "system>"),
        re.compile(
            r"<\|(?:im_(?:start|end)|system|user|assistant|end_?of_?text|begin_of_text|(?:start|end)_header_id|eot_id)\|>"
            r"|<</?sys>>|</?system>"
        ),
    ),
    Pattern(
        "role_marker",
        "",
        ("system:", "assistant:", "[/inst]"),
        re.compile(r"^[ \t#*]*(?:system|assistant):|\[/inst\]", re.MULTILINE),
    ),
    Pattern("role_marker", "#", ("###",), re.compile(r"^### ?(?:instruction|system)", re.MULTILINE)),
    Pattern("fence", "<", ("<<",), re.compile(r"^[ \t]*<<[0-9a-f]{6}\b", re.MULTILINE)),
    Pattern(
        "verdict_order",
        '"',
        ("citation_type", "category", "confidence"),
        re.compile(r'"(?:citation_type|category|confidence)"[ \t]*:'),
    ),
    Pattern(
        "verdict_order",
        "",
        ("category", "classify", "verdict"),
        re.compile(
            r"(?:verdict|category)\b.{0,40}\b(?:must|should|has to) be (?:positive|favou?rable|supportive|accurate)"
            r"|(?:must|should|always|please)\b.{0,20}\bclassify (?:this|it|the citation|the passage) as\b"
        ),
    ),
    Pattern(
        "addresses_model",
        "",
        (" ai", "language model", "llm"),
        re.compile(
            r"(?:if|as|since) you(?:'re| are) an? (?:ai|llm|large language|language model)\b"
            r"|(?:dear|attention|note (?:to|for)|instructions? (?:to|for)|message (?:to|for))(?: all| any| the)? "
            r"(?:ai|llms?|(?:large )?language models?)\b"
            r"|you are (?:now )?(?:an? |the )?(?:ai|llm|language model)\b"
        ),
    ),
)

UNSEEN = (
    # Soft hyphens and joiners are left out: extracted PDFs and Persian or Hindi text are full of them.
    ("zero_width", re.compile("[\u200b\u2060-\u2064\ufeff]")),
    ("bidi_control", re.compile("[\u202a-\u202e\u2066-\u2069]")),
    ("tag_characters", re.compile("[\U000e0000-\U000e007f]")),
)
"""Characters that no reader sees, but a model does."""


def suspicions(text: str, lowered: str) -> tuple[str, ...]:
    """The names of all patterns that occur. ``lowered`` is ``text.lower()``, which the caller has at hand."""
    found = [pattern.flag for pattern in PATTERNS if pattern.gate in lowered and _occurs(pattern, lowered)]
    if not text.isascii():
        found += [flag for flag, expression in UNSEEN if expression.search(text)]
    return tuple(dict.fromkeys(found)) if found else ()


def _occurs(pattern: Pattern, lowered: str) -> bool:
    for needle in pattern.needles:
        at = lowered.find(needle)
        while at >= 0:
            if pattern.expression.search(lowered, max(0, at - BEFORE), at + AFTER):
                return True
            at = lowered.find(needle, at + 1)
    return False
