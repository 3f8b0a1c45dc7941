"""Disks that lose their power and disks that fail, as file systems of SQLite's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

import apsw

SECTOR = 512

What = Literal["write", "truncate", "flush", "delete"]
Keep = Literal["none", "some", "all"]
"""What survives of the changes that were never flushed."""


class Change(NamedTuple):
    """One thing that SQLite does to a file; ``offset`` is the new size where it is truncated."""

    what: What
    path: Path
    offset: int = 0
    data: bytes = b""


class RecordingDisk:
    """Keeps a record of every change, so that a power loss can be tried at any point of it.

    What a file held when it was first opened counts as safe. Shared memory is no file and goes with the power.
    """

    def __init__(self, name: str) -> None:
        self.changes: list[Change] = []
        self._before: dict[str, bytes] = {}
        self._vfs = _WatchedVfs(name, self.changes.append, self._opened)

    def after_power_loss(self, at: int, keep: Keep, random: Random) -> Mapping[str, bytearray]:
        """The files that are found when the power went after the first ``at`` changes.

        A flush makes all earlier changes of its file safe, and earlier deletions of any file. Of what is not safe,
        nothing is kept, everything, or some, and then a write may be torn at a sector.
        """
        flushed = {change.path: index for index, change in enumerate(self.changes[:at]) if change.what == "flush"}
        last_flush = max(flushed.values(), default=-1)
        files = {name: bytearray(content) for name, content in self._before.items()}
        for index, change in enumerate(self.changes[:at]):
            safe = index < (last_flush if change.what == "delete" else flushed.get(change.path, -1))
            if safe or keep == "all":
                _apply(files, change)
            elif keep == "some" and random.random() < 0.5:
                sectors = random.randrange(len(change.data) // SECTOR + 1)
                _apply(files, change._replace(data=change.data[: sectors * SECTOR]))
        return files

    def _opened(self, path: Path) -> None:
        if path.exists():
            self._before.setdefault(path.name, path.read_bytes())


class FailingDisk:
    """One write, or one flush, fails, and every change after it too.

    Args:
        name: of the file system.
        what: which kind of change fails.
        at: which of them, counted from 1.
        code: what SQLite is told, such as ``apsw.SQLITE_FULL``.
        for_good: whether it stays so; else the disk works again at once.

    Attributes:
        failed: whether it has come to that.
    """

    def __init__(self, name: str, what: What, at: int, code: int, *, for_good: bool = True) -> None:
        self.failed = False
        self._for_good = for_good
        self._what = what
        self._left = at
        self._code = code
        self._vfs = _WatchedVfs(name, self._before, lambda _path: None)

    def _before(self, change: Change) -> None:
        self._left -= change.what == self._what
        if self._left <= 0 and (self._for_good or not self.failed):
            self.failed = True
            raise apsw.exception_for(self._code)


class _WatchedVfs(apsw.VFS):
    """The system's file system, with ``watch`` called before each change and ``opened`` before each opening."""

    def __init__(self, name: str, watch: Callable[[Change], None], opened: Callable[[Path], None]) -> None:
        super().__init__(name, "unix")
        self._watch = watch
        self._opened = opened

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's
        path = Path(str(name.filename() if isinstance(name, apsw.URIFilename) else name))
        self._opened(path)
        return _WatchedFile(path, self._watch, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        self._watch(Change("delete", Path(filename)))
        super().xDelete(filename, syncdir)

    def excepthook(self, *_failure: object) -> bool:
        """SQLite is told of the failure; nobody else need be."""
        return True


class _WatchedFile(apsw.VFSFile):
    def __init__(
        self, path: Path, watch: Callable[[Change], None], name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self._path = path
        self._watch = watch

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._watch(Change("write", self._path, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._watch(Change("truncate", self._path, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._watch(Change("flush", self._path))
        super().xSync(flags)

    def excepthook(self, *_failure: object) -> bool:
        """SQLite is told of the failure; nobody else need be."""
        return True


def _apply(files: dict[str, bytearray], change: Change) -> None:
    name = change.path.name
    if change.what == "delete":
        files.pop(name, None)
        return
    content = files.setdefault(name, bytearray())
    if change.what == "truncate":
        del content[change.offset :]
    elif change.what == "write":
        end = change.offset + len(change.data)
        content.extend(bytes(max(0, end - len(content))))
        content[change.offset : end] = change.data
