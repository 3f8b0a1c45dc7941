"""Where an export goes: a file that appears whole or not at all, or stdout."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from citefidelity.errors import UsageError
from citefidelity.formats.shapes import compression_of


def target(path: Path | None, stdout: BinaryIO) -> AbstractContextManager[BinaryIO]:
    """The stream to write to, packed if the file's name ends in .gz or .zst; stdout where there is no path."""
    return nullcontext(stdout) if path is None else whole_file(path)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is put in place when the block ends without an error, and is left alone otherwise.

    Raises:
        UsageError: nothing can be written there, or not all of it.
    """
    # Through a link to the file that it names, so that the link stays one.
    real = Path(os.path.realpath(path))
    try:
        if real.exists() and not (real.is_file() or real.is_dir()):
            # A pipe or a device is written to; there is nothing to replace.
            with real.open("wb") as device, _packed(path.name, device) as stream:
                yield stream
        else:
            with _replacing(real) as file, _packed(path.name, file) as stream:
                yield stream
    except OSError as err:
        raise UsageError(
            f"{path} cannot be written ({err.strerror or err}). What was there before is as it was.",
            "Give another place with -o, or make room.",
        ) from err


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    if path.is_dir():
        raise UsageError(f"{path} is a directory.", "Give the file: -o FILE.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
        _sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _packed(name: str, file: BinaryIO) -> AbstractContextManager[BinaryIO]:
    match compression_of(name):
        case "gz":
            # No name and no time of day inside: the same verdicts give the same bytes.
            return cast(
                "AbstractContextManager[BinaryIO]", gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
            )
        case "zst":
            return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
        case None:
            return nullcontext(file)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
