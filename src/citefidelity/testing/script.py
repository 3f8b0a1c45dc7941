"""Which act a request gets: a script of rules such as ``reset@3`` or ``rate_limited@every:10*2``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b

from citefidelity.errors import UsageError
from citefidelity.testing.acts import Act
from citefidelity.testing.faults import ACTS, GOOD
from citefidelity.testing.hits import Hit

Script = Callable[[Hit], Act]

RULE = re.compile(
    r"(?P<act>\w+)@(?:(?P<all>all)|every:(?P<every>\d+)|share:(?P<share>0?\.\d+|1)|(?P<nth>\d+)|hit:(?P<hit>\d+))"
    r"(?:\*(?P<times>\d+|always))?"
)
HELP = """\
a rule is ACT@WHICH or ACT@WHICH*TIMES. WHICH: all | N (the Nth prompt) | every:N | share:F (of the prompts) | hit:N
(the Nth request, whatever it asks). TIMES: how often for one prompt, 1 unless given, or always; then it is good."""


def always(act: Act) -> Script:
    """Do the same with every request."""
    return lambda _: act


def parse_script(rules: Sequence[str]) -> Script:
    """The first rule that fits decides; where none fits, the answer is good.

    Raises:
        UsageError: a rule cannot be read, or names no known act.
    """
    parsed = [_rule(rule) for rule in rules]

    def decide(hit: Hit) -> Act:
        for act, fits in parsed:
            if fits(hit):
                return act
        return GOOD

    return decide


def share_of(hit: Hit, purpose: str) -> float:
    """A number from 0 to 1 that follows from the prompt, the number of the attempt and a purpose, and nothing else."""
    digest = blake2b(f"{purpose} {hit.prompt} {hit.number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _rule(rule: str) -> tuple[Act, Callable[[Hit], bool]]:
    match = RULE.fullmatch(rule)
    act = ACTS.get(match["act"]) if match else None
    if match is None or act is None:
        raise UsageError(f"{rule!r} is no rule for a scripted provider.", f"Acts: {', '.join(ACTS)}. {HELP}")
    times = float("inf") if match["times"] == "always" else int(match["times"] or 1)
    which = _which(match)
    if match["hit"]:
        return act, which
    return act, lambda hit: hit.number <= times and which(hit)


def _which(match: re.Match[str]) -> Callable[[Hit], bool]:
    if match["all"]:
        return lambda _: True
    if match["every"]:
        every = int(match["every"])
        return lambda hit: hit.prompt_number % every == 0
    if match["share"]:
        share = float(match["share"])
        return lambda hit: share_of(hit, match["act"]) < share
    if match["hit"]:
        total = int(match["hit"])
        return lambda hit: hit.total == total
    nth = int(match["nth"])
    return lambda hit: hit.prompt_number == nth
