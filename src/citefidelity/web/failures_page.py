"""The page *Failures*: what went wrong, grouped by kind, with examples and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from nicegui import ui

from citefidelity.clock import SystemClock
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey
from citefidelity.reporting.meanings import MEANINGS
from citefidelity.views.amounts import percent
from citefidelity.views.failing import Example, Failing, FailureGroup, read_failing
from citefidelity.web.parts import Counts, arranged, box, copyable, heading, tell, text
from citefidelity.web.seldom import EVERY_S, Seldom
from citefidelity.web.site import FAILURES, Site, citation_url, results_url

NO_EVIDENCE = "Import the records anew with the missing passages. Then this has the next run ask them:"


def failures_page(site: Site) -> None:
    """Register the page."""
    found = Seldom(lambda: asyncio.to_thread(read_failing, site.journal, site.screening), SystemClock())

    @ui.page(FAILURES)
    def show() -> None:
        with site.frame("Failures"):
            place = box("div", "cards", id="failing")
            with place:
                said, numbers = text("p", "Counting ...", "muted wrap"), box("div", "cards")
        shown: list[_Failures] = []

        async def look() -> None:
            failing = await found.get()
            if isinstance(failing, str):
                tell(said.classes(replace="serious wrap"), failing)
                numbers.clear()
                shown.clear()
                return
            tell(said, "")
            if not shown:
                with numbers:
                    shown.append(_Failures(site))
            shown[0].show(failing)

        ui.timer(EVERY_S, look)


class _Failures:
    """What went wrong. It stays what it is while numbers grow: nobody loses the focus, a selection or a click."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._failed = text("p", "", id="failed")
        self._left = text("p", "", "muted")
        self._place = box("div", "cards")
        self._groups: dict[str, _Group] = {}
        heading("Attempts that went wrong, by kind")
        text("p", "Most are asked again at once and end well; they are no failures of a context.", "muted")
        self._faults = Counts(id="faults")
        heading("Not delivered")
        self._waiting = _Undelivered(site)

    def show(self, failing: Failing) -> None:
        """This in the place of what was shown."""
        failed = sum(group.contexts for group in failing.groups)
        self._failed.set_text(f"{failed:,} of {failing.settled:,} settled contexts ended without a verdict.")
        left = f"{failing.left:,} contexts failed for the moment only; the next run asks them again."
        tell(self._left, left if failing.left else "")
        kinds = [group.kind for group in failing.groups]
        make = partial(_Group, self._site)
        self._groups = arranged(self._place, self._groups, kinds, make, lambda group: group.card)
        for group in failing.groups:
            self._groups[group.kind].show(group, failing.settled)
        self._faults.show(failing.faults)
        self._waiting.show(failing.undelivered, more=failing.more_undelivered)


class _Group:
    """All contexts that ended in one way."""

    def __init__(self, site: Site, kind: str) -> None:
        with box("section", "card", data_kind=kind, aria_label=kind) as self.card:
            with box("div", "row"):
                text("h2", kind)
                self._contexts = ui.link("", results_url(failure=kind))
                self._share = text("span", "", "muted")
            _advise(site, kind)
            self._such_as = text("p", "Such as:", "muted")
            self._list = box("ul")
        self._examples: dict[Example, ui.element] = {}

    def show(self, group: FailureGroup, settled: int) -> None:
        """So many, with these examples."""
        self._contexts.set_text(f"{group.contexts:,} contexts")
        self._share.set_text(f"{percent(group.contexts / settled)} of all settled")
        self._such_as.set_visibility(bool(group.examples))
        self._examples = arranged(self._list, self._examples, group.examples, _example, lambda item: item)


def _example(example: Example) -> ui.element:
    with box("li", "wrap") as item:
        ui.link(f"{example.key}, context {example.instance_id}", citation_url(example.key, example.instance_id))
        text("span", f": {example.message}")
    return item


def _advise(site: Site, kind: str) -> None:
    """What this kind means, and how to ask again."""
    meaning = MEANINGS.get(kind, "a kind that this version does not know")
    text("p", f"{meaning[0].upper()}{meaning[1:]}.")
    if kind == FailureKind.NO_EVIDENCE:
        text("p", NO_EVIDENCE, "muted")
        copyable(site.command("retry --changed"), "Retry what has changed")
    else:
        text("p", "To have the next run ask them again:", "muted")
        copyable(site.command(f"retry --kind {kind}"), f"Retry {kind}")


class _Undelivered:
    """Citations with outcomes that are not in the store yet."""

    def __init__(self, site: Site) -> None:
        self._number = text("p", "", id="undelivered")
        self._what_to_do = box("div", "cards")
        with self._what_to_do:
            text(
                "p", "A run delivers them without a call. What then stays cannot be delivered; this says why:", "muted"
            )
            copyable(site.command("verify"), "Verify")
            self._list = box("ul")
        self._shown: dict[CitationKey, ui.element] = {}

    def show(self, keys: Sequence[CitationKey], *, more: bool) -> None:
        """These, the first of all where there are ``more``."""
        number = f"More than {len(keys):,}" if more else f"{len(keys):,}"
        some = f"{number} citations have outcomes in the journal that are not in the store yet."
        self._number.set_text(some if keys else "None: every outcome in the journal is in the store.")
        self._what_to_do.set_visibility(bool(keys))
        self._shown = arranged(self._list, self._shown, keys, _waiting, lambda item: item)


def _waiting(key: CitationKey) -> ui.element:
    with box("li", "wrap") as item:
        ui.link(str(key), citation_url(key))
    return item
