"""The rule for tokens."""

from __future__ import annotations

from citefidelity.tokens import tokens_of


def test_bytes_count() -> None:
    """Scripts with long encodings have more tokens, and nothing that can stand in a record raises."""
    assert tokens_of("") == 1
    assert tokens_of("x" * 300) == 101
    assert tokens_of("风" * 100) == 101
    assert tokens_of("\ud800") == 2
