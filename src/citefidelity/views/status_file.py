"""A small file replaced as a whole, so that whoever reads it sees the old one or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec


def write_status(path: Path, status: Any) -> None:
    """Put ``status`` there as JSON. Blocks until it is on disk; one writer at a time.

    Raises:
        OSError: it cannot be written; the old file stands.
    """
    temporary = path.with_name(f"{path.name}.new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(status)) + b"\n")
        stream.flush()
        os.fsync(file)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
