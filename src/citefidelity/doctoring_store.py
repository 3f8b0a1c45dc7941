"""The part of the checkup that looks at the store, put together. Writes nothing to it."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from citefidelity.app import inspect_graph, open_store
from citefidelity.config.addresses import EmbeddedAddress
from citefidelity.config.settings import Settings
from citefidelity.damage import Mendable, examine
from citefidelity.doctor import Check, check_free_space, ok, refused, warning
from citefidelity.doctor_store import Looked, check_claims, check_content, check_graph
from citefidelity.errors import StoreError, UsageError
from citefidelity.inspection import ShowsClaims
from citefidelity.journal.filesystem import cloud_folder, network_filesystem
from citefidelity.ports import Clock, Store, ToDo
from citefidelity.records import Citation

LOOK_S = 20.0
"""For reading what is to do: enough for a few hundred thousand contexts, and nobody waits longer for a checkup."""


@asynccontextmanager
async def store_examined(settings: Settings, checks: list[Check], clock: Clock) -> AsyncIterator[Store | None]:
    """The store with findings about it; None where it cannot be opened, or where that would change it."""
    try:
        if not await _may_be_opened(settings, checks):
            yield None
            return
        store = await open_store(settings)
    except (StoreError, UsageError) as error:
        checks.append(refused("store", "store", error))
        yield None
        return
    try:
        try:
            checks += await _content(store, settings, clock)
        except StoreError as error:
            checks.append(refused("store", "store", error))
        yield store
    finally:
        await store.close()


async def _may_be_opened(settings: Settings, checks: list[Check]) -> bool:
    """Look at where the store is; a graph that lacks something would get it when it is opened, and so is not."""
    if isinstance(settings.store, EmbeddedAddress):
        checks += await asyncio.to_thread(_place, settings.store.path)
        return True
    facts = await inspect_graph(settings)
    if facts is None:
        return True
    checks += check_graph(facts)
    if not facts.missing and facts.begun:
        return True
    message = "reached; what it holds is not looked at, because opening it would make what is missing"
    checks.append(warning("store", "store", message, "citefidelity status opens it, and changes no citation."))
    return False


def _place(path: Path) -> list[Check]:
    """Where the file of an embedded store lies, if it is there."""
    if not path.is_file():
        return []
    kind, cloud = network_filesystem(path.parent), cloud_folder(path.absolute())
    if kind is not None:
        hint = "Two machines must not open it at once; a local disk is safer."
        check = warning("store's place", "store", f"{path} is on a network file system ({kind})", hint)
    elif cloud is not None:
        hint = "Such a service may copy it half written, or put an old copy in its place. Move it elsewhere."
        check = warning("store's place", "store", f"{path} is in a folder that is kept in step ({cloud})", hint)
    else:
        check = ok("store's place", "store", f"{path}, on a disk of this machine")
    space = check_free_space(shutil.disk_usage(path.parent).free, str(path.parent))
    # The journal's disk, mostly the same, is told of in any case.
    return [check] if space.result == "ok" else [check, space]


async def _content(store: Store, settings: Settings, clock: Clock) -> list[Check]:
    counts = await store.counts(settings.screening, settings.partition)
    if not counts.citations:
        return [
            warning(
                "store", "store", "it holds no citation, so a run would have nothing to do", "citefidelity import FILE"
            )
        ]
    checks = [ok("store", "store", f"{counts.citations:,} citations, {counts.to_do:,} to do")]
    if isinstance(store, ShowsClaims):
        checks.append(check_claims(await store.claims(), settings.screening, settings.partition, clock.wall()))
    looked = await _look(store, settings, clock)
    if counts.done_elsewhere and isinstance(store, Mendable):
        await _look_for_damage(store, looked, clock)
    return [*checks, *check_content(counts, looked)]


async def _look(store: Store, settings: Settings, clock: Clock) -> Looked:
    looked, unusable = Looked(), Counter[str]()
    until = clock.monotonic() + LOOK_S
    to_do = ToDo(
        screening=settings.screening,
        partition=settings.partition,
        include_classified=settings.include_classified,
    )
    async for page in store.pages(to_do):
        for found in page:
            looked.citations += 1
            if isinstance(found, Citation):
                looked.contexts += len(found.contexts)
                looked.without_evidence += sum(
                    not any(segment.text.strip() for segment in context.evidence_segments) for context in found.contexts
                )
            else:
                unusable[found.kind] += 1
        if clock.monotonic() >= until:
            looked.all = False
            break
    looked.unusable = dict(unusable)
    return looked


async def _look_for_damage(store: Mendable, looked: Looked, clock: Clock) -> None:
    until = clock.monotonic() + LOOK_S
    async for pair in store.pairs():
        looked.damaged += sum(1 for _ in examine(pair))
        if clock.monotonic() >= until:
            looked.all = False
            break
