"""The little language in which a scripted provider is told when to misbehave."""

from __future__ import annotations

import pytest

from citefidelity.errors import UsageError
from citefidelity.testing.answers import Choices, choices_in, verdict_for
from citefidelity.testing.faults import ACTS, GOOD
from citefidelity.testing.hits import Book, Hit
from citefidelity.testing.limiter import Limiter
from citefidelity.testing.script import always, parse_script, share_of


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def acts(rules: list[str], prompts: str) -> list[str]:
    """What is done with these prompts, one letter each, in this order."""
    book, script = Book(Clock()), parse_script(rules)
    names = []
    for prompt in prompts:
        hit = Hit(fixed="", variable=prompt, model="m", choices=Choices(), arrived=0.0)
        book.arrive(hit)
        names.append(script(hit).name)
    return names


def test_without_rules_all_is_well() -> None:
    """The answer is good unless a rule says otherwise."""
    assert acts([], "aab") == ["good"] * 3


def test_a_rule_holds_once_for_each_prompt_unless_told() -> None:
    """``all`` is every prompt's first request; ``*N`` and ``*always`` are more of them."""
    assert acts(["reset@all"], "aabb") == ["reset", "good", "reset", "good"]
    assert acts(["reset@all*2"], "aaa") == ["reset", "reset", "good"]
    assert acts(["reset@all*always"], "aaaa") == ["reset"] * 4


def test_a_rule_may_choose_its_prompts() -> None:
    """By place in the order of arrival, by every so many, or by the number of the request."""
    assert acts(["reset@2"], "abcb") == ["good", "reset", "good", "good"]
    assert acts(["reset@every:2"], "abcd") == ["good", "reset", "good", "reset"]
    assert acts(["reset@hit:3"], "aaaa") == ["good", "good", "reset", "good"]


def test_the_first_rule_that_fits_decides() -> None:
    """Later rules are for what is left."""
    assert acts(["reset@1", "closed@all"], "ab") == ["reset", "closed"]


def test_a_share_is_the_same_each_time_and_about_as_large_as_told() -> None:
    """Which prompts it hits follows from the prompts alone."""
    prompts = "".join(chr(500 + number) for number in range(1_000))
    first = acts(["reset@share:0.2"], prompts)
    assert first == acts(["reset@share:0.2"], prompts)
    assert 150 < first.count("reset") < 250


@pytest.mark.parametrize(
    "rule", ["reset", "nothing_like_it@all", "reset@", "reset@some", "reset@all*", "reset@share:2", ""]
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    """A fault that is misspelt would be a test that tests nothing."""
    with pytest.raises(UsageError, match="rule"):
        parse_script([rule])


def test_always_does_the_same() -> None:
    """One act for all requests."""
    hit = Hit(fixed="", variable="a", model="m", choices=Choices(), arrived=0.0)
    assert always(ACTS["reset"])(hit) is ACTS["reset"]
    assert 0 <= share_of(hit, "x") < 1
    assert GOOD.good


def test_what_is_allowed_in_flight_is_bounded() -> None:
    """One more than allowed is sent away."""
    limiter = Limiter(Clock(), 2, None, 60.0)
    assert [limiter.wait(in_flight) for in_flight in (1, 2, 3)] == [None, None, 1.0]


def test_what_is_allowed_within_a_window_is_bounded() -> None:
    """So many in any window; the next one may come when the oldest is out of it."""
    clock = Clock()
    limiter = Limiter(clock, None, 2, 60.0)
    assert limiter.wait(1) is None
    clock.now = 10.0
    assert limiter.wait(1) is None
    clock.now = 15.0
    assert limiter.wait(1) == 45.0
    clock.now = 60.0
    assert limiter.wait(1) is None
    assert limiter.wait(1) == 10.0


def test_the_answer_keeps_to_the_names_that_are_allowed() -> None:
    """Categories and types come from the request's schema, and the usual ones where it has none."""
    schema = {"properties": {"category": {"enum": ["X"]}, "citation_type": {"enum": ["Y"]}}}
    verdict = verdict_for("00ff", choices_in(schema))
    assert (verdict.category, verdict.citation_type) == ("X", "Y")
    odd: list[object] = [None, [], {}, {"properties": []}, {"properties": {"category": []}}]
    assert [choices_in(schema) for schema in [*odd, {"properties": {"category": {"enum": []}}}]] == [Choices()] * 6
    assert 0 <= verdict.confidence <= 1
