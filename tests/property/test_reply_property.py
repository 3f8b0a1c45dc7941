"""Properties of reading replies: what is rendered reads back, what is changed is refused, nothing crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.records import Verdict
from citefidelity.replies.reply import JUSTIFICATION_CHARS, KEYS, UnreadableReply, read_reply
from citefidelity.specs.spec import builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart

SPEC = resolve(builtin_spec(), flags=SpecPart(model="m"))

fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "justification": st.text(max_size=JUSTIFICATION_CHARS),
        "citation_type": st.sampled_from(list(SPEC.types)),
        "category": st.sampled_from(list(SPEC.categories)),
        "confidence": st.floats(0, 1),
    }
)
space = st.text(alphabet=" \t\r\n", max_size=5)


@st.composite
def writings(draw: st.DrawFn) -> tuple[str, Verdict]:
    """A verdict, and one of the ways in which a model may write it."""
    values = draw(fields)
    ordered = {key: values[key] for key in draw(st.permutations(KEYS))}
    text = json.dumps(ordered, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 2])))
    if draw(st.booleans()):
        text = f"```json\n{text}\n```"
    verdict = Verdict(values["category"], values["citation_type"], values["confidence"], values["justification"])
    return draw(space) + text + draw(space), verdict


@given(writings())
def test_a_verdict_written_as_json_reads_back_equal(writing: tuple[str, Verdict]) -> None:
    """Order, white space, escapes and a code fence make no difference to the verdict."""
    text, verdict = writing
    assert read_reply(text, SPEC) == verdict


wrong_values = {
    "justification": st.one_of(st.none(), st.integers(), st.lists(st.text()), st.text(min_size=601, max_size=700)),
    "citation_type": st.one_of(st.none(), st.text().filter(lambda text: text not in SPEC.types)),
    "category": st.one_of(st.none(), st.lists(st.text()), st.text().filter(lambda text: text not in SPEC.categories)),
    "confidence": st.one_of(
        st.none(), st.booleans(), st.text(), st.floats(max_value=-1e-9), st.floats(min_value=1.0000001), st.just(1e999)
    ),
}


@given(fields, st.data())
def test_any_change_makes_it_unreadable(values: dict[str, Any], data: st.DataObject) -> None:
    """A dropped, added or doubled key, a wrong value, and text around it are all refused."""
    key = data.draw(st.sampled_from(KEYS))
    change = data.draw(st.sampled_from(["drop", "add", "double", "wrong", "before", "after"]))
    text = json.dumps(values)
    match change:
        case "drop":
            text = json.dumps({name: value for name, value in values.items() if name != key})
        case "add":
            extra = data.draw(st.text().filter(lambda name: name not in KEYS))
            text = json.dumps({**values, extra: 1})
        case "double":
            text = "{" + json.dumps({key: values[key]})[1:-1] + "," + text[1:]
        case "wrong":
            text = json.dumps({**values, key: data.draw(wrong_values[key])})
        case "before":
            text = data.draw(st.text(min_size=1).filter(lambda part: part.strip() and "`" not in part)) + text
        case "after":
            text += data.draw(st.text(min_size=1).filter(lambda part: part.strip()))
    with pytest.raises(UnreadableReply):
        read_reply(text, SPEC)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=5),
    max_leaves=10,
)


@given(st.one_of(st.text(), json_values.map(json.dumps), st.text(alphabet='{}[]":,0123456789.eE+-`\\u d8json')))
def test_no_text_raises_anything_else(content: str) -> None:
    """Whatever a model writes, reading it ends in a verdict or in an unreadable reply with a reason."""
    try:
        verdict = read_reply(content, SPEC)
    except UnreadableReply:
        return
    assert verdict.category in SPEC.categories
    assert 0 <= verdict.confidence <= 1
