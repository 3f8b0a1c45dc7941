"""What a scripted model was asked, and what it would have charged: the other side's book, to audit ours against."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import TextIO

import msgspec

from citefidelity.records import Usage
from citefidelity.testing.answers import Choices, ScriptedVerdict, prompt_hash, usage_for, verdict_for

RECENT = 1_000
"""Hits kept in memory, for tests to look at."""

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key"})


class Hit:
    """One request. Numbers count from 1; times are monotonic seconds.

    ``number`` counts the requests with this prompt, ``prompt_number`` the prompts in the order of their first request,
    ``total`` all requests. ``request`` is the body as it came (empty where there was no socket), ``authorization`` the
    header, which is never logged. ``answered`` is whether a whole reply was written, ``good`` whether it was usable.
    """

    __slots__ = (
        "act",
        "answered",
        "arrived",
        "authorization",
        "billed",
        "choices",
        "ended",
        "fixed",
        "good",
        "headers",
        "model",
        "number",
        "prompt",
        "prompt_number",
        "request",
        "total",
        "variable",
    )

    def __init__(self, *, fixed: str, variable: str, model: str, choices: Choices, arrived: float) -> None:
        self.fixed = fixed
        self.variable = variable
        self.model = model
        self.choices = choices
        self.arrived = arrived
        self.prompt = prompt_hash(variable)
        self.number = self.prompt_number = self.total = 0
        self.headers: Mapping[str, str] = {}
        self.authorization = ""
        self.request = b""
        self.act = ""
        self.answered = self.good = False
        self.billed: Usage | None = None
        self.ended: float | None = None

    @property
    def verdict(self) -> ScriptedVerdict:
        """The right answer."""
        return verdict_for(self.prompt, self.choices)

    def usage(self, content: str) -> Usage:
        """What answering with ``content`` costs; the very first call finds the cache cold."""
        return usage_for(self.fixed, self.variable, content, warm=self.total > 1)


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All that happened so far. Times are monotonic seconds, equal in all processes of one machine.

    ``duplicates`` counts good answers beyond the first to the same prompt: what need not have been asked again.
    ``hits`` and ``good_hits`` are by prompt hash, ``acts`` by the name of what was done.
    """

    received: int
    answered: int
    good: int
    duplicates: int
    prompts: int
    in_flight: int
    max_in_flight: int
    first_arrival: float | None
    last_answer: float | None
    billed_calls: int
    billed_input_tokens: int
    billed_output_tokens: int
    billed_cached_tokens: int
    acts: dict[str, int]
    hits: dict[str, int]
    good_hits: dict[str, int]


class Book:
    """Counts hits, and writes a line of JSON for each to ``log`` when it has ended."""

    def __init__(self, now: Callable[[], float], log: TextIO | None = None) -> None:
        self._now = now
        self._log = log
        self._hits: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._order: dict[str, int] = {}
        self._acts: Counter[str] = Counter()
        self._billed: Counter[str] = Counter()
        self._answered = 0
        self._first: float | None = None
        self._last: float | None = None
        self.received = self.in_flight = self.max_in_flight = 0
        self.recent: deque[Hit] = deque(maxlen=RECENT)

    def arrive(self, hit: Hit) -> None:
        """A request has come: number it."""
        self.received += 1
        self.recent.append(hit)
        self._hits[hit.prompt] += 1
        hit.total = self.received
        hit.number = self._hits[hit.prompt]
        hit.prompt_number = self._order.setdefault(hit.prompt, len(self._order) + 1)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if self._first is None:
            self._first = hit.arrived

    def bill(self, hit: Hit, usage: Usage) -> None:
        """The work on it is charged: a provider charges what it has done, whether or not anyone still listens."""
        hit.billed = usage
        self._billed["calls"] += 1
        self._billed["input"] += usage.input_tokens or 0
        self._billed["output"] += usage.output_tokens or 0
        self._billed["cached"] += usage.cached_tokens or 0

    def end(self, hit: Hit, *, answered: bool, good: bool = False) -> None:
        """It is over; ending it twice changes nothing."""
        if hit.ended is not None:
            return
        hit.ended = self._now()
        hit.answered, hit.good = answered, good
        self.in_flight -= 1
        self._acts[hit.act] += 1
        if answered:
            self._answered += 1
            self._last = hit.ended
        if good:
            self._good[hit.prompt] += 1
        if self._log is not None:
            self._log.write(_line(hit))

    def stats(self) -> Stats:
        """The numbers now."""
        good = sum(self._good.values())
        return Stats(
            received=self.received,
            answered=self._answered,
            good=good,
            duplicates=good - len(self._good),
            prompts=len(self._hits),
            in_flight=self.in_flight,
            max_in_flight=self.max_in_flight,
            first_arrival=self._first,
            last_answer=self._last,
            billed_calls=self._billed["calls"],
            billed_input_tokens=self._billed["input"],
            billed_output_tokens=self._billed["output"],
            billed_cached_tokens=self._billed["cached"],
            acts=dict(self._acts),
            hits=dict(self._hits),
            good_hits=dict(self._good),
        )


def _line(hit: Hit) -> str:
    record = {
        "total": hit.total,
        "prompt": hit.prompt,
        "number": hit.number,
        "arrived": hit.arrived,
        "ended": hit.ended,
        "act": hit.act,
        "answered": hit.answered,
        "good": hit.good,
        "billed": hit.billed,
        "model": hit.model,
        "headers": {name: value for name, value in hit.headers.items() if name not in SECRET_HEADERS},
    }
    return f"{msgspec.json.encode(record).decode()}\n"
