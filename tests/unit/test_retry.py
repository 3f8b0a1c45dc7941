"""How long to wait before a context is asked again."""

from __future__ import annotations

import pytest

from citefidelity.pacing.retry import backoff
from support.dice import dice


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (100_000, 10.0)])
def test_full_jitter_below_a_growing_ceiling(attempt: int, ceiling: float) -> None:
    """Waits fill the whole span from 0 to a ceiling that doubles from 2 to 10 seconds."""
    random = dice()
    waits = [backoff(attempt, random) for _ in range(2_000)]
    assert 0 <= min(waits) < 0.01 * ceiling
    assert 0.99 * ceiling < max(waits) <= ceiling
    assert sum(waits) / len(waits) == pytest.approx(ceiling / 2, rel=0.05)
