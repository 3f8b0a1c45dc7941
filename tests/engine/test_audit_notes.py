"""What ``verify`` notes without alarm: changes since, deliveries that wait, journals that are elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from citefidelity.audits.audit import Wanted, audit
from citefidelity.audits.audited import Audit, Note, Violation
from citefidelity.clock import SystemClock
from citefidelity.copying import copy
from citefidelity.errors import StoreError
from citefidelity.records import StoredCitation
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.faults_store import StoreAround
from citefidelity.testing.store import MemoryStore
from support.audits import Scene
from support.makers import make_json, make_key, make_line, make_record

UNDO_DELIVERY = "DELETE FROM delivered WHERE citation_id = 1; DELETE FROM outcome WHERE citation_id = 1"


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Three citations with two contexts each, all judged and delivered."""
    scene = Scene(tmp_path_factory.mktemp("screened"))
    scene.put(*(make_line(number, 2) for number in (1, 2, 3)))
    assert scene.run().report.answered == 6
    return scene


@pytest.fixture
def scene(screened: Scene, tmp_path: Path) -> Scene:
    """A copy to change."""
    return screened.copy(tmp_path)


def assert_noted(audit: Audit, *notes: tuple[Note, str | None]) -> None:
    """It is clean, and these are all notes: each with its context."""
    assert (audit.clean, audit.exit_code) == (True, 0), audit.violations
    assert Counter((note.kind, note.instance_id) for note in audit.notes) == Counter(notes)
    assert audit.notes_total == len(notes)
    assert all(note.message for note in audit.notes)


def edited(*, keep: int, text: str = "Aspirin does nothing [1].") -> bytes:
    """Citation 1 with its first context changed, only so many kept, and a new one."""
    contexts = make_json(1, 2)["contexts"]
    contexts[0]["context_text"] = text
    new = {"instance_id": "new", "context_text": "And so on [1].", "evidence_segments": [{"text": "It is so."}]}
    return make_line(1, [*contexts[:keep], new])


def test_contexts_changed_added_and_removed_after_the_delivery(scene: Scene) -> None:
    """A verdict whose text has changed, a context that came later and one that is gone are named, and nothing else."""
    scene.put(edited(keep=1))
    audit = scene.verify()
    assert_noted(audit, (Note.CHANGED, "1"), (Note.ADDED, "new"), (Note.REMOVED, "2"))
    assert (audit.states.verdict, audit.states.to_do, audit.contexts) == (5, 1, 6)
    assert {note.place() for note in audit.notes} == {f"citing-1 -> cited-1 [r1] {name}" for name in ("1", "new", "2")}


def test_a_context_that_was_there_before_it_was_removed_and_added_again(tmp_path: Path) -> None:
    """A context judged, taken out of the record, and put back after its citation was delivered, is no lost outcome."""
    scene = Scene(tmp_path)
    first, shorter = make_line(1, 2), make_line(1, 1)
    scene.put(first)
    assert scene.run("server_error@1*always", max_attempts=1).report.answered == 1
    scene.put(shorter)
    assert scene.run().report.delivered == 1
    assert_noted(scene.verify())
    scene.put(first)
    assert_noted(scene.verify(), (Note.ADDED, "2"))
    assert scene.retry(changed=True).by_kind == {"added": 1}
    ran = scene.run()
    assert (ran.stats.received, ran.report.delivered) == (0, 1)
    assert_noted(scene.verify())


class Forgetful(StoreAround):
    """A store that does not keep how many outcomes a delivery brought."""

    async def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """The inner store's, without that."""
        async for page in self.inner.stored(screening):
            yield [msgspec.structs.replace(one, outcome_count=None) for one in page]


def test_a_store_that_does_not_count_what_a_delivery_brought(scene: Scene) -> None:
    """There an outcome is surely lost only if the run that delivered has settled it; else it may have been added."""

    async def verify() -> Audit:
        store = await open_sqlite(scene.store, create=False, clock=SystemClock())
        try:
            return await audit(Forgetful(store), Wanted(screening="main", address="", journals=[scene.journal]))
        finally:
            await store.close()

    assert_noted(asyncio.run(verify()))
    scene.in_store("DELETE FROM outcome WHERE citation_id = 1 AND position = 0")
    assert asyncio.run(verify()).violations_by_kind == {Violation.MISSING: 1}
    scene.in_journal("INSERT INTO run VALUES (99, 'earlier'); UPDATE settled SET run = 99 WHERE attempt = 1")
    scene.in_journal("INSERT INTO began SELECT 0, 99, screening, fingerprint, program, host, pid, at FROM began")
    scene.in_journal("UPDATE asked SET run = 99 WHERE attempt = 1")
    assert_noted(asyncio.run(verify()), (Note.ADDED, "1"))


def test_an_outcome_lost_with_its_context_is_missed(scene: Scene) -> None:
    """That an outcome is lost is seen even where its context is no longer in the record, or the journal not at hand."""
    scene.in_store("DELETE FROM outcome WHERE citation_id = 1 AND position = 1")
    scene.put(make_line(1, 1))
    assert scene.verify().violations_by_kind == {Violation.MISSING: 1}
    scene.journal.rename(scene.directory / "away.journal")
    assert scene.verify().violations_by_kind == {Violation.MISSING: 1}


def test_a_change_that_no_prompt_shows_is_no_change(scene: Scene) -> None:
    """A note edited and a score rounded leave the verdict valid."""
    record = make_json(1, 2, note="looked at again")
    record["contexts"][0]["evidence_segments"][0]["similarity_score"] = 0.51
    scene.put(make_line(1, record["contexts"], note="looked at again"))
    assert_noted(scene.verify())


def test_a_record_that_can_no_longer_be_read(scene: Scene) -> None:
    """A delivered citation whose record was broken afterwards keeps its audited verdicts."""
    scene.in_store("UPDATE citation SET contexts = x'7b' WHERE id = 1")
    audit = scene.verify()
    assert_noted(audit, (Note.UNREADABLE_RECORD, None))
    assert (audit.audited, audit.states.verdict) == (6, 6)


def test_a_record_that_cannot_be_read_before_it_is_delivered(scene: Scene) -> None:
    """An undelivered citation that cannot be worked on counts as undeliverable, with its kind (G2)."""
    scene.in_store(UNDO_DELIVERY)
    scene.in_store("UPDATE citation SET contexts = x'7b' WHERE id = 1")
    audit = scene.verify()
    assert (audit.clean, audit.states.undeliverable, audit.states.verdict) == (True, 2, 4)
    assert audit.undeliverable == {"unreadable_record": 2}
    assert_noted(audit, (Note.UNDELIVERABLE, None))
    assert audit.notes[0].source_id == make_key(1).source_id
    assert audit.notes[0].message.startswith("unreadable_record: contexts: ")


@pytest.mark.parametrize(("announced", "notes"), [(False, []), (True, [(Note.UNDELIVERABLE, None)])])
def test_a_citation_without_contexts_is_nothing_to_note(
    scene: Scene, announced: bool, notes: list[tuple[Note, None]]
) -> None:
    """A citation that nobody has given contexts yet is no fault; one that announces some, and has none, is."""
    scene.in_store(UNDO_DELIVERY)
    scene.in_store("UPDATE citation SET contexts = CAST('null' AS BLOB), context_count = 0 WHERE id = 1")
    scene.in_store("UPDATE citation SET context_count = 2 WHERE id = 1" if announced else "SELECT 1")
    assert_noted(scene.verify(), *notes)


@pytest.mark.guarantee("G4")
def test_a_store_that_lost_a_delivery(scene: Scene) -> None:
    """What the journal has delivered and the store does not have is named, and the next run heals it without a call."""
    scene.in_store(UNDO_DELIVERY)
    audit = scene.verify()
    assert_noted(audit, (Note.RESTORED, None))
    assert (audit.waiting, audit.delivered, audit.states.verdict, audit.states.to_do) == (1, 2, 6, 0)
    ran = scene.run()
    assert (ran.stats.received, ran.report.delivered) == (0, 1)
    assert_noted(scene.verify())


@pytest.mark.guarantee("G4")
def test_a_citation_that_waits_for_its_delivery(scene: Scene) -> None:
    """A process that died between the last answer and the delivery leaves a citation that waits, no violation."""
    scene.in_store(UNDO_DELIVERY)
    scene.in_journal("DELETE FROM delivered WHERE citation = 1")
    audit = scene.verify()
    assert_noted(audit, (Note.WAITING, None))
    assert audit.waiting == 1


def test_a_citation_that_is_gone(scene: Scene) -> None:
    """A citation that was deleted before its delivery is undeliverable; deleted after it, it is nobody's concern."""
    scene.in_store(UNDO_DELIVERY)
    scene.in_store("DELETE FROM citation WHERE id = 1")
    assert_noted(scene.verify())
    scene.in_journal("DELETE FROM delivered WHERE citation = 1")
    audit = scene.verify()
    assert_noted(audit, (Note.GONE, None))
    assert (audit.states.undeliverable, audit.undeliverable) == (2, {"edge_gone": 2})
    scene.in_journal("INSERT INTO reopened VALUES (998, 1, 1, '1', 0, 'x'), (999, 1, 1, '2', 0, 'x')")
    assert_noted(scene.verify())


def test_what_the_journal_holds_of_a_citation_that_is_gone_is_audited(scene: Scene) -> None:
    """Its replies are read again, too."""
    scene.in_store(UNDO_DELIVERY)
    scene.in_store("DELETE FROM citation WHERE id = 1")
    scene.in_journal("UPDATE ended SET input_tokens = 1 WHERE attempt = 1")
    assert set(scene.verify().violations_by_kind) == {Violation.SUMS_DIFFER}


def test_a_context_with_a_transient_failure_is_to_do(tmp_path: Path) -> None:
    """Attempts used up for the moment: the context is to do, its neighbour waits, and all of it is in order (G2)."""
    scene = Scene(tmp_path)
    scene.put(make_line(1, 2), make_line(2, 2))
    ran = scene.run("server_error@2*always", max_attempts=2)
    assert ran.report.left == 1
    assert scene.in_journal("SELECT count(*) FROM settled WHERE result LIKE 'transient:%'") == [(1,)]
    audit = scene.verify()
    assert_noted(audit)
    assert (audit.states.verdict, audit.states.to_do, audit.waiting, audit.delivered) == (3, 1, 0, 1)
    assert audit.maybe_paid == 2
    assert scene.run().stats.received == 1
    assert_noted(scene.verify())


def test_a_screening_that_has_not_begun(tmp_path: Path) -> None:
    """Before the first run everything is to do, and that is no fault."""
    scene = Scene(tmp_path)
    scene.put(make_line(1, 2), make_line(2, 1, qualified=False))
    audit = scene.verify()
    assert_noted(audit, (Note.NOT_BEGUN, None))
    assert (audit.citations, audit.contexts, audit.states.to_do, audit.spec) == (2, 2, 2, None)


async def test_a_citation_that_another_program_has_done() -> None:
    """It is counted apart, and not as to do."""
    store = MemoryStore([make_record(1, 2), make_record(2, 1)], elsewhere=[make_key(1)])
    found = await audit(store, Wanted(screening="main", address="", journals=[]))
    assert (found.clean, found.contexts, found.states.done_elsewhere, found.states.to_do) == (True, 3, 2, 1)


def test_a_journal_that_is_elsewhere(scene: Scene) -> None:
    """Without the journal the store alone is audited; its outcomes are counted as not audited, the place is named."""
    scene.journal.rename(scene.directory / "away.journal")
    audit = scene.verify()
    assert_noted(audit, (Note.NO_JOURNAL, None), (Note.NOT_AUDITED, None))
    assert (audit.audited, audit.not_audited, audit.states.verdict) == (0, 6, 6)
    assert [Path(row.path).name for row in audit.other_journals] == [scene.journal.name]
    scene.in_store("UPDATE outcome SET confidence = 2 WHERE citation_id = 1 AND position = 0")
    assert set(scene.verify().violations_by_kind) == {Violation.OUT_OF_SPEC}
    audit = scene.verify([scene.directory / "away.journal"])
    assert (audit.audited, set(audit.violations_by_kind)) == (6, {Violation.OUT_OF_SPEC})


def test_a_journal_that_was_named_must_be_there_and_belong_to_the_store(scene: Scene, tmp_path: Path) -> None:
    """A file that was named and is missing, or is another store's, is an error and no note."""
    with pytest.raises(StoreError, match="There is no journal") as missing:
        scene.verify([scene.directory / "nowhere"])
    assert missing.value.kind == "journal_missing"
    other = Scene(tmp_path / "other")
    other.directory.mkdir()
    other.put(make_line(1, 1))
    other.run()
    with pytest.raises(StoreError, match="belongs to another store") as foreign:
        scene.verify([scene.journal, other.journal])
    assert foreign.value.kind == "journal_of_another_store"


@pytest.mark.guarantee("G2", "G3", "G4")
def test_several_journals(tmp_path: Path) -> None:
    """Parts of a screening have a journal each: each is audited when it is given, and counted when it is not."""
    scene = Scene(tmp_path)
    scene.put(*(make_line(number, 2) for number in range(1, 9)))
    first, second = (scene.run(partition=f"{part}/2").report for part in (1, 2))
    assert first.delivered + second.delivered == 8
    one, two = (tmp_path / f"store.db.journal.{part}of2" for part in (1, 2))
    audit = scene.verify([one, two, one])
    assert_noted(audit)
    assert (audit.audited, audit.attempts, len(audit.journals), audit.other_journals) == (16, 16, 2, [])
    audit = scene.verify([one])
    assert_noted(audit, (Note.NOT_AUDITED, None))
    assert (audit.audited, audit.not_audited) == (2 * first.delivered, 2 * second.delivered)
    scene.in_store("UPDATE delivered SET run = 'nobody'")
    assert scene.verify([one]).clean
    assert scene.verify([one, two]).violations_by_kind == {Violation.UNKNOWN_RUN: 8}


def test_a_copied_store(scene: Scene) -> None:
    """What was copied comes from a journal of the store it was copied from: not audited here, and no violation."""
    copied = scene.beside("copied.db")

    async def copy_both_ways() -> None:
        source = await open_sqlite(scene.store, create=False, clock=SystemClock())
        target = await open_sqlite(copied.store, create=True, clock=SystemClock())
        await copy(source, target)
        await copy(target, source)
        await source.close()
        await target.close()

    asyncio.run(copy_both_ways())
    assert_noted(scene.verify())
    copied.put(make_line(4, 1))
    assert copied.run().report.delivered == 1
    audit = copied.verify()
    assert_noted(audit, (Note.NOT_AUDITED, None))
    assert (audit.audited, audit.not_audited) == (1, 6)


def test_a_second_screening_is_audited_by_itself(scene: Scene) -> None:
    """Two screenings stand in one store, each with a journal of its own: a fault in one is none of the other."""
    scene.run(screening="second", model="another", journal=str(scene.directory / "second.journal"))
    both = [scene.journal, scene.directory / "second.journal"]
    assert_noted(scene.verify(both, screening="second"))
    assert_noted(scene.verify(both))
    scene.in_store("UPDATE outcome SET confidence = 2 WHERE screening_id = 2")
    assert_noted(scene.verify(both))
    assert set(scene.verify(both, screening="second").violations_by_kind) == {Violation.OUT_OF_SPEC}
