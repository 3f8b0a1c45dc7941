"""The way to Parquet, which is there only where the extra is installed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from citefidelity.errors import UsageError


def parquet_rows() -> ModuleType:
    """The module that reads and writes it, loaded now: pyarrow is large and slow to load.

    Raises:
        UsageError: the extra is not installed.
    """
    try:
        return import_module("citefidelity.formats.parquet_rows")
    except ModuleNotFoundError as err:
        if err.name != "pyarrow":
            raise
        raise UsageError(
            "Parquet needs pyarrow, which is not installed.", "Install it: pip install 'citefidelity[parquet]'."
        ) from err
