"""An estimate says what a run then does."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity import app
from citefidelity.cli.estimate_text import numbers
from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.estimating import estimate_of
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.provider import ScriptedProvider
from support.makers import make_record


@pytest.fixture
async def store(tmp_path: Path) -> str:
    """The address of an embedded store with five citations of two contexts, and one of a context without evidence."""
    path = tmp_path / "store.db"
    store = await open_sqlite(path, create=True, clock=SystemClock())
    no_evidence = {"instance_id": 1, "context_text": "Aspirin helps [1].", "evidence_segments": []}
    await store.put([*(make_record(number, 2) for number in range(5)), make_record(9, [no_evidence])])
    await store.close()
    return f"sqlite:///{path}"


async def test_estimate_is_what_the_run_asks(store: str) -> None:
    """Before, between and after runs, the calls estimated are the calls that are then made."""
    async with ScriptedProvider() as provider:
        flags = {"store": store, "base_url": provider.base_url, "model": "scripted", "yes": True}
        everything = load_settings(flags, environ={})
        some = load_settings({**flags, "limit": 2}, environ={})
        assert (await estimate_of(everything)).estimate.calls == 10
        estimated = (await estimate_of(some)).estimate
        assert provider.stats().received == 0
        report = await app.run(some)
        assert estimated.calls == report.calls == provider.stats().received == 4
        rest = (await estimate_of(everything)).estimate
        assert (rest.citations, rest.calls) == (3, 6)
        assert (await app.run(everything)).calls == 6
        assert (await estimate_of(everything)).estimate.calls == 0


@pytest.mark.parametrize(("host", "told"), [("api.example.org", True), ("localhost", False)])
async def test_a_price_that_nobody_knows_can_be_told(store: str, host: str, told: bool) -> None:
    """Who pays for a model without a known price reads how to get one; a model on this machine has none."""
    flags = {"store": store, "base_url": f"https://{host}/v1", "model": "no such model"}
    text = "\n".join(numbers(await estimate_of(load_settings(flags, environ={}))))
    assert "nobody here knows the price" in text
    assert ("--price IN,OUT" in text, "citefidelity[prices]" in text) == (told, told)
