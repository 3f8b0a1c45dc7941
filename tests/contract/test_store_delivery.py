"""What every store does as source and sink: what is to do, and how verdicts reach it."""

from __future__ import annotations

import msgspec
import pytest

from citefidelity.errors import StoreError
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import Store, ToDo
from citefidelity.record_format import citation_of
from citefidelity.records import (
    Citation,
    CitationKey,
    Delivery,
    Partition,
    Unusable,
)
from support.makers import (
    AT,
    make_delivery,
    make_failed,
    make_key,
    make_outcome,
    make_record,
    make_screening_row,
    make_unassessable,
    make_verdict,
)
from support.stores import TO_DO, StoreKind, all_stored, deliver, to_do


async def test_pages_hold_every_citation_once_in_a_stable_order(store_kind: StoreKind, store: Store) -> None:
    """Over several pages each citation to do comes once, in the order that this kind of store keeps."""
    records = [make_record(number, contexts=2) for number in (*range(300, 0, -1), *range(301, 501))]
    await store.put(records)
    pages = [page async for page in store.pages(TO_DO)]
    assert len(pages) > 1
    by_key = {record.key: citation_of(record) for record in records}
    assert [one for page in pages for one in page] == [by_key[key] for key in store_kind.in_order(list(by_key))]


async def test_an_empty_store_has_nothing_to_do(store: Store) -> None:
    """No page comes out of an empty store."""
    assert await to_do(store) == []


async def test_unqualified_and_empty_citations_are_not_to_do(store: Store) -> None:
    """A citation that is not qualified, or has no contexts, is stored but never worked on."""
    await store.put([make_record(1, qualified=False), make_record(2, contexts=0), make_record(3)])
    assert await to_do(store) == [make_key(3)]
    assert [one.record.key for one in await all_stored(store)] == [make_key(1), make_key(2), make_key(3)]


async def test_what_one_screening_delivered_is_to_do_in_another(store: Store) -> None:
    """Screenings stand side by side."""
    await store.put([make_record(1), make_record(2)])
    await store.begin_screening(make_screening_row("other"))
    await deliver(store, make_delivery(1))
    assert await to_do(store) == [make_key(2)]
    assert await to_do(store, ToDo(screening="other")) == [make_key(1), make_key(2)]


@pytest.mark.parametrize("of", [1, 2, 3, 40])
async def test_partitions_share_all_citations_without_overlap(store: Store, of: int) -> None:
    """The parts of a division hold each citation exactly once."""
    await store.put([make_record(number) for number in range(450)])
    parts = [await to_do(store, ToDo(screening="main", partition=Partition(part, of))) for part in range(1, of + 1)]
    assert sorted(key for part in parts for key in part) == sorted(make_key(number) for number in range(450))
    assert all(Partition(part + 1, of).holds(key) for part in range(of) for key in parts[part])


@pytest.mark.parametrize("contexts", [b"not json", b'{"a": 1}', b'[{"instance_id": 1}]', b'[{"context_text": "x"}]'])
async def test_contexts_that_cannot_be_read_are_named_not_hidden(store: Store, contexts: bytes) -> None:
    """A citation whose contexts are no contexts comes with its kind, and harms no neighbour."""
    broken = msgspec.structs.replace(make_record(1), contexts=contexts)
    await store.put([broken, make_record(2)])
    first, second = [one async for page in store.pages(TO_DO) for one in page]
    assert isinstance(first, Unusable)
    assert (first.key, first.kind) == (make_key(1), UndeliverableKind.UNREADABLE_RECORD)
    assert isinstance(second, Citation)
    stored, _ = await all_stored(store)
    assert stored.unusable == first
    assert stored.record.contexts == contexts


async def test_a_delivery_between_two_pages_neither_waits_nor_repeats(store_kind: StoreKind, store: Store) -> None:
    """Reading holds no transaction between pages, and a page does not show what was delivered before it."""
    await store.put([make_record(number) for number in range(450)])
    seen: list[CitationKey] = []
    async for page in store.pages(TO_DO):
        expected = "found" if seen else "written"
        seen += [one.key for one in page]
        assert await deliver(store, make_delivery(449)) == [expected]
    assert seen == store_kind.in_order([make_key(number) for number in range(449)])


async def test_outcomes_come_back_as_they_were_delivered(store: Store) -> None:
    """Verdicts, failures and unassessable contexts keep every value, their order, their run and their time."""
    await store.put([make_record(1, contexts=3)])
    outcomes = (make_failed("3"), make_outcome("1", make_verdict("CONTRADICT", 0.123456789)), make_unassessable("2"))
    assert await deliver(store, Delivery(make_key(), outcomes), run="run-7") == ["written"]
    (stored,) = await all_stored(store)
    assert (stored.outcomes, stored.run, stored.classified_at) == (outcomes, "run-7", AT)
    assert (stored.elsewhere, stored.unusable) == (False, None)


async def test_the_first_delivery_stands(store: Store) -> None:
    """A later delivery of the same screening finds the first one and writes nothing (G4)."""
    await store.put([make_record(1)])
    first = make_delivery(1)
    second = Delivery(make_key(1), (make_failed("1"),))
    assert await deliver(store, first) == ["written"]
    assert await deliver(store, second, run="run-2") == ["found"]
    (stored,) = await all_stored(store)
    assert (stored.outcomes, stored.run) == (first.outcomes, "run-1")


async def test_one_citation_twice_in_a_batch_is_written_once(store: Store) -> None:
    """The second delivery of a batch finds the first one of the same batch."""
    await store.put([make_record(1)])
    assert await deliver(store, make_delivery(1), make_delivery(1)) == ["written", "found"]


async def test_a_citation_that_is_gone_harms_no_neighbour(store_kind: StoreKind, store: Store) -> None:
    """A citation deleted by others gets its own receipt; the rest of the batch is written."""
    await store.put([make_record(1), make_record(2), make_record(3)])
    await store_kind.lose(make_key(2))
    receipts = await store.deliver("main", "run-1", AT, [make_delivery(number) for number in (1, 2, 3)])
    assert [receipt.result for receipt in receipts] == ["written", "undeliverable", "written"]
    assert [receipt.key for receipt in receipts] == [make_key(1), make_key(2), make_key(3)]
    assert receipts[1].kind == UndeliverableKind.EDGE_GONE
    assert receipts[1].message


async def test_an_unknown_citation_is_no_longer_there(store: Store) -> None:
    """Keys that differ in the reference only are different citations."""
    await store.put([make_record(1)])
    wrong = Delivery(make_key(1, reference_id="r2"), (make_outcome(),))
    assert await deliver(store, wrong) == ["undeliverable"]
    assert await to_do(store) == [make_key(1)]


async def test_nothing_is_delivered_under_a_screening_that_never_began(store: Store) -> None:
    """A screening that the store does not know is refused, and nothing is written."""
    await store.put([make_record(1)])
    with pytest.raises(StoreError, match="'stray'"):
        await store.deliver("stray", "run-1", AT, [make_delivery(1)])
    assert (await store.counts("stray")).delivered == 0


async def test_an_empty_batch_is_no_work(store: Store) -> None:
    """Nothing to deliver gives no receipts; nothing to import, no results."""
    assert not await store.deliver("main", "run-1", AT, [])
    assert not await store.put([])
