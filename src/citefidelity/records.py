"""What flows through the program: citations, their contexts, and how each context ended.

Plain immutable values without behaviour that touches the outside. The words are those of
``docs/glossary.md``.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec

KEY_DIGEST_BYTES = 16

State = Literal["verdict", "unassessable", "failed"]


class CitationKey(NamedTuple):
    """The three strings that name one citation; two citations may join the same pair of articles."""

    source_id: str
    target_id: str
    reference_id: str

    def digest(self) -> bytes:
        """16 bytes that stand for the key: blake2b over its length-prefixed UTF-8 parts.

        The length prefix keeps ("ab", "c") and ("a", "bc") apart.
        """
        digest = blake2b(digest_size=KEY_DIGEST_BYTES)
        for part in self:
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big"))
            digest.update(encoded)
        return digest.digest()

    def __str__(self) -> str:
        """``source -> target [reference]``, for messages."""
        reference = f" [{self.reference_id}]" if self.reference_id else ""
        return f"{self.source_id} -> {self.target_id}{reference}"


class Partition(NamedTuple):
    """Part ``part`` (from 1) of ``of`` equal parts of all citations, by the hash of their key."""

    part: int
    of: int

    def holds(self, key: CitationKey) -> bool:
        """Whether this part is the one that works on ``key``."""
        return self.holds_digest(key.digest())

    def holds_digest(self, digest: bytes) -> bool:
        """The same for a key's digest."""
        return int.from_bytes(digest, "big") % self.of == self.part - 1

    def overlaps(self, other: Partition) -> bool:
        """Whether one citation may fall into both; parts of different divisions always may."""
        return self.of != other.of or self.part == other.part

    def __str__(self) -> str:
        """``I/N``, as given on the command line."""
        return f"{self.part}/{self.of}"


WHOLE = Partition(1, 1)


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A passage of the cited article, offered as evidence."""

    text: str
    section: str | None = None
    similarity_score: float | None = None


class Context(msgspec.Struct, frozen=True, gc=False):
    """One place where the citing text uses the citation: the unit of model work.

    ``instance_id`` is unique within its citation and held as a decimal string when it is an integer.
    """

    instance_id: str
    context_text: str
    section: str | None = None
    citation_sentence: str | None = None
    evidence_segments: tuple[Segment, ...] = ()


class Citation(msgspec.Struct, frozen=True, gc=False):
    """One citation as the engine sees it: what a prompt may show, and nothing else."""

    key: CitationKey
    contexts: tuple[Context, ...]
    source_title: str | None = None
    target_title: str | None = None


class Unusable(msgspec.Struct, frozen=True, gc=False):
    """A citation that the store has to do but that cannot be worked on, with the kind of the fault."""

    key: CitationKey
    kind: str
    message: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the model said of one context. ``confidence`` is from 0 to 1."""

    category: str
    citation_type: str
    confidence: float
    justification: str


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a context has no verdict. ``kind`` is one of the closed table in :mod:`citefidelity.kinds`.

    ``retryable`` means that the next run asks again by itself.
    """

    kind: str
    message: str
    retryable: bool = False


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens that one answer reports; None where the provider does not tell."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where an outcome comes from: the keys of ``answer`` in an exported record.

    Tokens and cost are sums over the attempts of the run that settled the context. ``answered_at`` is UTC in ISO 8601.
    ``spec`` is the fingerprint, ``input_hash`` hexadecimal.
    """

    screening: str
    spec: str
    provider: str
    model: str
    answering_model: str | None = None
    system_fingerprint: str | None = None
    finish_reason: str | None = None
    request_id: str | None = None
    attempts: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    answered_at: str
    input_hash: str
    program: str


class Outcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How one context ended: exactly one of verdict, unassessable (with its reason) and failed (with its kind).

    ``input_hash`` is hexadecimal, of what was judged. ``answer`` is None where no call was made.
    """

    instance_id: str
    input_hash: str
    state: State
    verdict: Verdict | None = None
    failure: Failure | None = None
    answer: Answer | None = None

    @property
    def usable(self) -> bool:
        """Whether it counts: all but a transient failure, which the next run asks again."""
        return self.failure is None or not self.failure.retryable


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Everything that one citation brings to the store: all outcomes, in the order of its contexts."""

    key: CitationKey
    outcomes: tuple[Outcome, ...]


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of one delivery: ``written``, ``found`` (the first stands), or ``undeliverable`` with its kind."""

    key: CitationKey
    result: Literal["written", "found", "undeliverable"]
    kind: str | None = None
    message: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One citation as a store keeps it, every field of the input byte for byte.

    ``fields`` is the JSON object of the citation without ``contexts``; ``contexts`` is the JSON array.
    """

    key: CitationKey
    qualified: bool
    context_count: int
    fields: bytes
    contexts: bytes


class StoredCitation(msgspec.Struct, frozen=True, gc=False):
    """One citation with what a screening has brought to it: for export, show, verify and retry.

    ``classified_at`` is None while this screening is not delivered. ``outcome_count`` is how many outcomes its delivery
    brought, None where the store does not keep that. ``unusable`` tells why it could not be worked on.
    """

    record: Record
    classified_at: str | None = None
    run: str | None = None
    outcomes: tuple[Outcome, ...] = ()
    outcome_count: int | None = None
    elsewhere: bool = False
    unusable: Unusable | None = None
