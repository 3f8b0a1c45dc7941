"""What of the logs reaches people, at which verbosity."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from citefidelity.cli.logs import THEIRS, log_to
from citefidelity.cli.output import Output


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in THEIRS:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        (-1, ["ours: lost"]),
        (0, ["ours: lost"]),
        (1, ["neo4j.pool: gone", "neo4j.io: reset", "engineio.server: no session", "ours: lost"]),
    ],
)
def test_others_are_heard_only_when_asked_for(verbosity: int, shown: list[str]) -> None:
    """A broken connection of a driver or a browser is told once, in our words if at all; -v tells theirs as well."""
    stderr = io.StringIO()
    log_to(Output(io.StringIO(), stderr, {}, verbosity=verbosity))
    logging.getLogger("neo4j.pool").warning("gone")
    logging.getLogger("neo4j.io").error("reset")
    logging.getLogger("engineio.server").error("no session")
    logging.getLogger("ours").error("lost")
    assert [line.split(" ", 2)[2] for line in stderr.getvalue().splitlines()] == shown


@pytest.mark.parametrize("verbosity", [-1, 0, 1, 2])
def test_the_pages_server_writes_nothing_to_stderr_by_itself(
    verbosity: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It gives a logger without a level a handler of its own, which would go past our output and its secrets."""
    engineio = pytest.importorskip("engineio")
    stderr = io.StringIO()
    log_to(Output(io.StringIO(), stderr, {}, verbosity=verbosity))
    engineio.AsyncServer(async_mode="asgi")
    logging.getLogger("engineio.server").error("no session")
    assert capsys.readouterr().err == ""
    assert ("no session" in stderr.getvalue()) == (verbosity > 0)
