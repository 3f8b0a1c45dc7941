"""``citefidelity config``: every setting, its value and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citefidelity.cli.rows import columns
from citefidelity.cli.settings_rows import EVERYTHING
from citefidelity.cli.words import Call, Command, Example

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings


def handle(call: Call) -> int:
    """Show all settings; of secrets only whether they are set."""
    settings = call.settings()
    values = _values(settings)
    report = {name: {"value": value, "source": settings.origins[name]} for name, value in values.items()}
    rows = [(name, _shown(value), settings.origins[name]) for name, value in values.items()]
    table = columns([("setting", "value", "from"), *rows], call.out.width)
    call.out.result(report, "\n".join([call.out.bold(table[0]), *table[1:]]))
    return 0


def _values(settings: Settings) -> dict[str, bool | int | float | str | None]:
    """The settings as JSON knows them."""
    from citefidelity.config.secret import Secret  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.config.settings import SETTINGS  # noqa: PLC0415 - as above

    values: dict[str, bool | int | float | str | None] = {}
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        if isinstance(value, Secret):
            value = "set"
        elif value is not None and not isinstance(value, bool | int | float):
            value = str(value)
        values[setting.name] = value
    return values


def _shown(value: float | str | None) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


COMMAND = Command(
    name="config",
    summary="every setting, its value and where it comes from",
    about="""
    Shows what `run` and the other commands would work with here, and where each value comes from: a flag, a variable
    of the environment, citefidelity.toml in the working directory, or the default. Of secrets it says only whether
    they are set. Takes the same flags, so that a command line can be tried. Costs nothing, changes nothing.

    A setting is --max-cost as a flag, CITEFIDELITY_MAX_COST in the environment, and max_cost in the file. Keys and
    passwords come from the environment only (OPENAI_API_KEY, DEEPSEEK_API_KEY, NEO4J_PASSWORD), or from a file that
    OPENAI_API_KEY_FILE and so on name.
    """,
    handle=handle,
    settings=EVERYTHING,
    examples=(
        Example("citefidelity config", "what counts here"),
        Example("CITEFIDELITY_RPM=500 citefidelity config --json", "the same for programs"),
    ),
)
