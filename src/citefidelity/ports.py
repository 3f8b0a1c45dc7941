"""What the core needs from outside, as small protocols.

The adapters in ``stores/``, ``models/`` and ``journal/`` fulfil them.

The engine sees :class:`Source`, :class:`Journal` and :class:`Model`; delivery sees :class:`Sink` and :class:`Journal`.
Each port has one contract suite in ``tests/contract`` that every implementation passes, the fakes included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from citefidelity.facts import ContextPast, Fact
from citefidelity.records import (
    WHOLE,
    Citation,
    CitationKey,
    Delivery,
    Partition,
    Receipt,
    Record,
    StoredCitation,
    Unusable,
    Usage,
)

Found = Citation | Unusable


class Clock(Protocol):
    """Time as an argument, so that tests own it. Seconds throughout."""

    def wall(self) -> float:
        """Seconds since the epoch, for records only: it may jump."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for every wait and deadline."""

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Waits that many seconds."""


class ToDo(msgspec.Struct, frozen=True, kw_only=True):
    """Which citations to yield: qualified, with contexts, not delivered in ``screening``, of this part.

    ``behind`` is a hint where to begin: those before it are probably done, and come last. Nothing is left out for it.
    """

    screening: str
    partition: Partition = WHOLE
    include_classified: bool = False
    behind: CitationKey | None = None


class Source(Protocol):
    """Yields what the store has to do. Inputs are read, never written."""

    def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Pages of citations in a stable order, each citation once, with no transaction held between pages.

        A store that finds what is to do without looking through what is done may pass over ``to_do.behind``.
        """


class Sink(Protocol):
    """Takes one citation's outcomes all together or not at all."""

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Write each citation that this screening has not reached yet; one receipt each, in order, once durable.

        ``at`` is stored as ``classified_at``. A citation that cannot be written says so in its receipt and harms no
        neighbour. Raises :class:`~citefidelity.errors.StoreUnavailable` when it is not known whether anything was
        written: the caller may simply deliver again.
        """


class Journal(Protocol):
    """The local, durable record of attempts and outcomes: facts, appended."""

    journal_id: str

    def number(self) -> int:
        """A fresh attempt number, larger than every earlier one."""

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append all of ``facts`` or none; returns once they are on disk.

        Raises :class:`~citefidelity.errors.JournalError` when they are not, and from then on always.
        """

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations' contexts in ``screening``; a key without any past may be absent."""


def _free_to_leave() -> str | None:
    return None


class Question(msgspec.Struct, frozen=True, gc=False):
    """One request to the model. ``fixed`` is identical in all calls of a screening and comes first.

    ``schema`` is the JSON schema of the answer's content, ``style`` how to ask the server to keep to it.
    ``held_back`` says why the request must not leave; a model that has to connect first looks at the last moment.
    """

    fixed: str
    variable: str
    schema: dict[str, object]
    max_output_tokens: int
    style: Literal["json_schema", "json_object", "none"] = "json_schema"
    held_back: Callable[[], str | None] = _free_to_leave


class RawReply(msgspec.Struct, frozen=True, gc=False):
    """A complete HTTP answer, of any status, before anyone looks into it. Header names are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]


class CallFault(Exception):
    """No complete answer came. ``kind`` is ``connection``, ``timeout`` or ``abandoned``; ``sent``: bytes had left.

    ``body`` holds what part of the reply had arrived, if any.
    """

    def __init__(self, kind: str, message: str, *, sent: bool, body: bytes | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.sent = sent
        self.body = body


class Model(Protocol):
    """Asks a model, once, and retries nothing."""

    async def ask(self, question: Question) -> RawReply:
        """The whole answer, whatever its status. Raises :class:`CallFault` where there is none.

        Has no deadline of its own for the reply: the engine cancels the call when its time is over.
        """


class Price(Protocol):
    """What a provider charges."""

    def cost(self, usage: Usage, at: float) -> float | None:
        """US dollars for one answer given at wall time ``at``; None where it cannot be told. Never raises."""


class ScreeningRow(msgspec.Struct, frozen=True, kw_only=True):
    """A screening as the store or the journal knows it. ``spec`` is JSON. Counts are of citations delivered."""

    name: str
    spec: str
    fingerprint: str
    created_at: str
    delivered: int = 0


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A journal that has worked on a screening of this store. ``finished``: all its settled outcomes are delivered."""

    journal_id: str
    host: str
    path: str
    partition: Partition = WHOLE
    finished: bool = False


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a claim, or asks for one. ``run`` is empty for a command that is no run."""

    host: str
    pid: int
    command: str
    run: str = ""
    journal_id: str = ""
    at: float = 0.0


class Claim(Protocol):
    """The right to write to a store: one at a time per screening and part."""

    def holds_until(self) -> float:
        """Monotonic time up to which the claim is surely ours; infinity for a lock of the operating system."""

    def losses(self) -> int:
        """How often it was lost to another owner, and had again: what was read before may be done by now."""

    async def release(self) -> None:
        """Give it back; safe to call twice."""


class Registry(Protocol):
    """What a store knows of screenings, journals and claims."""

    async def store_id(self) -> str:
        """The store's random id, made when the store was made."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings, oldest first.

        Without ``counted``, ``delivered`` may be 0: counting what a large graph holds takes long.
        """

    async def begin_screening(self, row: ScreeningRow) -> ScreeningRow:
        """Register it unless the name is there; the row that now stands, not counted."""

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on it."""

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Insert or update the row of this journal."""

    async def claim(self, screening: str | None, partition: Partition, holder: Holder) -> Claim:
        """Take the claim on a screening and part, or (None) on the whole store.

        Raises :class:`~citefidelity.errors.StoreHeld`, which names the owner's host and pid, while another has it.
        """


class StoreCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over one store for one screening. ``contexts`` are of qualified citations."""

    citations: int
    qualified: int
    contexts: int
    delivered: int
    to_do: int
    done_elsewhere: int
    verdict: int
    unassessable: int
    failed: int


class Put(msgspec.Struct, frozen=True, gc=False):
    """What an import did with one record: ``changed`` counts the contexts that are new or differ.

    ``delivered`` names the screenings that had judged it before the change.
    """

    key: CitationKey
    result: Literal["new", "unchanged", "changed", "duplicate"]
    changed: int = 0
    delivered: tuple[str, ...] = ()


class Shelf(Protocol):
    """Citations in and out of a store, whole: for import, export, show, verify, retry and copy."""

    async def put(self, records: Sequence[Record]) -> Sequence[Put]:
        """Insert or replace, in one transaction, on disk when it returns. Verdicts stay as they are."""

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations in a stable order, in pages, with this screening's outcomes."""

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles, or the one with this reference."""

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening off these citations and remove its outcomes, in one transaction; how many had it."""

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """Count; ``to_do`` and ``delivered`` within the part, everything else over the whole store."""


class PoolUse(msgspec.Struct, frozen=True):
    """Connections to a store: units of work that have one or wait for one, and how many there can be."""

    in_use: int
    size: int


@runtime_checkable
class Pooled(Protocol):
    """What a store offers, too, that has a pool of connections."""

    def pool(self) -> PoolUse:
        """How it is used at this moment."""


class Store(Source, Sink, Registry, Shelf, Protocol):
    """All that an adapter of an outside store offers; each consumer asks for its own part only."""

    async def close(self) -> None:
        """Let go of files and connections; safe to call twice."""
