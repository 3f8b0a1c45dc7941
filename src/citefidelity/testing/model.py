"""A model in this process: scripted and counted like the provider beside it, but without a socket.

Time is the clock's, so that a test can simulate hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from citefidelity.ports import CallFault, Clock, Question, RawReply
from citefidelity.testing.answers import choices_in
from citefidelity.testing.faults import rate_limited
from citefidelity.testing.hits import Book, Hit, Stats
from citefidelity.testing.limiter import Limiter
from citefidelity.testing.script import Script, parse_script, share_of


class ScriptedModel:
    """Answers as scripted, and keeps book.

    Args:
        clock: gives the time and the sleep.
        script: rules (see :mod:`citefidelity.testing.script`), or a function from a hit to an act.
        latency: seconds, from and to; where in between follows from the prompt and ``seed``.
        in_flight: calls allowed in flight; more get 429.
        per_window: calls allowed within ``window`` seconds; more get 429.
        tell_when: whether such a 429 carries ``Retry-After``.
        rejection: seconds until a 429 comes back.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a provider may do
        self,
        clock: Clock,
        script: Script | Sequence[str] = (),
        *,
        latency: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        in_flight: int | None = None,
        per_window: int | None = None,
        window: float = 60.0,
        tell_when: bool = True,
        rejection: float = 0.0,
    ) -> None:
        self._clock = clock
        self._script = script if callable(script) else parse_script(script)
        self._latency = latency
        self._seed = seed
        self._limiter = Limiter(clock.monotonic, in_flight, per_window, window)
        self._tell_when = tell_when
        self._rejection = rejection
        self.book = Book(clock.monotonic)

    @property
    def hits(self) -> Sequence[Hit]:
        """The last questions, oldest first."""
        return self.book.recent

    def stats(self) -> Stats:
        """What has happened so far."""
        return self.book.stats()

    async def ask(self, question: Question) -> RawReply:
        """The scripted answer.

        Raises:
            CallFault: the script says so.
        """
        hit = Hit(
            fixed=question.fixed,
            variable=question.variable,
            model="scripted",
            choices=choices_in(question.schema),
            arrived=self._clock.monotonic(),
        )
        self.book.arrive(hit)
        wait = self._limiter.wait(self.book.in_flight)
        act = self._script(hit) if wait is None else rate_limited(wait if self._tell_when else None)
        hit.act = act.name
        billed = act.say(hit).billed
        if billed is not None:
            self.book.bill(hit, billed)
        outcome: RawReply | CallFault | None = None
        try:
            # Even an immediate answer comes in a later turn of the loop, as one over a socket does.
            await self._clock.sleep(self._delay(hit) if wait is None else self._rejection)
            outcome = act.outcome(hit)
            return await _come_to(outcome)
        finally:
            self.book.end(hit, answered=isinstance(outcome, RawReply), good=act.good and outcome is not None)

    def _delay(self, hit: Hit) -> float:
        low, high = self._latency
        return low if low == high else low + (high - low) * share_of(hit, f"latency {self._seed}")


async def _come_to(outcome: RawReply | CallFault | None) -> RawReply:
    if outcome is None:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody fulfils that future")
    if isinstance(outcome, CallFault):
        raise outcome
    return outcome
