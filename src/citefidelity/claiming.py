"""Who may write to a store beside whom: the rule of claims, the same for every store."""

from __future__ import annotations

from citefidelity.errors import StoreHeld
from citefidelity.ports import Holder
from citefidelity.records import WHOLE, Partition


def excludes(mine: tuple[str | None, Partition], other: tuple[str | None, Partition]) -> bool:
    """Whether two claims (screening, part) cannot stand side by side.

    A claim on the whole store (screening None) suffers no other; two of one screening only as parts without overlap.
    """
    (my_screening, my_part), (other_screening, other_part) = mine, other
    if my_screening is None or other_screening is None:
        return True
    return my_screening == other_screening and my_part.overlaps(other_part)


def held(holder: Holder, screening: str | None, partition: Partition, now: float) -> StoreHeld:
    """The refusal that names who has the claim and for how long; ``now`` is wall time, as ``holder.at``."""
    what = "the whole store" if screening is None else f"screening '{screening}'"
    part = "" if partition == WHOLE else f", part {partition}"
    age = max(0, round(now - holder.at))
    return StoreHeld(
        f"`{holder.command}` on {holder.host} (pid {holder.pid}) has been working on {what}{part} for {age} s. "
        "Nothing was written.",
        "Wait until it has ended, or stop it with Ctrl-C there. "
        "Several runs of one screening can share a store when each takes its --partition I/N.",
    )
