"""Where things are: the store by its URL, the journal beside it, and whether a host is this machine."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from citefidelity.records import WHOLE, Partition

EMBEDDED = "sqlite:///"
NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
DATABASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
KNOWN = "sqlite:///FILE, neo4j://HOST:PORT[/DATABASE] or bolt://HOST:PORT[/DATABASE] (also +s and +ssc)"


class EmbeddedAddress(msgspec.Struct, frozen=True):
    """A store in one SQLite file."""

    path: Path

    def __str__(self) -> str:
        """``sqlite:///FILE``, or ``sqlite:////FILE`` for an absolute path."""
        return f"{EMBEDDED}{self.path}"


class Neo4jAddress(msgspec.Struct, frozen=True):
    """A Neo4j server. ``uri`` is the scheme, host and port, as its driver takes it."""

    uri: str
    database: str | None = None

    def __str__(self) -> str:
        """The URI, and the database where one is named. Never a user or password."""
        return f"{self.uri}/{self.database}" if self.database else self.uri


StoreAddress = EmbeddedAddress | Neo4jAddress


def parse_store(raw: object) -> StoreAddress:
    """A store from its URL.

    Raises:
        ValueError: it is no URL of a known kind; says what it must be.
    """
    url = raw.strip() if isinstance(raw, str) and raw.isprintable() else ""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _embedded(rest)
    if separator and scheme in NEO4J_SCHEMES:
        return _neo4j(url)
    if url and not separator:
        raise ValueError(f"must be {KNOWN}; for a file, write {EMBEDDED}{url}")
    raise ValueError(f"must be {KNOWN}")


def _embedded(rest: str) -> EmbeddedAddress:
    if not rest.startswith("/"):
        raise ValueError(f"needs three slashes before a file name ({EMBEDDED}FILE), four for an absolute path")
    name = rest[1:]
    if not name or name.endswith("/"):
        raise ValueError(f"must name a file: {EMBEDDED}FILE")
    if name == ":memory:":
        raise ValueError("must name a file: a store in memory would be gone when the command ends")
    return EmbeddedAddress(Path(name).expanduser() if name.startswith("~/") else Path(name))


def _neo4j(url: str) -> Neo4jAddress:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: set NEO4J_USERNAME and NEO4J_PASSWORD")
    if not host or port == 0 or not host.isprintable() or " " in host:
        raise ValueError("must name a host and a port from 1 to 65535: neo4j://HOST:PORT[/DATABASE]")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query: neo4j://HOST:PORT[/DATABASE]")
    database = parts.path.removeprefix("/")
    if database and not DATABASE.fullmatch(database):
        raise ValueError("names a database that cannot exist: letters, digits, '.', '-' and '_', at most 63")
    place = f"[{host}]" if ":" in host else host
    return Neo4jAddress(f"{parts.scheme}://{place}{f':{port}' if port else ''}", database or None)


def journal_beside(store: EmbeddedAddress, partition: Partition = WHOLE) -> Path:
    """Where the journal of an embedded store lies unless told: ``FILE.journal``, or ``FILE.journal.2of4``."""
    return store.path.with_name(_with_part(f"{store.path.name}.journal", partition))


def journal_in_state(store_id: str, partition: Partition = WHOLE) -> Path:
    """Where the journal of a store elsewhere lies unless told: in the user's state directory, by the store's id."""
    from platformdirs import user_state_path  # noqa: PLC0415 - slow to import, and seldom needed

    return user_state_path("citefidelity") / _with_part(f"{store_id}.journal", partition)


def is_this_machine(host: str) -> bool:
    """Whether a host name means this machine, seen from itself."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or bool(mapped and mapped.is_loopback)


def _with_part(name: str, partition: Partition) -> str:
    return name if partition == WHOLE else f"{name}.{partition.part}of{partition.of}"
