"""Stopped, interrupted and hurried: what is in flight is kept, or counted."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import msgspec
import pytest

from support.cli import provider
from support.crashes import Place, audit, audit_verdicts, eventually

IN_FLIGHT = 8


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A store of more contexts than may be in flight; the provider's address is set by each test."""
    place = Place(tmp_path, "", ["--concurrency", str(IN_FLIGHT)])
    place.fill(2 * IN_FLIGHT, 1)
    return place


@pytest.mark.guarantee("G3")
def test_stopped_past_its_deadline_no_reply_is_paid_again(place: Place) -> None:
    """Replies that arrived while the process stood still are read, though every deadline has passed meanwhile."""
    with provider("--latency", "0.4") as place.url:
        with place.started("--timeout", "2") as run:
            eventually(lambda: place.stats()["in_flight"] == IN_FLIGHT, run)
            run.send_signal(signal.SIGSTOP)
            eventually(lambda: place.stats()["in_flight"] == 0)
            time.sleep(2.5)
            run.send_signal(signal.SIGCONT)
            said, errors = run.communicate(timeout=30)
        assert run.returncode == 0, errors
        report = msgspec.json.decode(said)
        assert (report["maybe_paid"], report["calls"]) == (0, 2 * IN_FLIGHT)
        assert set(place.hits().values()) == {1}
        audit(place, report, citations=2 * IN_FLIGHT, contexts=1)


@pytest.mark.guarantee("G8")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once_what_is_in_flight_is_kept(place: Place, number: signal.Signals) -> None:
    """The first signal stops the asking; what was in flight is answered, delivered and reported, with exit 130."""
    with provider("--latency", "1") as place.url:
        with place.started() as run:
            eventually(lambda: place.stats()["in_flight"] == IN_FLIGHT, run)
            run.send_signal(number)
            said, errors = run.communicate(timeout=30)
        assert run.returncode == 130, errors
        report = msgspec.json.decode(said)
        assert (report["stopped"], report["answered"], report["delivered"]) == ("interrupted", IN_FLIGHT, IN_FLIGHT)
        assert (report["remaining"], report["maybe_paid"], report["calls"]) == (IN_FLIGHT, 0, IN_FLIGHT)
        assert place.stats()["received"] == IN_FLIGHT
        audit(place, place.finish(), citations=2 * IN_FLIGHT, contexts=1)


@pytest.mark.guarantee("G8")
def test_grace_ends(place: Place) -> None:
    """What has no reply when the grace is over is cut, counted as maybe paid, and asked by the next run."""
    with provider("--latency", "20") as place.url, place.started("--grace", "0.3") as run:
        eventually(lambda: place.stats()["in_flight"] == IN_FLIGHT, run)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        said, errors = run.communicate(timeout=30)
        assert run.returncode == 130, errors
        assert time.monotonic() - began < 5
    report = msgspec.json.decode(said)
    assert (report["answered"], report["maybe_paid"], report["remaining"]) == (0, IN_FLIGHT, 2 * IN_FLIGHT)
    with provider() as place.url:
        assert place.finish()["answered"] == 2 * IN_FLIGHT
        audit_verdicts(place, citations=2 * IN_FLIGHT, contexts=1)


@pytest.mark.guarantee("G3", "G8")
def test_interrupted_twice_it_leaves_at_once(place: Place) -> None:
    """The second signal ends the process there and then, and nothing acknowledged is lost by it."""
    with provider("--latency", "0.1", "--fault", "silence@every:3*always") as url:
        place.url = url
        with place.started() as run:
            eventually(lambda: place.stats()["answered"] >= 2 and place.stats()["in_flight"], run)
            run.send_signal(signal.SIGINT)
            time.sleep(0.5)
            began = time.monotonic()
            run.send_signal(signal.SIGINT)
            said, _ = run.communicate(timeout=30)
        assert run.returncode == 130
        assert time.monotonic() - began < 1.5
        assert said == ""
        answered = {prompt for prompt, hits in place.stats()["good_hits"].items() if hits}
        assert answered
    with provider("--latency", "0.02") as place.url:
        report = place.finish()
        assert not answered & set(place.hits()), "an answer that was on disk was asked again"
        assert 0 < report["maybe_paid"] <= IN_FLIGHT
        audit_verdicts(place, citations=2 * IN_FLIGHT, contexts=1)
