"""A store to report on, with contexts of every kind, and texts that try to break out of a page."""

from __future__ import annotations

from typing import Any

import msgspec

from citefidelity.ports import ScreeningRow
from citefidelity.records import Delivery, Outcome, Record
from citefidelity.reporting.figures import Report
from citefidelity.reporting.labels import FieldLabels
from citefidelity.reporting.report import Wanted, draw_up
from citefidelity.specs.spec import Spec, builtin_spec
from citefidelity.testing.store import MemoryStore
from support.makers import (
    AT,
    make_answer,
    make_failed,
    make_key,
    make_outcome,
    make_record,
    make_unassessable,
    make_verdict,
)

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x00"
"""Breaks out of every kind of place, where it is not escaped there."""

SPEC = msgspec.structs.replace(builtin_spec(), model="model-1")
DAY = "2026-01-03T00:00:00Z"


def screening_row(spec: Spec = SPEC) -> ScreeningRow:
    """The screening "main" with this spec."""
    return ScreeningRow(name="main", spec=spec.to_json(), fingerprint=spec.fingerprint(), created_at=AT)


def judged(category: str, confidence: float, instance_id: str = "1", **answer: Any) -> Outcome:
    """A verdict; parts of its answer may be given."""
    return make_outcome(
        instance_id, make_verdict(category, confidence), msgspec.structs.replace(make_answer(), **answer)
    )


def gold(number: int, *labels: str | None, **fields: Any) -> Record:
    """A citation whose contexts have these labels."""
    contexts = [
        {"instance_id": at, "context_text": f"As shown [{at}].", "gold": label} for at, label in enumerate(labels, 1)
    ]
    return make_record(number, contexts=contexts, **fields)


async def full_store(spec: Spec = SPEC) -> MemoryStore:
    """Six citations: judged three times, with failures, to do, not qualified, done elsewhere, and unreadable."""
    broken = msgspec.structs.replace(make_record(6), contexts=b"nonsense")
    store = MemoryStore(
        [
            gold(1, "SUPPORT", "CONTRADICT", None, source_title=HOSTILE),
            gold(2, "SUPPORT", None, None, target_title=HOSTILE),
            make_record(3, contexts=2),
            make_record(4, qualified=False),
            make_record(5, contexts=3),
            broken,
        ],
        elsewhere=[make_key(5)],
    )
    await store.begin_screening(screening_row(spec))
    await store.deliver(
        "main",
        "run-1",
        AT,
        [
            Delivery(
                make_key(1),
                (
                    judged("SUPPORT", 0.9, input_tokens=1_000, cached_tokens=400),
                    judged("IRRELEVANT", 0.8, "2", cost_usd=None),
                    judged("IRRELEVANT", 1.0, "3", answering_model="model-2", answered_at="2026-01-05T00:00:00.000Z"),
                ),
            ),
            Delivery(make_key(2), (judged("SUPPORT", 0.55), make_failed("2"), make_unassessable("3"))),
        ],
    )
    return store


async def report_on(store: MemoryStore, **wanted: Any) -> Report:
    """The report of its screening "main", without an audit unless one is wanted."""
    usual: dict[str, Any] = {"screening": "main", "address": "memory", "audit": False, "labels": FieldLabels("gold")}
    return await draw_up(store, Wanted(**(usual | wanted)), made_at=DAY, program="citefidelity 0")
