"""What Python code calls: run, audit and read a screening, from a script or from inside a notebook's event loop.

Settings are those of the command line, by name (``--max-cost 5`` is ``max_cost=5``; ``citefidelity config`` lists all);
what is not given comes from the environment and from ``citefidelity.toml``, as there. Secrets come from the environment
only. Every error raised on purpose is a :class:`~citefidelity.errors.CitefidelityError`, with a ``message``, a ``hint``
and a stable ``kind``::

    report = await citefidelity.run(store="sqlite:///my.db", base_url="http://localhost:8000/v1", model="qwen3")
    async for record in citefidelity.results(store="sqlite:///my.db"):
        ...
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.errors import UsageError

if TYPE_CHECKING:
    from citefidelity.audits.audited import Audit
    from citefidelity.imports import ImportReport
    from citefidelity.views.report import RunReport

Setting = str | int | float | bool | Path | None


async def import_files(*files: str | Path, **given: Setting) -> ImportReport:
    """Import citations into the store, as ``citefidelity import`` does; safe to repeat.

    Lines that are wrong are left out, and named in the report's ``rejections``.

    Raises:
        UsageError: no file is named, a file cannot be read, or a setting is wrong. Nothing was imported.
        StoreError: the store cannot be used.
    """
    from citefidelity.intake import Inputs  # noqa: PLC0415 - what is not called is not loaded
    from citefidelity.moving import import_into  # noqa: PLC0415 - as above

    if not files:
        raise UsageError("No file is named. Nothing was imported.", "Perhaps a pattern has matched none.")
    return await import_into(_settings(given), Inputs(names=tuple(str(file) for file in files)))


async def run(**given: Setting) -> RunReport:
    """Ask, journal, deliver, as ``citefidelity run`` does; safe to repeat. Ctrl-C is left to the caller.

    Cancelling the task is as safe as killing the process: what was in flight may have been paid for. What stops a run
    that has begun, a provider that refuses or a store that is lost, is no exception: the report's ``stopped`` and
    ``reason`` tell it.

    Raises:
        UsageError: a setting or the spec is wrong. Nothing was asked.
        ProviderError: the local model's server did not start. Nothing was asked.
        StoreError: the store or the journal cannot be used. Nothing was asked.
    """
    from citefidelity import app  # noqa: PLC0415 - as above

    if given.get("web"):
        raise UsageError("run() shows no pages. Nothing was asked.", "`citefidelity web` shows them beside it.")
    return await app.run(_settings(given))


async def verify(**given: Setting) -> Audit:
    """Audit store and journal, as ``citefidelity verify`` does. Asks nothing and changes nothing.

    Raises:
        StoreError: the store or the journal cannot be read.
    """
    from citefidelity import upkeep  # noqa: PLC0415 - as above

    return await upkeep.verify(_settings(given))


async def results(**given: Setting) -> AsyncIterator[dict[str, Any]]:
    """Every citation with the outcomes of the screening, as ``citefidelity export`` writes them, one at a time.

    Raises:
        StoreError: the store cannot be read.
    """
    from citefidelity.reading import opened  # noqa: PLC0415 - as above
    from citefidelity.record_format import exported  # noqa: PLC0415 - as above

    chosen = _settings(given)
    async with opened(chosen) as store:
        async for page in store.stored(chosen.screening):
            for stored in page:
                yield json.loads(exported(stored))


def _settings(given: Mapping[str, Setting]) -> Settings:
    flags = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return load_settings(flags, environ=os.environ)
