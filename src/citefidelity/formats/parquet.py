"""The way to Parquet, which is there only where the extra is installed."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from citefidelity.errors import UsageError


def parquet_rows() -> ModuleType:
    """The module that reads and writes it, loaded now: pyarrow is large and slow to load.

    Raises:
        UsageError: the extra is not installed.
    """
    require_parquet()
    return importlib.import_module("citefidelity.formats.parquet_rows")


def require_parquet() -> None:
    """Refuse at once where it could not be read or written later.

    Raises:
        UsageError: the extra is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed.",
            "pip install 'citefidelity[parquet]'",
            kind="no_parquet",
        )
