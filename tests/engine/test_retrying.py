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
from citefidelity.records import CitationKey, Partition
from citefidelity.testing.faults_store import StoreAround
from support.audits import Scene
from support.makers import make_json, make_line

BARE = {"instance_id": 2, "context_text": "As shown before [9]."}
SHOWN = {"instance_id": 1, "context_text": "Aspirin [3].", "evidence_segments": [{"text": "Aspirin lowered it."}]}


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four citations of two contexts: the third prompt was refused, the fifth too long; one context has no evidence."""
    scene = Scene(tmp_path_factory.mktemp("screened"))
    scene.put(make_line(1, 2), make_line(2, 2), make_line(3, 2), make_line(4, [SHOWN, BARE]))
    report = scene.run("filtered@3*always", "too_long_openai@5*always").report
    assert (report.answered, report.failures_by_kind) == (5, {"refused": 1, "too_long": 1})
    return scene


@pytest.fixture
def scene(screened: Scene, tmp_path: Path) -> Scene:
    """A copy to work on."""
    return screened.copy(tmp_path)


def assert_clean(scene: Scene, *, verdict: int, failed: int = 0, unassessable: int = 1, to_do: int = 0) -> None:
    """An audit finds nothing, and the contexts in these states."""
    audit = scene.verify()
    assert audit.clean, audit.violations
    states = audit.states
    assert (states.verdict, states.failed, states.unassessable, states.to_do) == (verdict, failed, unassessable, to_do)


@pytest.mark.guarantee("G2", "G3", "G4")
def test_a_failure_is_asked_again_and_its_neighbours_are_not(scene: Scene) -> None:
    """All failures become to do; the next run asks them alone, and delivers their citations as a whole."""
    report = scene.retry()
    assert (report.contexts, report.citations, report.withdrawn, report.exit_code) == (2, 2, 2, 0)
    assert report.by_kind == {"refused": 1, "too_long": 1}
    assert (report.finished, report.asked_too, report.refused) == (0, 0, 0)
    assert_clean(scene, verdict=5, to_do=2)
    before = {tuple(row) for row in scene.in_store("SELECT citation_id, position, category, answer FROM outcome")}
    ran = scene.run()
    assert (ran.stats.received, ran.stats.duplicates, ran.report.answered, ran.report.delivered) == (2, 0, 2, 2)
    assert_clean(scene, verdict=7)
    after = {tuple(row) for row in scene.in_store("SELECT citation_id, position, category, answer FROM outcome")}
    assert before < after
    assert len(after) == 8


def test_one_kind_only(scene: Scene) -> None:
    """With kinds given only failures of these kinds are set aside."""
    assert scene.retry("too_long", "timeout").by_kind == {"too_long": 1}
    assert_clean(scene, verdict=5, failed=1, to_do=1)


def test_contexts_without_evidence_by_their_kind(scene: Scene) -> None:
    """A context without evidence is left alone unless its kind is named; then it is looked at anew, without a call."""
    report = scene.retry("no_evidence")
    assert (report.by_kind, report.withdrawn) == ({"no_evidence": 1}, 1)
    assert_clean(scene, verdict=5, failed=2, unassessable=0, to_do=1)
    ran = scene.run()
    assert (ran.stats.received, ran.report.unassessable, ran.report.delivered) == (0, 1, 1)
    assert_clean(scene, verdict=5, failed=2)


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
    assert_clean(scene, verdict=2, unassessable=0)


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
    assert_clean(scene, verdict=7)
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
    assert_clean(scene, verdict=7)
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


def test_a_changed_text_is_judged_anew(scene: Scene) -> None:
    """With changed, contexts with another text and contexts that came later are asked; all others stay."""
    contexts = [*make_json(1, 2)["contexts"], SHOWN | {"instance_id": "new"}]
    contexts[0]["context_text"] = "Aspirin does nothing [1]."
    scene.put(make_line(1, contexts))
    report = scene.retry(changed=True)
    assert (report.by_kind, report.citations, report.withdrawn) == ({"changed": 1, "added": 1}, 1, 1)
    ran = scene.run()
    assert (ran.stats.received, ran.report.delivered) == (2, 1)
    assert scene.verify().notes == []
    assert_clean(scene, verdict=6, failed=2)
    assert scene.retry(changed=True) == RetryReport(screening="main")


def test_a_text_that_was_judged_before_is_not_paid_again(tmp_path: Path) -> None:
    """A text changed and changed back: the verdict that the journal has of it is delivered, without a call."""
    scene = Scene(tmp_path)
    first, second = make_line(1, 2), make_line(1, make_json(2, 2)["contexts"])
    scene.put(first)
    assert scene.run("server_error@2*always", max_attempts=1).report.answered == 1
    scene.put(second)
    assert scene.run().report.delivered == 1
    scene.put(first)
    report = scene.retry(changed=True)
    assert (report.by_kind, report.withdrawn) == ({"changed": 2}, 1)
    assert scene.in_journal("SELECT instance_id FROM reopened") == [("2",)]
    ran = scene.run()
    assert (ran.stats.received, ran.report.delivered) == (1, 1)
    assert scene.verify().notes == []


def test_a_neighbour_whose_text_has_changed_is_asked_too_and_that_is_told(scene: Scene) -> None:
    """Whoever retries a failure is told which other contexts of its citation the next run will pay for."""
    contexts = make_json(2, 2)["contexts"]
    contexts[1]["context_text"] = "Aspirin does nothing [2]."
    scene.put(make_line(2, contexts))
    report = scene.retry("refused")
    assert (report.contexts, report.asked_too) == (1, 1)
    assert scene.run().stats.received == 2


def test_a_context_that_is_no_longer_in_the_record_is_left_alone(scene: Scene) -> None:
    """There is nothing to ask about it, whether it failed or not."""
    scene.put(make_line(2, make_json(2, 2)["contexts"][1:]), make_line(1, 1))
    assert scene.retry("refused") == RetryReport(screening="main")
    assert scene.retry(changed=True) == RetryReport(screening="main")


def test_a_lost_answer_to_another_text_is_no_reason_to_refuse(scene: Scene) -> None:
    """What would have to be asked anyway, as its text has changed, cannot be paid twice."""
    contexts = make_json(2, 2)["contexts"]
    contexts[1]["context_text"] = "Aspirin does nothing [2]."
    scene.put(make_line(2, contexts))
    scene.in_journal("DELETE FROM settled WHERE citation = 2 AND instance_id = '2'")
    report = scene.retry("refused")
    assert (report.refused, report.contexts, report.asked_too) == (0, 1, 1)


@pytest.mark.guarantee("G3")
def test_what_another_journal_has_delivered_is_left_alone(scene: Scene) -> None:
    """With a journal that has not the answers of a citation it is refused: its neighbours would be paid again."""
    other = scene.journal.rename(scene.directory / "old.journal")
    scene.put(make_line(5, 1))
    assert scene.run("filtered@1*always", new_journal=True).report.failed == 1
    report = scene.retry()
    assert (report.by_kind, report.refused, report.exit_code) == ({"refused": 1}, 2, 5)
    assert sorted(report.refusals) == [CitationKey(f"citing-{n}", f"cited-{n}", "r1") for n in (2, 3)]
    assert [Path(row.path).name for row in report.other_journals] == [scene.journal.name]
    # Only this journal has something to deliver again.
    assert sorted(scene.in_store("SELECT finished FROM screening_journal")) == [(0,), (1,)]
    report = scene.retry(journal=str(other))
    assert (report.by_kind, report.refused) == ({"refused": 1, "too_long": 1}, 0)
    assert scene.run(journal=str(other)).stats.received == 3
    audit = scene.verify([scene.journal, other])
    assert audit.clean, audit.violations


@pytest.mark.guarantee("G3")
def test_a_journal_with_lost_answers_is_not_trusted_with_them(scene: Scene) -> None:
    """A journal that was restored from a backup and lacks the neighbour's answer may not make it be paid again."""
    scene.in_journal("DELETE FROM settled WHERE citation = 2 AND instance_id = '2'")
    report = scene.retry()
    assert (report.by_kind, report.refused) == ({"too_long": 1}, 1)


def test_after_it_the_journal_counts_as_unfinished(scene: Scene) -> None:
    """What is taken out of the store is in this journal alone: another one is refused until it is delivered again."""
    assert scene.in_store("SELECT finished FROM screening_journal") == [(1,)]
    scene.retry()
    assert scene.in_store("SELECT finished FROM screening_journal") == [(0,)]
    with pytest.raises(StoreError, match="unfinished journal elsewhere"):
        scene.run(journal=str(scene.directory / "another"))
    scene.run()
    assert scene.in_store("SELECT finished FROM screening_journal") == [(1,)]


def test_a_part_of_it(scene: Scene) -> None:
    """With a partition only citations of this part are touched."""
    parts = [scene.retry(partition=f"{part}/2", journal=str(scene.journal)) for part in (1, 2)]
    assert sum(report.contexts for report in parts) == 2
    keys = [CitationKey(f"citing-{n}", f"cited-{n}", "r1") for n in (2, 3)]
    assert parts[0].contexts == sum(Partition(1, 2).holds(key) for key in keys)


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
