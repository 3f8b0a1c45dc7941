"""``citefidelity doctor``: whether a run could begin here and now."""

from __future__ import annotations

import asyncio

from citefidelity.cli.settings_rows import WHERE, WHO_ANSWERS
from citefidelity.cli.words import Call, Command, Example


def handle(call: Call) -> int:
    """Look at everything a run needs, and say what to do where it is missing."""
    from citefidelity.cli.doctor_text import doctor_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.doctoring import checkup  # noqa: PLC0415 - as above

    found = asyncio.run(checkup(call.settings()))
    call.out.result(found, "\n".join(doctor_text(found, call.out.bold)))
    return found.exit_code


COMMAND = Command(
    name="doctor",
    summary="is all there that a run needs: key, model, balance, price, clock, store, journal?",
    about="""
    Looks at everything that `run` needs with the same flags, and says of each thing whether it is ok, and what to
    do where it is not: the key and the model by the provider's list of models, the balance where the provider tells
    it, the price, the proxy, the clock, open files against --concurrency, the versions of Python and SQLite, and
    where store and journal lie. In the store: who works on it, contexts without evidence, citations that cannot be
    worked on or that another program has marked or damaged (for at most 20 s each). Of a Neo4j server: its version,
    what this user may do, the indexes, the connections; what is missing there is named, and not made.

    Costs nothing and changes nothing: no text leaves this machine, and the model itself is not asked. Exit code 0:
    nothing failed; 2: a setting or this machine; 4: the provider; 5: the store or the journal.
    """,
    handle=handle,
    settings=(
        *WHERE,
        WHO_ANSWERS,
        ("How much", ("concurrency", "max_cost", "price")),
        ("Which", ("partition", "include_classified")),
    ),
    examples=(
        Example("citefidelity doctor --provider deepseek --model deepseek-flash", "before the first run"),
        Example("citefidelity doctor --json | jq '.checks[] | select(.result != \"ok\")'", "what is not ok"),
    ),
)
