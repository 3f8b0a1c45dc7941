"""What lies under a journal: is the file one that may be written, and does its file system keep its word?"""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePath

from citefidelity.errors import JournalError

Detect = Callable[[Path], str | None]
"""Tells the name of the network file system that a path lies on, None for a local disk."""

_NETWORK = frozenset(
    (
        "9p",
        "acfs",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "drvfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "ocfs2",
        "orangefs",
        "prl_fs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "sshfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "webdav",
    )
)
_CLOUD_FOLDERS = (
    "Box Sync",
    "CloudStorage",
    "Dropbox",
    "Google Drive",
    "GoogleDrive",
    "iCloud",
    "MEGAsync",
    "Mobile Documents",
    "Nextcloud",
    "OneDrive",
    "ownCloud",
    "pCloud",
    "Seafile",
    "Syncthing",
)


def network_filesystem(path: Path) -> str | None:
    """The type of the network file system that ``path`` lies on, None for a local disk."""
    if sys.platform == "darwin":
        listed = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False)
        mounts = parse_mount_listing(listed.stdout)
    else:
        try:
            mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
        except OSError:
            return None
    kind = type_at(PurePath(os.path.realpath(path)), mounts)
    # Of file systems in user space nobody knows what their locks are worth; fuseblk is a local disk.
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None


def parse_mountinfo(text: str) -> list[tuple[str, str]]:
    """Mount points and file system types of Linux's ``/proc/self/mountinfo``."""
    mounts = []
    for line in text.splitlines():
        fields, _, after = line.partition(" - ")
        mount_point = fields.split(" ")[4]
        for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
            mount_point = mount_point.replace(octal, character)
        mounts.append((mount_point, after.split(" ")[0]))
    return mounts


def parse_mount_listing(text: str) -> list[tuple[str, str]]:
    """Mount points and file system types of what ``mount`` prints on macOS."""
    mounts = []
    for line in text.splitlines():
        where, bracket, options = line.rpartition(" (")
        mount_point = where.partition(" on ")[2]
        if bracket and mount_point:
            mounts.append((mount_point, options.rstrip(")").split(",")[0]))
    return mounts


def check_lock_and_flush(journal: Path, kind: str) -> None:
    """Try once, beside the journal, what a journal lives by: a lock and a flush to disk.

    Raises:
        JournalError: this file system does not do it.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=journal.parent, prefix=f".{journal.name}-") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
            fcntl.lockf(file, fcntl.LOCK_UN)
    except OSError as err:
        raise JournalError(
            f"The journal {journal} lies on a network file system ({kind}) that cannot lock and flush files "
            f"({err.strerror}): answers might be lost there. Nothing was asked.",
            "Put the journal on a local disk with --journal.",
            kind="journal_not_durable",
        ) from err


def is_there(journal: Path) -> bool:
    """Whether the journal's file exists, has anything in it, and is one that may be written.

    Raises:
        JournalError: it is no plain file, or it is gone while its log is still there.
    """
    try:
        status = journal.lstat()
    except FileNotFoundError:
        _refuse_orphan_log(journal)
        return False
    except OSError as err:
        raise unwritable(journal, err) from err
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        raise JournalError(
            f"The journal {journal} is a symbolic link. Its lock lies beside it, so two names of one file would let "
            "two runs write it at once.",
            f"Give the file itself: --journal {os.path.realpath(journal)}",
            kind="journal_is_link",
        )
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no plain file"
        raise JournalError(f"The journal {journal} is {what}.", "Give a file with --journal.", kind="not_a_journal")
    if not status.st_size:
        _refuse_orphan_log(journal)
    return status.st_size > 0


def flush_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def cloud_folder(path: PurePath) -> str | None:
    """The folder on the way to ``path`` that a cloud service seems to keep in step, None if there is none."""
    return next((part for part in path.parts if part.startswith(_CLOUD_FOLDERS)), None)


def type_at(path: PurePath, mounts: list[tuple[str, str]]) -> str:
    """The type of the file system that holds ``path``, by its nearest mount point; "" where none does."""
    nearest, depth = "", 0
    for point, kind in mounts:
        parts = len(PurePath(point).parts)
        # Of mounts on the same point the last covers the others.
        if path.is_relative_to(point) and parts >= depth:
            nearest, depth = kind, parts
    return nearest


def _refuse_orphan_log(journal: Path) -> None:
    log = journal.with_name(f"{journal.name}-wal")
    if log.exists() and log.stat().st_size:
        raise JournalError(
            f"The journal {journal} is gone, but its log {log} is still there and may hold answers that were paid for. "
            "A new journal would overwrite it.",
            "Bring the file back beside its log; or, to do without these answers, move the log away.",
            kind="journal_missing",
        )


def unwritable(journal: Path, err: OSError) -> JournalError:
    """The journal's place does not let it be made or opened."""
    return JournalError(
        f"The journal {journal} cannot be made or opened ({err.strerror}). Nothing was asked.",
        "Check the rights on its directory and that the directory exists, or name another place with --journal.",
        kind="journal_unwritable",
    )
