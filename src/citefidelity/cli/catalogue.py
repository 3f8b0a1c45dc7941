"""All commands, each in a module of its own that is loaded when it is called for."""

from __future__ import annotations

from importlib import import_module

from citefidelity.cli.words import Command
from citefidelity.errors import UsageError

GROUPS = (
    ("To begin", ("demo", "import", "estimate")),
    ("To screen", ("run", "status", "retry")),
    ("To read", ("web", "show", "export", "report", "screenings")),
    ("To check", ("doctor", "verify", "spec", "config")),
    ("To look after stores", ("copy", "repair")),
)
NAMES = tuple(name for _, names in GROUPS for name in names)


def find(name: str) -> Command:
    """The command of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in NAMES:
        raise _no_such_command(name)
    # `import` is a word of Python, and no name for a module.
    module = import_module(f"citefidelity.cli.commands.{name}_command")
    command: Command = module.COMMAND
    return command


def _no_such_command(name: str) -> UsageError:
    if name.startswith("-"):
        return UsageError(
            f"{name.partition('=')[0]} stands before the command; every option stands after it.",
            f"citefidelity COMMAND {name.partition('=')[0]} ...; the commands are {', '.join(NAMES)}.",
        )
    from difflib import get_close_matches  # noqa: PLC0415 - for this message only

    close = get_close_matches(name, NAMES, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The commands are {', '.join(NAMES)}."
    return UsageError(f"There is no command {name!r}.", hint)
