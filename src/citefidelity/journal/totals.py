"""Sums over one screening of a journal. Scans of short rows: a second or less for a million attempts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import apsw
import msgspec

from citefidelity.journal.connection import one_state, scalar
from citefidelity.journal.numbering import find_screening
from citefidelity.journal.queries import which_count

# The rank puts the latest usable outcome before all transient failures; SQLite takes the result from the row that has
# the maximum.
_STANDING = """
SELECT result, count(*) FROM (
    SELECT max(usable * (1 << 60) + seq), result FROM settled WHERE screening = ? AND {counts}
    GROUP BY citation, instance_id
) GROUP BY result
"""

# Not sum() of tokens: it fails where a provider told nonsense so large that it runs over.
_ENDED = """
SELECT count(*), coalesce(sum(sent), 0), coalesce(sum(billed = 'unknown'), 0), total(input_tokens),
       total(output_tokens), total(cached_tokens), sum(cost_usd)
FROM ended WHERE screening = ?
"""

_UNPRICED = """
SELECT count(*), total(input_tokens), total(output_tokens) FROM ended
WHERE screening = ? AND cost_usd IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL
"""

_FAULTS = "SELECT fault, count(*) FROM ended WHERE screening = ? AND fault IS NOT NULL GROUP BY fault"


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a screening has used and come to, over all its runs.

    ``open_attempts`` were asked and have no end: ``calls`` counts them with those whose request left, ``maybe_paid``
    with those billed unknown. ``cost_usd`` is None where calls left and no price was ever known; ``unpriced`` calls
    and tokens are of runs that knew none, and are not in it. ``faults`` are of attempts, by kind.
    The rest counts contexts, by what stands since they were last reopened: ``states`` by state, verdicts by
    category, failures for good by kind; ``waiting`` have nothing but transient failures.
    """

    attempts: int = 0
    calls: int = 0
    open_attempts: int = 0
    maybe_paid: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = 0.0
    unpriced: int = 0
    unpriced_input_tokens: int = 0
    unpriced_output_tokens: int = 0
    faults: dict[str, int] = {}
    states: dict[str, int] = {}
    categories: dict[str, int] = {}
    failures: dict[str, int] = {}
    waiting: int = 0


def totals(connection: apsw.Connection, screening: str) -> Totals:
    """The sums of ``screening``; all nothing where the journal does not know it."""
    with one_state(connection):
        number = find_screening(connection, screening)
        if number is None:
            return Totals()
        asked = int(scalar(connection, "SELECT count(*) FROM asked WHERE screening = ?", number))
        sums: tuple[Any, ...] = connection.execute(_ENDED, (number,)).get
        unpriced: tuple[Any, ...] = connection.execute(_UNPRICED, (number,)).get
        faults: list[tuple[Any, ...]] = connection.execute(_FAULTS, (number,)).fetchall()
        results: list[tuple[Any, ...]] = connection.execute(which_count(connection, _STANDING), (number,)).fetchall()
    ended, sent, unknown, input_tokens, output_tokens, cached_tokens, cost = sums
    standing: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for result, contexts in results:
        state, _, detail = result.partition(":")
        standing[state][detail] = contexts
    waiting = standing.pop("transient", {})
    calls = sent + asked - ended
    return Totals(
        attempts=asked,
        calls=calls,
        open_attempts=asked - ended,
        maybe_paid=unknown + asked - ended,
        input_tokens=int(input_tokens),
        output_tokens=int(output_tokens),
        cached_tokens=int(cached_tokens),
        cost_usd=cost if calls else 0.0,
        unpriced=unpriced[0],
        unpriced_input_tokens=int(unpriced[1]),
        unpriced_output_tokens=int(unpriced[2]),
        faults=dict(faults),
        waiting=sum(waiting.values()),
        states={state: sum(details.values()) for state, details in standing.items()},
        categories=standing.get("verdict", {}),
        failures=standing.get("failed", {}),
    )
