"""Filters of results in the query of an address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.results_index.filters import ANYTHING, Filter, filter_of

words = st.none() | st.text(min_size=1, max_size=20).filter(lambda text: text == text.strip() and bool(text))
confidence = st.none() | st.floats(0, 1)
filters = st.builds(
    Filter,
    state=st.none() | st.sampled_from(("verdict", "unassessable", "failed", "to_do")),
    category=words,
    failure=words,
    type=words,
    min=confidence,
    max=confidence,
    article=words,
    citing=words,
    cited=words,
    words=words,
    flagged=st.booleans(),
    waiting=st.booleans(),
    sort=st.sampled_from(("latest", "lowest", "highest")),
    page=st.integers(1, 1_000_000),
)


@given(filters)
def test_an_address_gives_its_filter_back(chosen: Filter) -> None:
    """What is put into an address comes out of it, and what asks nothing does not stand there."""
    query = chosen.query()
    assert filter_of(query) == chosen
    assert query.keys() <= set(Filter.__struct_fields__)
    assert ANYTHING.query() == {}


@pytest.mark.parametrize(
    "query",
    [
        {"min": "nan"},
        {"min": "-1"},
        {"max": "inf"},
        {"max": "1.5"},
        {"page": "0"},
        {"page": "-3"},
        {"page": "9" * 30},
        {"state": "no such"},
        {"sort": "confidence; DROP TABLE result"},
        {"flagged": "maybe"},
        {"category": " "},
        {"other": "x"},
    ],
)
def test_what_cannot_be_understood_is_left_out(query: dict[str, str]) -> None:
    """An address with nonsense in it asks for everything rather than failing."""
    assert filter_of(query) == ANYTHING


def test_a_filter_knows_whether_it_narrows() -> None:
    """Order and page leave nothing out."""
    assert not Filter(sort="lowest", page=3).narrows
    assert Filter(flagged=True).narrows
