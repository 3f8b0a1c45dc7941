"""How each kind of store is set up for the contract suite, and what its tests do often.

Another kind of store joins by one more class here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import apsw
import pytest

from citefidelity.clock import SystemClock
from citefidelity.ports import Store, ToDo
from citefidelity.records import CitationKey, Delivery, StoredCitation
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.store import MemoryStore
from support.makers import AT
from support.neo4j_place import neo4j_mark, neo4j_place


class StoreKind(Protocol):
    """One store of one kind, empty at first."""

    def __init__(self, directory: Path) -> None:
        """Where it may keep its files."""

    async def open(self) -> Store:
        """Open the store; again after a close it still holds what was written."""

    async def lose(self, key: CitationKey) -> None:
        """Somebody else deletes this citation behind the back of the store that is open."""

    def in_order(self, keys: list[CitationKey]) -> list[CitationKey]:
        """These keys, given in the order of import, in the order in which pages hold them."""


class InMemory:
    """The fake: closing it changes nothing."""

    def __init__(self, directory: Path) -> None:
        del directory
        self._store = MemoryStore()

    async def open(self) -> Store:
        """The one store there is."""
        return self._store

    async def lose(self, key: CitationKey) -> None:
        """Take it out of the store's own book."""
        self._store.remove(key)

    def in_order(self, keys: list[CitationKey]) -> list[CitationKey]:
        """The order of import."""
        return keys


class InSqlite:
    """One file in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.db"

    async def open(self) -> Store:
        """The store in that file."""
        return await open_sqlite(self.path, create=True, clock=SystemClock())

    async def lose(self, key: CitationKey) -> None:
        """Delete the row over a connection of one's own."""
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(5000)
        connection.execute("DELETE FROM citation WHERE source_id = ? AND target_id = ? AND reference_id = ?", key)
        connection.close()

    def in_order(self, keys: list[CitationKey]) -> list[CitationKey]:
        """The order of import."""
        return keys


class InNeo4j:
    """The one database of a server, emptied when first opened."""

    def __init__(self, directory: Path) -> None:
        del directory
        self._place = neo4j_place()
        self._is_empty = False

    async def open(self) -> Store:
        """The store in that database."""
        if not self._is_empty:
            await self._place.wipe()
            self._is_empty = True
        return await self._place.open()

    async def lose(self, key: CitationKey) -> None:
        """Delete the edge over a connection of one's own."""
        deleted = await self._place.query(
            "MATCH (:Article {article_id: $source_id})-[c:CITES {reference_id: $reference_id}]->"
            "(:Article {article_id: $target_id}) DELETE c RETURN 1",
            **key._asdict(),
        )
        assert len(deleted) == 1

    def in_order(self, keys: list[CitationKey]) -> list[CitationKey]:
        """The order of the index on the citing articles."""
        return sorted(keys)


KINDS: dict[str, type[StoreKind]] = {"memory": InMemory, "sqlite": InSqlite, "neo4j": InNeo4j}

PARAMS = [pytest.param(name, marks=neo4j_mark if name == "neo4j" else ()) for name in KINDS]
"""The kinds, to parametrise a fixture with."""

TO_DO = ToDo(screening="main")


async def to_do(store: Store, wanted: ToDo = TO_DO) -> list[CitationKey]:
    """The keys of what is to do, in the order of the pages."""
    return [one.key async for page in store.pages(wanted) for one in page]


async def all_stored(store: Store, screening: str = "main") -> list[StoredCitation]:
    """Everything in the store."""
    return [one async for page in store.stored(screening) for one in page]


async def deliver(store: Store, *deliveries: Delivery, screening: str = "main", run: str = "run-1") -> list[str]:
    """Deliver, and the result of each."""
    return [receipt.result for receipt in await store.deliver(screening, run, AT, deliveries)]
