"""``citefidelity run``: ask, journal, deliver."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from citefidelity.cli.settings_rows import RUNNING
from citefidelity.cli.words import Call, Command, Example
from citefidelity.errors import StoreError

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings
    from citefidelity.ports import StoreCounts

DECLINED = 130
GARBAGE_THRESHOLDS = (50_000, 20, 50)


def handle(call: Call) -> int:
    """Run once, with a view of it on stderr, and print what came of it."""
    from citefidelity.cli.confirming import confirmed  # noqa: PLC0415 - loaded when the command runs

    settings = call.settings()
    if settings.web:
        from citefidelity.web.listener import require_pages  # noqa: PLC0415 - as above

        require_pages()
    # Outside the event loop, where Ctrl-C ends the question at once.
    if not confirmed(call, settings):
        call.out.say("Nothing was asked.")
        return DECLINED
    return asyncio.run(_run(call, settings))


async def _run(call: Call, settings: Settings) -> int:
    from citefidelity import app  # noqa: PLC0415 - as above
    from citefidelity.cli.run_text import next_steps, same_command, summary  # noqa: PLC0415 - as above
    from citefidelity.cli.viewing import viewing  # noqa: PLC0415 - as above

    # What is loaded by now stays to the end: looking through it for garbage again and again would take some five
    # hundredths of a run's time.
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    with viewing(call.out) as observers:
        if settings.web:
            from citefidelity.web.beside import PagesBeside  # noqa: PLC0415 - as above

            observers.append(
                PagesBeside(settings, same_command("web", settings), call.environ, call.directory, call.out.log)
            )
        report = await app.run(
            settings,
            on_metrics=lambda url: call.out.log(f"Metrics for Prometheus: {url}"),
            observers=observers,
            handle_signals=True,
        )
    # Counted only where there was nothing to do, to say what could be done: it reads the whole store.
    counts = None if report.citations or call.out.json else await _counts(settings)
    steps = next_steps(report, settings, counts)
    call.out.result(report, "\n".join([*summary(report, call.out.bold), *(["", *steps] if steps else [])]))
    return report.exit_code


async def _counts(settings: Settings) -> StoreCounts | None:
    from citefidelity.reading import counts_of  # noqa: PLC0415 - as above

    try:
        return await counts_of(settings)
    except StoreError:
        # The run is over, and its report stands without this.
        return None


COMMAND = Command(
    name="run",
    summary="ask, journal, deliver; safe to repeat",
    about="""
    Asks the model about every context that has no outcome yet, a hundred at a time, and writes the verdicts of a
    citation to the store once all its contexts have one. Each answer is on disk in the journal before it counts.

    Safe to repeat at any time, after Ctrl-C, kill -9 or a power cut: what has an answer is never asked again. What
    was in flight at that moment, at most --concurrency calls, is asked again, and reported as "maybe paid".
    The first Ctrl-C stops asking and keeps what is in flight; the second leaves at once.

    Costs what the provider charges. `citefidelity estimate` says how many calls and tokens that is; --max-cost,
    --max-tokens, --max-time and --limit bound it. On a terminal it asks before the first call leaves this machine.
    """,
    handle=handle,
    settings=RUNNING,
    examples=(
        Example("citefidelity run --provider deepseek --model deepseek-flash --limit 20", "20 citations to begin with"),
        Example("citefidelity run", "go on; a screening keeps the model and prompt it began with"),
        Example("citefidelity run --base-url http://localhost:8000/v1 --model qwen3", "a server of your own, no key"),
        Example("citefidelity run --max-cost 5 --yes --json", "from a script, for 5 dollars at most over all runs"),
        Example("citefidelity run --partition 2/4", "the second of four machines that share the work"),
    ),
)
