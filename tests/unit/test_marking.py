"""Where in a citing text the citation stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.web.marking import pieces

odd = st.sampled_from(["[CITATION]", "[1]", "[1,[CITATION],2]", "[", "]", ". ", "<b>", "\n"])
texts = st.lists(st.text(max_size=20) | odd, max_size=8).map("".join)


@given(texts, st.none() | texts)
def test_the_pieces_are_the_text(text: str, sentence: str | None) -> None:
    """Nothing is lost, added or moved, whatever text and sentence are."""
    found = pieces(text, sentence)
    assert "".join(piece.text for piece in found) == text
    assert all(piece.text for piece in found)
    assert all(piece.text.upper() == "[CITATION]" for piece in found if piece.is_marker)


@given(texts, texts.filter(str.strip), texts)
def test_a_sentence_that_stands_there_is_found(before: str, sentence: str, after: str) -> None:
    """As it is, it is set apart in one stretch."""
    found = pieces(f"{before}{sentence}{after}", sentence)
    assert "".join(piece.text for piece in found if piece.in_sentence) == sentence.strip()


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("Risk fell in  all\ngroups[9,[CITATION],12].", "Risk fell in all groups[CITATION]."),
        ("Risk fell [1] in all groups [[CITATION]].", "Risk fell in all groups [CITATION]."),
        (
            "Compared with all others, patients died more (Table 2)[14,[CITATION],19].",
            "Compared with all others, patients died more (Table [CITATION].",
        ),
    ],
)
def test_a_sentence_with_other_marks_is_found(written: str, sentence: str) -> None:
    """White space and marks may be written otherwise; where more differs, its beginning tells it."""
    found = pieces(f"Before it. {written} After it.", sentence)
    assert "".join(piece.text for piece in found if piece.in_sentence) == written
    assert [piece.text for piece in found if piece.is_marker] == ["[CITATION]"]


def test_a_sentence_that_stands_nowhere_marks_nothing() -> None:
    """Another text is not taken for it."""
    assert not any(piece.in_sentence for piece in pieces("Some text [CITATION].", "Quite another sentence."))


def test_a_text_made_to_take_long_does_not() -> None:
    """Brackets in great number are no way to keep the page busy; the test would time out."""
    for text in ("[" * 20_000, "[1[2]3" * 5_000, "a " * 20_000, "[1]" * 20_000):
        pieces(f"x {text} y", "x [1] y z " * 20)
