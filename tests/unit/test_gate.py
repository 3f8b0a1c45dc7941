"""The gate that all calls pass."""

from __future__ import annotations

import math

import pytest

from citefidelity.pacing.gate import FEELER_S, FIRST_PAUSE_S, Gate
from support.dice import dice


def closed_gate(retry_after: float | None = 30.0) -> Gate:
    """A gate that has been closed at time 0."""
    gate = Gate(dice())
    gate.pushed_back(0.0, retry_after)
    return gate


def test_open() -> None:
    """Nothing waits before anything was refused."""
    assert Gate(dice()).wait(0.0) == 0


def test_retry_after() -> None:
    """What the provider asks for is what it gets."""
    gate = closed_gate(30.0)
    assert gate.wait(0.0) == 30
    assert gate.wait(29.0) == 1
    assert gate.wait(30.0) == 0


def test_one_pause_for_all() -> None:
    """A hundred refusals of calls already under way are one pause, and do not lengthen it."""
    gate = closed_gate(None)
    until = gate.wait(0.0)
    for _ in range(100):
        assert gate.pushed_back(0.0, None) is None
    assert gate.wait(0.0) == until
    assert gate.closures == 1


def test_longer_retry_after_counts() -> None:
    """Within a pause, the longest time that the provider asks for counts, however the answers overtake each other."""
    gate = closed_gate(30.0)
    gate.pushed_back(1.0, 60.0)
    gate.pushed_back(2.0, 10.0)
    assert gate.wait(2.0) == 59


def test_feeler_goes_alone() -> None:
    """When the pause is over one call goes out, and the others follow when it was not sent away at once."""
    gate = closed_gate(30.0)
    gate.passed(30.0)
    assert gate.wait(30.0) == FEELER_S
    assert gate.wait(30.0 + FEELER_S) == 0
    gate.passed(30.0 + FEELER_S)
    assert gate.wait(30.0 + FEELER_S) == 0


def test_answer_opens() -> None:
    """An answer to the one call opens the gate for all, at once."""
    gate = closed_gate(30.0)
    gate.passed(30.0)
    gate.answered()
    assert gate.wait(30.1) == 0


def test_old_answer_does_not_open() -> None:
    """An answer to a call from before does not cut the pause short."""
    gate = closed_gate(30.0)
    gate.answered()
    assert gate.wait(1.0) == 29


@pytest.mark.parametrize(("closure", "ceiling"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (9, 10.0)])
def test_pauses_grow(closure: int, ceiling: float) -> None:
    """Without a word from the provider, pauses grow from about 2 to about 10 seconds, each drawn at random."""
    pauses = []
    for seed in range(200):
        gate, now, pause = Gate(dice(seed)), 0.0, None
        for _ in range(closure):
            pause = gate.pushed_back(now, None)
            assert pause is not None
            now += pause
            gate.passed(now)
        pauses.append(pause or 0.0)
    assert ceiling / 2 <= min(pauses) < 0.55 * ceiling
    assert 0.95 * ceiling < max(pauses) <= ceiling


def test_a_pause_that_was_too_short_gets_longer() -> None:
    """Who asks for a second again and again needs more than that, and gets what is drawn; who asks for more gets it."""
    gate = Gate(dice())
    pauses = []
    for now in range(0, 600, 100):
        pauses.append(gate.pushed_back(now, 1.0) or 0.0)
        gate.passed(now + 50)
    assert pauses[:3] == [1.0, 1.0, 1.0]
    assert min(pauses[3:]) >= 5
    assert gate.pushed_back(600.0, 30.0) == 30


def test_answer_forgives() -> None:
    """After an answer the pauses are short again."""
    gate = Gate(dice())
    for now in (0.0, 100.0, 200.0):
        gate.pushed_back(now, None)
        gate.passed(now + 50)
    gate.answered()
    assert gate.closures == 0
    pause = gate.pushed_back(300.0, None)
    assert pause is not None
    assert pause <= FIRST_PAUSE_S


@pytest.mark.parametrize("nonsense", [0.0, -5.0, math.nan, math.inf, None])
def test_nonsense_is_no_time(nonsense: float | None) -> None:
    """A time to wait that is none is taken as not given."""
    pause = Gate(dice()).pushed_back(0.0, nonsense)
    assert pause is not None
    assert 0 < pause <= FIRST_PAUSE_S
