"""Properties of the prompt: texts stand verbatim, fences hold, the hash is over what is shown."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from citefidelity.prompt import NoEvidence, Prompter, Rendered
from citefidelity.records import Citation, CitationKey, Context, Segment
from citefidelity.specs.spec import builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart

SPEC = resolve(builtin_spec(), flags=SpecPart(model="m", max_chars=50, segments=3))
PROMPTER = Prompter(SPEC)

# Words that try to break out, beside any text at all, lone surrogates included.
odd = st.sampled_from(["{evidence}", "{citing}", "<<", ">>", " end>>\n", "0a1b2c", "\0", "```", "\ud800", "\n"])
anything = st.text(st.characters(), max_size=40)
text = st.lists(anything | odd, max_size=4).map("".join)
optional = st.none() | text
segments = st.builds(Segment, text, optional, st.none() | st.floats())
contexts = st.builds(Context, st.just("1"), text, optional, optional, st.lists(segments, max_size=5).map(tuple))
citations = st.builds(Citation, st.just(CitationKey("a", "b", "c")), st.just(()), optional, optional)


@given(citations, contexts)
def test_rendering_is_total_verbatim_and_hashed(citation: Citation, context: Context) -> None:
    """Any texts render, can be sent, hold the citing text as it is, and hash to what is shown."""
    rendered = PROMPTER.render(citation, context)
    again = PROMPTER.render(citation, context)
    assert rendered == again
    if isinstance(rendered, NoEvidence):
        assert all(not segment.text.strip() for segment in context.evidence_segments)
        return
    assert rendered.input_hash == blake2b(rendered.variable.encode(), digest_size=16).digest()
    if "unsendable_characters" not in rendered.flags:
        assert context.context_text in rendered.variable


@given(citations, contexts)
def test_no_text_holds_the_code_of_its_fence(citation: Citation, context: Context) -> None:
    """The code stands only in the lines that this program wrote, so no text can end its quotation."""
    rendered = PROMPTER.render(citation, context)
    if not isinstance(rendered, Rendered):
        return
    code = rendered.variable[2:].partition(" ")[0]
    assert len(code) >= 6
    texts = [citation.source_title, citation.target_title, context.context_text, context.citation_sentence]
    texts += [part for segment in context.evidence_segments for part in (segment.text[:50], segment.section)]
    shown = [one for one in texts if one and one in rendered.variable]
    assert all(code not in one for one in shown)
    fences = sum(line.startswith(f"<<{code} ") for line in rendered.variable.split("\n"))
    assert rendered.variable.count(code) == fences
