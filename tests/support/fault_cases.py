"""The matrix of faults: which fault, at which prompts, with how many calls in flight, and what must follow."""

from __future__ import annotations

from typing import NamedTuple

from citefidelity.testing.acts import Act
from citefidelity.testing.faults import ACTS, GOOD
from citefidelity.testing.hits import Hit

CONTEXTS = {1: 7, 128: 140}
"""How many there are, by calls in flight."""

POSITIONS = ("first", "middle", "last", "all")

FAULTS = {
    # The answer counts.
    "blank_then_good": "verdict",
    "comments_then_good": "verdict",
    "trickle": "verdict",
    "unfinished": "verdict",
    "no_usage": "verdict",
    "odd_usage": "verdict",
    "other_model": "verdict",
    # Asked again; what never works stays to do.
    "blank_then_nothing": "again:bad_reply",
    "blank_then_reset": "again:connection",
    "truncated": "again:connection",
    "reset_middle": "again:connection",
    "silence_middle": "again:timeout",
    "silence": "again:timeout",
    "closed": "again:connection",
    "reset": "again:connection",
    "not_http": "again:connection",
    "html": "again:bad_reply",
    "error_object": "again:bad_reply",
    "choices_null": "again:bad_reply",
    "blank": "again:bad_reply",
    "no_resource": "again:server_error",
    "server_error": "again:server_error",
    "bad_gateway": "again:server_error",
    "overloaded": "again:server_error",
    "request_timeout": "again:server_error",
    "echo_key_header": "again:server_error",
    "echo_key_cut": "again:connection",
    # All calls wait.
    "rate_limited": "pause",
    "rate_limited_date": "pause",
    "overloaded_seconds": "pause",
    # The context fails.
    "too_long_openai": "context:too_long",
    "request_too_large_for_rate": "context:too_long",
    "filtered": "context:refused",
    "refusal": "context:refused",
    "unprocessable": "context:rejected",
    "format_refused": "context:rejected",
    "length": "context:truncated",
    "unknown_category": "context:unreadable_reply",
    # The run stops.
    "key_rejected": "run:key_rejected",
    "echo_key_refused": "run:key_rejected",
    "no_balance": "run:no_balance",
    "no_quota": "run:no_balance",
    "forbidden": "run:forbidden",
    "unknown_model": "run:unknown_model",
    "parameter_refused": "run:parameter_refused",
    "redirect": "run:redirected",
}
"""Each fault, and what must follow from it where a context meets it again and again."""


class Case(NamedTuple):
    """One cell of the matrix."""

    fault: str
    position: str
    in_flight: int

    @property
    def contexts(self) -> int:
        """How many there are to ask."""
        return CONTEXTS[self.in_flight]

    @property
    def meant(self) -> set[int]:
        """The prompts that meet the fault, by the order in which they are first asked."""
        last = self.contexts
        where = {"first": {1}, "middle": {(last + 1) // 2}, "last": {last}, "all": set(range(1, last + 1))}
        return where[self.position]

    def script(self, hit: Hit) -> Act:
        """What the provider does; one that asks to slow down relents in the end, unless it says so to all."""
        relents = FAULTS[self.fault] == "pause" and self.position != "all" and hit.number > 2
        return ACTS[self.fault] if hit.prompt_number in self.meant and not relents else GOOD
