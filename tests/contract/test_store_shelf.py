"""What every store does with whole records: in, out, changed, withdrawn, counted."""

from __future__ import annotations

import msgspec

from citefidelity.ports import Store
from citefidelity.record_format import parse_record
from citefidelity.records import (
    Delivery,
    Partition,
    Record,
)
from support.makers import (
    make_delivery,
    make_failed,
    make_json,
    make_key,
    make_outcome,
    make_record,
    make_screening_row,
    make_unassessable,
)
from support.stores import all_stored, deliver, to_do


async def test_records_come_back_byte_for_byte(store: Store) -> None:
    """Numbers as written, unknown fields, odd keys and all of Unicode come back as they went in (G1)."""
    line = (
        '{"source_id":"\\u0000ü","target_id":12,"reference_id":null,"n":1.0,"big":123456789012345678901234567890,'
        '"e":1E5,"contexts":[{"instance_id":"é","context_text":"x\\n𝄞","deep":[{"k":-0.0}]}],"qualified":true}'
    )
    record, _ = parse_record(line.encode())
    assert [put.result for put in await store.put([record])] == ["new"]
    (stored,) = await all_stored(store)
    assert stored.record == record
    assert record.key == ("\0ü", "12", "")
    assert await to_do(store) == [record.key]


async def test_importing_the_same_again_changes_nothing(store: Store) -> None:
    """The same JSON is unchanged, however its keys are ordered and spaced; another spelling of a number is a change."""
    record = make_record(1, n=1)
    reordered = Record(
        record.key, True, 1, msgspec.json.format(record.fields, indent=2), msgspec.json.format(record.contexts)
    )
    other_number = make_record(1, n=1.0)
    results = [(await store.put([one]))[0].result for one in (record, record, reordered, other_number)]
    assert results == ["new", "unchanged", "unchanged", "changed"]


async def test_a_key_twice_in_one_call_keeps_the_first(store: Store) -> None:
    """Of two records with one key the first stands and the second is told."""
    first, second = make_record(1, note="first"), make_record(1, note="second")
    assert [put.result for put in await store.put([first, second, make_record(2)])] == ["new", "duplicate", "new"]
    assert (await all_stored(store))[0].record == first


async def test_a_change_tells_how_many_contexts_are_to_be_judged_anew(store: Store) -> None:
    """New and edited contexts count; a note or a rounded score, which no prompt shows, does not."""
    await store.put([make_record(1, contexts=3)])
    edited = make_json(1, contexts=4)
    edited["contexts"][0]["context_text"] = "Something else."
    edited["contexts"][1]["note"] = "seen"
    edited["contexts"][2]["evidence_segments"][0]["similarity_score"] = 0.51
    (put,) = await store.put([make_record(1, **edited)])
    assert (put.result, put.changed, put.delivered) == ("changed", 2, ())
    retitled = make_record(1, **(edited | {"target_title": "Another title"}))
    assert (await store.put([retitled]))[0].changed == 4


async def test_evidence_counts_as_it_is_ranked(store: Store) -> None:
    """Another passage is a change; the same passages in another order are none, unless their scores rank them anew."""
    high, low = ({"text": text, "similarity_score": score} for text, score in (("high", 0.9), ("low", 0.1)))
    changes = []
    for segments in ([high, low], [low, high], [high], [high, low | {"text": "other"}], [high, low | {"score": 1}]):
        contexts = [{"instance_id": 1, "context_text": "x", "evidence_segments": segments}]
        (put,) = await store.put([make_record(1, contexts=contexts)])
        changes.append((put.result, put.changed))
    assert changes == [("new", 0), ("changed", 0), ("changed", 1), ("changed", 1), ("changed", 1)]


async def test_a_change_leaves_verdicts_standing_and_names_who_gave_them(store: Store) -> None:
    """A citation changed after it was delivered keeps its verdicts and its place, and its screenings are named."""
    await store.begin_screening(make_screening_row("other"))
    await store.put([make_record(1), make_record(2)])
    await deliver(store, make_delivery(1))
    await deliver(store, make_delivery(1), screening="other")
    (put,) = await store.put([make_record(1, source_title="Another title")])
    assert (put.result, put.delivered) == ("changed", ("main", "other"))
    first, second = await all_stored(store)
    assert (first.record.key, first.outcomes) == (make_key(1), make_delivery(1).outcomes)
    assert await to_do(store) == [second.record.key]


async def test_find_names_the_citations_between_two_articles(store: Store) -> None:
    """Two citations may join one pair of articles; the reference tells them apart."""
    records = [make_record(1, reference_id=reference) for reference in ("r1", "r2")]
    await store.put([*records, make_record(2)])
    await deliver(store, make_delivery(1))
    both = await store.find("main", "citing-1", "cited-1")
    assert [one.record for one in both] == records
    assert [len(one.outcomes) for one in both] == [1, 0]
    (second,) = await store.find("main", "citing-1", "cited-1", "r2")
    assert second.record == records[1]
    assert list(await store.find("main", "citing-1", "cited-2")) == []


async def test_withdrawn_citations_are_to_do_again(store: Store) -> None:
    """Withdrawing takes one screening off, outcomes and all, and is safe to repeat."""
    await store.begin_screening(make_screening_row("other"))
    await store.put([make_record(1), make_record(2), make_record(3)])
    for screening in ("main", "other"):
        await deliver(store, make_delivery(1), make_delivery(2), screening=screening)
    assert await store.withdraw("main", [make_key(1), make_key(3), make_key(9)]) == 1
    assert await store.withdraw("main", [make_key(1)]) == 0
    assert await to_do(store) == [make_key(1), make_key(3)]
    assert [len(one.outcomes) for one in await all_stored(store)] == [0, 1, 0]
    assert [len(one.outcomes) for one in await all_stored(store, "other")] == [1, 1, 0]
    assert await deliver(store, make_delivery(1)) == ["written"]


async def test_counts_say_where_the_store_stands(store: Store) -> None:
    """Citations, contexts and outcomes are counted over the store; delivered and to do within the part."""
    await store.put([make_record(number, contexts=2) for number in range(20)])
    await store.put([make_record(20, contexts=3, qualified=False), make_record(21, contexts=0)])
    outcomes = (make_outcome("1"), make_failed("2"))
    await deliver(store, *(Delivery(make_key(number), outcomes) for number in range(5)))
    await deliver(store, Delivery(make_key(5), (make_unassessable("1"), make_outcome("2"))))
    whole = await store.counts("main")
    assert (whole.citations, whole.qualified, whole.contexts) == (22, 21, 40)
    assert (whole.delivered, whole.to_do, whole.done_elsewhere) == (6, 14, 0)
    assert (whole.verdict, whole.failed, whole.unassessable) == (6, 5, 1)
    parts = [await store.counts("main", Partition(part, 3)) for part in (1, 2, 3)]
    assert [sum(part.delivered for part in parts), sum(part.to_do for part in parts)] == [6, 14]
    assert all(part.citations == 22 and part.verdict == 6 for part in parts)
    assert len({part.to_do for part in parts} | {14}) > 1


async def test_counts_of_a_screening_that_never_began(store: Store) -> None:
    """Everything is to do under a name that nothing was delivered under."""
    await store.put([make_record(1)])
    counts = await store.counts("new")
    assert (counts.to_do, counts.delivered, counts.verdict) == (1, 0, 0)
