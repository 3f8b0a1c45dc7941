"""What the operating system says of this process and its disk."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_KIB = 1024


def memory_bytes() -> int:
    """Memory that this process holds (resident); where the system tells no present value, the most it has held."""
    try:
        resident_pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * _KIB
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def free_bytes(directory: Path) -> int | None:
    """What may still be written to the disk under ``directory``, None where it is not told. May block."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
