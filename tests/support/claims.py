"""Claims that are lost, and a model that has to connect before it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from citefidelity.ports import CallFault, Question, RawReply
from citefidelity.testing.model import ScriptedModel
from support.virtual_time import VirtualClock


class Lapse(NamedTuple):
    """From when a claim is not surely held, and from when it is again, another having had it in between."""

    lost: float
    again: float


class OvertakenClaim:
    """Held but in its lapses, which come one after the other."""

    def __init__(self, *lapses: Lapse) -> None:
        self._lapses = lapses

    def holds_until(self) -> float:
        """The beginning of the lapse that there is or that comes next."""
        now = asyncio.get_running_loop().time()
        return min((lapse.lost for lapse in self._lapses if now < lapse.again), default=now + 15)

    def losses(self) -> int:
        """Lapses that are over."""
        return sum(lapse.again <= asyncio.get_running_loop().time() for lapse in self._lapses)

    async def release(self) -> None:
        """Nothing is held."""


class Connecting(ScriptedModel):
    """Has to connect first, and looks whether it may ask just before the first byte leaves."""

    def __init__(self, connect: float, latency: tuple[float, float] = (1, 1), script: Sequence[str] = ()) -> None:
        super().__init__(VirtualClock(), script, latency=latency)
        self._connect = connect

    async def ask(self, question: Question) -> RawReply:
        """The scripted answer, or none where the question is held back."""
        await asyncio.sleep(self._connect)
        why = question.held_back()
        if why:
            raise CallFault("abandoned", why, sent=False)
        return await super().ask(question)
