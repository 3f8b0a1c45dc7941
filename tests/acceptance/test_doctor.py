"""``citefidelity doctor`` before a run: each thing that would keep it from beginning is named, and nothing is paid."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.doctor import Checkup
from citefidelity.doctoring import checkup
from citefidelity.journal import open_journal
from citefidelity.records import WHOLE
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.provider import ScriptedProvider
from support.cli import call_cli, provider
from support.makers import make_holder, make_line, make_record

KEY = "sk-right-key-0123456789"


@pytest.fixture
async def place(tmp_path: Path) -> Path:
    """A directory with a store of three citations."""
    store = await open_sqlite(tmp_path / "store.db", create=True, clock=SystemClock())
    await store.put([make_record(number) for number in range(3)])
    await store.close()
    return tmp_path


async def found(place: Path, url: str, key: str = KEY, **flags: Any) -> tuple[Checkup, dict[str, str]]:
    """The checkup of a screening by this server, and each result by its name."""
    usual = {"store": f"sqlite:///{place / 'store.db'}", "base_url": url, "model": "scripted", "price": "1,2"}
    environ = {"OPENAI_API_KEY": key, "DEEPSEEK_API_KEY": key}
    report = await checkup(load_settings({**usual, **flags}, environ=environ))
    return report, {check.name: check.result for check in report.checks}


def files(place: Path) -> dict[Path, bytes]:
    """All files there, and what is in them."""
    return {path: path.read_bytes() for path in place.iterdir() if path.is_file()}


async def test_all_is_well(place: Path) -> None:
    """With a key, a model, a price and a store, everything is ok; the model is not asked, nothing is written."""
    before = files(place)
    async with ScriptedProvider(api_key=KEY) as server:
        report, results = await found(place, server.base_url, provider="deepseek")
        assert set(results.values()) == {"ok"}
        assert report.exit_code == 0
        assert set(results) == {
            "versions", "open files", "store", "journal", "space", "other runs", "spec", "price", "proxy", "server",
            "key", "model", "clock", "balance", "store's place", "claims", "evidence", "records", "done elsewhere",
        }  # fmt: skip
        assert server.stats().received == 0
    assert files(place) == before


async def test_a_wrong_key_an_unknown_model_and_an_empty_account(place: Path) -> None:
    """Each is a failure of the provider with its remedy: exit code 4."""
    async with ScriptedProvider(api_key=KEY, balance=0) as server:
        report, results = await found(place, server.base_url, "sk-wrong-key-0123456789", provider="deepseek")
        assert (results["key"], report.exit_code) == ("failure", 4)
        report, results = await found(place, server.base_url, api_key_env=None, provider="vllm")
        assert (results["key"], report.exit_code) == ("failure", 4)
        report, results = await found(place, server.base_url, provider="deepseek")
        assert (results["key"], results["balance"], report.exit_code) == ("ok", "failure", 4)
    async with ScriptedProvider() as server:
        report, results = await found(place, server.base_url, provider="vllm", model="other")
        assert (results["model"], report.exit_code) == ("failure", 4)
        report, results = await found(place, server.base_url, model="other")
        assert (results["model"], report.exit_code) == ("warning", 0)
    assert all(check.hint for check in report.checks if check.result != "ok")


async def test_nothing_listens(place: Path) -> None:
    """An address where nobody answers is a failure of the provider."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    report, results = await found(place, f"http://127.0.0.1:{port}/v1")
    assert (results["server"], report.exit_code) == ("failure", 4)


async def test_settings_that_a_run_would_refuse(place: Path) -> None:
    """No model, no key, a cap without a price: exit code 2, and the rest is looked at."""
    report, results = await found(place, "https://example.org/v1", model=None)
    assert (results["spec"], results["store"], report.exit_code) == ("failure", "ok", 2)
    report, results = await found(place, "https://example.org/v1", key="")
    assert (results["key"], results["price"], report.exit_code) == ("failure", "ok", 2)
    async with ScriptedProvider() as server:
        report, results = await found(place, server.base_url, price=None, max_cost=5.0)
        assert (results["price"], results["model"], report.exit_code) == ("failure", "ok", 2)


async def test_a_store_that_is_not_there(place: Path) -> None:
    """Exit code 5; the provider is looked at all the same."""
    async with ScriptedProvider() as server:
        report, results = await found(place, server.base_url, store=f"sqlite:///{place / 'none.db'}")
        assert (results["store"], results["model"], report.exit_code) == ("failure", "ok", 5)


async def test_what_a_store_holds_that_cannot_be_judged(place: Path) -> None:
    """Contexts without evidence are counted, and a store without citations is named; neither is a failure."""
    store = await open_sqlite(place / "store.db", create=False, clock=SystemClock())
    await store.put([make_record(9, contexts=[{"instance_id": 1, "context_text": "As shown [9]."}])])
    await store.close()
    await (await open_sqlite(place / "empty.db", create=True, clock=SystemClock())).close()
    async with ScriptedProvider() as server:
        report, results = await found(place, server.base_url)
        assert (results["evidence"], report.exit_code) == ("warning", 0)
        assert any("1 of 4 contexts to do have no evidence" in check.message for check in report.checks)
        report, results = await found(place, server.base_url, store=f"sqlite:///{place / 'empty.db'}")
        assert (results["store"], report.exit_code) == ("warning", 0)


class Leaping(SystemClock):
    """Half a minute passes whenever it is looked at."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Later than last time."""
        self._now += 30.0
        return self._now


async def test_a_large_store_is_looked_at_in_part(place: Path) -> None:
    """When the time is over the rest is not looked at, and how far it came is said."""
    store = await open_sqlite(place / "store.db", create=False, clock=SystemClock())
    await store.put([make_record(number) for number in range(500)])
    await store.close()
    async with ScriptedProvider() as server:
        usual = {"store": f"sqlite:///{place / 'store.db'}", "base_url": server.base_url, "model": "m", "price": "1,2"}
        report = await checkup(load_settings(usual, environ={}), Leaping())
    (evidence,) = [check.message for check in report.checks if check.name == "evidence"]
    assert "of the first 200 citations to do" in evidence


async def test_who_works_on_the_store(place: Path) -> None:
    """A claim is named with its owner; one that leaves room for this run is no warning."""
    store = await open_sqlite(place / "store.db", create=False, clock=SystemClock())
    async with ScriptedProvider() as server:
        claim = await store.claim("other", WHOLE, make_holder(at=SystemClock().wall()))
        _, results = await found(place, server.base_url)
        assert results["claims"] == "ok"
        await claim.release()
        claim = await store.claim("main", WHOLE, make_holder(at=SystemClock().wall()))
        report, results = await found(place, server.base_url)
        assert (results["claims"], report.exit_code) == ("warning", 0)
        assert any("pid 4711" in check.message for check in report.checks if check.name == "claims")
        await claim.release()
        _, results = await found(place, server.base_url)
        assert results["claims"] == "ok"
    await store.close()


async def test_a_store_in_a_folder_that_is_kept_in_step(place: Path) -> None:
    """A copy that a service makes half way is told of before it happens, for the store and for its journal."""
    folder = place / "Nextcloud"
    folder.mkdir()
    await (await open_sqlite(folder / "store.db", create=True, clock=SystemClock())).close()
    async with ScriptedProvider() as server:
        _, results = await found(place, server.base_url, store=f"sqlite:///{folder / 'store.db'}")
    assert (results["store's place"], results["journal"]) == ("warning", "warning")


async def test_a_run_that_is_under_way_and_a_journal_that_is_none(place: Path) -> None:
    """Who works with the journal is named; a directory in its place is a failure."""
    store = await open_sqlite(place / "store.db", create=False, clock=SystemClock())
    store_id = await store.store_id()
    await store.close()
    path = place / "store.db.journal"
    async with ScriptedProvider() as server:
        async with await open_journal(path, store_id=store_id, holder=make_holder(), clock=SystemClock()):
            report, results = await found(place, server.base_url)
            assert (results["other runs"], results["journal"], report.exit_code) == ("warning", "ok", 0)
            assert any("4711" in check.message for check in report.checks)
        report, results = await found(place, server.base_url, journal=str(place))
        assert (results["journal"], report.exit_code) == ("failure", 5)


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines with remedies for people, the same as JSON for programs, and the exit code; the key is shown nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANTED", KEY)
    (tmp_path / "in.jsonl").write_bytes(make_line(1))
    assert call_cli(["import", "in.jsonl"], cwd=tmp_path).code == 0
    wrong = "sk-wrong-key-0123456789"
    with provider("--api-key-env", "WANTED") as url:
        words = ["doctor", "--base-url", url, "--model", "scripted"]
        said = call_cli(words, cwd=tmp_path, env={"OPENAI_API_KEY": wrong})
        assert said.code == 4
        assert "FAILURE: the provider does not accept the key" in said.stdout
        assert "Check the key in the environment" in said.stdout
        assert wrong not in said.stdout
        well = call_cli([*words, "--json"], cwd=tmp_path, env={"OPENAI_API_KEY": KEY})
        assert well.code == 0
        assert {check["name"] for check in well.json()["checks"]} >= {"key", "model", "store", "journal"}
