"""From words to arguments, options and settings."""

from __future__ import annotations

from typing import Any

import pytest

from citefidelity.cli.catalogue import NAMES, find
from citefidelity.cli.parsing import parse, setting_names
from citefidelity.config.settings import SETTINGS
from citefidelity.errors import UsageError


@pytest.mark.parametrize(
    ("command", "words", "given", "flags"),
    [
        ("show", ["a", "b"], {"source": "a", "target": "b", "reference": None, "instance": None}, {}),
        ("show", ["a", "--json", "b", "-v", "c", "1"], {"reference": "c", "instance": "1", "json": True}, {}),
        ("show", ["--", "-a", "--json"], {"source": "-a", "target": "--json", "json": False}, {}),
        ("show", ["a", "b", ""], {"reference": ""}, {}),
        ("import", ["a.jsonl", "-", "--store", "sqlite:///x"], {"file": ["a.jsonl", "-"]}, {"store": "sqlite:///x"}),
        ("import", ["a", "--map", "x=y", "--map=z=w"], {"map": ["x=y", "z=w"]}, {}),
        ("run", ["--concurrency=5", "--max-cost", "2"], {}, {"concurrency": "5", "max_cost": "2"}),
        ("run", ["--yes", "--new-journal"], {}, {"yes": True, "new_journal": True}),
        ("run", ["--concurrency", "1", "--concurrency", "2"], {}, {"concurrency": "2"}),
        ("run", [], {"verbose": 0, "quiet": False}, {}),
        ("run", ["-vv", "-q"], {"verbose": 2, "quiet": True}, {}),
        ("export", ["-o", "x.csv", "--raw"], {"output": "x.csv", "raw": True, "format": None}, {}),
        ("export", ["-ox.csv"], {"output": "x.csv"}, {}),
        ("verify", ["--journal", "a", "--journal", "b"], {"journals": ["a", "b"]}, {}),
        ("spec", [], {"file": None}, {}),
    ],
)
def test_what_is_given(command: str, words: list[str], given: dict[str, Any], flags: dict[str, object]) -> None:
    """Options and arguments may be mixed, and a flag that is not given is not there."""
    parsed = parse(find(command), words)
    assert {name: parsed.given[name] for name in given} == given
    assert parsed.flags == flags


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("show", ["a"], "TARGET is missing"),
        ("show", ["a", "b", "c", "d", "e"], "'e' is one word too many"),
        ("import", [], "FILE is missing"),
        ("run", ["x"], "'x' is one word too many"),
        ("run", ["--conurrency", "5"], "no option --conurrency. Did you mean --concurrency?"),
        ("web", ["--port", "80"], "no option --port. Did you mean --web-address?"),
        ("run", ["--workers", "80"], "no option --workers. Did you mean --concurrency?"),
        ("spec", ["--port", "80"], "no option --port"),
        ("run", ["--max-cost"], "--max-cost: expected one argument"),
        ("run", ["--conc", "5"], "no option --conc"),
        ("run", ["--yes=no"], "--yes"),
        ("export", ["--format", "xml"], "invalid choice: 'xml'"),
        ("run", ["--xyzzy"], "citefidelity run --help"),
    ],
)
def test_what_is_refused(command: str, words: list[str], said: str) -> None:
    """Wrong words are one message that names them and says what to do."""
    with pytest.raises(UsageError) as refusal:
        parse(find(command), words)
    assert said in f"{refusal.value.message} {refusal.value.hint}"


def test_what_follows_an_unknown_option_is_not_repeated() -> None:
    """Somebody who tries to pass a key as an argument does not find it in the log (G9)."""
    for words in (["--api-key", "hunter2"], ["--api-key=hunter2"]):
        with pytest.raises(UsageError) as refusal:
            parse(find("run"), words)
        assert "hunter2" not in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize("command", NAMES)
def test_help_needs_nothing_else(command: str) -> None:
    """--help is answered even where arguments are missing."""
    assert parse(find(command), ["--help"]).given["help"]


def test_run_takes_every_setting_that_has_a_flag() -> None:
    """No setting of the table is forgotten: all are flags of run, but those for the environment."""
    flags = {setting.name for setting in SETTINGS if not setting.variable and not setting.secret}
    assert set(setting_names(find("run"))) == flags
    assert set(setting_names(find("config"))) == flags
