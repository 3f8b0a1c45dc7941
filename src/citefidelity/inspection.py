"""What a look at a store finds that changes nothing there: for ``doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from citefidelity.ports import Holder
from citefidelity.records import Partition


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that stands now. ``screening`` None is the whole store."""

    screening: str | None
    partition: Partition
    holder: Holder


@runtime_checkable
class ShowsClaims(Protocol):
    """A store that can tell who works on it."""

    async def claims(self) -> Sequence[Standing]:
        """The claims that stand now; takes none."""


class GraphFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's server, seen before anything is made there.

    ``missing`` are the statements that make what is not there of indexes. ``begun``: the graph knows this program.
    ``refusal`` is why nothing can be written, None where a write that was taken back went through, and ``tried`` is
    false where there was nothing to try it on. ``threads``: connections that the server serves at once, None where this
    user may not know. ``pool``: connections of ours.
    """

    version: str
    edition: str
    missing: list[str]
    begun: bool
    tried: bool
    refusal: str | None
    hint: str
    threads: int | None
    pool: int
