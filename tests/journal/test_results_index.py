"""How the index of results begins, goes on and ends; what it answers is in ``property/test_results_index.py``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from citefidelity.clock import SystemClock
from citefidelity.errors import JournalError
from citefidelity.records import Verdict
from citefidelity.results_index import gathering, index
from citefidelity.results_index.filters import Filter
from citefidelity.results_index.index import ResultsIndex
from support.journals import make_began, make_settled, open_sqlite_journal
from support.makers import make_key
from support.result_facts import asked_about, settled_by

VERDICT = Verdict("SUPPORT", "CONCEPTUAL", 0.5, "It says so.")


class HeldClock(SystemClock):
    """Stands still but for a little at each look, until it is moved."""

    def __init__(self) -> None:
        self.now = 1.0

    def monotonic(self) -> float:
        """Seconds."""
        self.now += 0.001
        return self.now


def open_files() -> set[str]:
    """What this process has open, by name."""
    names = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one that lists them is closed by now.
        with suppress(FileNotFoundError):
            names.add(str(descriptor.readlink()))
    return names


async def test_a_journal_may_come_later(tmp_path: Path) -> None:
    """Without a journal each question says so; once it is there, the same index answers."""
    results = ResultsIndex(tmp_path / "j", "main", SystemClock())
    with pytest.raises(JournalError, match="There is no journal"):
        await results.page(Filter())
    assert not (await results.progress()).complete
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled()])
        assert (await results.page(Filter())).total == 1
        assert (await results.page(Filter(category="SUPPORT"))).total == 1
    await results.close()


async def test_another_screening_is_none(tmp_path: Path) -> None:
    """A screening that the journal does not know yet has no results; when it begins, it has."""
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled()])
        results = ResultsIndex(tmp_path / "j", "strict", SystemClock())
        assert (await results.page(Filter())).total == 0
        await journal.append([make_began("run-2", "strict"), make_settled(run="run-2", screening="strict")])
        assert (await results.page(Filter())).total == 1
        await results.close()


async def test_looking_for_what_is_new_is_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a look, the next one has to wait: a large journal is not read through at every question."""
    monkeypatch.setattr(index, "SHARE", 1e9)
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled()])
        results = ResultsIndex(tmp_path / "j", "main", SystemClock())
        totals = [(await results.page(Filter())).total]
        for number in (2, 3):
            await journal.append([make_settled(key=make_key(number))])
            totals.append((await results.page(Filter())).total)
        assert totals == [1, 2, 2]
        assert (await results.progress()).results == 2
        await results.close()


async def test_what_a_page_does_not_know_of_is_offered(tmp_path: Path) -> None:
    """Whether there is more is told by what the page holds, and only once a question would take it over."""
    time = HeldClock()
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled()])
        results = ResultsIndex(tmp_path / "j", "main", time)
        first = await results.page(Filter())
        assert first.latest == (await results.progress()).latest
        await journal.append([make_settled(key=make_key(2))])
        second = await results.page(Filter())
        assert first.latest < second.latest == (await results.progress()).latest
        await journal.append([make_settled(key=make_key(3))])
        early = await results.page(Filter())
        assert (early.total, early.latest) == (2, second.latest)
        assert (await results.progress()).latest == early.latest
        time.now += 1_000.0
        offered = (await results.progress()).latest
        last = await results.page(Filter())
        assert early.latest < offered == last.latest
        assert last.total == 3
        await results.close()


async def test_another_journal_in_its_place_is_read(tmp_path: Path) -> None:
    """Whoever removes the journal and begins again sees the new one's results, and until then that there is none."""
    results = ResultsIndex(tmp_path / "j", "main", SystemClock())
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled(), make_settled(key=make_key(2))])
    assert (await results.page(Filter())).total == 2
    (tmp_path / "j").unlink()
    for beside in ("-wal", "-shm"):
        (tmp_path / f"j{beside}").unlink(missing_ok=True)
    with pytest.raises(JournalError, match="There is no journal"):
        await results.page(Filter())
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_began(), make_settled()])
    assert (await results.page(Filter())).total == 1
    await results.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted where /proc tells them")
async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it works nobody can see its file, however the process ends; afterwards the journal is let go of."""
    before = open_files()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(scratch))
    # So little memory that it has to write its file.
    monkeypatch.setattr(gathering, "CACHE_KIB", 8)
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        asked = asked_about(make_key(), "1", "word " * 20_000, journal.number())
        await journal.append([make_began(), asked, settled_by(asked, verdict=VERDICT)])
    results = ResultsIndex(tmp_path / "j", "main", SystemClock())
    assert (await results.page(Filter(words="word"))).total == 1
    assert any(name.startswith(str(scratch)) for name in open_files())
    assert list(scratch.iterdir()) == []
    await results.close()
    await results.close()
    assert {name for name in open_files() - before if str(tmp_path) in name} == set()


async def test_a_journal_that_is_damaged_is_named(tmp_path: Path) -> None:
    """What SQLite finds wrong comes out in our words, and the next question begins anew."""
    path = tmp_path / "j"
    async with await open_sqlite_journal(path) as journal:
        facts = [make_settled(key=make_key(number)) for number in range(300)]
        await journal.append([make_began(), *facts])
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    results = ResultsIndex(path, "main", SystemClock())
    with pytest.raises(JournalError, match="damaged"):
        await results.page(Filter())
    path.write_bytes(whole)
    assert (await results.page(Filter())).total == 300
    await results.close()
