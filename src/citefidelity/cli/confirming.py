"""Asks a person before the first call leaves this machine."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from citefidelity.cli.output import is_terminal

if TYPE_CHECKING:
    from citefidelity.cli.words import Call
    from citefidelity.config.settings import Settings

YES = frozenset({"y", "yes"})


def confirmed(call: Call, settings: Settings) -> bool:
    """Whether the run may begin: at once where nobody can be asked, or where nothing leaves this machine."""
    if settings.yes or not (is_terminal(sys.stdin) and is_terminal(call.out.stderr)):
        return True
    question = asyncio.run(_question(settings))
    if question is None:
        return True
    call.out.stderr.write(call.out.clean(f"{question}\nAsk it now? [y/N] "))
    call.out.stderr.flush()
    return sys.stdin.readline().strip().lower() in YES


async def _question(settings: Settings) -> str | None:
    """What would leave this machine, where it would go and what it would cost; None where nothing would."""
    from citefidelity.cli.estimate_text import numbers  # noqa: PLC0415 - only a person is asked
    from citefidelity.estimating import estimate_of  # noqa: PLC0415 - as above

    estimated = await estimate_of(settings)
    if estimated.host is None or not estimated.estimate.calls:
        return None
    return "\n".join([f"This would send texts of your citations to {estimated.host}:", *numbers(estimated)])
