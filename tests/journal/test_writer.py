"""Many facts in few statements: each row is there as if it had come alone, or none of its batch is."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from citefidelity.errors import JournalError
from citefidelity.facts import Fact
from citefidelity.journal import JournalReader
from support.journals import HASH, make_asked, make_ended, make_settled, open_sqlite_journal
from support.makers import make_key, make_outcome


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("bodies", [[b""], [b"", b""], [b"", None], [b"", b"{}"], [None, None]])
async def test_a_reply_without_a_byte_is_kept_as_that(tmp_path: Path, bodies: list[bytes | None]) -> None:
    """A reply of no bytes is one, whatever else is in its batch: it is neither missing nor the end of the journal."""
    attempts = range(1, len(bodies) + 1)
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_asked(attempt) for attempt in attempts])
        await journal.append([make_ended(n, body=body) for n, body in zip(attempts, bodies, strict=True)])
        await journal.append([make_settled()])
    with JournalReader(tmp_path / "j") as reader:
        assert [one.ended and one.ended.body for one in reader.attempts("main")] == bodies


@pytest.mark.guarantee("G3", "G10")
@pytest.mark.parametrize("number", [1, 63, 64, 65, 127, 128, 200])
async def test_every_row_of_a_large_batch_is_there(tmp_path: Path, number: int) -> None:
    """However many come at once, some with the same prompt: each attempt, reply and outcome stands with its own."""
    hashes = [HASH if n % 3 == 0 else n.to_bytes(16) for n in range(number)]
    asked = [
        make_asked(n + 1, make_key(n), input_hash=hashes[n], prompt=f"about {hashes[n].hex()}") for n in range(number)
    ]
    ended = [make_ended(n + 1, body=b"%d" % n if n % 5 else None, cost_usd=float(n)) for n in range(number)]
    settled = [make_settled(make_outcome(str(n)), make_key(n), attempt=n + 1) for n in range(number)]
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([fact for facts in zip(asked, ended, settled, strict=True) for fact in facts])
    with JournalReader(tmp_path / "j") as reader:
        attempts = list(reader.attempts("main"))
        assert [one.asked.key for one in attempts] == [make_key(n) for n in range(number)]
        assert [one.asked.input_hash for one in attempts] == hashes
        assert [one.ended for one in attempts] == ended
        assert [one.settled for one in reader.settled("main")] == settled
        assert {reader.prompt(one) for one in hashes} == {f"about {one.hex()}" for one in hashes}


@pytest.mark.guarantee("G3")
async def test_a_batch_that_cannot_be_written_leaves_nothing_of_it(tmp_path: Path) -> None:
    """One row that no table takes, in the middle of a large batch, undoes all of the batch and nothing before it."""
    facts: list[Fact] = [make_asked(n) for n in range(2, 102)]
    async with await open_sqlite_journal(tmp_path / "j", spill_directory=tmp_path) as journal:
        await journal.append([make_asked(1), make_ended(1)])
        with pytest.raises(JournalError) as raised:
            # Ends an attempt that was never asked.
            await journal.append([*facts, make_settled(), make_ended(999)])
        assert isinstance(raised.value.__cause__, apsw.ConstraintError)
        with pytest.raises(JournalError):
            await journal.append([make_settled()])
    with JournalReader(tmp_path / "j") as reader:
        assert [one.asked.attempt for one in reader.attempts("main")] == [1]
        assert list(reader.settled("main")) == []
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled()])
