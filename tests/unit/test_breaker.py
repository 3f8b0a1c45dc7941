"""The breaker: an outage is told from bad luck, and believed only when a call has tried."""

from __future__ import annotations

import math

from citefidelity.pacing.breaker import LIKE_FAULTS, LONGEST_PAUSE_S, SHORTEST_PAUSE_S, Breaker
from support.dice import dice


def open_breaker() -> Breaker:
    """A breaker that twenty like faults have opened at time 0."""
    breaker = Breaker(dice())
    for _ in range(LIKE_FAULTS):
        assert breaker.wait(0, 0.0) == 0
        breaker.failed("connection", 0.0)
    return breaker


def test_twenty_like_faults_open() -> None:
    """Asking pauses for five to ten seconds after twenty like faults, and not after nineteen."""
    assert SHORTEST_PAUSE_S <= open_breaker().wait(0, 0.0) <= LONGEST_PAUSE_S


def test_success_between() -> None:
    """Any success between begins the count anew."""
    breaker = Breaker(dice())
    for _ in range(5):
        for _ in range(LIKE_FAULTS - 1):
            breaker.failed("timeout", 0.0)
        assert breaker.wait(0, 0.0) == 0
        breaker.succeeded()


def test_unlike_faults() -> None:
    """Faults are counted by kind: ten of one and ten of another are not an outage yet."""
    breaker = Breaker(dice())
    for kind in ("timeout", "connection"):
        for _ in range(LIKE_FAULTS // 2):
            breaker.failed(kind, 0.0)
    assert breaker.wait(0, 0.0) == 0


def test_probe_succeeds() -> None:
    """One call goes out alone after the pause; when it succeeds, all follow."""
    breaker = open_breaker()
    assert breaker.wait(0, LONGEST_PAUSE_S) == 0
    breaker.left()
    assert breaker.wait(1, LONGEST_PAUSE_S) == math.inf
    breaker.succeeded()
    assert breaker.wait(0, LONGEST_PAUSE_S) == 0
    breaker.left()
    assert breaker.wait(1, LONGEST_PAUSE_S) == 0


def test_probe_fails() -> None:
    """A fault of the one call, of whatever kind, is an outage."""
    breaker = open_breaker()
    breaker.left()
    breaker.failed("timeout", 20.0)
    assert breaker.dead == "timeout"


def test_old_faults_are_no_probe() -> None:
    """Faults of calls that were in flight when it opened decide nothing, and no probe leaves before their end."""
    breaker = open_breaker()
    for in_flight in range(80, 0, -1):
        assert breaker.wait(in_flight, 100.0) == math.inf
        breaker.failed("connection", 100.0)
    assert not breaker.dead
    assert breaker.wait(0, 100.0) == 0


def test_old_success_closes() -> None:
    """A success of a call that was in flight when it opened shows that the provider is well."""
    breaker = open_breaker()
    breaker.succeeded()
    assert breaker.wait(79, 0.0) == 0


def test_probe_without_result() -> None:
    """A probe that was given up, or told to slow down, is followed by another one."""
    breaker = open_breaker()
    breaker.left()
    breaker.learnt_nothing()
    breaker.failed("connection", 20.0)
    assert not breaker.dead
    assert breaker.wait(0, 20.0) == 0
