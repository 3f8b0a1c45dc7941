"""Every error this program raises on purpose.

::

    CitefidelityError            exit 1
    ├── UsageError               exit 2   the command, a file or a setting is wrong; nothing was changed
    │   └── RecordError          exit 2   one line of an input is wrong
    ├── StoreError               exit 5   the store or the journal cannot be used
    │   ├── StoreMissing         exit 5   no store there
    │   ├── StoreUnavailable     exit 5   the store does not answer now; trying again may help
    │   ├── StoreHeld            exit 5   another process holds the store's claim or the journal
    │   └── JournalError         exit 5   the journal cannot be opened, or can no longer be written
    └── ProviderError            exit 4   the local model's server does not start; nothing was asked

A provider that refuses, or is away, ends a run with its report, and an audit reports what it finds: neither raises.

Each carries a message (what happened, what it means for the data) and a hint (what to do next). Foreign errors are
translated into these once, at the adapter's boundary, with ``from``.
"""

from __future__ import annotations

from typing import ClassVar


class CitefidelityError(Exception):
    """Base of all: ``kind`` is stable and machine-readable, ``hint`` says what to do next."""

    exit_code: ClassVar[int] = 1
    default_kind: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str = "", *, kind: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind or self.default_kind
        if hint:
            # Who does not catch it, as in a notebook, sees the hint below the message.
            self.add_note(hint)


class UsageError(CitefidelityError):
    """The command line, a setting or an input file is wrong; nothing was changed."""

    exit_code = 2
    default_kind = "usage"


class RecordError(UsageError):
    """One record of an input is wrong; ``field`` names where, as ``contexts[2].instance_id``."""

    default_kind = "bad_record"

    def __init__(self, message: str, field: str = "", hint: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message, hint)
        self.field = field


class StoreError(CitefidelityError):
    """The store or the journal cannot be used; what was committed stands."""

    exit_code = 5
    default_kind = "store"


class StoreMissing(StoreError):
    """There is no store at this address."""

    default_kind = "store_missing"


class StoreUnavailable(StoreError):
    """The store does not answer now. Whether the last write took effect is settled by looking."""

    default_kind = "store_unavailable"


class StoreHeld(StoreError):
    """Another process holds the claim or the lock that this command needs."""

    default_kind = "held"


class JournalError(StoreError):
    """The journal cannot be opened or written; asking stops, what was acknowledged is safe."""

    default_kind = "journal"


class ProviderError(CitefidelityError):
    """The local model's server does not start; nothing was asked and no context is marked."""

    exit_code = 4
    default_kind = "provider"
