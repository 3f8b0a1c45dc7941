"""The embedded store lets go of what it holds, whenever it is cancelled: the process may live on."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from citefidelity.clock import SystemClock
from citefidelity.records import WHOLE
from citefidelity.stores.sqlite import open_sqlite
from support.makers import make_holder


def waited_for(event: threading.Event) -> None:
    """Blocks its thread until then."""
    assert event.wait(10)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
async def test_a_close_that_is_cancelled_lets_go_all_the_same(tmp_path: Path, times: int) -> None:
    """A process that lives on, as a notebook's does, keeps neither claim nor thread from who presses stop again."""
    store = await open_sqlite(tmp_path / "store.db", create=True, clock=SystemClock())
    await store.claim("main", WHOLE, make_holder())
    busy = threading.Event()
    for database in (store._writer, store._reader):  # noqa: SLF001 - what goes on while it is closed
        database.thread.submit(partial(waited_for, busy))
    closing = asyncio.create_task(store.close())
    for _ in range(times):
        await asyncio.sleep(0)
        closing.cancel()
    busy.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    for database in (store._writer, store._reader):  # noqa: SLF001 - as above
        with pytest.raises(RuntimeError, match="shutdown"):
            await database.thread.run(str)
        await asyncio.to_thread(database.thread._pool.shutdown)  # noqa: SLF001 - waits for what it was given
        assert database._connection is None  # noqa: SLF001 - closed, so that no file is held
    again = await open_sqlite(tmp_path / "store.db", create=True, clock=SystemClock())
    assert await again.claims() == []
    await again.close()


async def test_a_claim_that_is_cancelled_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread takes after nobody waits any more, it gives back."""
    store = await open_sqlite(tmp_path / "store.db", create=True, clock=SystemClock())
    desk = store._desk  # noqa: SLF001 - the moment is between its thread and the loop
    begun = threading.Event()
    take = desk._take  # noqa: SLF001 - as above

    def slowly(note: Any, now: float) -> tuple[Path, int]:
        begun.set()
        return take(note, now)

    monkeypatch.setattr(desk, "_take", slowly)
    claiming = asyncio.create_task(store.claim("main", WHOLE, make_holder()))
    await asyncio.to_thread(begun.wait, 10)
    claiming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claiming
    assert await store.claims() == []
    await store.close()
