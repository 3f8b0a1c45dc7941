"""A Neo4j database for each test, empty at first; tests here need a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citefidelity.stores.neo4j import Neo4jStore
from support.makers import make_screening_row
from support.neo4j_place import Neo4jPlace, neo4j_mark, neo4j_place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this directory as one that needs the server."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(neo4j_mark)


@pytest.fixture
async def place() -> Neo4jPlace:
    """An empty database on a server that runs, as it is usually set up."""
    place = neo4j_place()
    place.mend()
    await place.wipe()
    return place


@pytest.fixture
async def store(place: Neo4jPlace) -> AsyncIterator[Neo4jStore]:
    """The store in it, where the screening "main" has begun."""
    store = await place.open()
    await store.begin_screening(make_screening_row())
    yield store
    await store.close()
