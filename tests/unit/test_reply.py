"""Replies: the verdict that was asked for, or a reason why it is none. Never a default."""

from __future__ import annotations

import json
from typing import Any

import pytest

from citefidelity.records import Verdict
from citefidelity.replies.reply import Unreadable, UnreadableReply, read_reply, reply_schema
from citefidelity.specs.spec import Spec, builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart

GOOD: dict[str, Any] = {
    "justification": "The evidence says so.",
    "citation_type": "ATTRIBUTION",
    "category": "SUPPORT",
    "confidence": 0.85,
}
VERDICT = Verdict("SUPPORT", "ATTRIBUTION", 0.85, "The evidence says so.")


def spec_for(provider: str = "openai", base_url: str | None = None) -> Spec:
    """The built-in spec for this server."""
    return resolve(builtin_spec(), flags=SpecPart(provider=provider, base_url=base_url, model="m"))


def reason(content: str) -> str:
    """Why ``content`` is unreadable."""
    with pytest.raises(UnreadableReply) as caught:
        read_reply(content, spec_for())
    assert str(caught.value).startswith(caught.value.reason)
    return caught.value.reason


def with_(**fields: Any) -> str:
    """The good reply with these fields replaced."""
    return json.dumps(GOOD | fields)


def test_the_object_that_was_asked_for_is_a_verdict() -> None:
    """Four keys in any order make a verdict, unchanged."""
    assert read_reply(json.dumps(GOOD), spec_for()) == VERDICT
    assert read_reply(json.dumps(dict(reversed(GOOD.items())), indent=2), spec_for()) == VERDICT


@pytest.mark.parametrize("around", ["{}", "\n\n {} \t\n", "```json\n{}\n```", "```\n{}\n```\n", "  ```json {}```"])
def test_white_space_and_one_code_fence_are_tolerated(around: str) -> None:
    """What servers and models put around an answer without changing it costs nobody a second call."""
    assert read_reply(around.replace("{}", json.dumps(GOOD)), spec_for()) == VERDICT


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", Unreadable.BLANK),
        (" \n\t  ", Unreadable.BLANK),
        ("```json\n```", Unreadable.NOT_JSON),
        ("SUPPORT", Unreadable.NOT_JSON),
        ("I cannot judge this.", Unreadable.NOT_JSON),
        (json.dumps(GOOD)[:-1], Unreadable.NOT_JSON),
        ("Here it is: " + json.dumps(GOOD), Unreadable.NOT_JSON),
        ("<think>hm</think>" + json.dumps(GOOD), Unreadable.NOT_JSON),
        ("\ufeff" + json.dumps(GOOD), Unreadable.NOT_JSON),
        (json.dumps(GOOD) + " I hope this helps.", Unreadable.TRAILING_TEXT),
        (json.dumps(GOOD) * 2, Unreadable.TRAILING_TEXT),
        ("```json\n```json\n" + json.dumps(GOOD) + "\n```\n```", Unreadable.NOT_JSON),
        (json.dumps([GOOD]), Unreadable.NOT_AN_OBJECT),
        ("null", Unreadable.NOT_AN_OBJECT),
        ('"SUPPORT"', Unreadable.NOT_AN_OBJECT),
        ("{}", Unreadable.MISSING_FIELD),
        (with_(note="more"), Unreadable.EXTRA_FIELD),
        ('{"category": "IRRELEVANT", ' + json.dumps(GOOD)[1:], Unreadable.DUPLICATE_KEY),
        (with_(category="support"), Unreadable.UNKNOWN_CATEGORY),
        (with_(category="SUPPORT "), Unreadable.UNKNOWN_CATEGORY),
        (with_(category="ACCURATE"), Unreadable.UNKNOWN_CATEGORY),
        (with_(category=["SUPPORT"]), Unreadable.WRONG_TYPE),
        (with_(category=None), Unreadable.WRONG_TYPE),
        (with_(citation_type="SUPPORT"), Unreadable.UNKNOWN_CITATION_TYPE),
        (with_(citation_type=3), Unreadable.WRONG_TYPE),
        (with_(confidence="0.8"), Unreadable.WRONG_TYPE),
        (with_(confidence=True), Unreadable.WRONG_TYPE),
        (with_(confidence=None), Unreadable.WRONG_TYPE),
        (with_(confidence=85), Unreadable.CONFIDENCE_OUT_OF_RANGE),
        (with_(confidence=-0.01), Unreadable.CONFIDENCE_OUT_OF_RANGE),
        (with_(confidence=1.0000001), Unreadable.CONFIDENCE_OUT_OF_RANGE),
        (with_(confidence=float("nan")), Unreadable.NOT_JSON),
        (with_(confidence=float("inf")), Unreadable.NOT_JSON),
        (with_().replace("0.85", "1e999"), Unreadable.CONFIDENCE_OUT_OF_RANGE),
        (with_().replace("0.85", "1" * 400), Unreadable.CONFIDENCE_OUT_OF_RANGE),
        (with_().replace("0.85", "1" * 5000), Unreadable.NOT_JSON),
        (with_(justification=["a", "b"]), Unreadable.WRONG_TYPE),
        (with_(justification="x" * 601), Unreadable.JUSTIFICATION_TOO_LONG),
        (with_(justification="half \ud83d"), Unreadable.INVALID_TEXT),
        (with_(justification="raw newline").replace("raw ", "raw\n"), Unreadable.NOT_JSON),
        ("[" * 20_000, Unreadable.NOT_JSON),
        ('{"a":' * 3_000, Unreadable.NOT_JSON),
        (with_(justification="x" * 20_000), Unreadable.TOO_LONG),
    ],
)
def test_everything_else_is_unreadable_for_its_own_reason(content: str, expected: Unreadable) -> None:
    """Nothing is guessed from a reply that is not what was asked for."""
    assert reason(content) == expected


@pytest.mark.parametrize("key", GOOD)
def test_no_key_may_be_missing(key: str) -> None:
    """A verdict is whole or it is none."""
    with pytest.raises(UnreadableReply) as caught:
        read_reply(json.dumps({name: value for name, value in GOOD.items() if name != key}), spec_for())
    assert (caught.value.reason, caught.value.detail) == (Unreadable.MISSING_FIELD, key)


@pytest.mark.parametrize(("written", "read"), [("0", 0.0), ("1", 1.0), ("-0.0", 0.0), ("1E-2", 0.01)])
def test_the_ends_of_the_range_are_in_it(written: str, read: float) -> None:
    """Zero and one are confidences, as whole numbers too, and minus zero is zero."""
    verdict = read_reply(with_().replace("0.85", written), spec_for())
    assert repr(verdict.confidence) == repr(read)


def test_a_justification_is_kept_to_the_last_character() -> None:
    """600 characters are allowed, an empty one too, and none is stripped or normalised."""
    for text in ("", " e\u0301 \n" + "\U0001f600" * 595):
        assert read_reply(with_(justification=text), spec_for()).justification == text


def test_a_category_of_the_users_own_is_read() -> None:
    """The names are those of the spec, not those of the program."""
    spec = resolve(
        builtin_spec(), SpecPart(categories={"YES": "y", "NO": "n"}, types={"ANY": "a"}), SpecPart(model="m")
    )
    assert read_reply(with_(category="NO", citation_type="ANY"), spec).category == "NO"
    with pytest.raises(UnreadableReply):
        read_reply(with_(citation_type="ANY"), spec)


def test_the_detail_of_a_complaint_is_short_and_printable() -> None:
    """A reply of any kind must not flood or garble a log line."""
    with pytest.raises(UnreadableReply) as caught:
        read_reply(with_(category="\x1b[31m\n" * 500), spec_for())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ("openai", None),
        ("openai", "http://localhost:8080/v1"),
        ("openai", "https://example.org/v1"),
        ("deepseek", None),
        ("ollama", None),
        ("vllm", None),
        ("local", None),
    ],
)
def test_the_schema_is_strict_and_bounded_for_every_server(provider: str, base_url: str | None) -> None:
    """Every key is required, no other allowed, names are enumerated, and the number has an end."""
    spec = spec_for(provider, base_url)
    schema: Any = reply_schema(spec)
    properties = schema["properties"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(properties) == set(GOOD)
    assert properties["category"]["enum"] == list(spec.categories)
    assert properties["citation_type"]["enum"] == list(spec.types)
    confidence = properties["confidence"]
    assert "enum" in confidence or (confidence["minimum"], confidence["maximum"]) == (0, 1)


def test_each_server_gets_the_bounds_that_it_keeps_to() -> None:
    """llama.cpp ignores bounds of numbers, vLLM garbles enumerated ones, OpenAI refuses maxLength."""

    def bounds(provider: str, base_url: str | None = None) -> tuple[bool, int | None]:
        properties: Any = reply_schema(spec_for(provider, base_url))["properties"]
        return "enum" in properties["confidence"], properties["justification"].get("maxLength")

    assert bounds("openai", "http://127.0.0.1:9/v1") == (True, 600)
    assert bounds("ollama") == (True, 600)
    assert bounds("local") == (True, 80)
    assert bounds("vllm") == (False, 600)
    assert bounds("openai") == (False, None)
    assert bounds("openai", "https://it.openai.azure.com/openai/v1") == (False, None)
    assert bounds("openai", "https://example.org/v1") == (False, 600)
