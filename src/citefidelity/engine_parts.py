"""What an engine is given: everything it works with, and the bounds it keeps."""

from __future__ import annotations

import msgspec

from citefidelity.conclude import Concluder
from citefidelity.deadlines import Deadlines
from citefidelity.deliver import Deliverer
from citefidelity.meter import Meter
from citefidelity.pacing.admission import Admission
from citefidelity.ports import Claim, Clock, Journal, Model, Source
from citefidelity.prompt import Prompter


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds one run. ``citations`` is ``--limit``; times are seconds."""

    concurrency: int
    citation_workers: int
    citations: int | None = None
    max_time: float | None = None
    grace: float = 20.0


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine works with."""

    source: Source
    journal: Journal
    model: Model
    prompter: Prompter
    concluder: Concluder
    deliverer: Deliverer
    admission: Admission
    deadlines: Deadlines
    claim: Claim
    meter: Meter
    clock: Clock
