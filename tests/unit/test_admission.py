"""Admission as the engine meets it: one object that says yes, wait, or stop."""

from __future__ import annotations

import math
import time

import pytest

from citefidelity.pacing.admission import CLOSURES, Admission, Budget, CallEnd, Load
from citefidelity.pacing.breaker import LIKE_FAULTS
from citefidelity.records import Usage
from support.dice import dice

LOAD = Load(1_000, 500)
SUCCESS = CallEnd("success", usage=Usage(1_000, 100), cost_usd=0.001, billed="yes")
REFUSED = CallEnd("fault", kind="connection", billed="no")


class Time:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Now."""
        return self.seconds


@pytest.fixture
def now() -> Time:
    """Time that stands still unless it is moved."""
    return Time()


def make_admission(now: Time, concurrency: int = 100, **more: object) -> Admission:
    """Admission in that time."""
    return Admission(concurrency=concurrency, now=now, random=dice(), **more)  # type: ignore[arg-type]  # as given


def fill(admission: Admission) -> int:
    """Let in as many calls as may come in now."""
    count = 0
    while admission.try_enter(LOAD) == 0:
        count += 1
    return count


def test_concurrency(now: Time) -> None:
    """So many calls fly and no more; each that ends makes room for one."""
    admission = make_admission(now, 7)
    assert fill(admission) == 7
    assert admission.try_enter(LOAD) == math.inf
    admission.leave(LOAD, SUCCESS)
    assert admission.in_flight == 6
    assert fill(admission) == 1


def test_the_pace_is_told_once_it_is_learnt(now: Time) -> None:
    """A provider that takes all has no pace; a refusal among many answers sets one, as fast as it was answered."""
    admission = make_admission(now)
    for _ in range(30):
        now.seconds += 1.0
        for _ in range(fill(admission)):
            admission.leave(LOAD, SUCCESS)
    assert admission.pace is None
    fill(admission)
    admission.leave(LOAD, CallEnd("push_back", billed="no"))
    assert admission.pace is not None
    assert admission.pace == pytest.approx(100, rel=0.05)


def test_one_gate_for_all(now: Time) -> None:
    """A refusal holds back every call for the time that it asks for; then one goes first."""
    admission = make_admission(now)
    assert fill(admission) == 100
    admission.leave(LOAD, CallEnd("push_back", retry_after=12.0, billed="no"))
    assert admission.try_enter(LOAD) == 12
    assert admission.pause_seconds() == 12
    assert admission.pace is None
    for _ in range(50):
        admission.leave(LOAD, SUCCESS)
    now.seconds += 12
    assert fill(admission) == 1
    assert 0 < admission.try_enter(LOAD) <= 1


def test_no_herd_after_the_pause(now: Time) -> None:
    """What comes back from a refused burst is no more than what was taken of it."""
    admission = make_admission(now)
    fill(admission)
    for _ in range(80):
        admission.leave(LOAD, CallEnd("push_back", billed="no"))
    assert admission.allowed == 20
    for _ in range(20):
        admission.leave(LOAD, SUCCESS)
    now.seconds += 10
    assert fill(admission) == 1
    admission.leave(LOAD, SUCCESS)
    assert fill(admission) == 20


def test_burst_below_the_concurrency(now: Time) -> None:
    """It does not take all of the concurrency to learn what a provider takes."""
    admission = make_admission(now, concurrency=1_000)
    for _ in range(50):
        admission.try_enter(LOAD)
    for _ in range(30):
        admission.leave(LOAD, CallEnd("push_back", billed="no"))
    assert admission.allowed == 20


def test_outage_needs_a_probe(now: Time) -> None:
    """A hundred calls that fail together stop nothing; the one that is sent after a pause decides."""
    admission = make_admission(now)
    fill(admission)
    for _ in range(100):
        admission.leave(LOAD, REFUSED)
    assert admission.halt() is None
    assert 5 <= admission.try_enter(LOAD) <= 10
    assert 5 <= admission.pause_seconds() <= 10
    now.seconds += 10
    assert fill(admission) == 1
    admission.leave(LOAD, REFUSED)
    halt = admission.halt()
    assert halt is not None
    assert halt.kind == "outage"
    assert "connection" in halt.message
    assert admission.try_enter(LOAD) == math.inf


def test_recovery(now: Time) -> None:
    """When the probe succeeds, all calls fly again."""
    admission = make_admission(now)
    for _ in range(LIKE_FAULTS):
        admission.try_enter(LOAD)
        admission.leave(LOAD, REFUSED)
    now.seconds += 10
    assert fill(admission) == 1
    admission.leave(LOAD, SUCCESS)
    assert fill(admission) == 100
    assert admission.halt() is None


def test_endless_refusals_end(now: Time) -> None:
    """A provider that only ever asks to slow down is away, after so many pauses in a row."""
    admission = make_admission(now)
    pauses = 0
    while admission.halt() is None:
        while wait := admission.try_enter(LOAD):
            now.seconds += wait
        admission.leave(LOAD, CallEnd("push_back", billed="no"))
        pauses += 1
    assert pauses == CLOSURES
    assert admission.halt() == (
        "outage",
        "The provider asked to slow down 20 times in a row and answered nothing in between.",
    )


def test_a_wait_of_hours_is_an_outage(now: Time) -> None:
    """A provider that wants no call before tomorrow is not waited for."""
    admission = make_admission(now)
    admission.try_enter(LOAD)
    admission.leave(LOAD, CallEnd("push_back", retry_after=86_400.0, billed="no"))
    halt = admission.halt()
    assert halt is not None
    assert "86400 seconds" in halt.message


def test_budget_waits_then_halts(now: Time) -> None:
    """Calls wait for what others may still give back; when none can, the run stops and says what was spent."""
    admission = make_admission(now, budget=Budget(max_tokens=4_000))
    assert fill(admission) == 2
    assert admission.try_enter(LOAD) == math.inf
    assert admission.halt() is None
    admission.leave(LOAD, CallEnd("fault", kind="timeout"))
    assert admission.try_enter(LOAD) == math.inf
    assert admission.halt() is None
    admission.leave(LOAD, SUCCESS)
    assert admission.try_enter(LOAD) == math.inf
    halt = admission.halt()
    assert halt is not None
    assert halt.kind == "budget"
    assert "2,600 of 4,000 tokens" in halt.message


def test_refused_by_the_budget_takes_nothing_else(now: Time) -> None:
    """A call that the budget holds back has used up no request of the minute."""
    admission = make_admission(now, rpm=1, budget=Budget(max_tokens=1_500, spent_tokens=0))
    assert admission.try_enter(LOAD) == 0
    now.seconds += 60
    for _ in range(5):
        assert admission.try_enter(LOAD) == math.inf
    admission.leave(LOAD, CallEnd("push_back", retry_after=0.001, billed="no"))
    now.seconds += 1
    assert admission.try_enter(LOAD) == 0


def test_requests_a_minute(now: Time) -> None:
    """With a limit a minute, a call is told how long to wait for its turn."""
    admission = make_admission(now, rpm=6)
    assert admission.try_enter(LOAD) == 0
    assert admission.try_enter(LOAD) == pytest.approx(10)


def test_speed() -> None:
    """Admission with everything on costs microseconds: a thousand calls a second must not notice it."""
    budget = Budget(1e9, 10**12, price=lambda load: load.input_tokens * 1e-7 + load.output_tokens * 4e-7)
    admission = Admission(concurrency=100, now=time.monotonic, random=dice(), rpm=10**9, tpm=10**13, budget=budget)
    best = math.inf
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            admission.try_enter(LOAD)
            admission.leave(LOAD, SUCCESS)
        best = min(best, (time.perf_counter() - began) / 500)
    # Measured at 4 microseconds; the margin is for a machine that does other things at the same time.
    assert best < 25e-6
