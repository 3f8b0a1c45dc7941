"""What a checkup makes of a graph's server, of claims, and of what stands in a store to do."""

from __future__ import annotations

import msgspec
import pytest

from citefidelity.doctor import Checkup
from citefidelity.doctor_store import AT_ONCE, Looked, check_claims, check_content, check_graph, check_versions
from citefidelity.inspection import GraphFacts, Standing
from citefidelity.ports import StoreCounts
from citefidelity.records import WHOLE, Partition
from support.makers import make_holder

WELL = GraphFacts(
    version="5.26.30", edition="community", missing=[], begun=True, tried=True, refusal=None, hint="", threads=400,
    pool=8,
)  # fmt: skip
COUNTS = StoreCounts(
    citations=9, qualified=9, contexts=9, delivered=0, to_do=9, done_elsewhere=0, verdict=0, unassessable=0, failed=0
)  # fmt: skip


def results(**changes: object) -> dict[str, str]:
    """Each result by its name."""
    return {check.name: check.result for check in check_graph(msgspec.structs.replace(WELL, **changes))}


def test_a_graph_where_all_is_well() -> None:
    """Version, rights, indexes and connections are ok."""
    assert results() == dict.fromkeys(("neo4j", "rights", "indexes", "connections"), "ok")


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("5.26.30", "ok"),
        ("2026.08.1", "ok"),
        ("2025.01.0", "ok"),
        ("5.25.1", "failure"),
        ("4.4.40", "failure"),
        ("5.26-aura", "warning"),
        ("next", "warning"),
    ],
)
def test_the_version_of_the_server(version: str, result: str) -> None:
    """The long-term version and all later ones are ok; what nobody can read is said, and is no failure."""
    assert results(version=version)["neo4j"] == result


def test_what_an_administrator_has_to_be_asked_for() -> None:
    """Each missing index stands in the hint as the statement that makes it; what is refused, as the server said it."""
    (indexes,) = [
        one for one in check_graph(msgspec.structs.replace(WELL, missing=["A", "B"])) if one.name == "indexes"
    ]
    assert indexes.result == "warning"
    assert "A; B;" in indexes.hint
    (rights,) = [
        one
        for one in check_graph(msgspec.structs.replace(WELL, refusal="read-only", hint="make it writable"))
        if one.name == "rights"
    ]
    assert (rights.result, rights.message, rights.hint) == ("failure", "read-only", "make it writable")
    assert Checkup(checks=[rights]).exit_code == 5
    assert results(tried=False)["rights"] == "ok"


def test_connections_against_what_a_run_uses() -> None:
    """Fewer than a run uses at once is a warning; a server that does not tell is none."""
    assert results(threads=AT_ONCE)["connections"] == "ok"
    assert results(threads=AT_ONCE - 1)["connections"] == "warning"
    assert results(threads=None)["connections"] == "ok"


@pytest.mark.parametrize(
    ("sqlite", "result"),
    [
        ("3.51.3", "ok"),
        ("3.53.0", "ok"),
        ("3.50.7", "ok"),
        ("3.44.6", "ok"),
        ("3.51.2", "failure"),
        ("3.50.6", "failure"),
        ("3.44.5", "failure"),
        ("3.46.1", "failure"),
    ],
)
def test_a_version_of_sqlite_that_loses_data(sqlite: str, result: str) -> None:
    """The fault is mended in 3.51.3, and in two older lines."""
    check = check_versions("3.12.1", sqlite)
    assert check.result == result
    assert sqlite in check.message


def test_claims() -> None:
    """One that excludes a run is a warning, one beside which it may work is not; the owner is named in both."""
    standing = Standing(screening="main", partition=Partition(1, 2), holder=make_holder(at=90.0))
    refused = check_claims([standing], "main", WHOLE, 100.0)
    assert refused.result == "warning"
    assert "pid 4711" in refused.message
    assert "part 1/2 for 10 s" in refused.message
    assert check_claims([standing], "main", Partition(2, 2), 100.0).result == "ok"
    assert check_claims([standing], "other", WHOLE, 100.0).result == "ok"
    whole = msgspec.structs.replace(standing, screening=None)
    assert check_claims([standing, whole], "other", WHOLE, 100.0).result == "warning"
    assert check_claims([], "main", WHOLE, 100.0).result == "ok"


def test_what_is_to_do() -> None:
    """Contexts without evidence, records that cannot be worked on, other programs' marks and damage are warnings."""
    well = check_content(COUNTS, Looked(citations=9, contexts=20))
    assert {one.name: one.result for one in well} == dict.fromkeys(("evidence", "records", "done elsewhere"), "ok")
    looked = Looked(citations=9, contexts=20, without_evidence=3, unusable={"edge_doubled": 2}, damaged=4, all=False)
    found = {one.name: one for one in check_content(msgspec.structs.replace(COUNTS, done_elsewhere=5), looked)}
    assert {one.result for one in found.values()} == {"warning"}
    assert "3 of 20 contexts of the first 9 citations" in found["evidence"].message
    assert "edge_doubled 2" in found["records"].message
    assert "--include-classified" in found["done elsewhere"].hint
    assert "citefidelity repair" in found["damage"].hint
    assert all(one.hint for one in found.values())
