"""The names that Python code uses, inside a running event loop as a notebook has it."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import citefidelity
from citefidelity.demo_data import demo_records
from citefidelity.testing.provider import ScriptedProvider


async def test_a_notebook_can_import_run_verify_and_read(tmp_path: Path) -> None:
    """All of it works within the event loop that is already running, by settings with the names of the flags."""
    file = tmp_path / "citations.jsonl"
    file.write_bytes(demo_records())
    store = f"sqlite:///{tmp_path / 'my.db'}"
    async with ScriptedProvider() as provider:
        imported = await citefidelity.import_files(file, store=store)
        report = await citefidelity.run(store=store, base_url=provider.base_url, model="scripted", concurrency=8)
        again = await citefidelity.run(store=store, base_url=provider.base_url, model="scripted")
        audit = await citefidelity.verify(store=store)
        records = [record async for record in citefidelity.results(store=store)]
        asked = provider.stats().received
    assert imported.new == 20
    assert (report.stopped, report.remaining, report.exit_code) == ("complete", 0, 0)
    assert (again.calls, asked) == (0, report.calls)
    assert audit.exit_code == 0
    states = [context["state"] for record in records for context in record["contexts"]]
    assert sorted(set(states)) == ["unassessable", "verdict"]
    assert len(states) == 40


def test_no_module_takes_the_place_of_a_public_name() -> None:
    """A module of that name, once imported, would stand where the function stood."""
    modules = {module.name for module in pkgutil.iter_modules(citefidelity.__path__)}
    assert not modules & set(citefidelity.__all__)


def test_the_public_names_are_all_there() -> None:
    """Every name in ``__all__`` can be had, and nothing else pretends to be public."""
    for name in citefidelity.__all__:
        assert getattr(citefidelity, name).__doc__
    assert not hasattr(citefidelity, "no_such_name")
