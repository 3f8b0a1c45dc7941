"""The key, through every fault that is known: what a server does with it, nobody gets to see it here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from citefidelity.journal import JournalReader
from citefidelity.testing.faults import ACTS
from support.cli import call_cli, provider
from support.makers import make_line

CANARY = "sk-canary-Qz81/wX7+Lm02_pR.44-ytHHaa"
STOPPING = (
    "key_rejected", "no_balance", "forbidden", "unknown_model", "model_not_exist", "wrong_path", "no_quota",
    "spend_limit", "parameter_refused", "redirect", "redirect_away", "echo_key_refused", "echo_key_redirect",
)  # fmt: skip
SLOW = ("silence", "silence_middle")
WAITING = ("rate_limited", "rate_limited_seconds", "rate_limited_ms", "rate_limited_date", "overloaded_seconds")
REST = [name for name in ACTS if name not in {*STOPPING, *SLOW, *WAITING, "refused_connection", "gzip_bomb"}]
GROUPS = [*([name] for name in STOPPING), [*REST, *SLOW, *WAITING]]


@pytest.fixture(params=GROUPS, ids=lambda group: group[0] if len(group) == 1 else "all_others")
def scripted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A provider that wants the canary and does each of some things to one prompt, and how many they are."""
    monkeypatch.setenv("WANTED", CANARY)
    group: list[str] = request.param
    rules = [word for number, act in enumerate(group, 1) for word in ("--fault", f"{act}@{number}")]
    with provider("--api-key-env", "WANTED", *rules) as url:
        yield url, len(group)


@pytest.mark.guarantee("G9")
def test_the_key_is_nowhere(scripted: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in what the program says at its most talkative, not in its files, not in a body that the journal keeps."""
    url, prompts = scripted
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_bytes(b"".join(make_line(number) for number in range(prompts + 3)))
    assert call_cli(["import", "in.jsonl"], cwd=tmp_path).code == 0
    run = ["run", "--base-url", url, "--model", "m", "-vv", "--timeout", "2s", "--max-attempts", "1", "--json"]
    ran = call_cli(run, cwd=tmp_path, env={"OPENAI_API_KEY": CANARY})
    shown = call_cli(["show", "citing-1", "cited-1"], cwd=tmp_path)
    assert ran.json()["calls"] >= 1
    for text in (*ran, *shown):
        assert CANARY not in str(text)
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert CANARY.encode() not in path.read_bytes(), path
    with JournalReader(tmp_path / "citefidelity.db.journal") as journal:
        attempts = list(journal.attempts("main"))
    assert len(attempts) >= 1
    assert CANARY not in repr(attempts)
