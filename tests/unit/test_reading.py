"""Status and show: what they put together from a store and a journal, and what they say where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.errors import UsageError
from citefidelity.facts import Asked, Began, Ended, Fact, Reopened, Settled
from citefidelity.journal import open_journal
from citefidelity.meter import Meter
from citefidelity.ports import JournalRow, ScreeningRow, StoreCounts
from citefidelity.prompt import NoEvidence, Prompter
from citefidelity.record_format import citation_of
from citefidelity.records import WHOLE, CitationKey, Delivery, Outcome, Partition, Record
from citefidelity.specs.spec import Spec, builtin_spec
from citefidelity.testing.store import MemoryStore
from citefidelity.views.observing import LiveStatus, status_path
from citefidelity.views.show import Wanted, show
from citefidelity.views.shown import Shown
from citefidelity.views.status import Status, read_live, take_status
from citefidelity.views.status_file import write_status
from support.cli import started
from support.makers import AT, make_failed, make_holder, make_outcome, make_record

SPEC = msgspec.structs.replace(builtin_spec(), model="m")


async def begun(store: MemoryStore) -> None:
    """The screening main has begun under SPEC."""
    row = ScreeningRow(name="main", spec=SPEC.to_json(), fingerprint=SPEC.fingerprint(), created_at=AT)
    await store.begin_screening(row)


async def journal_with(path: Path, facts: Sequence[Fact], store_id: str) -> str:
    """A journal that holds these facts after the beginning of a run; its id."""
    began = Began(
        run="run-1",
        screening="main",
        spec=SPEC.to_json(),
        fingerprint=SPEC.fingerprint(),
        program="citefidelity 9.9",
        host="h",
        pid=1,
        at=0.0,
    )
    async with await open_journal(path, store_id=store_id, holder=make_holder(), clock=SystemClock()) as journal:
        await journal.append([began, *facts])
        return journal.journal_id


def answered(record: Record, attempt: int = 1, *, spec: Spec = SPEC) -> tuple[list[Fact], Outcome]:
    """The facts of one good answer about the first context of a record, and the outcome."""
    citation = citation_of(record)
    rendered = Prompter(spec).render(citation, citation.contexts[0])
    assert not isinstance(rendered, NoEvidence)
    outcome = msgspec.structs.replace(make_outcome(), input_hash=rendered.input_hash.hex())
    asked = Asked(
        attempt=attempt,
        run="run-1",
        screening="main",
        key=record.key,
        instance_id="1",
        input_hash=rendered.input_hash,
        prompt=rendered.variable,
        at=1.0,
    )
    ended = Ended(attempt=attempt, at=2.0, seconds=1.0, status=200, body=b"raw \xff reply", billed="yes")
    settled = Settled(
        run="run-1", screening="main", key=record.key, outcome=outcome, at=2.0, attempt=attempt, flags=("odd",)
    )
    return [asked, ended, settled], outcome


async def status_of(store: MemoryStore, journal: Path) -> Status:
    """The status of screening main."""
    return await take_status(store, journal, address="memory", screening="main")


async def shown(store: MemoryStore, journal: Path, key: CitationKey, instance_id: str | None = None) -> Shown:
    """Everything about one citation in screening main."""
    return await show(store, journal, Wanted(*key, instance_id), address="memory", screening="main")


async def test_status_before_anything(tmp_path: Path) -> None:
    """Without a screening and a journal there are counts, and a note where the journal would be."""
    status = await status_of(MemoryStore([make_record(1, 2)]), tmp_path / "j")
    assert (status.begun, status.journal, status.held_by, status.live) == (None, None, None, None)
    assert (status.citations, status.contexts, status.remaining, status.states.not_delivered) == (1, 2, 1, 2)
    assert str(tmp_path / "j") in status.notes[0]


async def test_fewer_contexts_than_outcomes_are_none_left(tmp_path: Path) -> None:
    """What the store cannot count, or somebody has taken out of it, is no negative number of contexts to do."""

    class Fewer(MemoryStore):
        async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
            return msgspec.structs.replace(await super().counts(screening, partition), contexts=1, verdict=3)

    status = await status_of(Fewer([make_record(1, 2)]), tmp_path / "j")
    assert status.states.not_delivered == 0


async def test_status_counts_what_waits_in_the_journal(tmp_path: Path) -> None:
    """An answer that is not delivered is counted in the journal and not in the store; a lost end is maybe paid."""
    record = make_record(1, 1)
    store = MemoryStore([record])
    await begun(store)
    facts, _ = answered(record)
    lost = msgspec.structs.replace(facts[0], attempt=7)
    await journal_with(tmp_path / "j", [*facts, lost], await store.store_id())
    status = await status_of(store, tmp_path / "j")
    assert status.begun is not None
    assert status.begun.model == "m"
    assert status.journal is not None
    assert (status.journal.answered, status.journal.undelivered, status.maybe_paid) == (1, True, 1)
    assert (status.states.verdict, status.delivered, status.remaining) == (0, 0, 1)
    assert status.notes == []


async def test_status_names_other_journals_and_a_journal_of_another_store(tmp_path: Path) -> None:
    """Unfinished journals elsewhere are named, finished ones and this one are not; a wrong journal is said."""
    store = MemoryStore([make_record(1, 1)])
    await begun(store)
    own = await journal_with(tmp_path / "j", [], "another store")
    for journal_id, path, finished in ((own, "own", False), ("b", "there", False), ("c", "done", True)):
        await store.enrol_journal("main", JournalRow(journal_id=journal_id, host="h", path=path, finished=finished))
    status = await status_of(store, tmp_path / "j")
    assert [row.path for row in status.other_journals] == ["there"]
    assert "another store" in status.notes[0]


async def test_status_survives_a_journal_that_is_none(tmp_path: Path) -> None:
    """A file that is no journal is a note, not the end of status."""
    (tmp_path / "j").write_text("not a database, but long enough to be looked at as one" * 20)
    status = await status_of(MemoryStore([make_record(1, 1)]), tmp_path / "j")
    assert status.journal is None
    assert status.notes


@pytest.mark.parametrize("running", [True, False])
def test_the_status_file_of_a_run_that_has_ended_is_no_live_run(tmp_path: Path, *, running: bool) -> None:
    """It stays behind a run; the numbers are shown as live only while it says that it goes on."""
    numbers = Meter(lambda: 0.0).snapshot()
    status = LiveStatus(running=running, updated_at=AT, host="h", pid=1, run=started(), numbers=numbers)
    write_status(status_path(tmp_path / "j"), status)
    assert (read_live(tmp_path / "j") is not None) is running


@pytest.mark.parametrize("content", [b"", b"{", b'{"running": true}', b"\xff"])
def test_a_status_file_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    """Half a file, or that of another version, is no live run."""
    status_path(tmp_path / "j").write_bytes(content)
    assert read_live(tmp_path / "j") is None


async def test_show_knows_what_waits_in_the_journal(tmp_path: Path) -> None:
    """An outcome that is not delivered is shown with its prompt, reply, program and flags, as waiting (G10)."""
    record = make_record(1, 2)
    store = MemoryStore([record])
    await begun(store)
    facts, outcome = answered(record)
    await journal_with(tmp_path / "j", facts, await store.store_id())
    result = await shown(store, tmp_path / "j", record.key)
    first, second = result.citations[0].contexts
    assert (first.state, first.waiting, first.changed, first.verdict) == ("verdict", True, False, outcome.verdict)
    assert (first.input_hash, first.flags) == (outcome.input_hash, ("odd",))
    assert isinstance(facts[0], Asked)
    assert first.prompt == facts[0].prompt
    (attempt,) = first.attempts
    assert (attempt.reply, attempt.program, attempt.status) == ("raw \\xff reply", "citefidelity 9.9", 200)
    assert (second.state, second.waiting, second.prompt, second.attempts) == ("to_do", False, None, [])
    assert result.fixed_prompt == Prompter(SPEC).fixed


async def test_show_after_a_delivery_and_a_change(tmp_path: Path) -> None:
    """A delivered verdict stays with the hash and the prompt of what it judged, and a changed text is said."""
    record = make_record(1, 1)
    store = MemoryStore([record])
    await begun(store)
    facts, outcome = answered(record)
    await journal_with(tmp_path / "j", facts, await store.store_id())
    await store.deliver("main", "run-1", AT, [Delivery(record.key, (outcome,))])
    before = (await shown(store, tmp_path / "j", record.key)).citations[0]
    assert (before.contexts[0].waiting, before.contexts[0].changed, before.run) == (False, False, "run-1")
    await store.put([make_record(1, 1, source_title="Another title")])
    after = (await shown(store, tmp_path / "j", record.key)).citations[0].contexts[0]
    assert (after.changed, after.input_hash) == (True, outcome.input_hash)
    assert isinstance(facts[0], Asked)
    assert after.prompt == facts[0].prompt


async def test_show_does_not_count_what_was_reopened(tmp_path: Path) -> None:
    """An outcome that retry set aside is not the context's any more; its attempts stay."""
    record = make_record(1, 1)
    store = MemoryStore([record])
    await begun(store)
    facts, _ = answered(record)
    reopened = Reopened(screening="main", key=record.key, instance_id="1", at=3.0, why="retry")
    await journal_with(tmp_path / "j", [*facts, reopened], await store.store_id())
    (context,) = (await shown(store, tmp_path / "j", record.key)).citations[0].contexts
    assert (context.state, context.verdict, len(context.attempts)) == ("to_do", None, 1)


async def test_show_without_a_journal(tmp_path: Path) -> None:
    """What the store knows is shown, and what is missing is said."""
    record = make_record(1, 1)
    store = MemoryStore([record])
    await begun(store)
    await store.deliver("main", "run-1", AT, [Delivery(record.key, (make_failed(),))])
    result = await shown(store, tmp_path / "j", record.key)
    (context,) = result.citations[0].contexts
    assert context.failure is not None
    assert (context.state, context.failure.kind, context.prompt) == ("failed", "refused", None)
    assert "Prompts, replies and attempts are in the journal only" in result.notes[0]


async def test_show_before_the_screening_began(tmp_path: Path) -> None:
    """The text is shown, and that nothing has been asked."""
    record = make_record(1, 1)
    result = await shown(MemoryStore([record]), tmp_path / "j", record.key)
    assert result.notes[0] == "Screening main has not begun."
    assert (result.spec, result.fixed_prompt) == (None, None)
    assert result.citations[0].contexts[0].state == "to_do"


async def test_show_of_contexts_that_cannot_be_read(tmp_path: Path) -> None:
    """A citation whose contexts are broken is shown as far as it goes, with what is wrong."""
    broken = msgspec.structs.replace(make_record(1, 1), contexts=b'[{"instance_id": 1}]')
    result = await shown(MemoryStore([broken]), tmp_path / "j", broken.key)
    assert result.citations[0].problem
    assert result.citations[0].contexts == []


async def test_show_of_what_is_not_there(tmp_path: Path) -> None:
    """A citation or a context that is not there is an error that names it."""
    record = make_record(1, 1)
    store = MemoryStore([record])
    with pytest.raises(UsageError, match="no citation a -> b") as refusal:
        await shown(store, tmp_path / "j", CitationKey("a", "b", "c"))
    assert refusal.value.kind == "not_found"
    with pytest.raises(UsageError, match="no context 9"):
        await shown(store, tmp_path / "j", record.key, "9")
    with pytest.raises(UsageError, match="no citation") as refusal:
        await shown(store, tmp_path / "j", record.key._replace(reference_id="other"))
    assert f"with the reference {record.key.reference_id};" in refusal.value.hint
