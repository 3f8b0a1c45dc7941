"""Help, written from the tables of the commands; ``docs/cli.md`` is the same text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from citefidelity.cli.words import PRESENTATION, Command, Option

COLUMN = 30
"""Where the explanations begin."""

EXIT_CODES = (
    ("0", "nothing is left to do, or what --limit asked for is done"),
    ("1", "an unexpected error"),
    ("2", "the command, a setting or an input is wrong"),
    ("3", "as 0, but some contexts failed for good, or cannot be delivered"),
    ("4", "something is left: run again to go on"),
    ("5", "the store or the journal cannot be used"),
    ("6", "verify found violations"),
    ("130", "interrupted: run again to go on"),
)


def command_help(command: Command, width: int) -> str:
    """Everything about one command."""
    blocks = [f"Usage: citefidelity {command.name} {_usage(command)}".rstrip(), _paragraphs(command.about, width)]
    if command.examples:
        lines = [f"  {example.line}\n      {example.meaning}" for example in command.examples]
        blocks.append("\n".join(("Examples:", *lines)))
    if command.arguments:
        rows = [(argument.name, argument.help) for argument in command.arguments]
        blocks.append(_section("Arguments", rows, width))
    if command.options:
        blocks.append(_section("Options", [_option_row(option) for option in command.options], width))
    blocks += [_section(heading, _setting_rows(names), width) for heading, names in command.settings]
    blocks.append(_section("Output", [_option_row(option) for option in PRESENTATION], width))
    return "\n\n".join(blocks) + "\n"


def program_help(groups: Sequence[tuple[str, Sequence[tuple[str, str]]]], width: int) -> str:
    """The front page: all commands under headings, each with its summary."""
    blocks = [
        "Usage: citefidelity COMMAND [OPTIONS]",
        _paragraphs(
            "Judges citations with a language model, a hundred calls at a time. Every answer is on disk before it "
            "counts: kill it at any moment, run it again, and nothing is lost and nothing is paid twice.",
            width,
        ),
        "Begin here:\n  citefidelity demo\n      all of it in two minutes, with a small model on this machine",
        *(_section(heading, rows, width) for heading, rows in groups),
        _paragraphs(
            "Every option stands after the command. `citefidelity COMMAND --help` explains one. Settings come from "
            "flags, then from the environment (CITEFIDELITY_CONCURRENCY=50), then from citefidelity.toml in the "
            "working directory (concurrency = 50).",
            width,
        ),
        _section("Exit codes", EXIT_CODES, width),
    ]
    return "\n\n".join(blocks) + "\n"


def _usage(command: Command) -> str:
    words = [f"{argument.name}{'...' if argument.many else ''}" for argument in command.arguments if argument.required]
    optional = [argument.name for argument in command.arguments if not argument.required]
    # REFERENCE [INSTANCE]: a later word needs those before it.
    nested = "".join(f" [{name}" for name in optional).strip() + "]" * len(optional)
    return " ".join(word for word in (*words, nested, "[OPTIONS]") if word)


def _option_row(option: Option) -> tuple[str, str]:
    names = ", ".join(option.flags)
    return (f"{names} {option.metavar}".rstrip(), f"{option.help}{'; may be repeated' if option.many else ''}")


def _setting_rows(names: Iterable[str]) -> list[tuple[str, str]]:
    from citefidelity.config.settings import SETTINGS  # noqa: PLC0415 - loads msgspec, which the front page does not need

    by_name = {setting.name: setting for setting in SETTINGS}
    rows = []
    for name in names:
        setting = by_name[name]
        default = "" if setting.default in (None, False) or setting.help.endswith(")") else setting.default
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        rows.append((f"{setting.flag} {setting.metavar}".rstrip(), f"{setting.help}{f' [{shown}]' if shown else ''}"))
    return rows


def _section(heading: str, rows: Iterable[tuple[str, str]], width: int) -> str:
    lines = [f"{heading}:"]
    for name, explanation in rows:
        wrapped = textwrap.wrap(explanation, max(20, width - COLUMN), break_on_hyphens=False) or [""]
        # A name that reaches into the column of the explanations stands on a line of its own.
        if len(name) + 4 > COLUMN:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name}".ljust(COLUMN) + wrapped.pop(0))
        lines += [" " * COLUMN + line for line in wrapped]
    return "\n".join(line.rstrip() for line in lines)


def _paragraphs(text: str, width: int) -> str:
    return "\n\n".join(
        textwrap.fill(" ".join(part.split()), width, break_on_hyphens=False) for part in text.strip().split("\n\n")
    )
