"""One call as admission sees it: what it is expected to use, how it ended, and why no further one may leave."""

from __future__ import annotations

from typing import Literal, NamedTuple

from citefidelity.facts import Billed
from citefidelity.records import Usage

CallOutcome = Literal["success", "fault", "push_back", "neutral"]


class Load(NamedTuple):
    """What one call is expected to use. ``output_tokens`` is an upper bound: the token limit of the request."""

    input_tokens: int
    output_tokens: int


class CallEnd(NamedTuple):
    """How one call ended, as far as it says something about the provider and the money.

    ``success``: the provider took the call and answered, whatever the answer is worth. ``fault``: it did not, and
    ``kind`` says how. ``push_back``: it asked to slow down (429, 503), after ``retry_after`` seconds where it says so.
    ``neutral``: nothing is learnt (the call was given up).
    """

    outcome: CallOutcome
    kind: str = ""
    retry_after: float | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    billed: Billed = "unknown"

    @property
    def tokens(self) -> int | None:
        """Input and output tokens together, None where the provider does not tell both."""
        usage = self.usage
        if usage is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        return usage.input_tokens + usage.output_tokens


class Halt(NamedTuple):
    """The run must stop. ``kind`` is ``outage`` or ``budget``; ``message`` is for people."""

    kind: str
    message: str
