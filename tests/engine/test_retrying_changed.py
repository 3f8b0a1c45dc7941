"""``retry`` where texts have changed, where another journal has the answers, and in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.audits.retrying import RetryReport
from citefidelity.errors import StoreError
from citefidelity.records import CitationKey, Partition
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
    assert_states(scene, verdict=6, failed=2)
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


def test_a_failure_of_a_text_that_is_no_more(tmp_path: Path) -> None:
    """The text that failed was changed back to one that has a verdict: that is delivered, without a call."""
    scene = Scene(tmp_path)
    first, second = make_line(1, 2), make_line(1, make_json(2, 2)["contexts"])
    scene.put(first)
    scene.run("server_error@2*always", max_attempts=1)
    scene.put(second)
    assert scene.run("filtered@1*always").report.failed == 1
    scene.put(first)
    assert scene.retry().by_kind == {"refused": 1}
    assert scene.in_journal("SELECT * FROM reopened") == []
    assert scene.run().stats.received == 1


def test_a_neighbour_whose_text_has_changed_is_asked_too_and_that_is_told(scene: Scene) -> None:
    """Whoever retries a failure is told which other contexts of its citation the next run will pay for."""
    contexts = make_json(2, 2)["contexts"]
    contexts[1]["context_text"] = "Aspirin does nothing [2]."
    scene.put(make_line(2, contexts))
    report = scene.retry("refused")
    assert (report.contexts, report.asked_too) == (1, 1)
    assert scene.run().stats.received == 2
    scene.put(make_line(3, make_json(3, 2)["contexts"][:1]))
    report = scene.retry("too_long")
    assert (report.contexts, report.asked_too) == (1, 0)


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
    """With a partition only citations of this part are touched, by changed as well."""
    parts = [scene.retry(partition=f"{part}/2", journal=str(scene.journal)) for part in (1, 2)]
    assert sum(report.contexts for report in parts) == 2
    keys = [CitationKey(f"citing-{n}", f"cited-{n}", "r1") for n in (2, 3)]
    assert parts[0].contexts == sum(Partition(1, 2).holds(key) for key in keys)
    scene.put(make_line(1, make_json(9, 2)["contexts"]), make_line(4, make_json(9, 2)["contexts"]))
    keys = [CitationKey(f"citing-{n}", f"cited-{n}", "r1") for n in (1, 4)]
    for part in (1, 2):
        report = scene.retry(changed=True, partition=f"{part}/2", journal=str(scene.journal))
        assert report.citations == sum(Partition(part, 2).holds(key) for key in keys)
