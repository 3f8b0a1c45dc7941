"""What takes its time is found out now and then, once for all who ask."""

from __future__ import annotations

import asyncio

from citefidelity.errors import StoreMissing
from citefidelity.web.seldom import EVERY_S, SHARE, Seldom
from support.virtual_time import VirtualClock, run_virtual


class Finding:
    """Counts how often it was asked; takes ``seconds`` each time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.times = 0

    async def find(self) -> int:
        """How often."""
        self.times += 1
        times = self.times
        await asyncio.sleep(self.seconds)
        return times


def test_it_is_found_anew_after_a_while_and_not_before() -> None:
    """Within ten seconds all get what the first one got."""
    finding = Finding()

    async def ask() -> None:
        kept = Seldom(finding.find, VirtualClock())
        assert [await kept.get() for _ in range(3)] == [1, 1, 1]
        await asyncio.sleep(EVERY_S - 0.1)
        assert await kept.get() == 1
        await asyncio.sleep(0.1)
        assert await kept.get() == 2

    run_virtual(ask())


def test_what_takes_long_is_done_seldom() -> None:
    """At most one part in twenty of the time is spent on it, and those who ask meanwhile wait for the same answer."""
    finding = Finding(seconds=5.0)

    async def ask() -> None:
        kept = Seldom(finding.find, VirtualClock())
        assert await asyncio.gather(*(kept.get() for _ in range(10))) == [1] * 10
        await asyncio.sleep(SHARE * 5.0 - 5.1)
        assert await kept.get() == 1
        await asyncio.sleep(0.1)
        assert await kept.get() == 2

    run_virtual(ask())


def test_what_is_known_to_be_old_is_found_anew() -> None:
    """Also where that becomes known while it is being found."""
    finding = Finding(seconds=1.0)

    async def ask() -> None:
        kept = Seldom(finding.find, VirtualClock())
        assert await kept.get() == 1
        kept.expire()
        asyncio.get_running_loop().call_later(0.5, kept.expire)
        assert await kept.get() == 2
        assert await kept.get() == 3
        assert await kept.get() == 3

    run_virtual(ask())


def test_what_cannot_be_found_says_why() -> None:
    """An error of ours comes out as its message, and is not asked for again at once either."""
    asked: list[None] = []

    async def fail() -> int:
        asked.append(None)
        raise StoreMissing("There is no store.")

    async def ask() -> None:
        kept = Seldom(fail, VirtualClock())
        assert [await kept.get(), await kept.get()] == ["There is no store."] * 2

    run_virtual(ask())
    assert len(asked) == 1
