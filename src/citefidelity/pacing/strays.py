"""Refusals that come whatever the pace: from a gateway in front of many servers of which one is unwell, for example.

Whoever takes each of them for a limit goes slower and slower, and they come all the same: one refusal in a hundred
calls brought a run to a fifteenth of what the provider took. (A sender that takes every lost packet for congestion
fares alike; BBR, Cardwell and others, ACM Queue 14(5), 2016, therefore puts up with a share of loss.) What tells them
from a limit is that going slower does not help.
"""

from __future__ import annotations

from typing import Literal

CONTRADICTIONS = 3
"""Refusals at a pace far below what was taken in some minute, before they are believed to be strays."""

LARGEST_SHARE = 0.1
"""Of calls: a provider that refuses more than that is overloaded, and wants to be asked less, whatever the reason."""

DOUBT = 2
"""Refusals more than were seen: so few were that the share may well be larger."""

TOLERANCE = 3.0
"""Times the share that was found: more refusals than that have another cause."""

TRIGGER = 5.0
"""Refusals beyond the tolerance, in a row or nearly. With three times the share to lean on, that many come together by
chance once in some thousand strays (a cumulative sum test: Page, Biometrika 41, 1954)."""

ENOUGH = 20
"""Refusals that the share lets expect, after which it is weighed anew."""


Cause = Literal["strays", "less"]
"""Refusals whatever the pace, or a provider that takes much less than it did."""


class _Tally:
    """Calls, and how many of them were refused."""

    def __init__(self) -> None:
        self.calls = self.refusals = 0

    @property
    def share(self) -> float:
        """Of the calls that were refused."""
        return self.refusals / max(1, self.calls)


class Strays:
    """How large a share of calls is refused for no reason of ours, 0.0 while none is."""

    def __init__(self) -> None:
        self.share = 0.0
        self._excess = 0.0
        self._contradictions = 0
        self._since_learnt = _Tally()
        self._lately = _Tally()

    def answered(self) -> None:
        """A call was answered."""
        self._since_learnt.calls += 1
        self._lately.calls += 1
        self._excess = max(0.0, self._excess - TOLERANCE * self.share)
        if self._lately.calls * self.share >= ENOUGH:
            if self._lately.share < self.share / 2:
                # Only down: what comes beyond the share may be the work of a limit, and must not make room for itself.
                self.share = self._lately.share
            self._lately = _Tally()

    def refused(self, in_flight: int) -> bool:
        """A call was refused, one of ``in_flight``; whether that was to be expected, and says nothing about limits."""
        for tally in (self._since_learnt, self._lately):
            tally.calls += 1
            tally.refusals += 1
        if not self.share:
            return False
        self._excess += 1.0
        # A refusal comes sooner than an answer: those still in flight will be answered, and weigh against it already.
        return self._excess < TRIGGER + TOLERANCE * self.share * in_flight

    def heeded(self) -> None:
        """What was beyond the share has lowered something."""
        self._excess = 0.0

    def learnt(self) -> None:
        """A refusal lowered the pace, as a limit would explain."""
        self._contradictions = 0
        self._since_learnt = _Tally()

    def contradicted(self) -> Cause | None:
        """A refusal came far below what was taken in some minute; why, as soon as that can be said."""
        self._contradictions += 1
        if self._contradictions < CONTRADICTIONS:
            return None
        seen = self._since_learnt
        if seen.share > LARGEST_SHARE:
            self.learnt()
            return "less"
        self.share = (seen.refusals + DOUBT) / seen.calls
        self._lately = _Tally()
        self.learnt()
        return "strays"
