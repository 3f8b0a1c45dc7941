"""Claims that lapse at any moment, and a real other run in each lapse: nothing is paid twice, and numbers add up."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citefidelity.facts import Asked
from citefidelity.testing.faults_journal import SlowJournal
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import Ran, assert_right, outcomes, screen
from support.claims import Connecting, Lapse, OvertakenClaim
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual

OTHERS_END_S = 4.0
"""Before a lapse is over, the other run has ended."""

SCRIPTS = st.sampled_from(
    [[], [], ["server_error@every:7*3"], ["reset@every:5*4"], ["rate_limited@every:6"], ["half_verdict@every:4*1"]]
)
waits = st.sampled_from([0.0, 0.3, 7.0, 12.0])


@st.composite
def lapses(draw: st.DrawFn) -> list[Lapse]:
    """One after the other, each long enough for another run."""
    found, at = [], 0.0
    for _ in range(draw(st.integers(1, 3))):
        lost = at + draw(st.floats(0.1, 15.0))
        at = lost + OTHERS_END_S + draw(st.floats(0.1, 5.0))
        found.append(Lapse(lost, at))
    return found


@pytest.mark.guarantee("G2", "G3", "G5")
@settings(max_examples=60)
@given(st.data(), lapses(), SCRIPTS)
def test_a_run_that_is_overtaken(data: st.DataObject, gone: list[Lapse], script: list[str]) -> None:
    """Whatever another run has asked before the claim came back is not asked by this one, and each context counts once.

    Slow journals and slow connections keep requests on their way through a whole lapse.
    """
    citations, contexts = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 3))
    store = MemoryStore(
        [make_record(number, contexts) for number in range(1, citations + 1)], page=data.draw(st.sampled_from([3, 200]))
    )
    inner = MemoryJournal()
    ours = Connecting(data.draw(waits), latency=(0.2, data.draw(st.sampled_from([0.5, 3.0, 15.0]))), script=script)
    theirs = ScriptedModel(VirtualClock(), latency=(0.1, 0.5))
    concurrency, limits = data.draw(st.integers(1, 12)), data.draw(st.lists(st.integers(1, 20), min_size=3, max_size=3))
    journal = SlowJournal(inner, data.draw(waits), asyncio.sleep)

    async def overtake(number: int, lapse: Lapse) -> None:
        await asyncio.sleep(lapse.lost)
        await screen(store, MemoryJournal(), theirs, run=f"theirs-{number}", limit=limits[number])
        assert asyncio.get_running_loop().time() < lapse.again

    async def main() -> None:
        claim = OvertakenClaim(*gone)
        running = asyncio.create_task(screen(store, journal, ours, claim=claim, concurrency=concurrency))
        await asyncio.gather(*(overtake(number, lapse) for number, lapse in enumerate(gone)))
        check(await running, inner, ours, theirs, gone)
        for outcome in (await outcomes(store)).values():
            assert_right(outcome)

    run_virtual(main())


def check(ran: Ran, journal: MemoryJournal, ours: ScriptedModel, theirs: ScriptedModel, gone: list[Lapse]) -> None:
    """Nothing left in a lapse or after the other had asked it; and the numbers of the report add up."""
    first = {hit.prompt: hit.arrived for hit in reversed(theirs.hits)}
    for hit in ours.hits:
        assert not [lapse for lapse in gone if lapse.lost < hit.arrived < lapse.again]
        assert hit.arrived <= first.get(hit.prompt, hit.arrived)
    report = ran.report
    assert report.stopped == "complete"
    assert report.contexts == report.answered + report.failed + report.left
    # What was left may be done by the other.
    assert report.remaining is not None
    assert report.remaining <= report.left
    taken_up = {fact.key for fact in journal.facts if isinstance(fact, Asked)}
    assert report.delivered <= report.citations <= len(taken_up)
