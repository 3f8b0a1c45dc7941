"""``retry``: failures become to do again, neighbours are neither asked nor lost, and it may be killed in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from citefidelity.audits.audited import Note, Violation
from citefidelity.audits.reopening import Wish
from citefidelity.audits.retrying import RetryReport, failure_kinds, retry
from citefidelity.clock import SystemClock
from citefidelity.config.settings import Settings
from citefidelity.errors import StoreError, StoreHeld, UsageError
from citefidelity.holding import hold
from citefidelity.ports import JournalRow
from citefidelity.records import CitationKey
from citefidelity.testing.faults_store import StoreAround
from support.audits import SHOWN, Scene, assert_states, make_failed
from support.makers import make_json, make_line


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four citations with two contexts that failed for good."""
    return make_failed(tmp_path_factory.mktemp("screened"))


@pytest.fixture
def scene(screened: Scene, tmp_path: Path) -> Scene:
    """A copy to work on."""
    return screened.copy(tmp_path)


@pytest.mark.guarantee("G2", "G3", "G4")
def test_a_failure_is_asked_again_and_its_neighbours_are_not(scene: Scene) -> None:
    """All failures become to do; the next run asks them alone, and delivers their citations as a whole."""
    report = scene.retry()
    assert (report.contexts, report.citations, report.withdrawn, report.exit_code) == (2, 2, 2, 0)
    assert report.by_kind == {"refused": 1, "too_long": 1}
    assert (report.finished, report.asked_too, report.refused) == (0, 0, 0)
    assert_states(scene, verdict=5, to_do=2)
    before = {tuple(row) for row in scene.in_store("SELECT citation_id, position, category, answer FROM outcome")}
    ran = scene.run()
    assert (ran.stats.received, ran.stats.duplicates, ran.report.answered, ran.report.delivered) == (2, 0, 2, 2)
    assert_states(scene, verdict=7)
    after = {tuple(row) for row in scene.in_store("SELECT citation_id, position, category, answer FROM outcome")}
    assert before < after
    assert len(after) == 8


def test_one_kind_only(scene: Scene) -> None:
    """With kinds given only failures of these kinds are set aside, whatever was added meanwhile."""
    scene.put(make_line(1, [*make_json(1, 2)["contexts"], SHOWN | {"instance_id": "new"}]))
    assert scene.retry("too_long", "timeout").by_kind == {"too_long": 1}
    assert_states(scene, verdict=5, failed=1, to_do=2)


def test_contexts_without_evidence_by_their_kind(scene: Scene) -> None:
    """A context without evidence is left alone unless its kind is named; then it is looked at anew, without a call."""
    report = scene.retry("no_evidence")
    assert (report.by_kind, report.withdrawn) == ({"no_evidence": 1}, 1)
    assert_states(scene, verdict=5, failed=2, unassessable=0, to_do=1)
    ran = scene.run()
    assert (ran.stats.received, ran.report.unassessable, ran.report.delivered) == (0, 1, 1)
    assert_states(scene, verdict=5, failed=2)


def test_repeating_it_does_nothing(scene: Scene) -> None:
    """A second retry finds nothing more, and so does one after the run that answered."""
    scene.retry()
    reopened = scene.in_journal("SELECT * FROM reopened")
    assert scene.retry() == RetryReport(screening="main")
    scene.run()
    assert scene.retry() == RetryReport(screening="main")
    assert scene.in_journal("SELECT * FROM reopened") == reopened


def test_a_failure_that_was_not_delivered_yet(tmp_path: Path) -> None:
    """A failure that waits in the journal beside a context that is to do is set aside, too."""
    scene = Scene(tmp_path)
    scene.put(make_line(1, 2))
    assert scene.run("filtered@1*always", "server_error@2*always", max_attempts=1).report.left == 1
    report = scene.retry()
    assert (report.contexts, report.by_kind, report.withdrawn) == (1, {"refused": 1}, 0)
    ran = scene.run()
    assert (ran.stats.received, ran.report.answered) == (2, 2)
    assert_states(scene, verdict=2, unassessable=0)


class Dies(Exception):
    """The process ends here."""


class DyingStore(StoreAround):
    """A store in whose process somebody pulls the plug when it is to let go of citations."""

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Never."""
        raise Dies(screening, keys)


async def die_in_between(settings: Settings) -> None:
    """Retry, and die between the journal and the store."""
    wish = Wish(screening="main", kinds=failure_kinds([]))
    row = JournalRow(journal_id="", host="", path="")
    async with hold(settings, "citefidelity retry", SystemClock()) as held:
        await retry(DyingStore(held.store), held.journal, wish, own_row=row, now=SystemClock().wall)


@pytest.mark.guarantee("G3", "G4")
def test_killed_between_the_journal_and_the_store(scene: Scene) -> None:
    """A retry that noted *reopened* and died is seen by an audit, harms no run, and is finished by the next retry."""
    with pytest.raises(Dies):
        asyncio.run(die_in_between(scene.settings()))
    audit = scene.verify()
    assert audit.clean, audit.violations
    assert audit.notes_by_kind == {Note.RETRY_INTERRUPTED: 2}
    assert scene.run().stats.received == 0
    reopened = scene.in_journal("SELECT * FROM reopened")

    report = scene.retry("too_long")
    assert (report.contexts, report.finished, report.withdrawn) == (0, 2, 2)
    assert scene.in_journal("SELECT * FROM reopened") == reopened
    assert scene.run().stats.received == 2
    assert_states(scene, verdict=7)
    assert scene.verify().notes == []


@pytest.mark.guarantee("G3", "G4")
def test_a_store_from_before_the_retry(scene: Scene) -> None:
    """A backup brings set-aside outcomes back: an audit says so, and a retry takes them out again, without a call."""
    backup = scene.store.read_bytes()
    scene.retry()
    assert scene.run().stats.received == 2
    scene.store.write_bytes(backup)
    assert scene.verify().notes_by_kind == {Note.RETRY_INTERRUPTED: 2}
    assert (scene.retry().finished, scene.run().stats.received) == (2, 0)
    assert_states(scene, verdict=7)
    assert scene.verify().notes == []


@pytest.mark.guarantee("G3")
def test_what_was_reopened_and_answered_is_not_asked_again_either(scene: Scene) -> None:
    """That a context was reopened once excuses nothing that happens after its new outcome."""
    scene.retry()
    scene.run()
    scene.in_journal(
        "INSERT INTO asked SELECT 99, screening, run, citation, instance_id, input_hash, at, manner FROM asked "
        "ORDER BY attempt DESC LIMIT 1"
    )
    assert scene.verify().violations_by_kind == {Violation.ASKED_AGAIN: 1}


def test_it_keeps_out_of_a_run_that_goes_on(scene: Scene) -> None:
    """While a run, or another command that writes, has the journal it is refused, and nothing is changed."""

    async def beside() -> None:
        async with hold(scene.settings(), "citefidelity run", SystemClock()):
            with pytest.raises(StoreHeld, match="citefidelity run"):
                await asyncio.to_thread(scene.retry)

    asyncio.run(beside())
    assert scene.in_journal("SELECT * FROM reopened") == []


def test_wrong_words(scene: Scene, tmp_path: Path) -> None:
    """An unknown kind, kinds beside changed, an unknown screening and a missing journal are told; nothing changes."""
    with pytest.raises(UsageError, match="no kind of failure 'wibble'") as unknown:
        scene.retry("wibble")
    assert "too_long" in unknown.value.hint
    with pytest.raises(UsageError, match="--changed"):
        scene.retry("refused", changed=True)
    with pytest.raises(UsageError, match="no screening 'other'"):
        scene.retry(screening="other")
    with pytest.raises(StoreError, match="no journal"):
        scene.retry(journal=str(tmp_path / "nowhere.journal"))
    assert not (tmp_path / "nowhere.journal").exists()
    assert scene.in_journal("SELECT * FROM reopened") == []
