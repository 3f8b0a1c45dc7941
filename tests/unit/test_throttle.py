"""What admission learns from refusals, in simulated time. Every figure is after an hour or so of settling."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from citefidelity.pacing.admission import Admission, CallEnd, Load
from citefidelity.pacing.throttle import Throttle
from support.dice import dice
from support.simulator import (
    FixedWindow,
    InFlight,
    Limit,
    Simulation,
    SlidingWindow,
    TokenBucket,
    steady,
    uneven,
)

SEED = 20_26
"""Of every random choice here; said when a test fails."""

HOUR = 3_600.0

LIMITS: dict[str, Callable[[int], Limit]] = {
    "fixed": FixedWindow,
    "sliding": SlidingWindow,
    "bucket": lambda allowed: TokenBucket(allowed, burst=allowed / 6),
}
"""Ways to count calls a minute."""


class Refusing:
    """Refuses whatever comes at certain times, or a share of it at all times."""

    def __init__(self, refuses: Callable[[float], bool]) -> None:
        self._refuses = refuses

    def refuses(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - one shape for all limits
        """Refuse when it is time to."""
        return 1.0 if self._refuses(now) else None


class Hasty:
    """A limit that always asks for the same pause, however long it takes."""

    def __init__(self, limit: Limit, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds

    def refuses(self, now: float, in_flight: int) -> float | None:
        """As the limit does."""
        return None if self._limit.refuses(now, in_flight) is None else self._seconds


def strays(share: float) -> Refusing:
    """Refuses this share of calls, whatever the pace."""
    random = dice(SEED)
    return Refusing(lambda _: random.random() < share)


class Until:
    """One limit until a time, another one from then on."""

    def __init__(self, at: float, before: Limit, after: Limit) -> None:
        self._at = at
        self._before = before
        self._after = after

    def refuses(self, now: float, in_flight: int) -> float | None:
        """As the limit of the time."""
        return (self._before if now < self._at else self._after).refuses(now, in_flight)


def admission_for(simulation: Simulation, concurrency: int) -> Admission:
    """Admission that lives in simulated time."""
    return Admission(concurrency=concurrency, now=simulation.now, random=dice(SEED))


def settle(simulation: Simulation, concurrency: int, hours: float) -> tuple[float, float]:
    """Run it; calls taken a second and the share refused, in the second half of the time."""
    tally = simulation.run(admission_for(simulation, concurrency), hours * HOUR)
    assert tally.most_in_flight <= concurrency
    return tally.settled(hours * HOUR / 2, hours * HOUR)


@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize(
    ("allowed", "concurrency", "latency"),
    [(20, 100, 1.0), (20, 1_000, 8.0), (100, 1_000, 1.0), (100, 200, 0.2), (500, 1_000, 8.0)],
)
def test_in_flight(allowed: int, concurrency: int, latency: float, retry_after: bool) -> None:
    """A provider that takes so many calls at a time is kept above 90 % busy, and refuses less than 1 % of calls."""
    simulation = Simulation(InFlight(allowed), latency=uneven(latency, dice(SEED)), retry_after=retry_after)
    rate, refused = settle(simulation, concurrency, hours={0.2: 0.12, 1.0: 0.3, 8.0: 0.6}[latency])
    assert rate > 0.9 * allowed / latency, f"seed {SEED}"
    assert refused < 0.01, f"seed {SEED}"


@pytest.mark.parametrize("retry_after", [False, True])
@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize(
    ("allowed", "concurrency", "latency"), [(60, 100, 0.3), (60, 100, 20.0), (600, 100, 3.0), (6_000, 500, 3.0)]
)
def test_a_minute(kind: str, allowed: int, concurrency: int, latency: float, retry_after: bool) -> None:
    """Whatever way a provider counts its calls a minute: above 90 % of them are made, and less than 1 % refused."""
    limit = LIMITS[kind](allowed)
    simulation = Simulation(limit, latency=uneven(latency, dice(SEED)), retry_after=retry_after)
    rate, refused = settle(simulation, concurrency, hours={60: 4, 600: 1.5, 6_000: 1 / 3}[allowed])
    assert rate > 0.9 * allowed / 60, f"seed {SEED}"
    assert refused < 0.01, f"seed {SEED}"


@pytest.mark.parametrize("seconds", [0.05, 1.0, 2.0])
@pytest.mark.parametrize("kind", LIMITS)
def test_a_minute_with_a_retry_after_that_is_too_short(kind: str, seconds: float) -> None:
    """A provider that names the same short time at each refusal is not taken for one that is away."""
    simulation = Simulation(Hasty(LIMITS[kind](1_200), seconds), latency=uneven(1.0, dice(SEED)), retry_after=True)
    admission = admission_for(simulation, 100)
    simulation.run(admission, 600.0)
    assert admission.halt() is None, f"seed {SEED}"


def test_both_limits() -> None:
    """Of two limits the tighter one is kept."""
    simulation = Simulation(InFlight(30), SlidingWindow(600), latency=uneven(2.0, dice(SEED)))
    rate, refused = settle(simulation, 100, hours=1)
    assert rate > 9
    assert refused < 0.01


@pytest.mark.parametrize(("allowed", "latency", "refusal_s"), [(20, 2.0, 2.0), (10, 0.5, 2.0)])
def test_slow_refusals(allowed: int, latency: float, refusal_s: float) -> None:
    """It does not matter that a refusal takes as long as an answer, or longer."""
    simulation = Simulation(InFlight(allowed), latency=uneven(latency, dice(SEED)), refusal_s=refusal_s)
    rate, refused = settle(simulation, 100, hours=0.5)
    assert rate > 0.9 * allowed / latency, f"seed {SEED}"
    assert refused < 0.01, f"seed {SEED}"


def test_back_to_the_level_that_held() -> None:
    """A higher level that is refused is taken back to the one that held, however few are in flight by then."""
    throttle, now = Throttle(100), 0.0
    throttle.left(now)
    throttle.pushed_back(in_flight=10, now=now, pause=1.0)
    assert throttle.level == 9
    while throttle.level == 9:
        now += 0.1
        assert throttle.wait(9, now) == math.inf
        throttle.answered(now)
    throttle.pushed_back(in_flight=2, now=now + 0.1, pause=1.0)
    assert throttle.level == 9


def proven_throttle(answers_a_second: int, seconds: int) -> tuple[Throttle, float]:
    """One whose full concurrency has carried so many calls a second for so long; and the time at the end."""
    throttle, now = Throttle(10), 0.0
    throttle.left(now)
    for _ in range(answers_a_second * seconds):
        now += 1 / answers_a_second
        throttle.wait(10, now)
        throttle.answered(now)
    return throttle, now


def test_proven_level_is_not_to_blame() -> None:
    """A refusal at a level that has carried calls before is held against the pace: a little less than got through."""
    throttle, now = proven_throttle(10, 30)
    throttle.pushed_back(in_flight=10, now=now, pause=1.0)
    assert throttle.level == 10
    assert throttle.pace == pytest.approx(9.7, rel=0.01)


def test_back_to_the_pace_that_held() -> None:
    """A higher pace that is refused is taken back to the one that held."""
    throttle, now = proven_throttle(10, 30)
    throttle.pushed_back(in_flight=10, now=now, pause=1.0)
    held = throttle.pace
    while throttle.pace == held:
        now += 0.1
        while wait := throttle.wait(1, now):
            now += wait
        throttle.left(now)
        throttle.wait(1, now)
        throttle.answered(now)
    assert throttle.pace == pytest.approx(1.05 * held)
    throttle.pushed_back(in_flight=5, now=now, pause=1.0)
    assert throttle.pace == held


def test_one_refusal_is_one_step() -> None:
    """However much got through of late, one refusal lowers the pace by a little at least and by a half at most."""
    throttle, now = proven_throttle(10, 30)
    throttle.pushed_back(in_flight=10, now=now, pause=1.0)
    before = throttle.pace
    for _ in range(300):
        throttle.answered(now + 1)
    throttle.pushed_back(in_flight=10, now=now + 1, pause=1.0)
    assert throttle.pace == pytest.approx(0.97 * before)
    before = throttle.pace
    throttle.answered(now + 58)
    throttle.pushed_back(in_flight=10, now=now + 80, pause=1.0)
    assert throttle.pace == pytest.approx(before / 2)


def test_no_refusal_no_throttle() -> None:
    """A provider that refuses nothing is asked with full concurrency from the first moment on."""
    simulation = Simulation(latency=steady(2.0))
    tally = simulation.run(admission_for(simulation, 100), 60.0)
    assert len(tally.taken) == 100 * 30


def test_overload_teaches_nothing() -> None:
    """After a time in which everything was refused, calls fly as before."""
    simulation = Simulation(Refusing(lambda now: now < 100), latency=steady(2.0))
    admission = admission_for(simulation, 100)
    tally = simulation.run(admission, 200.0)
    assert admission.allowed == 100
    assert sum(at > 120 for at in tally.taken) > 0.95 * 100 / 2 * 80


def test_overload_then_limit() -> None:
    """An overload at the start does not hide the limit that shows after it."""
    simulation = Simulation(Refusing(lambda now: now < 100), InFlight(20), latency=uneven(2.0, dice(SEED)))
    tally = simulation.run(admission_for(simulation, 100), 500.0)
    rate, _ = tally.settled(200, 500)
    assert rate > 0.9 * 20 / 2, f"seed {SEED}"


@pytest.mark.parametrize(("latency", "retry_after"), [(20.0, False), (0.3, True)])
def test_one_a_second(latency: float, retry_after: bool) -> None:
    """A provider that takes one call a second, and never two at once, gets one a second, be it fast or slow."""
    simulation = Simulation(TokenBucket(60, burst=1), latency=uneven(latency, dice(SEED)), retry_after=retry_after)
    rate, refused = settle(simulation, 100, hours=6)
    assert rate > 0.9, f"seed {SEED}"
    assert refused < 0.01, f"seed {SEED}"


def test_limit_that_goes_up() -> None:
    """A limit that is lifted is noticed within minutes."""
    limit = Until(900.0, InFlight(10), InFlight(80))
    simulation = Simulation(limit, latency=uneven(2.0, dice(SEED)))
    tally = simulation.run(admission_for(simulation, 100), 2_400.0)
    rate, _ = tally.settled(2_100, 2_400)
    assert rate > 0.9 * 80 / 2, f"seed {SEED}"


@pytest.mark.parametrize(
    ("share", "concurrency", "reached"), [(0.001, 100, 0.9), (0.01, 100, 0.9), (0.05, 100, 0.8), (0.05, 500, 0.9)]
)
def test_stray_refusals_do_not_starve(share: float, concurrency: int, reached: float) -> None:
    """A provider that refuses some calls whatever the pace is asked nearly as fast as it takes them."""
    rate, refused = settle(Simulation(strays(share), latency=uneven(2.0, dice(SEED))), concurrency, hours=1)
    assert rate > reached * concurrency / 2, f"seed {SEED}"
    assert refused < 1.5 * share, f"seed {SEED}"


@pytest.mark.parametrize("kind", LIMITS)
def test_stray_refusals_beside_a_limit(kind: str) -> None:
    """Where some calls are refused whatever the pace, a limit a minute is found and kept all the same."""
    simulation = Simulation(strays(0.01), LIMITS[kind](600), latency=uneven(3.0, dice(SEED)))
    rate, refused = settle(simulation, 100, hours=1)
    assert rate > 0.9 * 600 / 60, f"seed {SEED}"
    assert refused < 0.03, f"seed {SEED}"


def test_stray_refusals_beside_a_level() -> None:
    """Where some calls are refused whatever the pace, a limit in flight is found and kept all the same."""
    simulation = Simulation(strays(0.01), InFlight(20), latency=uneven(1.0, dice(SEED)))
    rate, refused = settle(simulation, 100, hours=1)
    assert rate > 0.6 * 20, f"seed {SEED}"
    assert refused < 0.03, f"seed {SEED}"


FALLS: dict[str, tuple[Callable[[], Limit], float]] = {
    "in flight": (lambda: Until(900.0, InFlight(80), InFlight(10)), 5.0),
    "in flight, to a third": (lambda: Until(900.0, InFlight(60), InFlight(20)), 10.0),
    "in flight, to a half": (lambda: Until(900.0, InFlight(60), InFlight(30)), 15.0),
    "fixed": (lambda: Until(900.0, FixedWindow(6_000), FixedWindow(600)), 10.0),
    "bucket": (lambda: Until(900.0, TokenBucket(6_000, burst=1_000), TokenBucket(600, burst=100)), 10.0),
}
"""Limits that fall, and the calls a second that are allowed then; calls take two seconds."""


@pytest.mark.parametrize("kind", FALLS)
def test_limit_that_falls_far(kind: str) -> None:
    """A provider that takes much less than it did gets that much, and is not refused into it."""
    limit, allowed = FALLS[kind]
    simulation = Simulation(limit(), latency=uneven(2.0, dice(SEED)))
    tally = simulation.run(admission_for(simulation, 500), HOUR)
    rate, refused = tally.settled(HOUR / 2, HOUR)
    assert rate > 0.85 * allowed, f"seed {SEED}"
    assert refused < 0.01, f"seed {SEED}"


def test_other_faults_lower_nothing() -> None:
    """Only a refusal lowers what is allowed, never a timeout or an error of the server."""
    admission = Admission(concurrency=50, now=lambda: 0.0, random=dice(SEED))
    load = Load(10, 10)
    for _ in range(10):
        assert admission.try_enter(load) == 0
        admission.leave(load, CallEnd("fault", kind="server_error"))
    assert admission.allowed == 50
