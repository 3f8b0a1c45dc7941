"""Whatever happens, in whatever order: bounds hold, tickets balance, and who waits as told gets in."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from citefidelity.pacing.admission import Admission, Budget, CallEnd, Load
from citefidelity.records import Usage
from support.dice import dice

INPUT_PRICE, OUTPUT_PRICE = 1e-3, 4e-3
ALMOST = 1e-9

loads = st.builds(Load, st.integers(1, 5_000), st.integers(1, 1_000))
pauses = st.none() | st.floats(-1.0, 700.0) | st.just(math.nan)


def most(load: Load) -> float:
    """The most that a call can cost."""
    return load.input_tokens * INPUT_PRICE + load.output_tokens * OUTPUT_PRICE


class AdmissionMachine(RuleBasedStateMachine):
    """A run of any shape, beside a bookkeeper who adds up the bills."""

    @initialize(
        concurrency=st.integers(1, 30),
        rpm=st.none() | st.integers(1, 600),
        tpm=st.none() | st.integers(100, 100_000),
        max_cost=st.none() | st.floats(0.1, 200.0),
        max_tokens=st.none() | st.integers(100, 100_000),
        seed=st.integers(0, 1_000),
    )
    def begin(  # noqa: PLR0913 - one parameter for each setting
        self,
        *,
        concurrency: int,
        rpm: int | None,
        tpm: int | None,
        max_cost: float | None,
        max_tokens: int | None,
        seed: int,
    ) -> None:
        """A run begins."""
        self.time = 1_000.0
        self.concurrency = concurrency
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.budget = Budget(max_cost, max_tokens, price=most)
        self.admission = Admission(
            concurrency=concurrency, now=lambda: self.time, random=dice(seed), rpm=rpm, tpm=tpm, budget=self.budget
        )
        self.flying: list[Load] = []
        self.billed_cost = 0.0
        self.billed_tokens = 0
        self.halted = False

    @rule(load=loads)
    def enter(self, load: Load) -> None:
        """Somebody wants to call."""
        if self.admission.try_enter(load) == 0:
            self.flying.append(load)

    @rule(load=loads)
    def enter_all(self, load: Load) -> None:
        """As many as may."""
        while self.admission.try_enter(load) == 0:
            self.flying.append(load)

    @rule(seconds=st.floats(0.0, 100.0))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.time += seconds

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), outcome=st.sampled_from(["success", "success", "fault", "push_back", "neutral"]))
    def leave(self, data: st.DataObject, outcome: str) -> None:
        """Any call of those in flight ends in any way; what is billed is at most what was reserved."""
        load = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        billed = data.draw(st.sampled_from(["yes", "no", "unknown"]))
        usage = Usage(data.draw(st.integers(0, load.input_tokens)), data.draw(st.integers(0, load.output_tokens)))
        cost = most(Load(usage.input_tokens or 0, usage.output_tokens or 0))
        told = data.draw(st.booleans())
        if billed != "no":
            self.billed_cost += cost
            self.billed_tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        end = CallEnd(
            outcome,  # type: ignore[arg-type]  # drawn from the four words
            kind=data.draw(st.sampled_from(["timeout", "connection"])),
            retry_after=data.draw(pauses),
            usage=usage if told else None,
            cost_usd=cost if told else None,
            billed=billed,  # type: ignore[arg-type]  # drawn from the three words
        )
        self.admission.leave(load, end)

    @invariant()
    def bounds_hold(self) -> None:
        """In flight is what has entered and not left, and never more than allowed."""
        assert self.admission.in_flight == len(self.flying) <= self.concurrency
        assert 1 <= self.admission.allowed <= self.concurrency
        assert self.admission.pause_seconds() >= 0

    @invariant()
    def budget_holds(self) -> None:
        """What was billed is within what counts as spent, and that within the caps, with all reservations."""
        budget = self.budget
        assert self.billed_cost <= budget.spent_cost + ALMOST
        assert self.billed_tokens <= budget.spent_tokens
        if self.max_cost is not None:
            assert budget.spent_cost + budget.reserved_cost <= self.max_cost + ALMOST
        if self.max_tokens is not None:
            assert budget.spent_tokens + budget.reserved_tokens <= self.max_tokens

    @invariant()
    def tickets_balance(self) -> None:
        """What is reserved belongs to the calls in flight, and to no others."""
        assert self.budget.reserved_tokens == sum(load.input_tokens + load.output_tokens for load in self.flying)
        assert math.isclose(self.budget.reserved_cost, sum(map(most, self.flying)), abs_tol=ALMOST)

    @invariant()
    def halt_is_final(self) -> None:
        """Who has said stop says it for good, and lets nobody in any more."""
        self.halted = self.halted or self.admission.halt() is not None
        assert self.halted == (self.admission.halt() is not None)

    def teardown(self) -> None:
        """With nothing in flight, whoever waits as long as told gets in, unless the run must stop."""
        if not hasattr(self, "admission"):
            return
        for load in self.flying:
            self.admission.leave(load, CallEnd("neutral", billed="no"))
        for _ in range(20):
            wait = self.admission.try_enter(Load(1, 1))
            if wait == 0 or self.admission.halt() is not None:
                return
            assert wait < math.inf, "nothing is in flight, and nobody may call"
            self.time += wait
        raise AssertionError("waited as told, twenty times over")


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@given(st.lists(loads, min_size=1, max_size=60), st.floats(0.01, 50.0), st.floats(1.0, 1.5))
def test_overshoot_is_the_error_of_the_estimate(wanted: list[Load], cap: float, error: float) -> None:
    """With estimates that are too low by a factor, a hundred calls in flight overshoot the cap by at most that."""
    budget = Budget(max_cost=cap, price=most)
    flying = [load for load in wanted if budget.reserve(load) == "enough"]
    for load in flying:
        budget.settle(load, CallEnd("success", cost_usd=most(load) * error, billed="yes"))
    assert budget.spent_cost <= cap * error + ALMOST
