"""What a prompt quotes can be read back from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from citefidelity.prompt import Prompter, Rendered
from citefidelity.quotations import Passage, Quotations, quotations
from citefidelity.records import Citation, CitationKey, Context, Segment
from citefidelity.specs.spec import builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart

PROMPTER = Prompter(resolve(builtin_spec(), flags=SpecPart(model="m", max_chars=50, segments=3)))

# Beside any text, what looks like a fence.
odd = st.sampled_from(["<<0a1b2c passage>>", "<<abcdef end>>", "\n", "\n<<", ">>\n", "Title: ", "Section: ", "\r"])
text = st.lists(st.text(max_size=30) | odd, max_size=4).map("".join)
line = st.none() | st.text(st.characters(exclude_characters="\n"), min_size=1).filter(lambda text: bool(text.strip()))
evidence = text.filter(lambda text: bool(text.strip()))


@given(line, line, line, text, st.none() | text, st.lists(evidence, min_size=1, max_size=3))
def test_what_was_quoted_is_read_back(  # noqa: PLR0913, PLR0917 - each is a part of the prompt
    source: str | None, target: str | None, section: str | None, passage: str, sentence: str | None, texts: list[str]
) -> None:
    """Titles of one line, the passage, the sentence and the evidence come back as they were sent."""
    segments = tuple(Segment(text) for text in texts)
    citation = Citation(CitationKey("a", "b", "c"), (), source, target)
    rendered = PROMPTER.render(citation, Context("1", passage, section, sentence, segments))
    assert isinstance(rendered, Rendered)
    blank = sentence is None or not sentence.strip()
    same = (sentence or "").strip() == passage.strip()
    assert quotations(rendered.variable) == Quotations(
        source_title=source,
        passage=passage,
        sentence=passage if same else None if blank else sentence,
        target_title=target,
        evidence=tuple(Passage(text[:50], cut=len(text) > 50) for text in texts),
    )


def test_a_text_without_fences_quotes_nothing() -> None:
    """What was not rendered here, or is broken, gives nothing rather than an error."""
    for variable in ("", "no fences", "<<0a1b2c passage>>", "<<0a1b2c evidence 1 is cut here>>\n<<0a1b2c end>>"):
        assert quotations(variable) == Quotations()
