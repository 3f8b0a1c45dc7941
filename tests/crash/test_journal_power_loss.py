"""The power goes at any moment: nothing acknowledged is lost, and nothing is damaged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from citefidelity.journal import JournalReader
from citefidelity.journal.connection import close_clean, log_ahead, open_for_writing
from citefidelity.journal.writer import Writer
from support.dice import dice
from support.disk import Keep, RecordingDisk
from support.journals import make_asked, make_ended, make_settled, open_sqlite_journal
from support.makers import make_key, make_outcome

COMMITS = 60
POINTS = 400
KEEP: tuple[Keep, ...] = ("none", "some", "all")


class Story(NamedTuple):
    """What was written: after each commit, how many changes of the disk had been made by then."""

    disk: RecordingDisk
    acknowledged: list[int]


class Found(NamedTuple):
    """What a start after a power loss finds."""

    commits: int
    whole: bool


async def write_story(directory: Path, name: str, synchronous: int | None = None) -> Story:
    """Commit one context after another, with checkpoints in between and a clean close at the end."""
    path = directory / "j"
    await (await open_sqlite_journal(path)).close()
    disk, random = RecordingDisk(name), dice(5)
    connection = open_for_writing(path, exclusive=False, vfs=name)
    log_ahead(connection, path)
    connection.pragma("wal_autocheckpoint", 40)
    if synchronous is not None:
        connection.pragma("synchronous", synchronous)
    writer, acknowledged = Writer(connection), []
    for number in range(COMMITS):
        key = make_key(number)
        body = random.randbytes(random.randrange(6000))
        writer.commit(
            [
                make_asked(number, key, input_hash=number.to_bytes(16, "big")),
                make_ended(number, body=body),
                make_settled(make_outcome(), key, attempt=number),
            ]
        )
        acknowledged.append(len(disk.changes))
    close_clean(connection, path)
    return Story(disk, acknowledged)


def look(directory: Path, story: Story, at: int, keep: Keep, random: Random) -> Found:
    """Restore the files as they are after a power loss, and read the journal."""
    directory.mkdir()
    for name, content in story.disk.after_power_loss(at, keep, random).items():
        (directory / name).write_bytes(content)
    with closing(JournalReader(directory / "j")) as reader:
        attempts = [attempt.asked.attempt for attempt in reader.attempts("main")]
        ended = [attempt for attempt in reader.attempts("main") if attempt.ended is not None]
        settled = [one.settled.attempt for one in reader.settled("main")]
        whole = not reader.damage() and attempts == settled == list(range(len(ended)))
    return Found(len(attempts), whole)


def lost(directory: Path, story: Story, points: int = POINTS) -> list[int]:
    """Try many moments; for each that loses something, how many acknowledged commits are gone."""
    random, losses = dice(7), []
    for point in range(points):
        at = random.randint(0, len(story.disk.changes))
        found = look(directory / f"{point}", story, at, KEEP[point % 3], random)
        acknowledged = sum(position <= at for position in story.acknowledged)
        assert found.whole, f"damaged after change {at}, keeping {KEEP[point % 3]}"
        if found.commits < acknowledged:
            losses.append(acknowledged - found.commits)
    return losses


async def test_no_power_loss_takes_what_was_acknowledged(tmp_path: Path) -> None:
    """G3: whenever the power goes, every acknowledged fact is there, no batch is there in part, nothing is damaged."""
    story = await write_story(tmp_path, "power-loss")
    assert sum(change.what == "flush" for change in story.disk.changes) > COMMITS
    assert lost(tmp_path / "after", story) == []


async def test_the_simulation_finds_a_journal_that_is_not_flushed(tmp_path: Path) -> None:
    """With synchronous=NORMAL the same power losses take acknowledged facts: so this test can fail."""
    story = await write_story(tmp_path, "power-loss-normal", synchronous=1)
    assert lost(tmp_path / "after", story, points=60)


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> None:
    """A directory for the files found after each power loss."""
    (tmp_path / "after").mkdir()
