"""What to look to in a run, from its numbers alone: the same for terminal, status file, summary and browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from citefidelity.durations import Spread
from citefidelity.meter import Snapshot
from citefidelity.views.amounts import cost, duration, percent, rate, short, size, times, wait

Level = Literal["note", "warning", "serious"]

MEMORY_WARNING, MEMORY_SERIOUS = 500_000_000, 2_000_000_000
ERRORS_WARNING, ERRORS_SERIOUS = 0.05, 0.25
ENOUGH_CALLS = 40
"""Below so many a few bad calls are a large share."""

QUEUE_WARNING = 0.5
BUDGET_WARNING = 0.9
DISK_WARNING, DISK_SERIOUS = 1_000_000_000, 200_000_000

SLOW_COMMIT_S = 1.0
SLOW_STORE_S = 1.0
"""A store that answers faster holds up nobody, however much slower than before it is."""

STORE_AWAY_S = 30.0

RISING = 3.0
"""So many times its earlier median."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look to: ``what`` is the case, and ``hint`` what to do about it. ``code`` names the rule."""

    level: Level
    code: str
    what: str
    hint: str


def advice(numbers: Snapshot) -> list[Advice]:
    """What stands at this moment, the serious first."""
    found = [said for rule in RULES if (said := rule(numbers)) is not None]
    return sorted(found, key=lambda said: LEVELS.index(said.level))


def _memory(numbers: Snapshot) -> Advice | None:
    held = numbers.memory_bytes or 0
    if held <= MEMORY_WARNING:
        return None
    return Advice(
        level="serious" if held > MEMORY_SERIOUS else "warning",
        code="memory",
        what=f"this process holds {size(held)} of memory",
        hint="Under 500 MB is usual. If it grows on: Ctrl-C, and run again with fewer --citation-workers and a lower "
        "--concurrency; no answer is lost.",
    )


def _errors(numbers: Snapshot) -> Advice | None:
    if numbers.recent_calls < ENOUGH_CALLS or numbers.error_rate <= ERRORS_WARNING:
        return None
    kinds = sorted(numbers.faults_by_kind.items(), key=lambda item: -item[1])
    most = ", ".join(f"{kind} {number:,}" for kind, number in kinds[:3])
    return Advice(
        level="serious" if numbers.error_rate > ERRORS_SERIOUS else "warning",
        code="errors",
        what=f"{percent(numbers.error_rate)} of the last {numbers.recent_calls:,} calls went wrong (in all: {most})",
        hint="Under 5% is usual, and is asked again. Above, look to the provider's status page; timeouts want a longer "
        "--timeout, rate_limited a lower --concurrency or --rpm.",
    )


def _queue(numbers: Snapshot) -> Advice | None:
    share = numbers.deliver_backlog / numbers.deliver_bound if numbers.deliver_bound else 0.0
    if share < QUEUE_WARNING:
        return None
    pauses = "; asking pauses until it has caught up" if share >= 1 else ""
    return Advice(
        level="serious" if share >= 1 else "warning",
        code="queue",
        what=f"{numbers.deliver_backlog:,} of at most {numbers.deliver_bound:,} finished citations wait for the "
        f"store{pauses}",
        hint="They are safe in the journal. The store is slower than the provider: see what else it is doing, or "
        "lower --concurrency.",
    )


def _away(numbers: Snapshot) -> Advice | None:
    if numbers.store_wait_s < STORE_AWAY_S:
        return None
    return Advice(
        level="serious",
        code="store",
        what=f"the store has not taken a delivery for {duration(numbers.store_wait_s)}",
        hint="Answers are safe in the journal. Look to the server: the run waits for it for two minutes, then stops; "
        "the next run delivers them without a call.",
    )


def _pool(numbers: Snapshot) -> Advice | None:
    if numbers.pool_size is None or (numbers.pool_in_use or 0) < numbers.pool_size:
        return None
    return Advice(
        level="warning",
        code="pool",
        what=f"all {numbers.pool_size:,} connections to the store are in use",
        hint="One or two are usual, as work waits for no connection. The server answers slowly: "
        "SHOW TRANSACTIONS tells what it does.",
    )


def _journal(numbers: Snapshot) -> Advice | None:
    commit = numbers.journal_commit
    waiting = numbers.journal_backlog > max(50, numbers.concurrency)
    if commit is None or not (waiting or commit.p50 >= SLOW_COMMIT_S):
        return None
    return Advice(
        level="warning",
        code="journal",
        what=f"the journal's disk is slow: a commit takes {wait(commit.p50)}, "
        f"{numbers.journal_backlog:,} facts wait for the next",
        hint="Calls wait for it, as an answer counts only on disk. Put it on a local disk of flash: --journal FILE, "
        "after this run is finished.",
    )


def _slower_write(numbers: Snapshot) -> Advice | None:
    return _slower(numbers.store_write, "store_write", "a delivery to the store takes")


def _slower_read(numbers: Snapshot) -> Advice | None:
    return _slower(numbers.store_read, "store_read", "a page of the store is waited for")


def _slower(spread: Spread | None, code: str, verb: str) -> Advice | None:
    if spread is None or spread.earlier_p50 is None or spread.p50 < max(SLOW_STORE_S, RISING * spread.earlier_p50):
        return None
    return Advice(
        level="warning",
        code=code,
        what=f"{verb} {duration(spread.p50)}, earlier in this run {duration(spread.earlier_p50)}",
        hint="See what else the store is doing (Neo4j: SHOW TRANSACTIONS, memory, disk). If it lasts, lower "
        "--concurrency.",
    )


def _disk(numbers: Snapshot) -> Advice | None:
    free = numbers.disk_free_bytes
    if free is None or free >= DISK_WARNING:
        return None
    return Advice(
        level="serious" if free < DISK_SERIOUS else "warning",
        code="disk",
        what=f"{size(free)} free on the journal's disk",
        hint="Make room: an answer takes about 2 kB, and asking stops when the disk is full. Nothing is lost then.",
    )


def _money(numbers: Snapshot) -> Advice | None:
    cap, spent = numbers.max_cost_usd, numbers.spent_cost_usd
    if cap is None or spent is None or spent < BUDGET_WARNING * cap:
        return None
    return _spent("cost", f"{cost(spent)} of {cost(cap)}", "--max-cost")


def _tokens(numbers: Snapshot) -> Advice | None:
    cap, spent = numbers.max_tokens, numbers.spent_tokens
    if cap is None or spent is None or spent < BUDGET_WARNING * cap:
        return None
    return _spent("tokens", f"{short(spent)} of {short(cap)} tokens", "--max-tokens")


def _spent(code: str, amounts: str, flag: str) -> Advice:
    return Advice(
        level="warning",
        code=code,
        what=f"{amounts} are spent, over all runs of this screening",
        hint=f"The run stops there, and a larger {flag} goes on from that place.",
    )


def _throttle(numbers: Snapshot) -> Advice | None:
    takes = [
        *(
            [f"{numbers.allowed:,} calls at once, not {numbers.concurrency:,}"]
            * (numbers.allowed < numbers.concurrency)
        ),
        *([f"no more than {rate(numbers.pace_per_s)}"] if numbers.pace_per_s is not None else []),
    ]
    if not numbers.pushbacks or not takes:
        return None
    return Advice(
        level="note",
        code="throttle",
        what=f"the provider takes {' and '.join(takes)} (told to slow down {times(numbers.pushbacks)})",
        hint="Nothing is lost, and more is tried now and then. Where a limit is known, --concurrency or --rpm below it "
        "spares the refusals.",
    )


LEVELS: Sequence[Level] = ("serious", "warning", "note")
RULES: Sequence[Callable[[Snapshot], Advice | None]] = (
    _memory,
    _errors,
    _disk,
    _away,
    _queue,
    _pool,
    _journal,
    _slower_write,
    _slower_read,
    _money,
    _tokens,
    _throttle,
)


class _Told(NamedTuple):
    """What was said, and when it was last the case."""

    said: Advice
    at: float


class Watch:
    """Says each thing once when it has stood for a while, and once when it is over: what flickers is not said."""

    STANDS_S = 5.0
    OVER_S = 30.0

    def __init__(self) -> None:
        self._since: dict[tuple[str, Level], float] = {}
        self._told: dict[str, _Told] = {}

    def see(self, numbers: Snapshot) -> list[str]:
        """The lines that these numbers call for; mostly none."""
        now, standing = numbers.elapsed_s, advice(numbers)
        self._since = {(said.code, said.level): self._since.get((said.code, said.level), now) for said in standing}
        lines = []
        for said in standing:
            before = self._told.get(said.code)
            worse = before is None or LEVELS.index(said.level) < LEVELS.index(before.said.level)
            if worse and now - self._since[said.code, said.level] >= self.STANDS_S:
                lines.append(line_of(said))
                before = _Told(said, now)
            if before is not None:
                self._told[said.code] = before._replace(at=now)
        for code, told in list(self._told.items()):
            if now - told.at >= self.OVER_S:
                del self._told[code]
                lines.append(f"Over: {told.said.what}.")
        return lines


def line_of(said: Advice) -> str:
    """One piece of advice, for people."""
    return f"{said.level.capitalize()}: {said.what}. {said.hint}"
