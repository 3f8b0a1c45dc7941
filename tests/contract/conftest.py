"""A store of each kind, for the suite that all of them pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citefidelity.ports import Store
from support.makers import (
    make_screening_row,
)
from support.stores import KINDS, PARAMS, StoreKind


@pytest.fixture(params=PARAMS)
def store_kind(request: pytest.FixtureRequest, tmp_path: Path) -> StoreKind:
    """Each kind of store in turn."""
    return KINDS[str(request.param)](tmp_path)


@pytest.fixture
async def store(store_kind: StoreKind) -> AsyncIterator[Store]:
    """An empty store in which the screening "main" has begun."""
    store = await store_kind.open()
    await store.begin_screening(make_screening_row())
    yield store
    await store.close()
