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
    [(-1, ["ours: lost"]), (0, ["ours: lost"]), (1, ["neo4j.pool: gone", "neo4j.io: reset", "ours: lost"])],
)
def test_the_driver_is_heard_only_when_asked_for(verbosity: int, shown: list[str]) -> None:
    """A broken connection is told once, in our words; -v tells the driver's as well."""
    stderr = io.StringIO()
    log_to(Output(io.StringIO(), stderr, {}, verbosity=verbosity))
    logging.getLogger("neo4j.pool").warning("gone")
    logging.getLogger("neo4j.io").error("reset")
    logging.getLogger("ours").error("lost")
    assert [line.split(" ", 2)[2] for line in stderr.getvalue().splitlines()] == shown
