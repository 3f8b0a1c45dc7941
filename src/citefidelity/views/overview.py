"""What has been screened in a store, under which specs."""

from __future__ import annotations

import msgspec

from citefidelity.ports import Registry, ScreeningRow
from citefidelity.specs.spec import Spec


class ScreeningEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One screening. ``delivered`` counts citations; ``fingerprint`` is that of the spec."""

    screening: str
    provider: str
    model: str
    begun_at: str
    delivered: int
    fingerprint: str
    spec: Spec


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All screenings of one store, oldest first."""

    store: str
    store_id: str
    screenings: list[ScreeningEntry]


async def list_screenings(store: Registry, address: str) -> Overview:
    """What has been screened in ``store``, which is called ``address`` towards people."""
    return Overview(
        store=address,
        store_id=await store.store_id(),
        screenings=[_entry(row) for row in await store.screenings()],
    )


def _entry(row: ScreeningRow) -> ScreeningEntry:
    spec = Spec.from_json(row.spec)
    return ScreeningEntry(
        screening=row.name,
        provider=spec.provider,
        model=spec.model,
        begun_at=row.created_at,
        delivered=row.delivered,
        fingerprint=row.fingerprint,
        spec=spec,
    )
