"""The composition root: the one place that chooses adapters, and what the command line and Python call.

Every function here may be awaited inside a running event loop, a notebook's included.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from citefidelity.asking import make_room_for_connections, model_for
from citefidelity.assembly import Asking, Hands
from citefidelity.clock import SystemClock
from citefidelity.config.addresses import (
    EmbeddedAddress,
    journal_beside,
    journal_in_state,
)
from citefidelity.config.settings import Settings
from citefidelity.errors import StoreError, UsageError
from citefidelity.inspection import GraphFacts
from citefidelity.interrupts import Interrupts, interrupts_handled
from citefidelity.journal import JournalReader, SqliteJournal, Totals, open_journal
from citefidelity.machine import memory_bytes
from citefidelity.meter import Gauges
from citefidelity.ports import Clock, Holder, Pooled, Store, StoreCounts
from citefidelity.records import CitationKey
from citefidelity.screening import Observer, Screening, agree_on_spec, check_journal
from citefidelity.specs.spec import Spec, load_spec
from citefidelity.specs.spec_toml import SpecPart
from citefidelity.telemetry.attaching import calls_told, metrics_served
from citefidelity.views.observing import StatusFile
from citefidelity.views.report import RunReport, Started

HEAD_START_S = 0.25
"""How long the first call waits for the store to be counted; a large graph is counted while the run goes on."""


def program() -> str:
    """This program and its version, as noted with every answer."""
    return f"citefidelity {version('citefidelity')}"


class Found(NamedTuple):
    """What earlier runs of a screening have left in its journal.

    ``waiting``: whether outcomes wait to be delivered. ``behind``: where in the store they had probably got to.
    """

    totals: Totals
    waiting: bool
    behind: CitationKey | None
    is_new: bool
    journal: SqliteJournal


async def open_store(settings: Settings, *, create: bool = False) -> Store:
    """The store that the settings name.

    Raises:
        StoreMissing: there is none, and ``create`` is false.
        StoreError: it cannot be used.
    """
    address = settings.store
    # Each kind of store is loaded when it is used: the driver of one need not be installed for the other.
    if isinstance(address, EmbeddedAddress):
        from citefidelity.stores.sqlite import open_sqlite  # noqa: PLC0415 - as above

        return await open_sqlite(address.path, create=create, clock=SystemClock())
    _require_driver()
    from citefidelity.stores.neo4j import open_neo4j  # noqa: PLC0415 - as above

    return await open_neo4j(
        address,
        username=settings.neo4j_username,
        password=settings.neo4j_password,
        names=settings.graph,
        clock=SystemClock(),
    )


async def inspect_graph(settings: Settings) -> GraphFacts | None:
    """What a look at the graph of these settings finds, before anything is made there; None of an embedded store.

    Raises:
        UsageError: the driver is not installed.
        StoreError: the server does not answer, or refuses this user.
    """
    if isinstance(settings.store, EmbeddedAddress):
        return None
    _require_driver()
    from citefidelity.stores.neo4j import inspect_neo4j  # noqa: PLC0415 - as in open_store

    return await inspect_neo4j(
        settings.store, username=settings.neo4j_username, password=settings.neo4j_password, names=settings.graph
    )


def _require_driver() -> None:
    if importlib.util.find_spec("neo4j") is None:
        raise UsageError(
            "The driver for Neo4j is not installed. Nothing was read or written.",
            "pip install 'citefidelity[neo4j]'",
            kind="no_neo4j_driver",
        )


async def journal_path(settings: Settings, store: Store) -> Path:
    """Where the journal of this store and part lies."""
    if settings.journal is not None:
        return settings.journal
    if isinstance(settings.store, EmbeddedAddress):
        return journal_beside(settings.store, settings.partition)
    return journal_in_state(await store.store_id(), settings.partition)


async def run(  # noqa: PLR0913 - each is one more thing that some caller leaves out
    settings: Settings,
    *,
    on_start: Callable[[Started], None] = lambda _: None,
    on_metrics: Callable[[str], None] = lambda _: None,
    observers: list[Observer] | None = None,
    handle_signals: bool = False,
    clock: Clock | None = None,
) -> RunReport:
    """Ask, journal, deliver; safe to repeat.

    Args:
        settings: what to do, and where.
        on_start: told what was found, before the first call.
        on_metrics: told where metrics are served, where they are.
        observers: views of the run.
        handle_signals: whether SIGINT and SIGTERM stop the run gently.
        clock: time; the real one unless told.

    Raises:
        UsageError: a setting or the spec is wrong. Nothing was asked.
        StoreError: the store or the journal cannot be used. Nothing was asked.
    """
    clock = clock or SystemClock()
    make_room_for_connections(settings.concurrency)
    async with AsyncExitStack() as stack:
        interrupts = await stack.enter_async_context(interrupts_handled(wanted=handle_signals))
        served = await stack.enter_async_context(metrics_served(settings.metrics, version("citefidelity"), on_metrics))
        hands, found, asking = await _prepared(settings, clock, stack)
        screening = Screening(hands, asking)
        await screening.begin()
        return await _work(
            screening,
            hands,
            settings,
            found,
            interrupts=interrupts,
            on_start=on_start,
            observers=[*served, *(observers or [])],
        )


async def _prepared(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[Hands, Found, Asking]:
    """Open the store, agree on the spec, lock the journal, take the claim, find the model; ``stack`` lets go of all."""
    store = await open_store(settings)
    stack.push_async_callback(store.close)
    path = await journal_path(settings, store)
    if settings.journal is None:
        # The user's state directory is made on first use; a directory that somebody named has to be there.
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
    spec, is_new = await settled_spec(settings, store, path)
    holder = Holder(
        host=platform.node(), pid=os.getpid(), command="citefidelity run", run=run_id(clock), at=clock.wall()
    )
    heard = await stack.enter_async_context(calls_told(settings.otel, spec, holder.run, version("citefidelity")))
    journal = await stack.enter_async_context(
        await open_journal(path, store_id=await store.store_id(), holder=holder, clock=clock)
    )
    # The journal's lock is ours: a claim that names the same journal is a dead run's, and is taken over at once.
    owner = msgspec.structs.replace(holder, journal_id=journal.journal_id)
    claim = await store.claim(settings.screening, settings.partition, owner)
    stack.push_async_callback(claim.release)
    spent = await journal.look(lambda view: view.totals(settings.screening))
    model, asking = await stack.enter_async_context(model_for(settings, spec, spent, clock.wall()))
    hands = Hands(
        name=settings.screening,
        spec=spec,
        store=store,
        journal=heard(journal),
        path=journal.path,
        model=model,
        claim=claim,
        clock=clock,
        random=Random(),  # noqa: S311 - spreads waits, guards nothing
        holder=holder,
        program=program(),
        gauges=lambda: _gauges(store, journal),
    )
    waiting = await _has_waiting(store, journal, settings.screening)
    behind = await journal.look(lambda view: view.behind(settings.screening))
    return hands, Found(spent, waiting, behind, is_new, journal), asking


def _gauges(store: Store, journal: SqliteJournal) -> Gauges:
    pool = store.pool() if isinstance(store, Pooled) else None
    return Gauges(
        journal_backlog=journal.backlog,
        journal_commit=journal.commits.spread(),
        disk_free_bytes=journal.free_bytes,
        pool_in_use=pool.in_use if pool else None,
        pool_size=pool.size if pool else None,
        memory_bytes=memory_bytes(),
    )


async def _work(  # noqa: PLR0913 - the second half of one function
    screening: Screening,
    hands: Hands,
    settings: Settings,
    found: Found,
    *,
    interrupts: Interrupts,
    on_start: Callable[[Started], None],
    observers: list[Observer],
) -> RunReport:
    name = hands.name
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(screening.count())
        await asyncio.wait([counting], timeout=HEAD_START_S)
        counted = counting.result() if counting.done() else None
        if not isinstance(counted, StoreError):
            started = _started(hands, settings, found, counted)
            on_start(started)
            interrupts.first = lambda: screening.engine.stop("interrupted")
            if interrupts.count:
                screening.engine.stop("interrupted")
            watching = [StatusFile(found.journal.path, SystemClock()), *observers]
            numbers = await screening.work(started, watching, found.behind)
        counting.cancel()
    if isinstance(counted, StoreError):
        raise counted
    try:
        after, undelivered = await found.journal.look(lambda view: (view.totals(name), view.undelivered(name)))
    except StoreError:
        # The journal is what failed. All that left in this run may have been paid: rather too many than too few.
        undelivered, before = True, found.totals
        after = msgspec.structs.replace(before, maybe_paid=before.maybe_paid + numbers.calls, cost_usd=None)
    await screening.end(undelivered=undelivered)
    return await screening.report(numbers, after.maybe_paid, after.cost_usd, after.unpriced)


def _started(hands: Hands, settings: Settings, found: Found, counts: StoreCounts | None) -> Started:
    return Started(
        run_id=hands.holder.run,
        screening=hands.name,
        new_screening=found.is_new,
        store=str(settings.store),
        journal=str(found.journal.path),
        provider=hands.spec.provider,
        model=hands.spec.model,
        to_do=counts.to_do if counts else None,
        done_elsewhere=counts.done_elsewhere if counts else None,
        maybe_paid=found.totals.maybe_paid,
        waiting=found.waiting,
        concurrency=settings.concurrency,
    )


async def _has_waiting(store: Store, journal: SqliteJournal, screening: str) -> bool:
    """Whether outcomes of earlier runs wait for the store; a journal that was left finished need not be searched."""
    mine = [row for row in await store.journals(screening) if row.journal_id == journal.journal_id]
    if mine and mine[0].finished:
        return False
    return await journal.look(lambda view: view.undelivered(screening))


async def settled_spec(settings: Settings, store: Store, journal: Path) -> tuple[Spec, bool]:
    """The spec of this run and whether it begins the screening; refuses a journal that is not the right one.

    A store restored from a backup may have forgotten a screening that its journal still knows: then the journal's
    spec stands.

    Raises:
        UsageError: the flags differ from the screening's spec, or no model is named.
        StoreError: another journal of this screening is not finished.
    """
    rows = {row.name: row.spec for row in await store.screenings(counted=False)}
    journal_id = None
    if journal.exists():  # noqa: ASYNC240 - one look, before anything runs
        with JournalReader(journal) as reader:
            journal_id = reader.header.journal_id
            rows = {row.name: row.spec for row in reader.screenings()} | rows
    standing = rows.get(settings.screening)
    flags = SpecPart(provider=settings.provider, base_url=_named_base_url(settings, standing), model=settings.model)
    file = load_spec(settings.spec) if settings.spec else None
    spec = agree_on_spec(settings.screening, Spec.from_json(standing) if standing else None, file, flags)
    known = await store.journals(settings.screening)
    check_journal(list(known), journal_id, settings.partition, new_journal=settings.new_journal)
    return spec, standing is None


def _named_base_url(settings: Settings, standing: str | None) -> str | None:
    provider = settings.provider or (Spec.from_json(standing).provider if standing else "openai")
    return settings.base_url_for(provider)


def run_id(clock: Clock) -> str:
    """A name for a run that sorts by time and that no other run has."""
    return f"{datetime.fromtimestamp(clock.wall(), UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
