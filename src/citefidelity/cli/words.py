"""What a command is made of: its words, its options, and what it is called with.

A command is data. Parsing, help and ``docs/cli.md`` are made from the same table, so they cannot disagree. Nothing
here may import anything slow: every start of the program passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from citefidelity.cli.output import Output
    from citefidelity.config.settings import Settings

Rows = tuple[tuple[str, tuple[str, ...]], ...]
"""Settings that a command takes as flags, by name, under headings."""


class Argument(NamedTuple):
    """A word after the command that is no option. The ones that may be left out come last."""

    name: str
    help: str
    required: bool = True
    many: bool = False


class Option(NamedTuple):
    """An option that is no setting: it belongs to this command, and comes from the command line only.

    ``metavar`` is empty for a switch. ``many``: it may be repeated, and its value is the list.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    many: bool = False
    allowed: tuple[str, ...] = ()


class Example(NamedTuple):
    """A line to copy, and what it is for."""

    line: str
    meaning: str


class Command(NamedTuple):
    """One command. ``about`` says what it does, what it costs and whether it is safe to repeat."""

    name: str
    summary: str
    about: str
    handle: Callable[[Call], int]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    settings: Rows = ()
    examples: tuple[Example, ...] = ()


class Call(NamedTuple):
    """One use of a command: what was given, and the world around it.

    ``given`` holds the values of the command's own arguments and options by name (None or an empty list where not
    given), ``flags`` those of settings.
    """

    command: str
    given: Mapping[str, Any]
    flags: Mapping[str, object]
    environ: Mapping[str, str]
    directory: Path
    out: Output

    def settings(self) -> Settings:
        """All settings; from here on their secrets are blanked out of whatever this command writes.

        Raises:
            UsageError: a setting is wrong, or its name is not known.
        """
        from citefidelity.config.loading import load_settings  # noqa: PLC0415 - not every command needs settings

        settings = load_settings(self.flags, environ=self.environ, directory=self.directory)
        self.out.keep_secret(settings.secrets())
        return settings


COMMON = ("store", "journal", "screening")
PRESENTATION = (
    Option("json", ("--json",), "one JSON object on stdout, for programs; errors too"),
    Option("verbose", ("-v", "--verbose"), "say more on stderr; twice for all of it"),
    Option("quiet", ("-q", "--quiet"), "no notes and no progress: results and errors only"),
    Option("help", ("-h", "--help"), "this text"),
    Option("version", ("--version",), "the version of this program"),
)
"""Options that every command takes."""
