"""What a checkup makes of a store: its server, who works on it, and what stands in it to do. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from citefidelity.claiming import excludes
from citefidelity.doctor import Check, failure, ok, warning
from citefidelity.inspection import GraphFacts, Standing
from citefidelity.ports import StoreCounts
from citefidelity.records import WHOLE, Partition
from citefidelity.views.amounts import duration

TESTED = (5, 26)
"""The oldest Neo4j that the tests run on; later ones are numbered by the year."""

AT_ONCE = 3
"""Connections that a run uses at once: one that reads, one that delivers, one that keeps the claim."""

WAL_RESET_BUG = "SQLite before 3.51.3 can damage a file when two connections meet at the end of its log"


class Looked(msgspec.Struct, kw_only=True):
    """What was found in citations to do, as far as there was time. ``all``: none was left out.

    ``damaged`` are citations that ``repair`` would name.
    """

    citations: int = 0
    contexts: int = 0
    without_evidence: int = 0
    unusable: dict[str, int] = {}
    damaged: int = 0
    all: bool = True


def check_versions(python: str, sqlite: str) -> Check:
    """Whether SQLite has the fault that loses what was committed."""
    message = f"Python {python}, SQLite {sqlite}"
    version = tuple(int(part) for part in sqlite.split(".")[:3])
    if version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45):
        return ok("versions", "machine", message)
    return failure("versions", "machine", f"{message}: {WAL_RESET_BUG}", "pip install --upgrade apsw")


def check_graph(facts: GraphFacts) -> list[Check]:
    """Version, rights, indexes and connections of a graph's server."""
    return [_server(facts), _rights(facts), _indexes(facts), _pool(facts)]


def _server(facts: GraphFacts) -> Check:
    message = f"Neo4j {facts.version}, {facts.edition}"
    try:
        version = tuple(int(part) for part in facts.version.split(".")[:2])
    except ValueError:
        return warning("neo4j", "store", f"{message}: this version is not known", "Tests run on 5.26 and the newest.")
    if version >= TESTED:
        return ok("neo4j", "store", message)
    hint = "Upgrade the server to 5.26 or later: older ones are not tested, and lack words that the queries use."
    return failure("neo4j", "store", f"{message} is older than 5.26", hint)


def _rights(facts: GraphFacts) -> Check:
    if facts.refusal is not None:
        return failure("rights", "store", facts.refusal, facts.hint)
    if not facts.tried:
        message = "no citation is there to try on whether this user may write"
        return ok("rights", "store", message)
    return ok("rights", "store", "this user can write to a citation and make a node; tried, and taken back")


def _indexes(facts: GraphFacts) -> Check:
    if not facts.missing:
        return ok("indexes", "store", "all there")
    message = f"{len(facts.missing)} indexes or constraints are missing"
    statements = "; ".join(facts.missing)
    hint = f"The first command that works on the graph makes them; where this user may not, ask for: {statements};"
    return warning("indexes", "store", message, hint)


def _pool(facts: GraphFacts) -> Check:
    uses = f"a run uses {AT_ONCE} at once, and may keep {facts.pool}"
    if facts.threads is None:
        return ok("connections", "store", f"{uses}; how many the server serves is not for this user to know")
    message = f"the server serves {facts.threads} at once; {uses}"
    if facts.threads >= AT_ONCE:
        return ok("connections", "store", message)
    hint = "Raise server.bolt.thread_pool_max_size in neo4j.conf."
    return warning("connections", "store", message, hint)


def check_claims(standing: Sequence[Standing], screening: str, partition: Partition, now: float) -> Check:
    """Who works on the store, and whether a run would be refused for it."""
    if not standing:
        return ok("claims", "store", "nobody works on the store")
    named = "; ".join(_named(one, now) for one in standing)
    if any(excludes((screening, partition), (one.screening, one.partition)) for one in standing):
        hint = "A run would be refused until that has ended; several share a store with --partition I/N."
        return warning("claims", "store", named, hint)
    return ok("claims", "store", f"{named}, beside which this run may work")


def _named(one: Standing, now: float) -> str:
    holder = one.holder
    what = "the whole store" if one.screening is None else f"screening {one.screening}"
    part = "" if one.partition == WHOLE else f", part {one.partition}"
    age = duration(max(0.0, now - holder.at))
    return f"`{holder.command}` on {holder.host} (pid {holder.pid}) works on {what}{part} for {age}"


def check_content(counts: StoreCounts, looked: Looked) -> list[Check]:
    """Contexts that cannot be judged, citations that cannot be worked on, and what other programs have done."""
    seen = "" if looked.all else f" of the first {looked.citations:,} citations to do, all that there was time for"
    checks = [_evidence(looked, seen), _records(looked, seen)]
    if not counts.done_elsewhere:
        return [*checks, ok("done elsewhere", "store", "no citation is marked by another program")]
    message = f"{counts.done_elsewhere:,} citations are marked as classified by another program"
    checks.append(
        warning("done elsewhere", "store", message, "A run leaves them alone; --include-classified takes them.")
    )
    if looked.damaged:
        found = f"{looked.damaged:,} of these are damaged{'' if looked.all else ', of those that there was time for'}"
        checks.append(warning("damage", "store", found, "citefidelity repair names each; --apply mends what can be."))
    return checks


def _evidence(looked: Looked, seen: str) -> Check:
    if not looked.without_evidence:
        return ok("evidence", "store", f"there is evidence for each of {looked.contexts:,} contexts{seen or ' to do'}")
    message = f"{looked.without_evidence:,} of {looked.contexts:,} contexts{seen or ' to do'} have no evidence"
    hint = "They end as unassessable, at no cost; import evidence for them first, or leave it at that."
    return warning("evidence", "store", message, hint)


def _records(looked: Looked, seen: str) -> Check:
    if not looked.unusable:
        return ok("records", "store", f"all can be read{seen}")
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in sorted(looked.unusable.items()))
    message = f"citations that cannot be worked on{seen}: {kinds}"
    hint = "A run passes them over. edge_doubled: leave one edge of each key; unreadable_record: mend its contexts."
    return warning("records", "store", message, hint)
