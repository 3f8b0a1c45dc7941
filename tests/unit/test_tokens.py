"""The rule for tokens."""

from __future__ import annotations

import pytest

from citefidelity.pacing.tokens import is_cut_short, tokens_of
from citefidelity.records import Usage


def test_bytes_count() -> None:
    """Scripts with long encodings have more tokens, and nothing that can stand in a record raises."""
    assert tokens_of("") == 1
    assert tokens_of("x" * 300) == 101
    assert tokens_of("风" * 100) == 101
    assert tokens_of("\ud800") == 2


PROSE = "Aspirin lowers the risk of a first infarction by twelve percent, as two large trials have shown. " * 300


@pytest.mark.parametrize(
    ("told", "cut"),
    [
        (len(PROSE) // 4, False),
        (len(PROSE) // 5, False),
        (2_048, True),
        (4_096, True),
        (None, False),
        (0, False),
        (999, False),
    ],
)
def test_a_prompt_that_was_cut_short(told: int | None, *, cut: bool) -> None:
    """A server that read too few tokens has cut the prompt; one that tells none or hardly any counts otherwise."""
    assert is_cut_short(Usage(input_tokens=told, output_tokens=1), PROSE) is cut


def test_blanks_and_cached_tokens_are_no_cut() -> None:
    """Long runs of one character take few tokens, and some gateways count cached tokens apart."""
    assert not is_cut_short(Usage(input_tokens=2_000), "A table:" + " ." * 100 + "-" * 50_000)
    assert not is_cut_short(Usage(input_tokens=2_048, cached_tokens=4_096), PROSE)
