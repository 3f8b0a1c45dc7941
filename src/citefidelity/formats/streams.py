"""Bytes of a file or of stdin, unpacked as they are read."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import zstandard

from citefidelity.errors import UsageError
from citefidelity.formats.shapes import MAX_LINE, compression_of

STDIN = "-"

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# One block of zstd unfolds into at most 128 KB and may be four bytes short: so little goes in at a time that what
# comes out stays below 32 MB, whatever the file.
_ZSTD_CHUNK = 1024
_ZSTD_WINDOW = 128 << 20


@contextmanager
def opened(name: str, stdin: io.BufferedReader) -> Iterator[io.BufferedReader]:
    """The unpacked bytes of a file, or of stdin where the name is ``-``. What the bytes say counts, not the suffix.

    Raises:
        UsageError: the file cannot be opened or read, is cut off or damaged; it is named.
    """
    with naming_faults(name), ExitStack() as stack:
        yield _unpacked(name, stdin if name == STDIN else stack.enter_context(Path(name).open("rb")))


@contextmanager
def naming_faults(name: str) -> Iterator[None]:
    """What the operating system and the unpackers raise, in our words."""
    try:
        yield
    except FileNotFoundError as err:
        raise UsageError(f"There is no file {name}.") from err
    except IsADirectoryError as err:
        raise UsageError(f"{name} is a directory.", "Give the files in it by name.") from err
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as err:
        raise UsageError(
            f"{name} is cut off or damaged ({err}). What was read before that is kept.",
            "Get the file again; repeating the import is safe.",
        ) from err
    except OSError as err:
        raise UsageError(f"{name} cannot be read ({err.strerror or err}).") from err


def numbered_lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its line feed and its number from 1; None in place of one longer than :data:`MAX_LINE`."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) <= MAX_LINE:
            yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            continue
        yield number, None
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)


def refuse_utf16(name: str, stream: io.BufferedReader) -> None:
    """Spreadsheets save "Unicode" as UTF-16, in which every single line would be wrong."""
    if stream.peek(2)[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        raise UsageError(f"{name} is UTF-16, not UTF-8.", "Save it as UTF-8, or `iconv -f UTF-16 -t UTF-8`.")


def _unpacked(name: str, packed: io.BufferedReader) -> io.BufferedReader:
    start = packed.peek(4)
    if start.startswith(_GZIP_MAGIC):
        return io.BufferedReader(gzip.GzipFile(fileobj=packed))
    if start.startswith(_ZSTD_MAGIC):
        return io.BufferedReader(_Zstd(packed))
    if start and compression_of(name):
        raise UsageError(f"{name} is not compressed as its name says.", "Rename it, or get it again.")
    return packed


class _Zstd(io.RawIOBase):
    """Unpacks Zstandard and, unlike the library's own reader, notices a file that is cut off."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._begun = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as BufferedReader calls it
        while not self._ready:
            if not self._refill():
                return 0
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _refill(self) -> bool:
        chunk = self._frame.unused_data if self._frame.eof else b""
        chunk = chunk or self._packed.read(_ZSTD_CHUNK)
        if not chunk:
            if self._begun and not self._frame.eof:
                raise EOFError("the last frame has no end")
            return False
        if self._frame.eof:
            self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._begun = True
        self._ready = memoryview(self._frame.decompress(chunk))
        return True
