"""A screening whose runs are killed, and an account of it that trusts nothing but the provider's book and plain SQL."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import apsw
import msgspec
import zstandard

from citefidelity.specs.spec import builtin_spec
from citefidelity.testing.answers import Choices, prompt_hash, verdict_for
from support.cli import PROGRAM, clean_environ, run_cli
from support.makers import make_line

STORE = "citefidelity.db"
JOURNAL = "citefidelity.db.journal"

_SETTLED = "SELECT hex(input_hash) FROM settled WHERE usable"
_OPEN = "SELECT count(*) FROM asked WHERE attempt NOT IN (SELECT attempt FROM ended)"
_REPLIES = "SELECT count(*) FROM ended e JOIN reply r ON r.seq = e.seq WHERE r.zstd IS NOT NULL"
_TWICE = "SELECT citation, instance_id FROM settled WHERE usable GROUP BY 1, 2 HAVING count(*) > 1"
_PROMPTS = "SELECT hex(input_hash), zstd FROM prompt"
_OUTCOMES = """
SELECT c.source_id, o.instance_id, o.input_hash, o.state, o.category, o.citation_type, o.confidence, o.justification
FROM outcome o JOIN citation c ON c.id = o.citation_id JOIN delivered d USING (screening_id, citation_id)
"""
_HALF_DELIVERED = """
SELECT d.citation_id FROM delivered d JOIN citation c ON c.id = d.citation_id
WHERE c.context_count <> (SELECT count(*) FROM outcome o WHERE (o.screening_id, o.citation_id)
                                                             = (d.screening_id, d.citation_id))
"""


class Sql:
    """Plain questions to a file that nobody holds any more."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, question: str) -> list[tuple[Any, ...]]:
        """All rows."""
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(connection.execute(question))
        finally:
            connection.close()


class Account(NamedTuple):
    """What stood when a process died: the prompts acknowledged, and how often each had been asked by then."""

    acknowledged: frozenset[str]
    hits: Mapping[str, int]


class Place:
    """One store in a directory of its own, screened against one provider.

    Args:
        directory: where.
        url: of the provider.
        options: of every run.
    """

    def __init__(self, directory: Path, url: str, options: Sequence[str] = ()) -> None:
        self.directory = directory
        self.url = url
        self.options = [*options]
        self.store, self.journal = Sql(directory / STORE), Sql(directory / JOURNAL)
        self.deaths: list[Account] = []

    def fill(self, citations: int, contexts: int) -> None:
        """Import so many citations with so many contexts each."""
        lines = [make_line(number, contexts) for number in range(1, citations + 1)]
        (self.directory / "in.jsonl").write_bytes(b"".join(lines))
        done = run_cli(["import", "in.jsonl", "--json"], cwd=self.directory)
        assert done.json()["new"] == citations, done

    def fill_more(self, citations: int) -> None:
        """Import so many more, with one context each."""
        (have,) = self.store("SELECT count(*) FROM citation")[0]
        lines = [make_line(number) for number in range(have + 1, have + citations + 1)]
        done = run_cli(["import", "-", "--json"], cwd=self.directory, stdin=b"".join(lines).decode())
        assert done.json()["new"] == citations, done

    def replies(self) -> list[bytes]:
        """The raw replies that the journal holds."""
        unpack = zstandard.ZstdDecompressor().decompress
        packed = self.journal("SELECT zstd FROM reply WHERE zstd IS NOT NULL")
        return [unpack(row[0], 1 << 22) for row in packed]

    def command(self, *options: str) -> list[str]:
        """The run, as words."""
        return [*PROGRAM, "run", "--base-url", self.url, "--model", "m", "--json", *self.options, *options]

    @contextmanager
    def started(self, *options: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """A run that goes on meanwhile; killed at the end if it still lives."""
        with subprocess.Popen(
            self.command(*options),
            cwd=self.directory,
            env=clean_environ(self.directory, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def die(self, process: subprocess.Popen[str]) -> bool:
        """Kill it; False when it had come to its end before. Takes down what stood at that moment."""
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=30)
        if process.returncode == 0:
            return False
        assert process.returncode == -signal.SIGKILL, said
        if (self.directory / JOURNAL).exists():
            acknowledged = frozenset(row[0].lower() for row in self.journal(_SETTLED))
            self.deaths.append(Account(acknowledged, self.hits()))
        else:
            self.deaths.append(Account(frozenset(), {}))
        return True

    def finish(self, *options: str) -> dict[str, Any]:
        """Run to the end; the report."""
        done = subprocess.run(
            self.command(*options),
            cwd=self.directory,
            env=clean_environ(self.directory),
            capture_output=True,
            encoding="utf-8",
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done
        report: dict[str, Any] = msgspec.json.decode(done.stdout)
        return report

    def hits(self) -> dict[str, int]:
        """How often each prompt has reached the provider."""
        hits: dict[str, int] = self.stats()["hits"]
        return hits

    def stats(self) -> dict[str, Any]:
        """The provider's book."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request("GET", "/stats")
            book: dict[str, Any] = msgspec.json.decode(connection.getresponse().read())
            return book
        finally:
            connection.close()


def eventually(holds: Callable[[], object], process: subprocess.Popen[str] | None = None, within: float = 20.0) -> None:
    """Return as soon as it holds, or the process has ended."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        if process is not None and process.poll() is not None:
            return
        time.sleep(0.002)


def audit(place: Place, report: Mapping[str, Any], *, citations: int, contexts: int) -> None:
    """Hold a finished screening to the promise: nothing lost, nothing swapped, nothing asked that was known."""
    hits = place.hits()
    for death in place.deaths:
        asked_again = [prompt for prompt in death.acknowledged if hits[prompt] != death.hits[prompt]]
        assert not asked_again, "acknowledged answers were asked again"
    open_attempts, replies = place.journal(_OPEN)[0][0], place.journal(_REPLIES)[0][0]
    stats = place.stats()
    repeats = stats["received"] - citations * contexts
    assert repeats <= open_attempts, "more was repeated than was in flight"
    assert stats["billed_calls"] - replies <= report["maybe_paid"] == open_attempts
    assert stats["prompts"] == citations * contexts
    assert place.journal(_TWICE) == []
    assert (report["remaining"], report["stopped"]) == (0, "complete")
    audit_verdicts(place, citations=citations, contexts=contexts)
    verified = run_cli(["verify", "--json"], cwd=place.directory)
    assert verified.code == 0, verified


def audit_verdicts(place: Place, *, citations: int, contexts: int) -> None:
    """Each context of each citation stands in the store once, with the one answer to its own prompt."""
    assert place.store(_HALF_DELIVERED) == []
    assert place.store("SELECT count(*) FROM outcome") == place.store("SELECT sum(context_count) FROM citation")
    spec = builtin_spec()
    choices = Choices(tuple(spec.categories), tuple(spec.types))
    unpack = zstandard.ZstdDecompressor().decompress
    prompts = {digest.lower(): unpack(packed, 1 << 20).decode() for digest, packed in place.journal(_PROMPTS)}
    seen = Counter[tuple[str, str]]()
    for source, instance, digest, state, *verdict in place.store(_OUTCOMES):
        seen[source, instance] += 1
        assert state == "verdict"
        # The text of this context and of no other is what was asked, ...
        assert f"[{source.removeprefix('citing-')}.{instance}]" in prompts[digest]
        assert prompt_hash(prompts[digest]) == digest
        # ... and the answer is the one that belongs to it.
        right = verdict_for(digest, choices)
        assert verdict == [right.category, right.citation_type, right.confidence, right.justification]
    assert len(seen) == citations * contexts
    assert set(seen.values()) == {1}
