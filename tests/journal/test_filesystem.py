"""Network file systems: found out, worked on alone, or refused."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path, PurePath

import pytest

from citefidelity.errors import JournalError, StoreHeld
from citefidelity.journal import JournalReader
from citefidelity.journal.filesystem import (
    cloud_folder,
    network_filesystem,
    parse_mount_listing,
    parse_mountinfo,
    type_at,
)
from support.journals import make_settled, open_sqlite_journal
from support.makers import make_key

MOUNTINFO = """\
22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 28 0:50 / /home rw,relatime shared:20 - nfs4 server:/home rw,vers=4.2
41 40 254:2 / /home/local rw shared:21 - xfs /dev/vdb rw
42 28 0:51 / /mnt/my\\040share rw shared:22 - cifs //server/share rw
43 28 0:52 / /mnt/twice rw - ext4 /dev/vdc rw
44 28 0:53 / /mnt/twice rw - fuse.sshfs me@there:/ rw
"""

MOUNT_LISTING = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//me@server/My Share (old) on /Volumes/My Share (old) (smbfs, nodev, nosuid, mounted by me)
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/x", "ext4"),
        ("/home/me/x", "nfs4"),
        ("/home/local/x", "xfs"),
        ("/homeless/x", "ext4"),
        ("/mnt/my share/x", "cifs"),
        ("/mnt/twice/x", "fuse.sshfs"),
    ],
)
def test_a_path_belongs_to_its_nearest_mount(path: str, kind: str) -> None:
    """The longest mount point counts, whole names only, blanks decoded, the last of two on one point."""
    assert type_at(PurePath(path), parse_mountinfo(MOUNTINFO)) == kind


def test_what_mount_prints_on_macos() -> None:
    """Brackets and blanks in names do not confuse it."""
    mounts = parse_mount_listing(MOUNT_LISTING)
    assert mounts == [("/", "apfs"), ("/Volumes/My Share (old)", "smbfs")]


def test_a_local_disk_is_no_network(tmp_path: Path) -> None:
    """Where the tests run, nothing is found."""
    assert network_filesystem(tmp_path) is None


def test_folders_of_cloud_services_are_recognised() -> None:
    """They are named, others are not."""
    assert cloud_folder(PurePath("/home/me/OneDrive - University/j")) == "OneDrive - University"
    assert cloud_folder(PurePath("/home/me/papers/j")) is None


async def test_on_a_network_the_run_is_alone_with_its_journal(tmp_path: Path) -> None:
    """No shared memory is made; readers are sent to the status file; the run itself can look; it says so."""
    async with await open_sqlite_journal(tmp_path / "j", detect=lambda _path: "nfs4") as journal:
        await journal.append([make_settled()])
        assert not (tmp_path / "j-shm").exists()
        with pytest.raises(StoreHeld) as refused:
            JournalReader(tmp_path / "j")
        assert "j.status.json" in refused.value.hint
        assert (await journal.look(lambda view: view.totals("main"))).states == {"verdict": 1}
        (note,) = journal.notes
        assert "nfs4" in note
        assert "j.status.json" in note
    with JournalReader(tmp_path / "j") as reader:
        assert len(list(reader.settled("main"))) == 1
    async with await open_sqlite_journal(tmp_path / "j", detect=lambda _path: "nfs4") as journal:
        assert await journal.recall("main", [make_key()])


@pytest.mark.parametrize("broken", ["lock", "flush"])
async def test_a_network_that_cannot_lock_or_flush_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The test before the first use fails, and nothing is made."""

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if broken == "lock":
        monkeypatch.setattr(fcntl, "lockf", refuse)
    else:
        monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(JournalError) as refused:
        await open_sqlite_journal(tmp_path / "j", detect=lambda _path: "cifs")
    assert refused.value.kind == "journal_not_durable"
    assert "cifs" in refused.value.message
    assert not (tmp_path / "j").exists()


async def test_a_local_disk_is_not_put_to_the_test(tmp_path: Path) -> None:
    """No note is made there."""
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        assert journal.notes == ()
