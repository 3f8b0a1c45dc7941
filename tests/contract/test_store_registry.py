"""What every store knows of screenings, journals and claims."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from citefidelity.errors import StoreHeld
from citefidelity.ports import JournalRow, Store
from citefidelity.records import (
    WHOLE,
    Partition,
)
from support.makers import (
    make_delivery,
    make_holder,
    make_key,
    make_record,
    make_screening_row,
)
from support.stores import StoreKind, all_stored, deliver, to_do


async def test_a_screening_keeps_the_spec_it_began_with(store: Store) -> None:
    """Registering a name again returns what stands; screenings are told oldest first, with what they delivered."""
    row = make_screening_row()
    again = msgspec.structs.replace(row, spec="{}", fingerprint="ffff")
    assert await store.begin_screening(again) == row
    await store.begin_screening(make_screening_row("a second"))
    await store.put([make_record(1)])
    await deliver(store, make_delivery(1))
    assert [(one.name, one.spec, one.delivered) for one in await store.screenings()] == [
        ("main", row.spec, 1),
        ("a second", row.spec, 0),
    ]
    named = [(one.name, one.fingerprint) for one in await store.screenings(counted=False)]
    assert named == [("main", row.fingerprint), ("a second", row.fingerprint)]


async def test_journals_are_kept_by_screening(store: Store) -> None:
    """A journal is enrolled once per screening, and its row brought up to date."""
    await store.begin_screening(make_screening_row("other"))
    one = JournalRow(journal_id="j1", host="here", path="/a", partition=Partition(2, 4))
    two = JournalRow(journal_id="j2", host="there", path="/b")
    for row in (one, two, msgspec.structs.replace(one, finished=True, path="/c")):
        await store.enrol_journal("main", row)
    assert list(await store.journals("main")) == [msgspec.structs.replace(one, finished=True, path="/c"), two]
    assert list(await store.journals("other")) == []


PART = Partition(1, 2)
CLAIMS = [
    (("main", WHOLE), ("main", WHOLE), True),
    (("main", PART), ("main", PART), True),
    (("main", PART), ("main", Partition(2, 2)), False),
    (("main", PART), ("main", Partition(3, 3)), True),
    (("main", PART), ("main", WHOLE), True),
    (("main", WHOLE), ("other", WHOLE), False),
    ((None, WHOLE), ("main", PART), True),
    (("main", PART), (None, WHOLE), True),
    ((None, WHOLE), (None, WHOLE), True),
]


@pytest.mark.parametrize(("first", "second", "excluded"), CLAIMS)
async def test_claims_keep_out_whom_they_must(
    store_kind: StoreKind,
    store: Store,
    first: tuple[str | None, Partition],
    second: tuple[str | None, Partition],
    excluded: bool,
) -> None:
    """One worker a screening and part; who writes to the whole store is alone; the refusal names the owner (G5)."""
    other = await store_kind.open()
    claim = await store.claim(*first, make_holder(pid=4711))
    try:
        if excluded:
            with pytest.raises(StoreHeld, match=r"somewhere \(pid 4711\)"):
                await other.claim(*second, make_holder(journal_id="j2"))
        else:
            await (await other.claim(*second, make_holder(journal_id="j2"))).release()
        await claim.release()
        await claim.release()
        await (await other.claim(*second, make_holder(journal_id="j2"))).release()
    finally:
        await other.close()


async def test_a_claim_of_our_own_holds(store: Store) -> None:
    """A claim that was just taken is good for now."""
    claim = await store.claim("main", WHOLE, make_holder())
    assert claim.holds_until() > 0
    await claim.release()


async def test_what_was_written_is_there_after_reopening(store_kind: StoreKind) -> None:
    """Citations, outcomes, screenings and the store's id outlive the process."""
    store = await store_kind.open()
    await store.begin_screening(make_screening_row())
    await store.put([make_record(1), make_record(2)])
    await deliver(store, make_delivery(1))
    store_id, before = await store.store_id(), await all_stored(store)
    await store.close()
    await store.close()
    again = await store_kind.open()
    assert await again.store_id() == store_id
    assert await all_stored(again) == before
    assert await to_do(again) == [make_key(2)]
    await again.close()


async def test_each_store_has_an_id_of_its_own(store_kind: StoreKind, tmp_path: Path) -> None:
    """Two stores are told apart by their id."""
    (tmp_path / "second").mkdir()
    ids = set()
    for one in (store_kind, type(store_kind)(tmp_path / "second")):
        store = await one.open()
        ids.add(await store.store_id())
        await store.close()
    assert len(ids) == 2
