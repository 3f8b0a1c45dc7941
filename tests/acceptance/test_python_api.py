"""The names that Python code uses, inside a running event loop as a notebook has it."""

from __future__ import annotations

import pickle
import pkgutil
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import citefidelity
from citefidelity.demo_data import demo_records
from citefidelity.errors import CitefidelityError, UsageError
from citefidelity.testing.provider import ScriptedProvider
from support.tables import names_in


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


async def test_nothing_that_is_asked_for_is_passed_over(tmp_path: Path) -> None:
    """What a function cannot do is refused, and changes nothing: a cap that is misspelt, no file, pages."""
    store = f"sqlite:///{tmp_path / 'my.db'}"
    with pytest.raises(UsageError, match="max_costs"):
        await citefidelity.run(store=store, max_costs=5)
    with pytest.raises(UsageError, match="No file is named"):
        await citefidelity.import_files(store=store)
    with pytest.raises(UsageError, match="shows no pages"):
        await citefidelity.run(store=store, web=True)
    assert names_in(tmp_path) == []


async def test_who_catches_nothing_sees_what_to_do(tmp_path: Path) -> None:
    """The hint stands below the message of the trace, as in a notebook, and is there after a way between processes."""
    with pytest.raises(CitefidelityError) as caught:
        await citefidelity.run(store=f"sqlite:///{tmp_path / 'my.db'}")
    assert "".join(traceback.format_exception(caught.value)).endswith(f"{caught.value}\n{caught.value.hint}\n")
    brought: CitefidelityError = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (brought.kind, brought.hint, brought.__notes__) == ("store_missing", caught.value.hint, [brought.hint])


def test_a_prompt_can_offer_the_public_names() -> None:
    """They are listed before any of them was used, as completion in a notebook needs it."""
    code = "import citefidelity; print(set(citefidelity.__all__) <= set(dir(citefidelity)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz"])
async def test_parquet_without_its_extra_is_refused_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is no fault of the file: it is not told as a rejected line, other files do not go in, no store is made."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (tmp_path / name).touch()
    (tmp_path / "b.jsonl").write_bytes(demo_records())
    with pytest.raises(UsageError, match="pyarrow") as caught:
        await citefidelity.import_files(tmp_path / "b.jsonl", tmp_path / name, store=f"sqlite:///{tmp_path / 'my.db'}")
    assert (caught.value.kind, caught.value.hint) == ("no_parquet", "pip install 'citefidelity[parquet]'")
    assert not (tmp_path / "my.db").exists()
