"""Deadlines: a call is cut when its time is over, unless its reply has already arrived."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from citefidelity.clock import SystemClock
from citefidelity.deadlines import Deadlines
from citefidelity.kinds import FailureKind
from support.virtual_time import VirtualClock, run_virtual


def this_task() -> asyncio.Task[Any]:
    """The task that asks."""
    task = asyncio.current_task()
    assert task is not None
    return task


async def _guarded(deadlines: Deadlines, waiting: asyncio.Future[str]) -> tuple[str | None, FailureKind | None]:
    call = deadlines.enter(this_task())
    try:
        return await waiting, call.cut
    except asyncio.CancelledError:
        if call.cut is None:
            raise
        call.task.uncancel()
        return None, call.cut
    finally:
        deadlines.leave(call)


def test_a_silent_call_is_cut_when_its_time_is_over() -> None:
    """A call without a reply ends as a timeout, at its deadline and not before."""

    async def main() -> tuple[tuple[str | None, FailureKind | None], float]:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(300.0, VirtualClock())
        return await _guarded(deadlines, loop.create_future()), loop.time()

    (reply, cut), at = run_virtual(main())
    assert (reply, cut) == (None, FailureKind.TIMEOUT)
    assert at == pytest.approx(300.0, abs=0.01)


def test_each_call_has_its_own_deadline() -> None:
    """Calls that began at different times are cut at different times."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(10.0, VirtualClock())
        ends: list[float] = []

        async def one(start: float) -> None:
            await asyncio.sleep(start)
            await _guarded(deadlines, loop.create_future())
            ends.append(round(loop.time(), 3))

        await asyncio.gather(one(0), one(3), one(7))
        return ends

    assert run_virtual(main()) == [10.0, 13.0, 17.0]


def test_cutting_all_ends_every_call_as_abandoned() -> None:
    """When a run leaves, what has no reply is cut at once and says that it was abandoned."""

    async def main() -> list[tuple[str | None, FailureKind | None]]:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(300.0, VirtualClock())
        loop.call_later(5.0, deadlines.cut_all)
        return await asyncio.gather(*(_guarded(deadlines, loop.create_future()) for _ in range(3)))

    assert run_virtual(main()) == [(None, FailureKind.ABANDONED)] * 3


def test_a_cancellation_from_elsewhere_is_not_taken_for_a_deadline() -> None:
    """Only the deadline's own cut is turned into a timeout."""

    async def main() -> None:
        deadlines = Deadlines(300.0, VirtualClock())
        task = asyncio.create_task(_guarded(deadlines, asyncio.get_running_loop().create_future()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(main())


async def test_a_reply_in_the_socket_beats_a_deadline_that_passed_while_the_process_stood_still() -> None:
    """After a gap, replies that wait in sockets are read before deadlines count."""
    pairs = [socket.socketpair() for _ in range(50)]
    deadlines = Deadlines(0.2, SystemClock())
    reply = b"x" * 100_000

    async def ask(mine: socket.socket) -> int | FailureKind:
        reader, writer = await asyncio.open_connection(sock=mine, limit=16_384)
        call = deadlines.enter(this_task())
        try:
            return len(await reader.readexactly(len(reply)))
        except asyncio.CancelledError:
            call.task.uncancel()
            return call.cut or FailureKind.CONNECTION
        finally:
            deadlines.leave(call)
            writer.close()

    tasks = [asyncio.create_task(ask(mine)) for mine, _ in pairs]
    await asyncio.sleep(0.05)
    for _, theirs in pairs[:-1]:
        theirs.sendall(reply)
    # The whole process stands still, as after SIGSTOP, until all deadlines have passed.
    time.sleep(0.5)  # noqa: ASYNC251 - the gap is the point
    ends = await asyncio.gather(*tasks)
    for _, theirs in pairs:
        theirs.close()
    assert ends == [len(reply)] * 49 + [FailureKind.TIMEOUT]
