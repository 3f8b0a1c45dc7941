"""Whether a run could begin here and now: one finding for each thing it needs, and what to do where it is missing.

Nothing here costs money: the provider is asked for its list of models and its balance, never for a chat completion.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol

import msgspec

from citefidelity.errors import CitefidelityError
from citefidelity.kinds import ProviderFault
from citefidelity.ports import CallFault, Clock, RawReply
from citefidelity.prices.pricing import Price
from citefidelity.replies.complaint import parse
from citefidelity.replies.faults import PLAINLY, REMEDIES, Fault, classify

Area = Literal["settings", "machine", "provider", "store"]
EXIT_CODES: dict[Area, int] = {"settings": 2, "machine": 2, "provider": 4, "store": 5}

CLOCK_MAY_DIFFER_S = 60.0
SCARCE_BYTES = 1_000_000_000
MANY_MODELS = 5


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing. ``hint`` says what to do where it is not ok."""

    name: str
    area: Area
    result: Literal["ok", "warning", "failure"]
    message: str
    hint: str = ""


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found."""

    checks: list[Check]

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, else the highest of what failed: 5 the store, 4 the provider, 2 the rest."""
        return max((EXIT_CODES[check.area] for check in self.checks if check.result == "failure"), default=0)


class Server(Protocol):
    """What a provider offers beside answers."""

    async def fetch(self, path: str) -> RawReply:
        """What is there; raises :class:`~citefidelity.ports.CallFault` where no answer comes."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be asked. ``lists_all``: a model that is not in the provider's list does not exist there."""

    provider: str
    model: str
    host: str
    has_key: bool
    lists_all: bool
    tells_balance: bool


def ok(name: str, area: Area, message: str) -> Check:
    """Nothing to do."""
    return Check(name=name, area=area, result="ok", message=message)


def warning(name: str, area: Area, message: str, hint: str) -> Check:
    """A run can begin, but."""
    return Check(name=name, area=area, result="warning", message=message, hint=hint)


def failure(name: str, area: Area, message: str, hint: str) -> Check:
    """A run would not begin, or would stop at once."""
    return Check(name=name, area=area, result="failure", message=message, hint=hint)


def refused(name: str, area: Area, error: CitefidelityError) -> Check:
    """What a run would say."""
    return failure(name, area, error.message, error.hint)


async def examine_provider(server: Server, asked: Asked, clock: Clock) -> list[Check]:
    """Connection, key, model, clock and balance, as far as the provider tells them without being paid."""
    began = clock.monotonic()
    answer = await _fetched(server, "models")
    if isinstance(answer, CallFault):
        message = f"{asked.host} does not answer: {answer.message}"
        return [failure("server", "provider", message, REMEDIES[ProviderFault.UNREACHABLE])]
    seconds = clock.monotonic() - began
    took = (
        f"{asked.host} gave its list of models in {seconds:.2f} s; the model itself was not asked, as that costs money"
    )
    checks = [ok("server", "provider", took)]
    fault = classify(answer, now=clock.wall())
    if fault is not None:
        checks.append(_key_refused(fault, asked))
    else:
        accepted = "accepted" if asked.has_key else "none is set, and none was wanted"
        checks += [ok("key", "provider", accepted), check_model(answer, asked)]
    checks.append(check_clock(answer, clock.wall()))
    if asked.tells_balance and (fault is None or not isinstance(fault.kind, ProviderFault)):
        checks.append(check_balance(await _fetched(server, "user/balance"), clock.wall()))
    return checks


def _key_refused(fault: Fault, asked: Asked) -> Check:
    not_offered = fault.kind in {ProviderFault.UNREACHABLE, ProviderFault.UNKNOWN_MODEL}
    if isinstance(fault.kind, ProviderFault) and not not_offered:
        return failure("key", "provider", fault.message, REMEDIES[fault.kind])
    if not_offered:
        message = f"{asked.host} has no list of models, so neither the key nor the model could be checked"
        return warning("key", "provider", message, "Check --base-url (most end in /v1); else try: run --limit 1")
    message = f"the key and the model could not be checked: {fault.message}"
    return warning("key", "provider", message, "Try again later; a run would wait.")


def check_model(reply: RawReply, asked: Asked) -> Check:
    """Whether the model is in the provider's list."""
    names = _names(parse(reply.body))
    if asked.model in names or f"{asked.model}:latest" in names:
        return ok("model", "provider", f"{asked.model} is in the list")
    if not names:
        return warning("model", "provider", "the list of models cannot be read", "To be sure, try: run --limit 1")
    some = ", ".join(names[:MANY_MODELS]) + (
        f" and {len(names) - MANY_MODELS} more" if len(names) > MANY_MODELS else ""
    )
    message = f"{asked.model} is not in the list, which has: {some}"
    if asked.lists_all:
        return failure("model", "provider", message, REMEDIES[ProviderFault.UNKNOWN_MODEL])
    return warning("model", "provider", message, "Some gateways take more names than they list. Try: run --limit 1")


def check_clock(reply: RawReply, now: float) -> Check:
    """This machine's clock against the server's; prices by the hour and the times in records depend on it."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return ok("clock", "machine", "the server does not tell the time, so there is nothing to compare with")
    ahead = now - theirs
    if abs(ahead) <= CLOCK_MAY_DIFFER_S:
        return ok("clock", "machine", "as the server's")
    message = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    hint = "Set the clock: prices by the hour, waits until a date and the times in records go by it."
    return warning("clock", "machine", message, hint)


def check_balance(answer: RawReply | CallFault, now: float) -> Check:
    """What is left on the account."""
    fault = classify(answer, now=now)
    document = parse(answer.body) if isinstance(answer, RawReply) and fault is None else None
    if not isinstance(document, dict) or not isinstance(document.get("is_available"), bool):
        message = fault.message if fault else "the balance cannot be read"
        return warning("balance", "provider", message, "Look it up on the provider's site.")
    infos = document.get("balance_infos")
    amounts = [
        f"{info.get('total_balance')} {info.get('currency')}"
        for info in (infos if isinstance(infos, list) else [])
        if isinstance(info, dict)
    ]
    if document["is_available"]:
        return ok("balance", "provider", ", ".join(amounts) or "enough")
    message = f"{PLAINLY[ProviderFault.NO_BALANCE]} ({', '.join(amounts)})"
    return failure("balance", "provider", message, REMEDIES[ProviderFault.NO_BALANCE])


def check_price(price: Price | None, at: float, *, model: str, capped: bool) -> Check:
    """Whether costs can be told, and a cap on them kept. ``capped``: there is one."""
    rates = price.rates(at) if price is not None else None
    if price is not None and rates is not None:
        amounts = f"${rates.input:g} for a million tokens in and ${rates.output:g} out, at this hour"
        return ok("price", "settings", f"{amounts} ({price.source})")
    message = f"no price is known for {model}: costs stay unknown"
    hint = "--price IN,OUT in US dollars for a million tokens, or pip install 'citefidelity[prices]'"
    if capped:
        return failure("price", "settings", f"{message}, and --max-cost cannot be kept", hint)
    return warning("price", "settings", message, hint)


def check_free_space(free: int, place: str) -> Check:
    """Whether the journal's disk has room; an answer takes about 2 kB there."""
    message = f"{free / 1e9:.1f} GB free at {place}"
    if free >= SCARCE_BYTES:
        return ok("space", "store", message)
    return warning("space", "store", message, "Make room: asking stops when the journal's disk is full.")


async def _fetched(server: Server, path: str) -> RawReply | CallFault:
    try:
        return await server.fetch(path)
    except CallFault as fault:
        return fault


def _names(document: Any) -> Sequence[str]:
    entries = document.get("data") if isinstance(document, dict) else None
    found = [entry.get("id") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [name for name in found if isinstance(name, str)]
