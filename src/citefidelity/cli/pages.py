"""``docs/cli.md``, made from the same tables as the help: ``python -m citefidelity.cli.pages > docs/cli.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from citefidelity.cli.catalogue import NAMES, find
from citefidelity.cli.helping import EXIT_CODES, command_help
from citefidelity.cli.parsing import setting_names
from citefidelity.config.settings import SETTINGS, Setting

COLUMNS = 100

INTRODUCTION = """\
# The command line

Made from the program itself by `python -m citefidelity.cli.pages > docs/cli.md`; a test holds the two together.

Every option stands after the command. Results go to stdout, everything else to stderr. With `--json` there is exactly
one JSON object on stdout; an error is `{"error": {"kind", "message", "hint"}}`, wrong usage included. `NO_COLOR` is
honoured.
"""


def cli_page() -> str:
    """The whole page."""
    flags = {name for command in NAMES for name in setting_names(find(command))}
    settings = [_setting_row(setting, has_flag=setting.name in flags) for setting in SETTINGS]
    parts = [
        INTRODUCTION,
        "## Exit codes\n",
        _table(("code", "means"), EXIT_CODES),
        "## Settings\n",
        ABOUT_SETTINGS,
        _table(("flag", "environment", "in citefidelity.toml"), settings),
        *(f"## citefidelity {name}\n\n```text\n{command_help(find(name), COLUMNS)}```\n" for name in NAMES),
    ]
    return "\n".join(parts)


ABOUT_SETTINGS = """\
A flag counts before the environment, the environment before `citefidelity.toml` in the working directory. A name that
is not known is an error in both: a money cap that is misspelt is a cap that is not there. A variable that is set to
nothing counts as not set. Secrets come from the environment only, or from the file that `<VARIABLE>_FILE` names.
`citefidelity config` shows what counts, and where it comes from.
"""


def _setting_row(setting: Setting, *, has_flag: bool) -> tuple[str, str, str]:
    return (
        f"`{setting.flag}`" if has_flag else "",
        "" if setting.consent else f"`{setting.from_environment}`",
        f"`{setting.name}`" if setting.in_file else "",
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(cli_page())
