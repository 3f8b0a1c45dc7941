"""``verify`` does not cry wolf: whatever lawful things happen to a screening, it stays clean."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from citefidelity.errors import StoreError
from support.audits import Scene
from support.dice import dice
from support.makers import make_line

CITATIONS, STEPS = 6, 14
TEXTS = ("Aspirin lowers the risk [1].", "Aspirin raises the risk [1].", "Aspirin is cheap [1].")
FAULTS = (
    "server_error@share:0.3*2", "filtered@share:0.2*always", "plain_refusal@share:0.3", "reset@share:0.2",
    "plain_refusal@share:0.2*always", "length@share:0.2*always", "rate_limited_ms@hit:2", "no_usage@share:0.5",
    "key_rejected@hit:4", "odd_usage@share:0.5", "html@share:0.2",
)  # fmt: skip


class History:
    """A screening to which one thing after another happens.

    Args:
        directory: for its files.
        random: decides what.
    """

    def __init__(self, directory: Path, random: Random) -> None:
        self.scene = Scene(directory)
        self.random = random
        self.backup: Path | None = None
        self.steps: list[str] = []
        self.import_some()

    def context(self, name: int) -> dict[str, Any]:
        """A context with one of few texts, so that a text may come back; now and then without evidence."""
        context: dict[str, Any] = {"instance_id": name, "context_text": self.random.choice(TEXTS)}
        if self.random.random() < 0.8:
            context["evidence_segments"] = [{"text": self.random.choice(TEXTS), "similarity_score": 0.5}]
        return context

    def import_some(self) -> None:
        """New, changed and shortened citations."""
        for number in range(1, CITATIONS + 1):
            if self.random.random() < 0.7:
                names = range(1, self.random.randint(1, 3) + 1)
                self.scene.put(make_line(number, [self.context(name) for name in names]))

    def run(self) -> None:
        """A run under some faults, perhaps with a limit."""
        faults = self.random.sample(FAULTS, self.random.randint(0, 3))
        self.scene.run(
            *faults,
            concurrency=self.random.choice([1, 4]),
            max_attempts=self.random.choice([1, 2]),
            limit=self.random.choice([None, None, 2]),
        )

    def retry(self) -> None:
        """What failed, or what has no evidence."""
        self.scene.retry(*self.random.choice([(), ("no_evidence",), ("refused", "truncated")]))

    def retry_changed(self) -> None:
        """What was judged by another text."""
        self.scene.retry(changed=True)

    def back_up(self) -> None:
        """Copy the store away."""
        self.backup = self.scene.store.with_suffix(".backup")
        shutil.copy(self.scene.store, self.backup)

    def restore(self) -> None:
        """Bring the store back from its backup, if there is one."""
        if self.backup is not None:
            shutil.copy(self.backup, self.scene.store)

    def step(self) -> None:
        """One thing happens."""
        things = [self.import_some, self.run, self.run, self.run, self.retry, self.retry_changed, self.back_up]
        thing = self.random.choice([*things, self.restore])
        self.steps.append(thing.__name__)
        try:
            thing()
        except StoreError as err:
            # Before the first run there is no journal to try anything again with.
            assert err.kind == "journal_missing", self.steps  # noqa: PT017 - any other error fails


@pytest.mark.guarantee("G2", "G3", "G4")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_lawful_happens_stays_clean(tmp_path: Path, seed: int) -> None:
    """After imports, faulty runs, retries and restored backups in any order there is no violation."""
    history = History(tmp_path, dice(seed))
    for _ in range(STEPS):
        history.step()
        audit = history.scene.verify()
        assert audit.clean, (history.steps, audit.violations)
        assert audit.contexts == sum(msgspec.structs.astuple(audit.states))
