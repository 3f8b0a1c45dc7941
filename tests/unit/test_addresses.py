"""Where things are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.config.addresses import (
    NEO4J_SCHEMES,
    EmbeddedAddress,
    Neo4jAddress,
    is_this_machine,
    journal_beside,
    journal_in_state,
    parse_store,
)
from citefidelity.records import Partition


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite:///a.db", EmbeddedAddress(Path("a.db"))),
        ("sqlite:////srv/a.db", EmbeddedAddress(Path("/srv/a.db"))),
        ("sqlite:///~/a.db", EmbeddedAddress(Path.home() / "a.db")),
        ("sqlite:///dir with space/a%20b?.db", EmbeddedAddress(Path("dir with space/a%20b?.db"))),
        ("neo4j://host:7687", Neo4jAddress("neo4j://host:7687")),
        ("neo4j+s://host/graph", Neo4jAddress("neo4j+s://host", "graph")),
        ("bolt+ssc://[::1]:7687/", Neo4jAddress("bolt+ssc://[::1]:7687")),
    ],
)
def test_good_store_urls(url: str, address: EmbeddedAddress | Neo4jAddress) -> None:
    """Each kind of URL names its store."""
    assert parse_store(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must be"),
        ("citations.db", "sqlite:///citations.db"),
        ("mysql://host/db", "must be"),
        ("sqlite://a.db", "three slashes"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///dir/", "must name a file"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///a\0b", "must be"),
        ("neo4j://", "a host"),
        ("neo4j://host:0", "a port"),
        ("neo4j://host:99999", "a port"),
        ("neo4j://ho st:1", "a host"),
        ("neo4j://me:secret@host", "NEO4J_PASSWORD"),
        ("bolt://host?x=y", "query"),
        ("bolt://host/a/b", "database"),
        (7, "must be"),
    ],
)
def test_bad_store_urls(url: object, words: str) -> None:
    """A URL that names no store is refused with words that help."""
    with pytest.raises(ValueError, match=words):
        parse_store(url)


def test_a_password_in_a_url_is_not_repeated() -> None:
    """The refusal of a URL with a password does not show the password."""
    with pytest.raises(ValueError, match="NEO4J_PASSWORD") as refusal:
        parse_store("neo4j://me:hunter2@host")
    assert "hunter2" not in str(refusal.value)


FILE_NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1).filter(
    lambda name: not name.endswith("/") and name != ":memory:" and not name.startswith("~/")
)


@given(FILE_NAMES)
def test_embedded_round_trip(name: str) -> None:
    """An embedded store's URL, shown and read back, is the same store, whatever the file is called."""
    try:
        address = parse_store(f"sqlite:///{name}")
    except ValueError:
        assert Path(name).name in {"", ".."}
        return
    assert parse_store(str(address)) == address


@given(
    st.sampled_from(NEO4J_SCHEMES),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.one_of(st.none(), st.integers(1, 65_535)),
    st.one_of(st.none(), st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}", fullmatch=True)),
)
def test_neo4j_round_trip(scheme: str, host: str, port: int | None, database: str | None) -> None:
    """A Neo4j URL, shown and read back, is the same server and database."""
    address = parse_store(f"{scheme}://{host}{f':{port}' if port else ''}/{database or ''}")
    assert address == Neo4jAddress(f"{scheme}://{host}{f':{port}' if port else ''}", database)
    assert parse_store(str(address)) == address


@given(st.text())
def test_no_text_breaks_the_parser(url: str) -> None:
    """Whatever is written after a scheme, it is an address or refused in words."""
    for scheme in ("", "sqlite:///", "neo4j://", "bolt+s://"):
        try:
            parse_store(f"{scheme}{url}")
        except ValueError as err:
            assert str(err).startswith(("must", "needs", "names"))  # noqa: PT017 - either way is right


def test_journals_lie_where_the_design_says() -> None:
    """Beside an embedded store, in the state directory for others, and one for each part."""
    store = EmbeddedAddress(Path("data/c.db"))
    assert journal_beside(store) == Path("data/c.db.journal")
    assert journal_beside(store, Partition(2, 4)) == Path("data/c.db.journal.2of4")
    elsewhere = journal_in_state("abc123", Partition(1, 2))
    assert elsewhere.name == "abc123.journal.1of2"
    assert elsewhere.parent.name == "citefidelity"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("api.localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("localhost.example.org", False),
        ("128.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - a host to judge, nothing is bound
        ("", False),
    ],
)
def test_this_machine(host: str, here: bool) -> None:
    """Loopback in all its spellings is this machine, and nothing else is."""
    assert is_this_machine(host) is here
