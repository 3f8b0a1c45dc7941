"""What calls cost: a price is a few tariffs, and a cost is arithmetic over the usage that the journal keeps.

Nothing here is on the path that keeps an answer: an unknown price is None, and so is a cost that cannot be told.
Where prices come from is the business of :mod:`citefidelity.prices.pricelists`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from citefidelity.pacing.calls import Load
from citefidelity.records import Usage

MILLION = 1_000_000
DAY_S = 86_400
FORESIGHT_S = 31 * DAY_S
"""An upper bound covers the tariffs of so long a time to come: a run of weeks is kept in its budget, too."""

MOST_TOKENS = 10**12
"""A server that reports more tokens for one call talks nonsense, of which no cost follows."""


class Rates(msgspec.Struct, frozen=True):
    """US dollars for a million tokens. ``cached`` is for input that the provider had in its cache, None if as input."""

    input: float
    output: float
    cached: float | None = None

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """US dollars; ``cached_tokens`` are a part of ``input_tokens``."""
        cached = self.input if self.cached is None else self.cached
        fresh = input_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * cached + output_tokens * self.output) / MILLION


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Rates, and when they are in force.

    ``since`` is in seconds since the epoch. ``hours`` are two times of the day in UTC, in seconds; they may span
    midnight. ``above``: only for calls with more input tokens than that, and then for all their tokens.
    """

    rates: Rates
    since: float = 0.0
    hours: tuple[int, int] | None = None
    above: int = -1

    def covers(self, at: float, input_tokens: int) -> bool:
        """Whether it is in force for a call of that size at that time."""
        if at < self.since or input_tokens <= self.above:
            return False
        if self.hours is None:
            return True
        begin, end = self.hours
        second = at % DAY_S
        return begin <= second < end if begin <= end else second >= begin or second < end


class Period(msgspec.Struct, frozen=True):
    """Rates for a part of the day. ``hours`` is for people, in UTC; empty for the whole day."""

    rates: Rates
    hours: str


class Price(msgspec.Struct, frozen=True):
    """The price of one model. Of the tariffs in force the last one counts; ``source`` tells people where it is from."""

    tariffs: tuple[Tariff, ...]
    source: str

    def cost(self, usage: Usage, at: float) -> float | None:
        """US dollars for a call at that time (seconds since the epoch), None if the usage does not tell. Never raises.

        Depends on nothing but its arguments, so that a cost can be told again from the journal.
        """
        input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
        if input_tokens is None or output_tokens is None:
            return None
        if not (0 <= input_tokens <= MOST_TOKENS and 0 <= output_tokens <= MOST_TOKENS):
            return None
        rates = self.rates(at, input_tokens)
        cached = min(max(usage.cached_tokens or 0, 0), input_tokens)
        return None if rates is None else rates.cost(input_tokens, cached, output_tokens)

    def rates(self, at: float, input_tokens: int = 0) -> Rates | None:
        """The rates in force for a call of that size at that time, None before the first tariff begins."""
        for tariff in reversed(self.tariffs):
            if tariff.covers(at, input_tokens):
                return tariff.rates
        return None

    def upper_bound(self, load: Load, at: float) -> float:
        """The most that a call of this load can cost, at whatever hour of the month that follows."""
        return self.bound(at)(load)

    def bound(self, at: float) -> Callable[[Load], float]:
        """:meth:`upper_bound` for many calls: the same load always gives the same amount, as a budget needs it."""
        steps = sorted({0, *(tariff.above + 1 for tariff in self.tariffs)})
        dearest = [(step, self._dearest(at, step)) for step in steps]

        def upper_bound(load: Load) -> float:
            amount = 0.0
            for step, rates in dearest:
                # The dearest step reached, not the last one: dearer beyond a size is usual, but no law.
                if load.input_tokens >= step:
                    if rates is None:
                        return math.inf
                    amount = max(amount, rates.cost(load.input_tokens, 0, load.output_tokens))
            return amount

        return upper_bound

    def periods(self, at: float) -> list[Period]:
        """The parts of the day that have rates of their own around that time, the cheapest first."""
        midnight = at - at % DAY_S
        by_rates: dict[Rates, list[tuple[int, int]]] = {}
        for begin, end in pairwise(self._boundaries()):
            # Of the day to come where the hour is over: a price that rises tonight holds then.
            rates = self.rates(midnight + begin if midnight + end > at else midnight + begin + DAY_S)
            if rates is not None:
                by_rates.setdefault(rates, []).append((begin, end))
        cheapest_first = sorted(by_rates.items(), key=lambda item: item[0].cost(1, 0, 1))
        if len(cheapest_first) == 1:
            return [Period(cheapest_first[0][0], "")]
        return [Period(rates, _hours(spans)) for rates, spans in cheapest_first]

    def _boundaries(self) -> list[int]:
        times = {0, DAY_S}
        for tariff in self.tariffs:
            times.update(tariff.hours or ())
        return sorted(times)

    def _dearest(self, at: float, input_tokens: int) -> Rates | None:
        """Each rate as high as it gets within the time of foresight, None where there is none to know."""
        changes = [tariff.since for tariff in self.tariffs if at < tariff.since <= at + FORESIGHT_S]
        times = [
            begin + (second - begin) % DAY_S  # the next time that the clock shows this
            for begin in (at, *changes)
            for second in (begin % DAY_S, *self._boundaries())
        ]
        known = [rates for time in times if (rates := self.rates(time, input_tokens)) is not None]
        if not known:
            return None
        inputs = max(max(rates.input, rates.cached or 0.0) for rates in known)
        return Rates(inputs, max(rates.output for rates in known))


def flat(rates: Rates, source: str) -> Price:
    """A price that is the same at all times."""
    return Price((Tariff(rates=rates),), source)


def _hours(spans: Sequence[tuple[int, int]]) -> str:
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return ", ".join(f"{_time(begin)}-{_time(end)}" for begin, end in joined) + " UTC"


def _time(second: int) -> str:
    return "24:00" if second == DAY_S else datetime.fromtimestamp(second, UTC).strftime("%H:%M")
