"""Who may write a journal: whoever holds the operating system's lock on the file beside it.

The lock ends with the process, however it ends, so nothing is ever left to be cleared away by hand.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from citefidelity.clock import iso
from citefidelity.errors import StoreHeld
from citefidelity.journal.filesystem import unwritable
from citefidelity.ports import Holder

_LONGEST_NOTE = 64 * 1024


def lock_path(journal: Path) -> Path:
    """Where the lock of a journal lies."""
    return journal.with_name(f"{journal.name}.lock")


class JournalLock:
    """The right to write a journal, held until :meth:`release` or the end of the process."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file

    def release(self) -> None:
        """Give it back; safe to call twice."""
        if self._file is not None:
            file, self._file = self._file, None
            # The file stays: were it unlinked, two processes could hold locks on two files of this name.
            os.ftruncate(file, 0)
            os.close(file)


def take_lock(journal: Path, holder: Holder) -> JournalLock:
    """Lock the journal for ``holder``.

    Raises:
        StoreHeld: another process has it; names its pid and host.
        JournalError: the lock cannot be made there.
    """
    path = lock_path(journal)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as err:
        raise unwritable(journal, err) from err
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
        os.pwrite(file, msgspec.json.encode(holder), 0)
    except BlockingIOError:
        owner = _read_note(file)
        os.close(file)
        raise _held(journal, owner) from None
    except OSError as err:
        os.close(file)
        raise unwritable(journal, err) from err
    return JournalLock(file)


def current_holder(journal: Path) -> Holder | None:
    """Who holds the journal, for a message; None where nobody seems to.

    Looks without touching the lock, as even a glimpse of it could turn away a run that starts just then. So it can
    err: it takes the word of another host, and of a process that has got a dead owner's number.
    """
    try:
        file = os.open(lock_path(journal), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        owner = _read_note(file)
    finally:
        os.close(file)
    if owner is None or (owner.host == os.uname().nodename and not _lives(owner.pid)):
        return None
    return owner


def _read_note(file: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(file, _LONGEST_NOTE, 0), type=Holder)
    except msgspec.DecodeError:
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _held(journal: Path, owner: Holder | None) -> StoreHeld:
    if owner is None:
        return StoreHeld(
            f"Another process is just opening the journal {journal}. Nothing was asked.", "Try again in a moment."
        )
    return StoreHeld(
        f"The journal {journal} is in use by process {owner.pid} on {owner.host} ({owner.command}, since "
        f"{iso(owner.at)}). Nothing was asked, as one context must not be asked by two runs.",
        f"Wait until process {owner.pid} ends, or stop it. Reading commands (status, show, export) work meanwhile.",
    )
