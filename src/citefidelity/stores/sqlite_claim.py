"""Claims on an embedded store: locks of the operating system, which end with the process that holds them.

Each claim is a small file in ``STORE.claims``, locked as long as its owner lives and telling who that is. Whoever asks
for one looks at all others; the file ``gate`` is locked meanwhile, so that two who ask do so one after the other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from math import inf
from pathlib import Path

import msgspec

from citefidelity.claiming import excludes, held
from citefidelity.errors import StoreError
from citefidelity.inspection import Standing
from citefidelity.one_thread import OneThread
from citefidelity.ports import Holder
from citefidelity.records import Partition

_GATE = "gate"


class _Note(msgspec.Struct, frozen=True):
    """What a claim's file says."""

    screening: str | None
    partition: Partition
    holder: Holder


class FileClaim:
    """A claim that stands until it is released or the process ends."""

    def __init__(self, path: Path, file: int, thread: OneThread) -> None:
        self._path = path
        self._file: int | None = file
        self._thread = thread

    def holds_until(self) -> float:
        """Nobody takes it away."""
        return inf

    def losses(self) -> int:
        """Nobody takes it away."""
        return 0

    async def release(self) -> None:
        """Give it back; safe to call twice."""
        if self._file is not None:
            file, self._file = self._file, None
            # Kept by a process that lives on, as a notebook's does, it would keep out every later run.
            await self._thread.surely(lambda: _let_go(self._path, file))


class ClaimDesk:
    """Hands out the claims of one store.

    Args:
        store: the store's file, by its real path.
        thread: where the locks are taken.
    """

    def __init__(self, store: Path, thread: OneThread) -> None:
        self._directory = store.with_name(f"{store.name}.claims")
        self._thread = thread

    async def claim(self, screening: str | None, partition: Partition, holder: Holder, now: float) -> FileClaim:
        """Take it; ``now`` is wall time, for the message.

        Raises:
            StoreHeld: a claim that excludes this one stands.
            StoreError: the locks cannot be made.
        """
        note = _Note(screening, partition, holder)
        taken: list[tuple[Path, int]] = []
        try:
            await self._thread.run(lambda: taken.append(self._take(note, now)))
        except BaseException:
            # Cancelled, the thread takes it all the same: then it must let go again.
            self._thread.submit(lambda: _let_all_go(taken))
            raise
        return FileClaim(*taken[0], self._thread)

    async def standing(self) -> list[Standing]:
        """The claims that stand now; nothing is made, and nobody is kept out for longer than the look."""
        return await self._thread.run(self._look)

    def _look(self) -> list[Standing]:
        if not (self._directory / _GATE).exists():
            return []
        # Within the gate: who asks for a claim meanwhile waits, and does not take our look for an owner.
        with self._gate():
            return [
                Standing(screening=note.screening, partition=note.partition, holder=note.holder)
                for note in self._standing()
            ]

    def _take(self, note: _Note, now: float) -> tuple[Path, int]:
        try:
            self._directory.mkdir(exist_ok=True)
            with self._gate():
                for other in self._standing():
                    if excludes((note.screening, note.partition), (other.screening, other.partition)):
                        raise held(other.holder, other.screening, other.partition, now)
                return self._write(note)
        except OSError as err:
            raise StoreError(
                f"The store's lock cannot be taken in {self._directory} ({err.strerror}).",
                "Check the rights on that directory, and that its file system knows locks (flock).",
            ) from err

    @contextmanager
    def _gate(self) -> Iterator[None]:
        file = os.open(self._directory / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _standing(self) -> list[_Note]:
        paths = (path for path in sorted(self._directory.iterdir()) if path.name != _GATE)
        return [note for note in map(_note_if_alive, paths) if note is not None]

    def _write(self, note: _Note) -> tuple[Path, int]:
        path = self._directory / _name(note)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(file, msgspec.json.encode(note))
        return path, file


def _let_go(path: Path, file: int) -> None:
    # Unlinked while still locked: once unlocked, another may own a file of this name.
    path.unlink(missing_ok=True)
    os.close(file)


def _let_all_go(taken: list[tuple[Path, int]]) -> None:
    for path, file in taken:
        _let_go(path, file)


def _note_if_alive(path: Path) -> _Note | None:
    """What a claim's file says; one whose owner is dead is cleared away."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return msgspec.json.decode(os.read(file, 1 << 20), type=_Note)
    else:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(file)


def _name(note: _Note) -> str:
    if note.screening is None:
        return "store"
    screening = blake2b(note.screening.encode(), digest_size=8).hexdigest()
    return f"{screening}.{note.partition.part}of{note.partition.of}"
