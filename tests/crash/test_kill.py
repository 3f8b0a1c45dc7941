"""The real program, killed as no program likes to be killed, again and again, until it is through."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.cli import provider
from support.crashes import Place, audit, eventually
from support.dice import dice

CITATIONS, CONTEXTS, CONCURRENCY = 40, 2, 4
KILLS = 11


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A store to screen; the provider's address is set by each test."""
    place = Place(tmp_path, "", ["--concurrency", str(CONCURRENCY)])
    place.fill(CITATIONS, CONTEXTS)
    return place


@pytest.mark.guarantee("G2", "G3", "G4")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(place: Place, seed: int) -> None:
    """Killed 10 to 500 ms after its first call, it repeats what was in flight and nothing else, and swaps nothing."""
    random = dice(seed)
    with provider("--latency", "0.05:0.15", "--seed", str(seed)) as place.url:
        while len(place.deaths) < KILLS:
            with place.started() as run:
                before = place.stats()["received"]
                if random.random() < 0.8:
                    eventually(lambda: place.stats()["received"] > before, run)  # noqa: B023 - used up at once
                time.sleep(random.uniform(0.01, 0.5))
                if not place.die(run):
                    break
        report = place.finish()
        assert len(place.deaths) >= KILLS - 3, "too little was in the way"
        audit(place, report, citations=CITATIONS, contexts=CONTEXTS)
        assert_quiet(place)


@pytest.mark.guarantee("G2", "G3", "G4")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("answers", [1, 5])
def test_killed_as_soon_as_answers_leave_the_provider(place: Place, answers: int) -> None:
    """Killed when the Nth answer has just been sent, it may ask for those on their way again, and for no other."""
    with provider("--latency", "0.05:0.15", "--seed", str(answers)) as place.url:
        for _ in range(KILLS):
            with place.started() as run:
                before = place.stats()["answered"]
                eventually(lambda: place.stats()["answered"] >= before + answers, run)  # noqa: B023 - used up at once
                if not place.die(run):
                    break
        report = place.finish()
        assert len(place.deaths) >= KILLS - 1
        audit(place, report, citations=CITATIONS, contexts=CONTEXTS)
        assert_quiet(place)


def assert_quiet(place: Place) -> None:
    """One run more has nothing to do: it asks nothing and writes nothing."""
    received, stored = place.stats()["received"], place.store("SELECT * FROM outcome")
    report = place.finish()
    assert (report["calls"], report["delivered"], report["citations"]) == (0, 0, 0)
    assert place.stats()["received"] == received
    assert place.store("SELECT * FROM outcome") == stored
