"""The page *Failures*: what went wrong, grouped by kind, with examples and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nicegui import ui

from citefidelity.clock import SystemClock
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey
from citefidelity.reporting.meanings import MEANINGS
from citefidelity.views.amounts import percent
from citefidelity.views.failing import Failing, FailureGroup, read_failing
from citefidelity.web.parts import Counts, box, copyable, heading, text
from citefidelity.web.seldom import EVERY_S, Seldom
from citefidelity.web.site import FAILURES, Site, citation_url, results_url

NO_EVIDENCE = "Import the records anew with the missing passages. Then this has the next run ask them:"


def failures_page(site: Site) -> None:
    """Register the page."""
    found = Seldom(lambda: asyncio.to_thread(read_failing, site.journal, site.screening), SystemClock())

    @ui.page(FAILURES)
    def show() -> None:
        with site.frame("Failures"):
            place = box("div", "cards", id="failing", aria_live="polite")
            with place:
                text("p", "Counting ...", "muted")
        shown: list[Failing | str] = []

        async def look() -> None:
            failing = await found.get()
            if [failing] == shown:
                return
            shown[:] = [failing]
            place.clear()
            with place:
                _show(site, failing)

        ui.timer(EVERY_S, look)


def _show(site: Site, failing: Failing | str) -> None:
    if isinstance(failing, str):
        text("p", failing, "serious wrap")
        return
    failed = sum(group.contexts for group in failing.groups)
    text("p", f"{failed:,} of {failing.settled:,} settled contexts ended without a verdict.", id="failed")
    if failing.left:
        text("p", f"{failing.left:,} contexts failed for the moment only; the next run asks them again.", "muted")
    for group in failing.groups:
        _group(site, group, failing.settled)
    heading("Attempts that went wrong, by kind")
    text("p", "Most are asked again at once and end well; they are no failures of a context.", "muted")
    Counts(id="faults").show(failing.faults)
    _undelivered(site, failing.undelivered, more=failing.more_undelivered)


def _group(site: Site, group: FailureGroup, settled: int) -> None:
    with box("section", "card", data_kind=group.kind, aria_label=group.kind):
        with box("div", "row"):
            text("h2", group.kind)
            ui.link(f"{group.contexts:,} contexts", results_url(failure=group.kind))
            text("span", f"{percent(group.contexts / settled)} of all settled", "muted")
        meaning = MEANINGS.get(group.kind, "a kind that this version does not know")
        text("p", f"{meaning[0].upper()}{meaning[1:]}.")
        if group.kind == FailureKind.NO_EVIDENCE:
            text("p", NO_EVIDENCE, "muted")
            copyable(site.command("retry --changed"), "Retry what has changed")
        else:
            text("p", "To have the next run ask them again:", "muted")
            copyable(site.command(f"retry --kind {group.kind}"), f"Retry {group.kind}")
        if group.examples:
            text("p", "Such as:", "muted")
        with box("ul"):
            for example in group.examples:
                with box("li", "wrap"):
                    ui.link(
                        f"{example.key}, context {example.instance_id}", citation_url(example.key, example.instance_id)
                    )
                    text("span", f": {example.message}")


def _undelivered(site: Site, keys: Sequence[CitationKey], *, more: bool) -> None:
    heading("Not delivered")
    if not keys:
        text("p", "None: every outcome in the journal is in the store.", "muted", id="undelivered")
        return
    number = f"More than {len(keys):,}" if more else f"{len(keys):,}"
    text("p", f"{number} citations have outcomes in the journal that are not in the store yet.", id="undelivered")
    text("p", "A run delivers them without a call. What then stays cannot be delivered; this says why:", "muted")
    copyable(site.command("verify"), "Verify")
    with box("ul"):
        for key in keys:
            with box("li", "wrap"):
                ui.link(str(key), citation_url(key))
