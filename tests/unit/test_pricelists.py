"""Where prices come from."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from citefidelity.errors import UsageError
from citefidelity.prices import pricelists
from citefidelity.prices.pricelists import listed_price, parse_price, price_of, read_price_list
from citefidelity.prices.pricing import Rates
from citefidelity.records import Usage

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()

LIST = """
[[price]]
model = "big-*"
input = 1.0
output = 4.0
cached = 0.1

[[price]]
model = "big-*"
hours = "22:00-05:00"
input = 0.5
output = 2.0

[[price]]
model = "big-2"
provider = "deepseek"
since = 2026-11-01
input = 9.0
output = 9.0
"""


@pytest.fixture
def price_list(tmp_path: Path) -> Path:
    """A price list of the user."""
    path = tmp_path / "prices.toml"
    path.write_text(LIST)
    return path


@pytest.mark.parametrize(
    ("text", "rates"),
    [("0.15,0.60", Rates(0.15, 0.6)), (" 1 , 2 , 0.5 ", Rates(1.0, 2.0, 0.5)), ("0,0", Rates(0.0, 0.0))],
)
def test_price_on_the_command_line(text: str, rates: Rates) -> None:
    """Two amounts, or three where cached input has its own."""
    assert parse_price(text).rates(NOON) == rates


@pytest.mark.parametrize("text", ["", "1", "1,2,3,4", "one,two", "1;2", "-1,2", "nan,1", "inf,1", "1,,2"])
def test_no_price(text: str) -> None:
    """Anything else is refused, and the message shows how it is written."""
    with pytest.raises(UsageError) as caught:
        parse_price(text)
    assert caught.value.kind == "bad_price"
    assert "--price 0.15,0.60" in caught.value.hint


def test_list(price_list: Path) -> None:
    """Of the entries for a model the last one in force counts; others are not for it."""
    entries = read_price_list(price_list)
    big = listed_price(entries, "openai", "big-2", "list")
    assert big is not None
    assert big.rates(NOON) == Rates(1.0, 4.0, 0.1)
    assert big.rates(NOON + 11 * 3_600) == Rates(0.5, 2.0)
    other = listed_price(entries, "deepseek", "big-2", "list")
    assert other is not None
    assert other.rates(NOON) == Rates(9.0, 9.0)
    assert listed_price(entries, "openai", "small", "list") is None


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[[price]]\nmodel = 'm'\ninput = 1.0",
        "[[price]]\nmodel = 'm'\ninput = 1.0\noutput = 2.0\nuotput = 3.0",
        "[[price]]\nmodel = 'm'\ninput = -1.0\noutput = 2.0",
        "[[price]]\nmodel = 'm'\ninput = nan\noutput = 2.0",
        "[[price]]\nmodel = 'm'\ninput = 1.0\noutput = 2.0\nhours = '1-4'",
        "[[price]]\nmodel = 'm'\ninput = 1.0\noutput = 2.0\nhours = '22:00-24:30'",
        "[[prices]]\nmodel = 'm'\ninput = 1.0\noutput = 2.0",
    ],
)
def test_bad_list(tmp_path: Path, text: str) -> None:
    """What is no price list is refused, by the name of the file; a misspelt price is no missing price."""
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_price_list(path)
    assert str(path) in caught.value.message


def test_unreadable_list(tmp_path: Path) -> None:
    """So is one that cannot be read."""
    with pytest.raises(UsageError) as caught:
        read_price_list(tmp_path)
    assert str(tmp_path) in caught.value.message


async def test_list_goes_first(price_list: Path) -> None:
    """The user's list goes before everything else, even for a model that is free."""
    price = await price_of("local", "big-1", path=price_list)
    assert price is not None
    assert price.source == str(price_list)


async def test_missing_list(tmp_path: Path) -> None:
    """A list that is not there is an empty one."""
    assert await price_of("local", "m", path=tmp_path / "none.toml") is not None


@pytest.mark.parametrize(
    ("provider", "base_url", "free"),
    [("local", None, True), ("ollama", None, True), ("vllm", "loopback", True), ("openai", "loopback", False)],
)
async def test_on_this_machine(provider: str, base_url: str | None, free: bool) -> None:
    """Models of one's own cost nothing; what a gateway on this machine passes on costs nobody knows what."""
    price = await price_of(provider, "m", base_url)
    assert (price is not None and price.cost(Usage(100, 100), NOON) == 0) == free


class TestSnapshot:
    """Prices from the package, where it is installed."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("genai_prices")

    async def test_two_tariffs(self) -> None:
        """A provider's peak hours are known, and what its cache saves."""
        price = await price_of("deepseek", "deepseek-flash")
        assert price is not None
        assert "deepseek" in price.source
        cheap, dear = price.periods(NOON)
        assert dear.rates.input == pytest.approx(2 * cheap.rates.input)
        assert cheap.rates.cached is not None
        assert cheap.rates.cached < cheap.rates.input / 10
        assert "01:00-04:00" in dear.hours

    async def test_by_address(self) -> None:
        """A provider that is asked as a compatible one is known by its address."""
        price = await price_of("openai", "gpt-4o-mini", "https://api.openai.com/v1")
        assert price is not None
        assert price.cost(Usage(1_000_000, 0), NOON) == pytest.approx(0.15)
        assert await price_of("openai", "gpt-4o-mini", "https://gateway.example/v1") is None

    async def test_unknown_model(self) -> None:
        """An unknown model has no price, and that is no error."""
        assert await price_of("openai", "no-such-model") is None
        assert await price_of("openai", "--help") is None

    async def test_lookup_that_breaks(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever goes wrong in the lookup, there is no price and a line in the log, and nothing else."""
        caplog.set_level(logging.INFO)
        for program in ("/no/such/program", "/bin/true", "/bin/false"):
            monkeypatch.setattr(sys, "executable", program)
            assert await price_of("openai", "gpt-4o-mini") is None
        assert len(caplog.records) == 3

    async def test_lookup_that_hangs(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A lookup that does not come back is ended, and no process is left."""
        sleeper = tmp_path / "sleeper"
        pid_file = tmp_path / "pid"
        sleeper.write_text(f"#!/bin/sh\necho $$ > {pid_file}\nexec sleep 60\n")
        sleeper.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(sleeper))
        monkeypatch.setattr(pricelists, "SNAPSHOT_TIMEOUT_S", 0.5)
        assert await price_of("openai", "gpt-4o-mini") is None
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)


async def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package no price is known, and nothing is started to find out."""
    monkeypatch.setattr(pricelists, "SNAPSHOT", "no_such_package")
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    assert await price_of("openai", "gpt-4o-mini") is None
