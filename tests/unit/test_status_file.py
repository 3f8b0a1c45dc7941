"""The status file is replaced as a whole."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.meter import Meter
from citefidelity.views.observing import LiveStatus, StatusFile, status_path
from citefidelity.views.status_file import write_status
from support.cli import started


def test_it_holds_the_latest_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """A second writing replaces the first, nothing else is left behind, and its mode is 0600."""
    path = tmp_path / "j.status.json"
    write_status(path, {"done": 1, "long": "x" * 1000})
    write_status(path, {"done": 2})
    assert msgspec.json.decode(path.read_bytes()) == {"done": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the flush fails, readers still see what was there, whole."""
    path = tmp_path / "j.status.json"
    write_status(path, {"done": 1})

    def fail(_file: int) -> None:
        raise OSError("no flush")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no flush"):
            write_status(path, {"done": 2})
    assert msgspec.json.decode(path.read_bytes()) == {"done": 1}


def test_what_a_killed_writer_left_is_no_hindrance(tmp_path: Path) -> None:
    """Half a file under the temporary name is overwritten; a link under that name is not followed."""
    path, elsewhere = tmp_path / "j.status.json", tmp_path / "elsewhere"
    (tmp_path / "j.status.json.new").write_bytes(b"x" * 10_000)
    write_status(path, {"done": 1})
    assert msgspec.json.decode(path.read_bytes()) == {"done": 1}
    (tmp_path / "j.status.json.new").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic"):
        write_status(path, {"done": 2})
    assert not elsewhere.exists()


async def test_a_full_disk_costs_only_the_files_that_do_not_fit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the file cannot be written this is told once, without a stack trace; when it can again, it is written."""
    path = status_path(tmp_path / "j")
    in_the_way = path.with_name(f"{path.name}.new")
    in_the_way.mkdir()
    ticks = 0

    class Ticks(SystemClock):
        async def sleep(self, seconds: float) -> None:
            del seconds
            nonlocal ticks
            ticks += 1
            if ticks == 3:
                in_the_way.rmdir()
            if ticks == 4:
                raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await StatusFile(tmp_path / "j", Ticks()).watch(started(), Meter(lambda: 0.0).snapshot, lambda: False)
    assert msgspec.json.decode(path.read_bytes(), type=LiveStatus).running is False
    assert [(one.levelname, one.exc_info) for one in caplog.records] == [("WARNING", None)]
