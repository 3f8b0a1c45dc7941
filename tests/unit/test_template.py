"""Templates: places are filled once, and what is put in stays as it is."""

from __future__ import annotations

from citefidelity.specs.template import Template, template_problem

REQUIRED = frozenset({"citing", "evidence"})


def test_every_place_is_filled_wherever_and_however_often_it_stands() -> None:
    """A place at the start, at the end or repeated is filled each time."""
    assert Template("{a} and {b}, {a}").fill({"a": "1", "b": "2"}) == "1 and 2, 1"


def test_what_is_put_in_is_not_searched_for_places() -> None:
    """A text that holds the name of a place stays text."""
    assert Template("{a}{b}").fill({"a": "{b}", "b": "{a}"}) == "{b}{a}"


def test_other_braces_are_text() -> None:
    """The JSON example in a prompt needs no doubling of braces."""
    text = '{"category": "..."} {} { a } {A} {{'
    assert Template(text).names == frozenset()
    assert Template(text).fill({}) == text


def test_a_missing_place_is_named() -> None:
    """A template that would hide the evidence from the model is refused."""
    problem = template_problem("only {citing}", REQUIRED)
    assert problem is not None
    assert "{evidence}" in problem


def test_an_unknown_place_is_named_with_the_known_ones() -> None:
    """A misspelt place is an error, with the right spelling beside it."""
    problem = template_problem("{citing} {evidence} {title}", REQUIRED)
    assert problem is not None
    assert "{title}" in problem
    assert "{citing}, {evidence}" in problem


def test_a_good_template_has_no_problem() -> None:
    """Required places are enough, optional ones may be there."""
    assert template_problem("{citing}{evidence}{note}", REQUIRED, frozenset({"note"})) is None
