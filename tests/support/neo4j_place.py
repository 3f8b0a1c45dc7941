"""Where the tests find a Neo4j: the server that ``NEO4J_URI`` names, else one of their own, started when first needed.

The database is emptied for each test. So a server that is not the tests' own must hold nothing but what they left.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import neo4j
import pytest

from citefidelity.config.addresses import Neo4jAddress
from citefidelity.config.secret import Secret
from citefidelity.stores.neo4j import Neo4jStore, open_neo4j
from citefidelity.stores.neo4j_graph import Limits
from support.neo4j_jars import LONG_TERM, NoServer, neo4j_runtime
from support.neo4j_server import USER, Neo4jServer

GIVEN = {name: value for name, value in os.environ.items() if name.startswith("NEO4J_")}
"""As it was when the tests began: each test runs without."""

DATABASE = "neo4j"
HOME = "citefidelity-neo4j-"
WIPE = "MATCH (n) WHERE NOT n:CitefidelityTests CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
QUICK = Limits(patience_s=30.0)

neo4j_mark = pytest.mark.timeout(90, func_only=True)
"""For every test that needs the server, which may have to be fetched first: that is no part of the test."""


class Neo4jPlace:
    """A database to test in."""

    def __init__(self, uri: str, user: str, password: str, server: Neo4jServer | None) -> None:
        self.uri = uri
        self.user = user
        self.password = password
        self._server = server

    @property
    def server(self) -> Neo4jServer:
        """The process, for tests that hurt it; skips the test where it is not ours."""
        if self._server is None:
            pytest.skip("NEO4J_URI names a server that is not ours to kill")
        return self._server

    def mend(self) -> None:
        """Have the server running as usual, whatever the last test did to it."""
        if self._server is not None:
            self._server.ensure()

    async def open(self, *, uri: str | None = None, limits: Limits = QUICK, **more: Any) -> Neo4jStore:
        """The store in this database."""
        address = Neo4jAddress(uri or self.uri, DATABASE)
        return await open_neo4j(address, username=self.user, password=Secret(self.password), limits=limits, **more)

    async def query(self, text: str, **parameters: object) -> list[dict[str, Any]]:
        """Run one query behind the store's back."""
        async with self.driver() as driver, driver.session(database=DATABASE) as session:
            return await (await session.run(text, parameters)).data()

    def driver(self) -> neo4j.AsyncDriver:
        """A client of one's own."""
        return neo4j.AsyncGraphDatabase.driver(
            self.uri, auth=(self.user, self.password), notifications_min_severity="OFF"
        )

    async def wipe(self) -> None:
        """Empty the database; indexes stay."""
        await self.query(WIPE)


@cache
def neo4j_place() -> Neo4jPlace:
    """The database of this test process; skips the test where none can be had."""
    uri = GIVEN.get("NEO4J_URI")
    if uri:
        place = Neo4jPlace(uri, GIVEN.get("NEO4J_USERNAME", USER), GIVEN.get("NEO4J_PASSWORD", ""), None)
        _refuse_a_database_in_use(place)
        return place
    home = _new_home()
    try:
        server = Neo4jServer(neo4j_runtime(GIVEN.get("NEO4J_VERSION", LONG_TERM)), home)
        server.start()
    except NoServer as reason:
        shutil.rmtree(home)
        pytest.skip(f"no Neo4j server: {reason}")
    atexit.register(server.kill)
    return Neo4jPlace(server.uri, USER, server.password, server)


def _new_home() -> Path:
    """A directory that is locked as long as this process lives; those of dead ones are removed.

    A worker of a parallel test run ends without a word, so nothing can be done at its end.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{HOME}*"):
        lock = _lock(old)
        if lock is not None:
            shutil.rmtree(old, ignore_errors=True)
            os.close(lock)
    home = Path(tempfile.mkdtemp(prefix=HOME))
    _lock(home)
    return home


def _lock(home: Path) -> int | None:
    descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _refuse_a_database_in_use(place: Neo4jPlace) -> None:
    auth = (place.user, place.password)
    with neo4j.GraphDatabase.driver(place.uri, auth=auth, notifications_min_severity="OFF") as driver:
        (row,), _, _ = driver.execute_query(
            "MATCH (n) RETURN count(n) AS all, count(CASE WHEN n:CitefidelityTests THEN 1 END) AS marks",
            database_=DATABASE,
        )
        if row["all"] and not row["marks"]:
            pytest.fail(f"The database at {place.uri} is not empty, and tests delete all that is in it. Give another.")
        driver.execute_query("MERGE (:CitefidelityTests)", database_=DATABASE)
