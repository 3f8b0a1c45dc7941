"""The checkup, put together: settings in, findings out. Changes nothing, and asks nothing that costs money."""

from __future__ import annotations

import asyncio
import platform
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import apsw

from citefidelity.app import journal_path, settled_spec
from citefidelity.asking import FILES_BESIDE_CALLS, chat_for, make_room_for_connections, price_for
from citefidelity.clock import SystemClock
from citefidelity.config.base_url import LOOPBACK
from citefidelity.config.settings import Settings
from citefidelity.doctor import (
    Asked,
    Check,
    Checkup,
    check_free_space,
    check_price,
    examine_provider,
    failure,
    ok,
    refused,
    warning,
)
from citefidelity.doctor_store import check_versions
from citefidelity.doctoring_store import store_examined
from citefidelity.errors import ProviderError, StoreError, UsageError
from citefidelity.journal import current_holder
from citefidelity.journal.filesystem import check_lock_and_flush, cloud_folder, is_there, network_filesystem
from citefidelity.ports import Clock, Store
from citefidelity.screening import agree_on_spec
from citefidelity.specs.spec import DEFAULT_BASE_URLS, Spec, load_spec
from citefidelity.specs.spec_toml import SpecPart

LONGEST_S = 60.0
"""For all that the provider is asked here; a run waits longer."""


async def checkup(settings: Settings, clock: Clock | None = None) -> Checkup:
    """Look at everything that a run with these settings needs; what is missing is a finding, never an exception."""
    clock = clock or SystemClock()
    checks = [check_versions(platform.python_version(), apsw.sqlite_lib_version()), _open_files(settings.concurrency)]
    async with store_examined(settings, checks, clock) as store:
        path = await _journal(settings, store, checks)
        spec = await _spec(settings, store, path, checks)
    if spec is not None:
        checks += await _price(settings, spec, clock)
        checks += await _provider(settings, spec, clock)
    return Checkup(checks=checks)


def _open_files(concurrency: int) -> Check:
    try:
        make_room_for_connections(concurrency)
    except UsageError as error:
        return refused("open files", "machine", error)
    needed = concurrency + FILES_BESIDE_CALLS
    return ok("open files", "machine", f"{needed} can be open, as {concurrency} calls in flight need them")


async def _journal(settings: Settings, store: Store | None, checks: list[Check]) -> Path | None:
    """Where the journal would lie; None where only a store that cannot be opened knows."""
    if store is None and settings.journal is None:
        return None
    try:
        path = settings.journal if store is None else await journal_path(settings, store)
    except StoreError as error:
        checks.append(refused("journal", "store", error))
        return None
    if path is not None:
        checks += await asyncio.to_thread(_journal_place, path)
    return path


def _journal_place(path: Path) -> list[Check]:
    directory = next(parent for parent in path.absolute().parents if parent.is_dir())
    try:
        there = is_there(path)
        kind = network_filesystem(directory)
        if kind is not None:
            check_lock_and_flush(directory / path.name, kind)
    except StoreError as error:
        return [refused("journal", "store", error)]
    cloud = cloud_folder(path.absolute())
    message = f"{path}, {'there' if there else 'made by the first run'}"
    if kind is not None:
        hint = "It can lock and flush; a local disk is safer still: --journal FILE"
        checks = [warning("journal", "store", f"{message}, on a network file system ({kind})", hint)]
    elif cloud is not None:
        hint = "Such a service may copy it half written. Put it elsewhere: --journal FILE"
        checks = [warning("journal", "store", f"{message}, in a folder that is kept in step ({cloud})", hint)]
    else:
        checks = [ok("journal", "store", message)]
    checks.append(check_free_space(shutil.disk_usage(directory).free, str(directory)))
    holder = current_holder(path)
    if holder is None:
        return [*checks, ok("other runs", "store", "nobody works with this journal")]
    message = f"`{holder.command}` on {holder.host} (pid {holder.pid}) works with this journal"
    return [*checks, warning("other runs", "store", message, "A second run would be refused until it has ended.")]


async def _spec(settings: Settings, store: Store | None, path: Path | None, checks: list[Check]) -> Spec | None:
    """What a run would ask by; without a store, what a new screening would."""
    try:
        if store is not None and path is not None:
            spec, is_new = await settled_spec(settings, store, path)
        else:
            provider = settings.provider or "openai"
            flags = SpecPart(provider=provider, base_url=settings.base_url_for(provider), model=settings.model)
            file = load_spec(settings.spec) if settings.spec else None
            spec, is_new = agree_on_spec(settings.screening, None, file, flags), True
    except UsageError as error:
        checks.append(refused("spec", "settings", error))
        return None
    except StoreError as error:
        checks.append(refused("spec", "store", error))
        return None
    state = "would begin" if is_new else "goes on"
    checks.append(ok("spec", "settings", f"screening {settings.screening} {state}: {spec.model} ({spec.provider})"))
    return spec


async def _price(settings: Settings, spec: Spec, clock: Clock) -> list[Check]:
    try:
        price = await price_for(settings, spec)
    except UsageError as error:
        return [refused("price", "settings", error)]
    return [check_price(price, clock.wall(), model=spec.model, capped=settings.max_cost is not None)]


async def _provider(settings: Settings, spec: Spec, clock: Clock) -> list[Check]:
    try:
        async with asyncio.timeout(LONGEST_S), chat_for(settings, spec) as (model, _):
            way = ok("proxy", "provider", f"through {model.proxy}" if model.proxy else "none on the way")
            asked = Asked(
                provider=spec.provider,
                model=spec.model,
                host=model.host,
                has_key=settings.api_key(spec.provider) is not None,
                lists_all=spec.base_url == DEFAULT_BASE_URLS[spec.provider] or spec.provider in {"ollama", "vllm"},
                tells_balance=spec.provider == "deepseek",
            )
            return [way, *await examine_provider(model, asked, clock)]
    except UsageError as error:
        name = "key" if error.kind == "key_not_set" else "address"
        return [refused(name, "settings", error)]
    except ProviderError as error:
        return [refused("server", "provider", error)]
    except TimeoutError:
        host = "this machine" if spec.base_url == LOOPBACK else urlsplit(spec.base_url).hostname
        return [failure("server", "provider", f"{host} gave no answer within {LONGEST_S:.0f} s", "Try again later.")]
