"""Bad input and bad surroundings, through the real program: one clear message, the right exit code, no stack trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support.cli import PROGRAM, Result, clean_environ, run_cli


def assert_clear(result: Result, code: int, kind: str, words: str) -> None:
    """The command failed as it should: with this code, and one JSON object that says this."""
    assert result.code == code, result
    error = result.error()
    assert error["kind"] == kind, error
    assert words in error["message"] + " " + error["hint"], error
    assert "Traceback" not in result.stdout + result.stderr


class Case(NamedTuple):
    """One way to go wrong, and what is said of it."""

    args: list[str]
    code: int
    kind: str
    words: str
    env: dict[str, str] = {}  # noqa: RUF012 - never changed
    file: str = ""


CASES = (
    Case(["wibble"], 2, "usage", "There is no command 'wibble'"),
    Case(["stauts"], 2, "usage", "Did you mean status?"),
    Case([], 2, "usage", "--json stands before the command"),
    Case(["--store", "sqlite:///x", "run"], 2, "usage", "every option stands after it"),
    Case(["run", "--wibble"], 2, "usage", "no option --wibble"),
    Case(["status", "--store", "mysql://h/d"], 2, "bad_setting", "sqlite:///FILE"),
    Case(["status", "--store", "c.db"], 2, "bad_setting", "sqlite:///c.db"),
    Case(["status", "--store", "neo4j"], 2, "bad_setting", "NEO4J_URI"),
    Case(["run", "--max-cost", "lots"], 2, "bad_setting", "--max-cost must be an amount of US dollars"),
    Case(["run", "--partition", "0/4"], 2, "bad_setting", "--partition must be I/N"),
    Case(["config"], 2, "unknown_setting", "CITEFIDELITY_MAX_COST", env={"CITEFIDELITY_MAXCOST": "5"}),
    Case(["config"], 2, "unknown_setting", "wibble", file="wibble = 1"),
    Case(["config"], 2, "bad_setting", "concurrency in citefidelity.toml", file="concurrency = 'many'"),
    Case(["config"], 2, "bad_setting", "cannot be read as TOML", file="concurrency"),
    Case(["spec", "nope.toml"], 2, "bad_spec", "nope.toml cannot be read"),
    Case(["show", "a"], 2, "usage", "TARGET is missing"),
    Case(["export"], 2, "usage", "Add -o FILE"),
    Case(["import", "nope.jsonl"], 2, "usage", "nope.jsonl"),
    Case(["import", "x", "--map", "y"], 2, "usage", "FIELD=COLUMN"),
    Case(["status"], 5, "store_missing", "import"),
    Case(["show", "a", "b"], 5, "store_missing", "import"),
    Case(["screenings"], 5, "store_missing", "import"),
    Case(["export", "-o", "x.csv"], 5, "store_missing", "import"),
    Case(["run", "--model", "m"], 5, "store_missing", "import"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join((*case.args, *case.env, case.file)))
def test_bad_input(tmp_path: Path, case: Case) -> None:
    """Each fault is one JSON object with --json, with its exit code, and says what to do; and nothing is made."""
    if case.file:
        (tmp_path / "citefidelity.toml").write_text(case.file)
    before = sorted(tmp_path.iterdir())
    assert_clear(run_cli([*case.args, "--json"], cwd=tmp_path, env=case.env), case.code, case.kind, case.words)
    assert sorted(tmp_path.iterdir()) == before


def test_people_get_the_same_on_stderr(tmp_path: Path) -> None:
    """Without --json the message and the hint go to stderr, and stdout stays empty."""
    result = run_cli(["status", "--store", "c.db"], cwd=tmp_path)
    assert result.code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: --store must be")
    assert "\x1b" not in result.stderr


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """`citefidelity ... | head` ends quietly, as other programs do."""
    process = subprocess.Popen(
        [*PROGRAM, "spec"],
        cwd=tmp_path,
        env=clean_environ(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 141
    assert stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    """A command whose streams were closed by its parent does its work, and ends as it would have."""
    script = f'"$@" {closed}; echo $?'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM, "config"],
        cwd=tmp_path,
        env=clean_environ(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """A file that is not there is told in JSON, too, where its name is no UTF-8."""
    assert_clear(run_cli(["import", "b\udcff.jsonl", "--json"], cwd=tmp_path), 2, "usage", r"no file b\udcff.jsonl")


def test_no_secret_is_an_argument_or_is_shown(tmp_path: Path) -> None:
    """The command config tells of a key only that it is set and by what (G9)."""
    key_file = tmp_path / "key"
    key_file.write_text("canary-from-file\n")
    env = {"OPENAI_API_KEY": "canary-key", "NEO4J_PASSWORD_FILE": str(key_file)}
    for args in (["config"], ["config", "--json"], ["config", "-vv"]):
        result = run_cli(args, cwd=tmp_path, env=env)
        assert result.code == 0
        assert "canary" not in result.stdout + result.stderr
    values = run_cli(["config", "--json"], cwd=tmp_path, env=env).json()
    assert values["openai_api_key"] == {"value": "set", "source": "OPENAI_API_KEY"}
    assert values["neo4j_password"] == {"value": "set", "source": "NEO4J_PASSWORD_FILE"}


def test_config_says_where_each_value_comes_from(tmp_path: Path) -> None:
    """A flag, a variable, the file and the default are told apart."""
    (tmp_path / "citefidelity.toml").write_text("rpm = 7\ntpm = 8\n")
    values = run_cli(["config", "--json", "--limit", "2k"], cwd=tmp_path, env={"CITEFIDELITY_TPM": "9"}).json()
    assert values["limit"] == {"value": 2_000, "source": "--limit"}
    assert values["tpm"] == {"value": 9, "source": "CITEFIDELITY_TPM"}
    assert values["rpm"] == {"value": 7, "source": "citefidelity.toml"}
    assert values["grace"] == {"value": 20, "source": "default"}


def test_the_spec_that_is_printed_is_a_good_one(tmp_path: Path) -> None:
    """What `spec` prints can be given back, and differs in nothing."""
    (tmp_path / "mine.toml").write_text(run_cli(["spec"], cwd=tmp_path).stdout)
    checked = run_cli(["spec", "mine.toml", "--json"], cwd=tmp_path).json()
    assert checked["good"] is True
    assert checked["differences"] == []


def test_the_start_is_cheap(tmp_path: Path) -> None:
    """--version loads neither the event loop, nor the journal, nor the HTTP client, nor rich."""
    code = (
        "import sys; from citefidelity.cli.entry import main; sys.argv[1:] = ['--version']; main(); "
        "print(sorted({'asyncio', 'aiohttp', 'apsw', 'msgspec', 'rich', 'logging'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environ(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize("args", [["--version"], ["run", "--version"]])
def test_version(args: list[str], tmp_path: Path) -> None:
    """The version is told before and after a command."""
    result = run_cli(args, cwd=tmp_path)
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith("citefidelity ")
