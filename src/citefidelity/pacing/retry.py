"""How long to wait before a context is asked again."""

from __future__ import annotations

from random import Random

FIRST_S = 2.0
LONGEST_S = 10.0


def backoff(attempt: int, random: Random) -> float:
    """Seconds to wait after ``attempt`` attempts (from 1) have failed: anything from 0 to 2, 4, 8, then 10.

    The whole span is drawn from (full jitter), so that calls which failed together do not come back together.
    """
    # The exponent is bounded first: 2.0 ** 2000 would overflow.
    ceiling = min(LONGEST_S, FIRST_S * 2.0 ** min(attempt - 1, 8))
    return random.uniform(0.0, ceiling)
