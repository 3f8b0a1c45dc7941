"""However facts are grouped into commits, the journal holds the same."""

from __future__ import annotations

import tempfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citefidelity.facts import Asked, Fact, Stopped
from citefidelity.journal import schema
from citefidelity.journal.connection import open_for_writing
from citefidelity.journal.writer import Writer
from support.journals import make_asked, make_began, make_delivered, make_ended, make_reopened, make_settled
from support.makers import make_failed, make_key, make_outcome, make_unassessable

TABLES = ("journal", "spec", "run", "screening", "citation", *schema.NUMBERED, "prompt", "asked", "ended", "settled")

keys = st.integers(1, 4).map(make_key)
hashes = st.sampled_from([bytes(16), bytes([1] * 16), bytes([2] * 16)])
bodies = st.none() | st.binary(max_size=40) | st.just(b"x" * 5_000)
others = st.one_of(
    st.builds(make_settled, st.sampled_from([make_outcome(), make_failed(), make_unassessable()]), keys),
    st.builds(make_settled, st.just(make_outcome("\ud800 is half a pair")), keys, flags=st.just(("odd",))),
    st.builds(make_delivered, keys),
    st.builds(make_reopened, keys),
    st.builds(make_began, st.sampled_from(["run-1", "run-2"])),
    st.just(Stopped(run="run-1", why="complete", at=9.0)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Facts in an order that a run could bring about: no attempt ends before it was asked."""
    facts: list[Fact] = []
    under_way: list[Asked] = []
    for number in range(draw(st.integers(0, 150))):
        what = draw(st.sampled_from(["ask", "end", "other"]))
        if what == "ask":
            input_hash = draw(hashes)
            under_way.append(make_asked(number + 1, draw(keys), input_hash=input_hash, prompt=input_hash.hex()[:5]))
            facts.append(under_way[-1])
        elif what == "end" and under_way:
            facts.append(make_ended(under_way.pop(0).attempt, body=draw(bodies)))
        else:
            facts.append(draw(others))
    return facts


@pytest.mark.guarantee("G3")
@settings(max_examples=40)
@given(histories(), st.data())
def test_a_batch_holds_what_its_facts_hold_one_by_one(facts: list[Fact], data: st.DataObject) -> None:
    """Many rows in one statement are the rows of many statements: the same numbers, order and texts."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(facts)), max_size=6)) | {0, len(facts)})
    alone = journal_of([[fact] for fact in facts])
    assert journal_of([facts[start:end] for start, end in pairwise(cuts)]) == alone


def journal_of(batches: list[list[Fact]]) -> dict[str, list[object]]:
    """Every row of a journal that was given these batches."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "j"
        schema.make(path, schema.Header(journal_id="j", store_id="s", created_at=0.0, version=schema.VERSION))
        with closing(open_for_writing(path, exclusive=False)) as connection:
            # The power stays on here.
            connection.pragma("synchronous", 0)
            writer = Writer(connection)
            for batch in batches:
                writer.commit(batch)
            # The names of the tables are ours.
            questions = {table: f"SELECT * FROM {table}" for table in TABLES}  # noqa: S608 - as said
            return {table: sorted(connection.execute(sql), key=repr) for table, sql in questions.items()}
