"""Where prices come from: the command line, the user's own list, or the snapshot in ``genai-prices``.

The snapshot is read by a process of its own (``pricesnapshot``): loading it takes half a second and 90 MB, which a run
that is to fit into 150 MB does not have; and whatever goes wrong in there stays in there. Without the extra ``prices``
no price is known that nobody has given.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import math
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from platformdirs import user_config_path

from citefidelity.config.base_url import LOOPBACK
from citefidelity.errors import UsageError
from citefidelity.prices.pricing import Price, Rates, Tariff, flat

log = logging.getLogger(__name__)

SNAPSHOT = "genai_prices"
SNAPSHOT_TIMEOUT_S = 30.0
ON_THIS_MACHINE = flat(Rates(0.0, 0.0, 0.0), "the model runs on this machine")
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[price]]`` of a price list: US dollars for a million tokens.

    ``model`` may hold ``*``. ``provider`` empty means any. ``since`` is a date and ``hours`` a part of the day such as
    ``01:00-04:00``, both in UTC. Of several entries for a model, the last one in force counts.
    """

    model: str
    input: float
    output: float
    cached: float | None = None
    provider: str = ""
    since: date | None = None
    hours: str = ""


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file with prices."""

    price: tuple[Entry, ...] = ()


def parse_price(text: str) -> Price:
    """``IN,OUT`` or ``IN,OUT,CACHED``: US dollars for a million tokens.

    Raises:
        UsageError: it is not that.
    """
    try:
        amounts = [float(part) for part in text.split(",")]
    except ValueError:
        amounts = []
    if len(amounts) not in {2, 3} or not all(_is_amount(amount) for amount in amounts):
        raise UsageError(
            f"--price {text!r} is no price.",
            "Give US dollars for a million tokens of input and output, as --price 0.15,0.60 "
            "(and of cached input as a third, where it differs).",
            kind="bad_price",
        )
    return flat(Rates(*amounts), "--price")


def read_price_list(path: Path) -> PriceList:
    """The prices in a TOML file.

    Raises:
        UsageError: it cannot be read, or something in it is no price; names the file and the place.
    """
    try:
        entries = msgspec.toml.decode(path.read_bytes(), type=PriceList)
        for number, entry in enumerate(entries.price, 1):
            _check(entry, number)
    except (OSError, ValueError, msgspec.MsgspecError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        raise UsageError(
            f"The price list {path} cannot be used: {reason}.",
            'Each price is: [[price]] with model = "NAME", input = 0.15, output = 0.60 (US dollars for a million '
            'tokens), and if need be cached, provider, since = 2026-01-31, hours = "01:00-04:00".',
            kind="bad_price_list",
        ) from err
    return entries


def user_price_list() -> Path:
    """Where the user's own price list is looked for, unless it is named: ``prices.toml`` with their other settings."""
    return user_config_path("citefidelity") / "prices.toml"


def listed_price(entries: PriceList, provider: str, model: str, source: str) -> Price | None:
    """The price of a model in a list, None if it is not there."""
    tariffs = tuple(
        Tariff(
            rates=Rates(entry.input, entry.output, entry.cached),
            since=datetime.combine(entry.since, time(), UTC).timestamp() if entry.since else 0.0,
            hours=_seconds(entry.hours) if entry.hours else None,
        )
        for entry in entries.price
        if fnmatchcase(model, entry.model) and entry.provider in {"", provider}
    )
    return Price(tariffs, source) if tariffs else None


async def price_of(provider: str, model: str, base_url: str | None = None, path: Path | None = None) -> Price | None:
    """The price of a model, None if nobody knows it.

    Args:
        provider: the name of the preset.
        model: as the provider calls it.
        base_url: where it is asked, None for the provider's own address.
        path: the user's price list, which goes before all others; None or a file that is not there for no list.

    Raises:
        UsageError: the user's price list cannot be used. Nothing else raises.
    """
    if path is not None and path.exists():  # noqa: ASYNC240 - one look, before anything runs
        price = listed_price(read_price_list(path), provider, model, str(path))
        if price is not None:
            return price
    local = base_url == LOOPBACK or (base_url is None and provider in {"ollama", "vllm"})
    if provider == "local" or (local and provider in {"ollama", "vllm"}):
        return ON_THIS_MACHINE
    if local or importlib.util.find_spec(SNAPSHOT) is None:
        # A gateway on this machine may pass calls on to anybody.
        return None
    return await _from_snapshot(["--url", base_url] if base_url else ["--provider", provider], model)


async def _from_snapshot(where: Sequence[str], model: str) -> Price | None:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file of that name in the working directory is not the package
            "-m",
            "citefidelity.prices.pricesnapshot",
            *where,
            "--model",
            model,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
                output, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            log.info("no price known for %s: %s", model, last)
            return None
        return msgspec.json.decode(output, type=Price)
    except (OSError, TimeoutError, msgspec.MsgspecError) as error:
        log.warning("prices cannot be looked up, so the cost of %s stays unknown: %s", model, error)
        return None


def _is_amount(amount: float) -> bool:
    return math.isfinite(amount) and amount >= 0


def _check(entry: Entry, number: int) -> None:
    for name in ("input", "output", "cached"):
        amount = getattr(entry, name)
        if amount is not None and not _is_amount(amount):
            raise ValueError(f"price {number}: {name} is {amount}")
    if entry.hours and HOURS.fullmatch(entry.hours) is None:
        raise ValueError(f"price {number}: hours is {entry.hours!r}")


def _seconds(hours: str) -> tuple[int, int]:
    match = HOURS.fullmatch(hours)
    assert match is not None, "hours were checked"  # noqa: S101 - a programming error, not an input
    begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
    return begin_hour * 3_600 + begin_minute * 60, end_hour * 3_600 + end_minute * 60
