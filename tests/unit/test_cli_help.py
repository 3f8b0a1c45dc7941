"""Help, and the page made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.cli.catalogue import NAMES, find
from citefidelity.cli.helping import command_help
from citefidelity.cli.pages import cli_page
from citefidelity.cli.rows import columns_of
from citefidelity.cli.words import PRESENTATION
from citefidelity.config.settings import SETTINGS
from support.cli import call_cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.mark.parametrize("name", NAMES)
def test_each_command_explains_itself(name: str, tmp_path: Path) -> None:
    """Every option and argument of a command stands in its help, with an example, and within the width."""
    shown = call_cli([name, "--help"], cwd=tmp_path)
    assert shown.code == 0
    command = find(name)
    by_name = {setting.name: setting for setting in SETTINGS}
    wanted = [flag for option in (*command.options, *PRESENTATION) for flag in option.flags]
    wanted += [by_name[setting].flag for _, settings in command.settings for setting in settings]
    wanted += [argument.name for argument in command.arguments]
    for word in (*wanted, "Examples:", f"Usage: citefidelity {name}"):
        assert word in shown.stdout


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_help_keeps_to_the_width(name: str, width: int) -> None:
    """No line but one to copy is wider than the terminal; single words may be."""
    for line in command_help(find(name), width).splitlines():
        is_example = line.startswith(("Usage", "  citefidelity", "      ", "  zcat", "  watch", "  ssh", "  CITE"))
        assert is_example or columns_of(line) <= max(width, 52) or " " not in line.strip(), line


def test_the_front_page_names_every_command(tmp_path: Path) -> None:
    """Without a command there is help on stderr and exit code 2; asked for, on stdout and 0."""
    asked = call_cli(["--help"], cwd=tmp_path)
    assert asked.code == 0
    for name in NAMES:
        assert f"\n  {name} " in asked.stdout
    bare = call_cli([], cwd=tmp_path)
    assert (bare.code, bare.stdout, bare.stderr) == (2, "", asked.stdout)


def test_the_page_is_the_help() -> None:
    """docs/cli.md is what the program says of itself."""
    assert PAGE.read_text(encoding="utf-8") == cli_page(), "python -m citefidelity.cli.pages > docs/cli.md"
