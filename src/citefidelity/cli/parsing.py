"""From the words after a command to its arguments, its options and the settings given as flags."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from citefidelity.cli.words import PRESENTATION, Command, Option
from citefidelity.errors import UsageError

MEANT: Mapping[str, str] = {
    "--port": "--web-address",
    "--host": "--web-address",
    "--workers": "--concurrency",
    "--threads": "--concurrency",
    "--parallel": "--concurrency",
    "--jobs": "--concurrency",
    "--budget": "--max-cost",
    "--database": "--store",
    "--db": "--store",
}
"""What other programs call it, where no likeness of letters leads to our name."""


class Parsed(NamedTuple):
    """What was given: the command's own arguments and options, the presentation options, and settings by name."""

    given: dict[str, Any]
    flags: dict[str, object]


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}.", _more(self.prog))


def parse(command: Command, words: Sequence[str]) -> Parsed:
    """Read ``words``; options and arguments may be mixed, and after ``--`` everything is an argument.

    Raises:
        UsageError: an option that is not known, a value that is missing, too few or too many arguments.
    """
    parser = _Parser(prog=command.name, add_help=False, allow_abbrev=False)
    for option in (*command.options, *PRESENTATION):
        _add(parser, option)
    settings = setting_names(command)
    if settings:
        _add_settings(parser, settings)
    parser.add_argument("words", nargs="*")
    end = words.index("--") if "--" in words else len(words)
    found, unknown = parser.parse_known_intermixed_args(list(words[:end]))
    if unknown:
        raise _no_such_option(command, unknown, [flag for action in parser._actions for flag in action.option_strings])  # noqa: SLF001 - the one list of all options
    values = vars(found)
    given = {option.name: values[option.name] for option in (*command.options, *PRESENTATION)}
    if not given["help"] and not given["version"]:
        given |= _arguments(command, [*values["words"], *words[end + 1 :]])
    # A flag that was not given is left out, so that the next source of settings counts.
    flags = {name: values[f"setting {name}"] for name in settings if values[f"setting {name}"] is not None}
    return Parsed(given, flags)


def setting_names(command: Command) -> tuple[str, ...]:
    """All settings that a command takes as flags."""
    return tuple(name for _, names in command.settings for name in names)


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.name == "verbose":
        parser.add_argument(*option.flags, dest=option.name, action="count", default=0)
    elif not option.metavar:
        parser.add_argument(*option.flags, dest=option.name, action="store_true")
    else:
        parser.add_argument(
            *option.flags,
            dest=option.name,
            action="append" if option.many else "store",
            choices=option.allowed or None,
            default=[] if option.many else None,
        )


def _add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    from citefidelity.config.settings import SETTINGS  # noqa: PLC0415 - loads msgspec, which `spec --help` can do without

    for setting in SETTINGS:
        if setting.name not in names:
            continue
        # Values stay as written: the settings parse them, wherever they come from. A blank in the name keeps it
        # apart from the command's own options.
        if setting.metavar:
            parser.add_argument(setting.flag, dest=f"setting {setting.name}")
        else:
            parser.add_argument(setting.flag, dest=f"setting {setting.name}", action="store_const", const=True)


def _arguments(command: Command, words: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    rest = list(words)
    for argument in command.arguments:
        if argument.required and not rest:
            raise UsageError(f"{argument.name} is missing: {argument.help}.", _more(command.name))
        if argument.many:
            given[argument.name.lower()], rest = rest, []
        else:
            given[argument.name.lower()] = rest.pop(0) if rest else None
    if rest:
        raise UsageError(f"{rest[0]!r} is one word too many.", _more(command.name))
    return given


def _no_such_option(command: Command, unknown: Sequence[str], known: Sequence[str]) -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415 - for this message only

    # Only the option is repeated, not what follows it: somebody may have tried to pass a key.
    name = next((word for word in unknown if word.startswith("-")), unknown[0]).partition("=")[0]
    meant = MEANT.get(name, "")
    close = [meant] if meant in known else get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else _more(command.name)
    return UsageError(f"{command.name} has no option {name}.", hint)


def _more(name: str) -> str:
    return f"citefidelity {name} --help"
