"""Who may not, and what is not there: each is told once, clearly, with what to do."""

from __future__ import annotations

import pytest

from citefidelity.config.addresses import Neo4jAddress
from citefidelity.config.secret import Secret
from citefidelity.errors import StoreError, StoreMissing
from citefidelity.stores.neo4j import Neo4jStore, open_neo4j
from support.makers import AT, make_delivery, make_record, make_screening_row
from support.neo4j_place import DATABASE, QUICK, Neo4jPlace
from support.stores import all_stored, deliver, to_do

WRONG = "not-the-password-of-anybody"


async def test_a_wrong_password_is_told_and_not_shown(place: Neo4jPlace) -> None:
    """The refusal names the variables to check, and no part of what was given."""
    with pytest.raises(StoreError) as told:
        await open_neo4j(Neo4jAddress(place.uri, DATABASE), username=None, password=Secret(WRONG), limits=QUICK)
    assert told.value.kind == "neo4j_auth"
    assert "NEO4J_PASSWORD" in told.value.hint
    assert WRONG not in f"{told.value}{told.value.hint}"


async def test_a_password_that_is_not_set_is_told(place: Neo4jPlace) -> None:
    """A server that wants a password says so, and the hint tells where it goes."""
    with pytest.raises(StoreError) as told:
        await open_neo4j(Neo4jAddress(place.uri, DATABASE), username=None, password=None, limits=QUICK)
    assert told.value.kind == "neo4j_auth"
    assert "none was given" in told.value.message


async def test_a_database_that_is_not_there_is_missing(place: Neo4jPlace) -> None:
    """A wrong database name is a store that is not there."""
    address = Neo4jAddress(place.uri, "nowhere")
    with pytest.raises(StoreMissing) as told:
        await open_neo4j(address, username=place.user, password=Secret(place.password), limits=QUICK)
    assert "nowhere" in told.value.message


async def test_an_index_that_was_dropped_is_made_again(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Without its index a query would scan the graph: opening the store makes it anew."""
    await store.put([make_record(1)])
    await place.query("DROP INDEX fidelity_Article_article_id")
    again = await place.open()
    assert await place.query("SHOW INDEXES YIELD labelsOrTypes AS l, state WHERE l = ['Article'] RETURN state") == [
        {"state": "ONLINE"}
    ]
    assert await deliver(again, make_delivery(1)) == ["written"]
    await again.close()


async def test_an_index_of_the_graphs_own_is_enough(place: Neo4jPlace) -> None:
    """A graph whose ids are already indexed, under whatever name, gets no second index."""
    await place.query("DROP INDEX fidelity_Article_article_id IF EXISTS")
    await place.query("CREATE CONSTRAINT theirs FOR (a:Article) REQUIRE a.article_id IS UNIQUE")
    try:
        store = await place.open()
        names = await place.query("SHOW INDEXES YIELD name, labelsOrTypes AS l WHERE l = ['Article'] RETURN name")
        assert names == [{"name": "theirs"}]
        await store.begin_screening(make_screening_row())
        await store.put([make_record(1)])
        assert await deliver(store, make_delivery(1)) == ["written"]
        await store.close()
    finally:
        await place.query("DROP CONSTRAINT theirs")


async def test_a_server_with_little_memory_gets_smaller_transactions(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A batch larger than a transaction may be is halved until it fits; one that alone is too large is told.

    The server has two threads for connections besides, which is enough.
    """
    await store.put([make_record(number, contexts=20) for number in range(20)])
    await store.put([make_record(100, contexts=1_000)])
    place.server.ensure(
        ["db.memory.transaction.max=2m", "server.bolt.thread_pool_max_size=2", "server.bolt.thread_pool_min_size=1"]
    )
    tight = await place.open()
    batch = [make_delivery(100, 1_000), *(make_delivery(number, 20) for number in range(20))]
    first, *others = await tight.deliver("main", "run-1", AT, batch)
    assert (first.result, first.kind) == ("undeliverable", "too_large")
    assert {receipt.result for receipt in others} == {"written"}
    await tight.close()
    place.server.ensure()
    again = await place.open()
    assert {len(one.outcomes) for one in await all_stored(again)} == {0, 20}
    assert await deliver(again, make_delivery(100, 1_000)) == ["written"]
    await again.close()


async def test_a_read_only_database_is_told_and_can_be_read(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Nothing can be written to it, which is said; what it holds can be read and exported."""
    await store.put([make_record(1), make_record(2)])
    await deliver(store, make_delivery(1))
    place.server.ensure([f"server.databases.read_only={DATABASE}"], cleanly=True)
    for uri in (place.uri, place.uri.replace("bolt:", "neo4j:")):
        reader = await place.open(uri=uri)
        assert len(await to_do(reader)) == 1
        assert [len(one.outcomes) for one in await all_stored(reader)] == [1, 0]
        with pytest.raises(StoreError) as told:
            await deliver(reader, make_delivery(2))
        assert told.value.kind == "neo4j_read_only"
        await reader.close()
