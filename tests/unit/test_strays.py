"""Refusals that come whatever the pace: when they are believed to, and what is not put down to them."""

from __future__ import annotations

import pytest

from citefidelity.pacing.strays import DOUBT, TRIGGER, Strays


def ask(strays: Strays, calls: int, refusals: int) -> list[bool]:
    """So many calls, the refused ones evenly among them; what was said of each refusal."""
    said = []
    for number in range(calls):
        if (number * refusals) % calls < refusals:
            said.append(strays.refused(1))
        else:
            strays.answered()
    return said


def convinced(calls: int, refusals: int) -> Strays:
    """After three refusals, at the end of these, that no limit explains."""
    strays = Strays()
    ask(strays, calls, refusals)
    assert [strays.contradicted() for _ in range(2)] == [None, None]
    assert strays.contradicted() == "strays"
    return strays


def test_refusals_are_no_strays_at_first() -> None:
    """Until slowing down has failed to help, every refusal may be the work of a limit."""
    assert ask(Strays(), 1_000, 10) == [False] * 10


def test_the_share_is_what_was_refused_and_some_doubt() -> None:
    """So few refusals are seen before they are believed that the share allows for some more."""
    assert convinced(300, 3).share == pytest.approx((3 + DOUBT) / 300)


def test_a_limit_explains_a_refusal() -> None:
    """Where slowing down helps in between, refusals that it did not explain are not added up."""
    strays = Strays()
    ask(strays, 300, 3)
    assert [strays.contradicted() for _ in range(2)] == [None, None]
    strays.learnt()
    assert [strays.contradicted() for _ in range(2)] == [None, None]
    assert strays.share == 0.0


def test_many_refusals_are_no_strays() -> None:
    """A provider that refuses a large share takes less than it did; that is something to learn from."""
    strays = Strays()
    ask(strays, 100, 30)
    assert [strays.contradicted() for _ in range(3)] == [None, None, "less"]
    assert strays.share == 0.0


def test_as_many_as_before_teach_nothing() -> None:
    """The share that was found is expected for good."""
    strays = convinced(300, 3)
    assert all(ask(strays, 10_000, 100))


def test_more_than_that_have_another_cause() -> None:
    """Some refusals in a row are no strays, until they are heeded."""
    strays = convinced(300, 3)
    said = ask(strays, 20, 20)
    assert said == [True] * int(TRIGGER) + [False] * (20 - int(TRIGGER))
    strays.heeded()
    assert strays.refused(1)


def test_refusals_that_come_before_the_answers() -> None:
    """Of a hundred calls that leave together, the refused ones come back first; that makes them no other cause."""
    strays = convinced(200, 10)
    for _ in range(50):
        assert all(strays.refused(in_flight) for in_flight in range(100, 90, -1))
        for _ in range(90):
            strays.answered()


def test_what_is_not_theirs_makes_no_room_for_itself() -> None:
    """However much is refused afterwards, the share grows by itself no more; it falls when fewer come."""
    strays = convinced(300, 3)
    found = strays.share
    ask(strays, 10_000, 1_000)
    assert strays.share == found
    ask(strays, 10_000, 20)
    assert strays.share == pytest.approx(0.002, rel=0.3)
    ask(strays, 50_000, 0)
    assert strays.share == 0.0
