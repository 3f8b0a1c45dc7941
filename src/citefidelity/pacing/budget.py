"""The caps on money and tokens: reserved before a call leaves, settled when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from citefidelity.pacing.calls import CallEnd, Load

Room = Literal["enough", "later", "none"]


class Budget:
    """Caps that hold for a screening over all its runs; what may have been paid counts as paid.

    Args:
        max_cost: US dollars, None for no cap.
        max_tokens: input and output together, None for no cap.
        spent_cost: what the screening has cost before this run, maybes included.
        spent_tokens: the same in tokens.
        price: the most that a call of a load can cost, in US dollars; always the same for the same load.

    Raises:
        ValueError: a cap on the cost without a price cannot be kept.
    """

    def __init__(
        self,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        spent_cost: float = 0.0,
        spent_tokens: int = 0,
        price: Callable[[Load], float] | None = None,
    ) -> None:
        if max_cost is not None and price is None:
            raise ValueError("max_cost needs a price")
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self._price = price
        self.spent_cost = spent_cost
        self.spent_tokens = spent_tokens
        self.reserved_cost = 0.0
        self.reserved_tokens = 0

    def reserve(self, load: Load) -> Room:
        """Reserve for a call of this load, if there is room: now, perhaps when others have ended, or not at all."""
        room: Room = "enough"
        tokens = load.input_tokens + load.output_tokens
        if self.max_tokens is not None:
            after = self.spent_tokens + tokens
            if after > self.max_tokens:
                return "none"
            if after + self.reserved_tokens > self.max_tokens:
                room = "later"
        cost = self._bound(load)
        if self.max_cost is not None:
            if self.spent_cost + cost > self.max_cost:
                return "none"
            if self.spent_cost + cost + self.reserved_cost > self.max_cost:
                room = "later"
        if room == "enough":
            self.reserved_tokens += tokens
            self.reserved_cost += cost
        return room

    def settle(self, load: Load, end: CallEnd) -> None:
        """Put what the call took in place of what was reserved. Where that is not known, the reservation is spent."""
        tokens, cost = load.input_tokens + load.output_tokens, self._bound(load)
        self.reserved_tokens -= tokens
        self.reserved_cost -= cost
        if end.billed == "no":
            return
        certain = end.billed == "yes"
        used = end.tokens
        self.spent_tokens += used if certain and used is not None else tokens
        self.spent_cost += end.cost_usd if certain and end.cost_usd is not None else cost

    def spent(self) -> str:
        """Where it stands, for people."""
        parts = []
        if self.max_cost is not None:
            parts.append(f"{self.spent_cost:.4f} of {self.max_cost:.4f} USD")
        if self.max_tokens is not None:
            parts.append(f"{self.spent_tokens:,} of {self.max_tokens:,} tokens")
        return " and ".join(parts)

    def _bound(self, load: Load) -> float:
        return self._price(load) if self._price is not None else 0.0
